"""The acquirer, as far as a core sees it: messages encrypted with a webhook config's key, and status answers by
script."""

import itertools
import json
import os
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from mintmark.v1 import acquirer_notifications_pb2 as np
from mintmark.v1 import acquirer_transactions_pb2 as pb
from mintmark.v1 import events_pb2 as ev
from mintmark.v1 import notifications_pb2
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
) -> Merchant:
    """A merchant on a merchant gateway that nobody else uses; `like` another, it is one more config of its account."""
    from server.domain.accounts import Account, AccountMode, AccountProvider, InboundAuthentication
    from server.domain.sibs_accounts import FieldNames, Sibs
    from server.domain.webhook_configs import Channel, Wanted, WebhookConfig
    from server.services.webhook_keys import sealed as sealed_key

    number = next(_NUMBERS)
    key = key or os.urandom(32)
    gateway = like.gateway if like else gateway or f"SIBS_{number:06}"
    account_name = like.account if like else f"partnerAccounts/sibs-{number}"
    merchant_id, config_id = f"{1000000000 + number}", f"w-{number}"
    sibs = Sibs(
        "https://api.example.com",
        "",
        "v1",
        "1",
        None,
        payments_base_url,
        "/api/v1/payments",
        False,
        "u",
        "o",
        FieldNames(),
        False,
        False,
        "200",
        "",
        (),
        False,
        (),
    )
    account = Account(
        account_name,
        account_name.removeprefix("partnerAccounts/"),
        AccountProvider.SIBS,
        "",
        AccountMode.TEST,
        gateway,
        (),
        InboundAuthentication.MESSAGE_KEY,
        "",
        sibs=sibs,
    )
    config = WebhookConfig(
        f"webhookConfigs/{config_id}",
        config_id,
        account_name,
        gateway,
        merchant_id,
        "",
        "",
        "",
        "",
        "",
        Wanted(Channel.URL, "https://x", ("CARD",), "", "AES-256-GCM", "200"),
        request_id(),
        1,
        1,
    )
    house = core.core.payments

    def unit(transaction: Any) -> None:
        if like is None:
            transaction.accounts.insert([account])
        transaction.webhooks.configs.insert([config])
        transaction.webhooks.keys.insert([sealed_key(house.hasher, house.sealer, config.name, 1, key, 1)])

    house.store.write("x", unit)
    return Merchant(core, account_name, gateway, merchant_id, config_id, key)


def add_key(merchant: Merchant, key: bytes) -> None:
    """Gives the merchant's config one more key."""
    from server.services.webhook_keys import sealed as sealed_key

    house = merchant.core.core.payments

    def unit(transaction: Any) -> None:
        number = len(transaction.webhooks.keys_of([merchant.config])[merchant.config]) + 1
        made = sealed_key(house.hasher, house.sealer, merchant.config, number, key, 1)
        transaction.webhooks.keys.insert([made])

    house.store.write("x", unit)


def keys_of(merchant: Merchant) -> list[Any]:
    return merchant.core.core.store.view.webhook_keys([merchant.config])[merchant.config]
