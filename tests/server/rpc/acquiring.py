"""The acquirer, as far as a core sees it: messages encrypted with a webhook config's key, and status answers by
script."""

import base64
import itertools
import json
import os
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from mintmark.v1 import accounts_pb2, notifications_pb2
from mintmark.v1 import acquirer_notifications_pb2 as np
from mintmark.v1 import acquirer_transactions_pb2 as pb
from mintmark.v1 import events_pb2 as ev
from mintmark.v1 import tasks_pb2 as tp
from mintmark.v1 import webhook_configs_pb2 as wp

from tests.server.rpc.running import RunningCore, request_id

_NUMBERS = itertools.count(1)
QUERY = tp.TaskKind.TASK_KIND_QUERY_ACQUIRER_TRANSACTION


@dataclass(frozen=True)
class Envelope:
    """A message as it travels, damaged or not."""

    ciphertext: bytes
    initialization_vector: bytes
    tag: bytes


def sealed(key: bytes, plaintext: bytes) -> Envelope:
    iv = os.urandom(12)
    both = AESGCM(key).encrypt(iv, plaintext, None)
    return Envelope(both[:-16], iv, both[-16:])


def said(**fields: Any) -> dict[str, Any]:
    """What the acquirer says of a transaction; a field that is None is left out."""
    given: dict[str, Any] = {
        "returnStatus": {"statusMsg": "Success", "statusCode": "000"},
        "paymentStatus": "Success",
        "paymentMethod": "BLIK",
        "transactionID": f"t-{request_id()}",
        "transactionDateTime": "2026-03-12T10:48:44Z",
        "amount": {"currency": "PLN", "value": 50.5},
        "merchant": {"transactionId": "order-1", "terminalId": 50994},
        "paymentType": "PURS",
        "notificationID": request_id(),
        **fields,
    }
    return {name: value for name, value in given.items() if value is not None}


def outcome_of(answer: np.RecordAcquirerNotificationResponse) -> str:
    name = np.AcquirerNotificationOutcome.Name(answer.outcome)
    return name.removeprefix("ACQUIRER_NOTIFICATION_OUTCOME_")


def state_of(transaction: pb.AcquirerTransaction) -> str:
    return pb.AcquirerTransactionState.Name(transaction.state).removeprefix("ACQUIRER_TRANSACTION_STATE_")


def booking_of(transaction: pb.AcquirerTransaction) -> str:
    return pb.AcquirerBooking.Name(transaction.booking).removeprefix("ACQUIRER_BOOKING_")


def deliver(core: RunningCore, config_id: str, envelope: Envelope) -> np.RecordAcquirerNotificationResponse:
    request = np.RecordAcquirerNotificationRequest(
        webhook_config_id=config_id,
        ciphertext=envelope.ciphertext,
        initialization_vector=envelope.initialization_vector,
        authentication_tag=envelope.tag,
        correlation_id="c-1",
    )
    return core.gateway.acquirer_notifications.RecordAcquirerNotification(request)


