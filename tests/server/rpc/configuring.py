"""The acquirer's configuration API, as a core sees it: an account, wishes, and a dispatcher that answers as told."""

import base64
import hashlib
import itertools
import os
from dataclasses import dataclass, field
from typing import Any

from mintmark.v1 import accounts_pb2 as ap
from mintmark.v1 import events_pb2 as ev
from mintmark.v1 import tasks_pb2 as tp
from mintmark.v1 import webhook_configs_pb2 as wp

from tests.server.rpc.running import RunningCore, Session, request_id

_NUMBERS = itertools.count(1)
APPLY = tp.TASK_KIND_APPLY_WEBHOOK_CONFIG
LIST = tp.TASK_KIND_LIST_WEBHOOK_CONFIGS
ACCEPTED = wp.ACQUIRER_CALL_OUTCOME_ACCEPTED
REJECTED = wp.ACQUIRER_CALL_OUTCOME_REJECTED
UNKNOWN = wp.ACQUIRER_CALL_OUTCOME_UNKNOWN
NOT_SENT = wp.ACQUIRER_CALL_OUTCOME_NOT_SENT
SECRETS = {"client_id": "CLIENT-ID-CANARY", "access_token": "ACCESS-TOKEN-CANARY"}
MERCHANT = "1000000001"


def made_key() -> str:
    return base64.b64encode(os.urandom(32)).decode()


def word(config: wp.WebhookConfig) -> str:
    return wp.WebhookConfigState.Name(config.state).removeprefix("WEBHOOK_CONFIG_STATE_")


def call(outcome: "wp.AcquirerCallOutcome.ValueType", **fields: Any) -> wp.AcquirerCall:
    sent = {} if outcome == NOT_SENT else {"tpp_request_id": request_id()}
    return wp.AcquirerCall(operation=wp.ACQUIRER_OPERATION_UPDATE, outcome=outcome, **{**sent, **fields})


def sibs_account(account_id: str, gateway: str, **fields: Any) -> ap.Account:
    stated: dict[str, Any] = {"base_url": "https://acquirer.example", "acquirer_id": "1000000000000000000000001"}
    return ap.Account(
        account_id=account_id,
        provider=ap.ACCOUNT_PROVIDER_SIBS,
        merchant_gateway_id=gateway,
        sibs=ap.SibsAccount(**{**stated, **SECRETS, **fields}),
    )


