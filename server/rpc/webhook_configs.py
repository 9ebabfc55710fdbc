"""WebhookConfigsService."""

import base64
import time
from collections.abc import Callable, Sequence
from typing import Any

from mintmark.v1 import webhook_configs_pb2 as pb

from server.domain import webhook_keys
from server.domain.queries import UnmanagedWebhookQuery, WebhookConfigQuery
from server.domain.refusals import FieldInvalid
from server.domain.unmanaged_webhooks import UnmanagedWebhook
from server.domain.webhook_configs import Channel, Observed, WebhookConfig, WebhookConfigState
from server.domain.webhook_keys import WebhookKey
from server.domain.webhook_plans import Desired, Held, WebhookConfigChange
from server.ports import Feed, Transaction
from server.rpc import acquirer_calls
from server.rpc.calls import Call, Calls
from server.rpc.pages import PageTokens
from server.rpc.webhook_tasks import CHANNELS, PRESENCES
from server.rpc.words import timestamp
from server.services import webhook_book, webhook_configs
from server.services.webhook_house import WebhookHouse

DEFAULT_WAIT_S = 10.0
# How often a wait looks at the config without having been told to.
LOOK_S = 1.0
# What is left of a call's deadline for its answer to travel.
ANSWER_S = 0.2
CHANNEL_WORDS = {number: channel for channel, number in CHANNELS.items()} | {
    pb.NOTIFICATION_CHANNEL_UNSPECIFIED: Channel.URL
}


def state_to_proto(state: WebhookConfigState) -> pb.WebhookConfigState.ValueType:
    return pb.WebhookConfigState.Value(f"WEBHOOK_CONFIG_STATE_{state}")


def observed_to_proto(observed: Observed) -> pb.ObservedWebhookConfig:
    return pb.ObservedWebhookConfig(
        present=observed.present,
        channel_text=observed.channel_text,
        value=observed.value,
        payment_method_codes=observed.payment_method_codes,
        support_email=observed.support_email,
        algorithm=observed.algorithm,
        key=observed.key,
        foreign_key=observed.foreign_key,
        observe_time=timestamp(observed.observe_time),
    )


def to_proto(config: WebhookConfig) -> pb.WebhookConfig:
    """The config without its calls and its keys."""
    wanted, last = config.wanted, config.last_call
    return pb.WebhookConfig(
        name=config.name,
        desired=pb.DesiredWebhookConfig(
            webhook_config_id=config.webhook_config_id,
            account=config.account,
            merchant_id=config.merchant_id,
            acceptor_id=config.acceptor_id,
            terminal_id=config.terminal_id,
            channel=CHANNELS[wanted.channel],
            value=wanted.value,
            payment_method_codes=wanted.payment_method_codes,
            support_email=wanted.support_email,
            algorithm=wanted.algorithm,
            acknowledgement_status_code=wanted.acknowledgement_status_code,
        ),
        own_address=config.own_address,
        merchant_gateway_id=config.merchant_gateway_id,
        notification_configuration_code=config.notification_configuration_code,
        state=state_to_proto(config.state),
        generation=config.generation,
        applied_generation=config.applied_generation,
        presence=PRESENCES[config.presence],
        observed=observed_to_proto(config.observed) if config.observed else None,
        differences=[
            pb.WebhookConfigDifference(field=each.field, desired=each.desired, observed=each.observed)
            for each in config.differences
        ],
        refresh_pending=config.refresh_wanted_time is not None,
        last_call=acquirer_calls.to_proto(last) if last else None,
        actor=config.actor,
        create_time=timestamp(config.create_time),
        update_time=timestamp(config.update_time),
        apply_time=timestamp(config.apply_time),
        delete_time=timestamp(config.delete_time),
        etag=str(config.revision),
    )


def key_to_proto(key: WebhookKey, held: Held, keep: int) -> pb.WebhookKey:
    expire_time = webhook_keys.expire_time(key, held.keys, held.config.key_end_time, keep)
    return pb.WebhookKey(
        name=key.name,
        current=key.retire_time is None,
        create_time=timestamp(key.create_time),
        apply_time=timestamp(key.apply_time),
        last_use_time=timestamp(key.last_use_time),
        retire_time=timestamp(key.retire_time),
        expire_time=timestamp(expire_time),
    )


def unmanaged_to_proto(webhook: UnmanagedWebhook) -> pb.UnmanagedWebhook:
    return pb.UnmanagedWebhook(
        account=webhook.account,
        merchant_gateway_id=webhook.merchant_gateway_id,
        merchant_id=webhook.merchant_id,
        acceptor_id=webhook.acceptor_id,
        terminal_id=webhook.terminal_id,
        notification_configuration_code=webhook.notification_configuration_code,
        observed=observed_to_proto(webhook.observed),
    )