@dataclass
class Merchant:
    """A merchant at the acquirer with one webhook config, and whoever looks at it: an administrator."""

    core: RunningCore
    account: str
    gateway: str
    merchant_id: str
    config_id: str
    key: bytes

    @property
    def config(self) -> str:
        return f"webhookConfigs/{self.config_id}"

    def name_of(self, transaction_id: str) -> str:
        return f"acquirerTransactions/{self.account.removeprefix('partnerAccounts/')}~{transaction_id}"

    def send(self, message: dict[str, Any] | bytes) -> np.RecordAcquirerNotificationResponse:
        plaintext = message if isinstance(message, bytes) else json.dumps(message).encode()
        return deliver(self.core, self.config_id, sealed(self.key, plaintext))

    def tell(self, **fields: Any) -> str:
        """Has the acquirer tell of a transaction; its id."""
        message = said(**fields)
        answer = self.send(message)
        assert outcome_of(answer) == "ACKNOWLEDGED"
        assert answer.notification_id == message["notificationID"]
        return str(message["transactionID"])

    def get(self, transaction_id: str) -> pb.AcquirerTransaction:
        request = pb.GetAcquirerTransactionRequest(name=self.name_of(transaction_id))
        return self.core.admin.acquirer_transactions.GetAcquirerTransaction(request).acquirer_transaction

    def reports(self, transaction_id: str) -> list[pb.AcquirerTransactionReport]:
        request = pb.ListAcquirerTransactionReportsRequest(name=self.name_of(transaction_id), page_size=1000)
        return list(self.core.admin.acquirer_transactions.ListAcquirerTransactionReports(request).reports)

    def effects(self, transaction_id: str) -> list[str]:
        return [
            pb.AcquirerReportEffect.Name(each.effect).removeprefix("ACQUIRER_REPORT_EFFECT_")
            for each in self.reports(transaction_id)
        ]

    def kept(self) -> list[notifications_pb2.Notification]:
        """Every notification of the merchant's gateway, the newest first."""
        request = notifications_pb2.ListNotificationsRequest(merchant_gateway_id=self.gateway, page_size=1000)
        return list(self.core.admin.notifications.ListNotifications(request).notifications)

    def unreadable(self) -> list[np.UnreadableNotification]:
        request = np.ListUnreadableNotificationsRequest(webhook_config=self.config, page_size=1000)
        return list(self.core.admin.unreadable.ListUnreadableNotifications(request).unreadable_notifications)

    def kinds(self, cursor: str, resource: str = "") -> list[str]:
        """The kinds of the events since, of this gateway."""
        found = self.core.admin.events_after(cursor, merchant_gateway_id=self.gateway, resource=resource)
        return [ev.EventKind.Name(event.kind).removeprefix("EVENT_KIND_") for event in found]

    def refresh(self, transaction_id: str) -> pb.AcquirerTransaction:
        request = pb.RefreshAcquirerTransactionRequest(request_id=request_id(), name=self.name_of(transaction_id))
        return self.core.admin.acquirer_transactions.RefreshAcquirerTransaction(request).acquirer_transaction

    def claim(self, transaction_id: str) -> tp.Task | None:
        """The due question for a transaction's status, leased."""
        request = tp.ClaimTasksRequest(kinds=[QUERY], max_tasks=64)
        found = list(self.core.dispatcher.tasks.ClaimTasks(request).tasks)
        name = self.name_of(transaction_id)
        return next((task for task in found if task.acquirer_query.acquirer_transaction == name), None)

    def answer(self, task: tp.Task, body: dict[str, Any] | bytes | None, **call: Any) -> None:
        """What the acquirer answers to the question; no body: it did not."""
        accepted = wp.ACQUIRER_CALL_OUTCOME_ACCEPTED if body is not None else wp.ACQUIRER_CALL_OUTCOME_UNKNOWN
        given = {
            "operation": wp.ACQUIRER_OPERATION_STATUS,
            "outcome": accepted,
            "tpp_request_id": request_id(),
            "http_status": 200 if body is not None else 0,
            **call,
        }
        raw = body if isinstance(body, bytes) else json.dumps(body or {}).encode()
        self.core.dispatcher.tasks.RecordAcquirerStatus(
            tp.RecordAcquirerStatusRequest(
                task=task.name,
                fence=task.fence,
                acquirer_transaction=task.acquirer_query.acquirer_transaction,
                call=wp.AcquirerCall(**given),
                body=raw if body is not None else b"",
            )
        )


def open_merchant(
    core: RunningCore,
    *,
    like: Merchant | None = None,
    key: bytes | None = None,
    payments_base_url: str = "",
    gateway: str = "",
    **desired: Any,
) -> Merchant:
    """A merchant on a merchant gateway that nobody else uses; `like` another, it is one more config of its account.
    `desired` is what else is wanted of the config."""
    number = next(_NUMBERS)
    key = key or os.urandom(32)
    gateway = like.gateway if like else gateway or f"SIBS_{number:06}"
    account = like.account if like else f"partnerAccounts/sibs-{number}"
    if like is None:
        apply_account(core, account, gateway, payments_base_url)
    merchant = Merchant(core, account, gateway, f"{1000000000 + number}", f"w-{number}", key)
    wanted = wp.DesiredWebhookConfig(
        webhook_config_id=merchant.config_id,
        account=account,
        merchant_id=merchant.merchant_id,
        payment_method_codes=["CARD", "BLIK"],
        key=base64.b64encode(key).decode(),
        **desired,
    )
    core.admin.webhook_configs.CreateWebhookConfig(
        wp.CreateWebhookConfigRequest(request_id=request_id(), desired=wanted)
    )
    return merchant


def apply_account(core: RunningCore, account: str, gateway: str, payments_base_url: str) -> None:
    """An account with the acquirer; nobody is asked there but by script."""
    stated = accounts_pb2.Account(
        account_id=account.removeprefix("partnerAccounts/"),
        provider=accounts_pb2.ACCOUNT_PROVIDER_SIBS,
        mode=accounts_pb2.ACCOUNT_MODE_TEST,
        merchant_gateway_id=gateway,
        sibs=accounts_pb2.SibsAccount(
            base_url="https://api.example.com",
            acquirer_id="1",
            client_id="client-canary-5512",
            access_token="token-canary-5512",
            payments_base_url=payments_base_url,
        ),
    )
    core.admin.accounts.ApplyAccounts(accounts_pb2.ApplyAccountsRequest(request_id=request_id(), accounts=[stated]))


def add_key(merchant: Merchant, key: bytes) -> None:
    """Gives the merchant's config one more key."""
    text = base64.b64encode(key).decode()
    request = wp.RotateWebhookKeyRequest(request_id=request_id(), name=merchant.config, key=text)
    merchant.core.admin.webhook_configs.RotateWebhookKey(request)


def delete_config(merchant: Merchant) -> None:
    request = wp.DeleteWebhookConfigRequest(request_id=request_id(), name=merchant.config)
    merchant.core.admin.webhook_configs.DeleteWebhookConfig(request)


def keys_of(merchant: Merchant) -> list[wp.WebhookKey]:
    """The keys of the merchant's config, the current one first."""
    request = wp.GetWebhookConfigRequest(name=merchant.config)
    return list(merchant.core.admin.webhook_configs.GetWebhookConfig(request).webhook_config.keys)