@dataclass
class Acquirer:
    """An account of its own, and what the acquirer has of it, by code."""

    core: RunningCore
    account: str
    gateway: str
    has: dict[str, tp.WebhookConfigApplication] = field(default_factory=dict)

    @property
    def session(self) -> Session:
        """The administrator, whose access token is new whenever the clock was moved."""
        return self.core.admin

    def state(self, **fields: Any) -> None:
        """States the account anew."""
        made = sibs_account(self.account.removeprefix("partnerAccounts/"), self.gateway, **fields)
        self.core.admin.accounts.ApplyAccounts(ap.ApplyAccountsRequest(request_id=request_id(), accounts=[made]))

    def desired(self, config_id: str = "", **fields: Any) -> wp.DesiredWebhookConfig:
        given: dict[str, Any] = {"merchant_id": MERCHANT, "payment_method_codes": ["BLIK", "CARD"], **fields}
        return wp.DesiredWebhookConfig(webhook_config_id=config_id, account=self.account, **given)

    def create(self, config_id: str = "", **fields: Any) -> wp.WebhookConfig:
        request = wp.CreateWebhookConfigRequest(request_id=request_id(), desired=self.desired(config_id, **fields))
        return self.session.webhook_configs.CreateWebhookConfig(request).webhook_config

    def get(self, name: str) -> wp.WebhookConfig:
        return self.session.webhook_configs.GetWebhookConfig(wp.GetWebhookConfigRequest(name=name)).webhook_config

    def state_of(self, name: str) -> str:
        return word(self.get(name))

    def update(self, name: str, *mask: str, **fields: Any) -> wp.WebhookConfig:
        request = wp.UpdateWebhookConfigRequest(
            request_id=request_id(), name=name, desired=wp.DesiredWebhookConfig(**fields)
        )
        request.update_mask.paths.extend(mask or fields)
        return self.session.webhook_configs.UpdateWebhookConfig(request).webhook_config

    def delete(self, name: str) -> wp.WebhookConfig:
        request = wp.DeleteWebhookConfigRequest(request_id=request_id(), name=name)
        return self.session.webhook_configs.DeleteWebhookConfig(request).webhook_config

    def rotate(self, name: str, key: str = "") -> wp.WebhookConfig:
        request = wp.RotateWebhookKeyRequest(request_id=request_id(), name=name, key=key)
        return self.session.webhook_configs.RotateWebhookKey(request).webhook_config

    def refresh(self, *names: str) -> list[str]:
        account = "" if names else self.account
        request = wp.RefreshWebhookConfigsRequest(request_id=request_id(), account=account, names=names)
        return list(self.session.webhook_configs.RefreshWebhookConfigs(request).names)

    def plan(self, *desired: wp.DesiredWebhookConfig, delete_missing: bool = False) -> dict[str, tuple[str, list[str]]]:
        request = wp.PlanWebhookConfigsRequest(account=self.account, desired=desired, delete_missing=delete_missing)
        return told(self.session.webhook_configs.PlanWebhookConfigs(request).changes)

    def apply(
        self, *desired: wp.DesiredWebhookConfig, delete_missing: bool = False
    ) -> dict[str, tuple[str, list[str]]]:
        request = wp.ApplyWebhookConfigsRequest(
            request_id=request_id(), account=self.account, desired=desired, delete_missing=delete_missing
        )
        return told(self.session.webhook_configs.ApplyWebhookConfigs(request).changes)

    def claim(self, *kinds: "tp.TaskKind.ValueType") -> list[tp.Task]:
        """The due tasks of this account, leased; those of other accounts are left alone."""
        others = [name for name in self._accounts() if name != self.account]
        request = tp.ClaimTasksRequest(kinds=kinds or (APPLY, LIST), max_tasks=64, paused_accounts=others)
        return list(self.core.dispatcher.tasks.ClaimTasks(request).tasks)

    def _accounts(self) -> list[str]:
        answer = self.core.admin.accounts.ListAccounts(ap.ListAccountsRequest(page_size=1000))
        return [account.name for account in answer.accounts]

    def report(self, task: tp.Task, *calls: wp.AcquirerCall) -> str:
        made = task.application
        answer = self.core.dispatcher.tasks.RecordWebhookConfigCall(
            tp.RecordWebhookConfigCallRequest(
                task=task.name,
                fence=task.fence,
                webhook_config=made.webhook_config,
                generation=made.generation,
                calls=calls or [call(ACCEPTED)],
            )
        )
        return wp.WebhookConfigState.Name(answer.state).removeprefix("WEBHOOK_CONFIG_STATE_")

    def agree(self) -> None:
        """The acquirer takes everything that it is asked for."""
        for task in self.claim(APPLY):
            made = task.application
            if made.delete:
                self.has.pop(made.notification_configuration_code, None)
            else:
                self.has[made.notification_configuration_code] = made
            self.report(task)

    def listed(self) -> list[tp.ListedWebhook]:
        """What the acquirer has, as it lists it."""
        channels = {wp.NOTIFICATION_CHANNEL_URL: "URL", wp.NOTIFICATION_CHANNEL_EMAIL: "EMAIL"}
        return [
            tp.ListedWebhook(
                notification_configuration_code=code,
                channel_text=channels[made.channel],
                value=made.value,
                key_digest=hashlib.sha256(base64.b64decode(made.key)).digest() if made.key else b"",
                support_email=made.support_email,
                algorithm=made.algorithm,
                payment_method_codes=made.payment_method_codes,
            )
            for code, made in self.has.items()
        ]

    def answer_list(self, task: tp.Task, listed: list[tp.ListedWebhook] | None = None, **fields: Any) -> int:
        made = {"operation": wp.ACQUIRER_OPERATION_LIST, "outcome": ACCEPTED, "tpp_request_id": request_id(), **fields}
        answer = self.core.dispatcher.tasks.RecordWebhookConfigList(
            tp.RecordWebhookConfigListRequest(
                task=task.name,
                fence=task.fence,
                call=wp.AcquirerCall(**made),
                webhooks=self.listed() if listed is None else listed,
            )
        )
        return int(answer.drifted_count)

    def show(self) -> int:
        """The acquirer lists what it has for everything that it is asked for; how many configs differ."""
        return sum(self.answer_list(task) for task in self.claim(LIST))

    def kinds(self, cursor: str, resource: str = "") -> list[str]:
        found = self.core.admin.events_after(cursor, merchant_gateway_id=self.gateway, resource=resource)
        return [ev.EventKind.Name(event.kind).removeprefix("EVENT_KIND_") for event in found]


def told(changes: Any) -> dict[str, tuple[str, list[str]]]:
    """What a plan says, by the config's own id."""
    return {
        change.webhook_config.removeprefix("webhookConfigs/"): (
            wp.WebhookConfigAction.Name(change.action).removeprefix("WEBHOOK_CONFIG_ACTION_"),
            list(change.fields),
        )
        for change in changes
    }


def open_acquirer(core: RunningCore, **fields: Any) -> Acquirer:
    """An account that nobody else uses, seen by the administrator."""
    number = next(_NUMBERS)
    acquirer = Acquirer(core, f"partnerAccounts/acquirer-{number}", f"ACQ_{number:06}")
    acquirer.state(**fields)
    return acquirer