def change_to_proto(change: WebhookConfigChange) -> pb.WebhookConfigChange:
    held = change.held
    return pb.WebhookConfigChange(
        webhook_config=change.webhook_config,
        action=pb.WebhookConfigAction.Value(f"WEBHOOK_CONFIG_ACTION_{change.action}"),
        fields=change.fields,
        state=state_to_proto(held.config.state) if held else pb.WEBHOOK_CONFIG_STATE_UNSPECIFIED,
    )


def key_of(text: str, field: str) -> bytes:
    """The key that a caller gives in Base64. Raises FieldInvalid."""
    key = base64.b64decode(text) if text else b""
    # 43 characters and a `=` are 32 bytes; two texts of the same bytes would be two keys to a reader of files.
    if text and base64.b64encode(key).decode() != text:
        raise FieldInvalid(field, "is not the Base64 of 32 bytes", "base64")
    return key


class WebhookConfigs:
    """The methods of WebhookConfigsService, behind the wrapper of every call."""

    def __init__(self, house: WebhookHouse, calls: Calls, pages: PageTokens, feed: Feed) -> None:
        self._house = house
        self._calls = calls
        self._pages = pages
        self._feed = feed

    def _desired(self, given: pb.DesiredWebhookConfig, field: str, account: str = "") -> Desired:
        key = key_of(given.key, f"{field}.key")
        return Desired(
            webhook_config_id=given.webhook_config_id,
            account=given.account or account,
            merchant_id=given.merchant_id,
            acceptor_id=given.acceptor_id,
            terminal_id=given.terminal_id,
            channel=CHANNEL_WORDS[given.channel],
            value=given.value,
            payment_method_codes=tuple(sorted(given.payment_method_codes)),
            support_email=given.support_email,
            acknowledgement_status_code=given.acknowledgement_status_code,
            key=key,
            key_digest=webhook_book.digest(self._house, key) if key else b"",
        )

    def _desired_list(self, given: Sequence[pb.DesiredWebhookConfig], account: str) -> list[Desired]:
        return [self._desired(each, f"desired[{place}]", account) for place, each in enumerate(given)]

    def _shown(self, held: Held, *, calls: bool = False) -> pb.WebhookConfig:
        shown = to_proto(held.config)
        keys = webhook_keys.in_order(held.keys)
        shown.keys.extend(key_to_proto(key, held, self._house.limits.key_keep) for key in keys)
        if calls:
            shown.calls.extend(acquirer_calls.to_proto(each) for each in reversed(held.config.calls))
        return shown

    def CreateWebhookConfig(self, request: pb.CreateWebhookConfigRequest, call: Call) -> pb.CreateWebhookConfigResponse:
        desired = self._desired(request.desired, "desired")

        def run(transaction: Transaction) -> pb.CreateWebhookConfigResponse:
            held = webhook_configs.create(self._house, transaction, call.caller, desired)
            return pb.CreateWebhookConfigResponse(webhook_config=self._shown(held))

        return self._calls.write(call, request, desired.account, run)

    def GetWebhookConfig(self, request: pb.GetWebhookConfigRequest, call: Call) -> pb.GetWebhookConfigResponse:
        held = webhook_configs.get(self._house.store, call.caller, request.name)
        return pb.GetWebhookConfigResponse(webhook_config=self._shown(held, calls=True))

    def ListWebhookConfigs(self, request: pb.ListWebhookConfigsRequest, call: Call) -> pb.ListWebhookConfigsResponse:
        query = WebhookConfigQuery(
            call.caller.reach,
            frozenset(
                WebhookConfigState(pb.WebhookConfigState.Name(each).removeprefix("WEBHOOK_CONFIG_STATE_"))
                for each in request.states
                if each
            ),
            request.account,
            request.merchant_gateway_id,
            request.merchant_id,
        )
        store = self._house.store
        keys: dict[str, list[WebhookKey]] = {}

        def read(page: Any) -> list[WebhookConfig]:
            found = webhook_configs.list_page(store, query, page)
            keys.update(store.view.webhook_keys([config.name for config in found]))
            return found

        found, next_page = self._pages.list(
            request, call.caller.client, read, lambda each: self._shown(Held(each, tuple(keys[each.name])))
        )
        return pb.ListWebhookConfigsResponse(webhook_configs=found, next_page_token=next_page)

    def UpdateWebhookConfig(self, request: pb.UpdateWebhookConfigRequest, call: Call) -> pb.UpdateWebhookConfigResponse:
        desired = self._desired(request.desired, "desired")
        fields = set(request.update_mask.paths)
        changes = {field: getattr(desired, field) for field in fields}
        if "key" in fields:
            changes["key_digest"] = desired.key_digest

        def run(transaction: Transaction) -> pb.UpdateWebhookConfigResponse:
            held = webhook_configs.update(self._house, transaction, call.caller, request.name, changes, request.etag)
            return pb.UpdateWebhookConfigResponse(webhook_config=self._shown(held))

        return self._calls.write(call, request, request.name, run)

    def DeleteWebhookConfig(self, request: pb.DeleteWebhookConfigRequest, call: Call) -> pb.DeleteWebhookConfigResponse:
        def run(transaction: Transaction) -> pb.DeleteWebhookConfigResponse:
            held = webhook_configs.delete(self._house, transaction, call.caller, request.name, request.etag)
            return pb.DeleteWebhookConfigResponse(webhook_config=self._shown(held))

        return self._calls.write(call, request, request.name, run)

    def PlanWebhookConfigs(self, request: pb.PlanWebhookConfigsRequest, call: Call) -> pb.PlanWebhookConfigsResponse:
        desired = self._desired_list(request.desired, request.account)
        # Under the same locks as it would be applied, and nothing is written.
        changes = self._house.store.write(
            request.account,
            lambda transaction: webhook_configs.plan(
                self._house,
                transaction,
                call.caller,
                request.account,
                desired,
                delete_missing=request.delete_missing,
            ),
            deadline=call.deadline,
        )
        return pb.PlanWebhookConfigsResponse(changes=[change_to_proto(each) for each in changes])

    def ApplyWebhookConfigs(self, request: pb.ApplyWebhookConfigsRequest, call: Call) -> pb.ApplyWebhookConfigsResponse:
        desired = self._desired_list(request.desired, request.account)

        def run(transaction: Transaction) -> pb.ApplyWebhookConfigsResponse:
            changes = webhook_configs.apply(
                self._house,
                transaction,
                call.caller,
                request.account,
                desired,
                delete_missing=request.delete_missing,
            )
            return pb.ApplyWebhookConfigsResponse(changes=[change_to_proto(each) for each in changes])

        return self._calls.write(call, request, request.account, run)

    def RefreshWebhookConfigs(
        self, request: pb.RefreshWebhookConfigsRequest, call: Call
    ) -> pb.RefreshWebhookConfigsResponse:
        def run(transaction: Transaction) -> pb.RefreshWebhookConfigsResponse:
            names = webhook_configs.refresh(self._house, transaction, call.caller, request.account, list(request.names))
            return pb.RefreshWebhookConfigsResponse(names=names)

        return self._calls.write(call, request, request.account or "webhookConfigs", run)

    def RotateWebhookKey(self, request: pb.RotateWebhookKeyRequest, call: Call) -> pb.RotateWebhookKeyResponse:
        key = key_of(request.key, "key")

        def run(transaction: Transaction) -> pb.RotateWebhookKeyResponse:
            held = webhook_configs.rotate(self._house, transaction, call.caller, request.name, key, request.etag)
            return pb.RotateWebhookKeyResponse(webhook_config=self._shown(held))

        return self._calls.write(call, request, request.name, run)

    def WaitWebhookConfig(self, request: pb.WaitWebhookConfigRequest, call: Call) -> pb.WaitWebhookConfigResponse:
        timeout = request.timeout.ToTimedelta().total_seconds() if request.HasField("timeout") else DEFAULT_WAIT_S
        until = min(time.monotonic() + timeout, call.deadline - ANSWER_S)
        call.on_gone(self._feed.wake)
        while True:
            head = self._feed.head
            held = webhook_configs.get(self._house.store, call.caller, request.name)
            left = until - time.monotonic()
            if held.config.settled or left <= 0 or call.over():
                return pb.WaitWebhookConfigResponse(webhook_config=self._shown(held), settled=held.config.settled)
            self._wait(request.name, head, min(left, LOOK_S), call.over)

    def _wait(self, name: str, head: int, seconds: float, over: Callable[[], bool]) -> None:
        """Waits until something happened to the config, or for so long."""
        until = time.monotonic() + seconds
        while not over() and (left := until - time.monotonic()) > 0:
            if not self._feed.wait(head, left, over):
                return
            news = self._feed.events(head, 1000)
            if not news or any(event.resource == name for event in news):
                return
            head = news[-1].sequence

    def ListUnmanagedWebhooks(
        self, request: pb.ListUnmanagedWebhooksRequest, call: Call
    ) -> pb.ListUnmanagedWebhooksResponse:
        query = UnmanagedWebhookQuery(call.caller.reach, request.account)
        found, next_page = self._pages.list(
            request,
            call.caller.client,
            lambda page: webhook_configs.list_unmanaged(self._house.store, query, page),
            unmanaged_to_proto,
        )
        return pb.ListUnmanagedWebhooksResponse(unmanaged_webhooks=found, next_page_token=next_page)
