"""What is written of webhook configs and told of it: new ones, wishes, keys, and what the acquirer makes of them."""

from collections.abc import Sequence
from dataclasses import replace

from server.domain import webhook_configs, webhook_keys
from server.domain.accounts import Account
from server.domain.callers import Caller
from server.domain.events import Event, EventKind
from server.domain.refusals import WebhookKeysFull
from server.domain.sibs_accounts import Sibs
from server.domain.webhook_configs import Channel, Wanted, WebhookConfig, WebhookConfigState, code_of
from server.domain.webhook_keys import MOST_KEYS, WebhookKey
from server.domain.webhook_plans import Desired, Held, WebhookConfigChange
from server.ports import Transaction
from server.services import webhook_keys as keys_service
from server.services import webhook_schedule
from server.services.webhook_house import WebhookHouse


def wanted_now(house: WebhookHouse, config: WebhookConfig, sibs: Sibs) -> Wanted:
    """What is desired, with what stands today for what was left empty."""
    url = config.wanted.channel is Channel.URL
    return replace(
        config.wanted,
        value=config.stated_value or house.own_address(config.webhook_config_id),
        support_email=(config.stated_support_email or sibs.support_email) if url else "",
        acknowledgement_status_code=config.stated_acknowledgement_status_code or sibs.acknowledgement_status_code,
    )


def digest(house: WebhookHouse, key: bytes) -> bytes:
    return keys_service.digest(house.hasher, key)


def check_room(change: WebhookConfigChange) -> None:
    """Raises WebhookKeysFull where a change needs a key that there is no room for."""
    held = change.held
    if held is None or change.wanted is None or len(held.keys) < MOST_KEYS:
        return
    if "key" in change.fields or (change.wanted.channel is Channel.URL and held.key is None):
        raise WebhookKeysFull(held.config.name)


def want_refresh(transaction: Transaction, configs: Sequence[WebhookConfig], now: int) -> None:
    """Marks that somebody wants to know what the acquirer has of these."""
    transaction.webhooks.configs.update(
        [webhook_configs.saved(config, now, refresh_wanted_time=now) for config in configs]
    )


def create(
    house: WebhookHouse,
    transaction: Transaction,
    caller: Caller,
    account: Account,
    sibs: Sibs,
    desired: Desired,
    wanted: Wanted,
    now: int,
) -> Held:
    """A new config with a key of its own, to be applied."""
    config = WebhookConfig(
        name=desired.name,
        webhook_config_id=desired.webhook_config_id,
        account=account.name,
        merchant_gateway_id=account.merchant_gateway_id,
        merchant_id=desired.merchant_id,
        acceptor_id=desired.acceptor_id,
        terminal_id=desired.terminal_id,
        stated_value=desired.value,
        stated_support_email=desired.support_email,
        stated_acknowledgement_status_code=desired.acknowledgement_status_code,
        wanted=wanted,
        notification_configuration_code=code_of(house.ids.uuid(), without_hyphens=sibs.code_without_hyphens),
        create_time=now,
        update_time=now,
        actor=caller.client,
    )
    keys: tuple[WebhookKey, ...] = ()
    if wanted.channel is Channel.URL:
        secret = desired.key or house.message_keys.made_key()
        keys = (keys_service.sealed(house.hasher, house.sealer, config.name, 1, secret, now),)
    transaction.webhooks.configs.insert([config])
    transaction.webhooks.keys.insert(keys)
    webhook_schedule.schedule(transaction, config, now, caller.correlation_id)
    transaction.append(event(EventKind.WEBHOOK_CONFIG_CREATED, caller, config, now))
    return Held(config, keys)


def change(
    house: WebhookHouse,
    transaction: Transaction,
    caller: Caller,
    sibs: Sibs,
    held: Held,
    desired: Desired,
    wanted: Wanted,
    fields: tuple[str, ...],
    now: int,
    *,
    call: bool,
) -> Held:
    """The config with what is desired now. Without `call` the acquirer need not know. Raises WebhookConfigStateUnfit,
    WebhookKeysFull."""
    stated = {
        "stated_value": desired.value,
        "stated_support_email": desired.support_email,
        "stated_acknowledgement_status_code": desired.acknowledgement_status_code,
    }
    before = held.config
    stated_before = replace(before, **stated)  # type: ignore[arg-type]  # texts
    if not call:
        changed = webhook_configs.saved(stated_before, now, wanted=wanted, actor=caller.client)
        transaction.webhooks.configs.update([changed])
        _tell(transaction, caller, EventKind.WEBHOOK_CONFIG_UPDATED, before, changed, now, fields=",".join(fields))
        return Held(changed, held.keys)
    changed = webhook_configs.want(stated_before, wanted, caller.client, now, without_hyphens=sibs.code_without_hyphens)
    keys = held.keys
    needs_key = wanted.channel is Channel.URL and held.key is None
    if "key" in fields or needs_key:
        keys = _new_key(house, transaction, caller, changed, keys, desired.key, now)
    elif wanted.channel is Channel.EMAIL and held.key is not None:
        keys = _retire(transaction, keys, now)
    transaction.webhooks.configs.update([changed])
    webhook_schedule.schedule(transaction, changed, now, caller.correlation_id)
    _tell(transaction, caller, EventKind.WEBHOOK_CONFIG_UPDATED, before, changed, now, fields=",".join(fields))
    return Held(changed, keys)


def delete(house: WebhookHouse, transaction: Transaction, caller: Caller, held: Held, now: int) -> Held:
    """The config to be forgotten by the acquirer, or forgotten at once where that does not have it."""
    changed = webhook_configs.want_gone(held.config, caller.client, now)
    if changed is held.config:
        return held
    transaction.webhooks.configs.update([changed])
    keys = _retire(transaction, held.keys, now)
    if changed.state is WebhookConfigState.DELETED:
        gone = transaction.webhooks.tasks_for(changed.name)
        transaction.ledger.tasks.delete(sorted(task.name for task in gone))
    else:
        webhook_schedule.schedule(transaction, changed, now, caller.correlation_id)
    tell_state(transaction, caller, held.config, changed, now)
    return Held(changed, keys)


def heal(house: WebhookHouse, transaction: Transaction, caller: Caller, config: WebhookConfig, now: int) -> None:
    """Applies a config that has drifted again, where its account says so."""
    account = transaction.accounts.get(config.account)
    if account is None or account.sibs is None or not account.sibs.heal_drift:
        return
    wanted = wanted_now(house, config, account.sibs)
    hyphens = account.sibs.code_without_hyphens
    changed = webhook_configs.want(config, wanted, config.actor, now, without_hyphens=hyphens)
    transaction.webhooks.configs.update([changed])
    webhook_schedule.schedule(transaction, changed, now, caller.correlation_id)
    _tell(transaction, caller, EventKind.WEBHOOK_CONFIG_UPDATED, config, changed, now)


def _new_key(
    house: WebhookHouse,
    transaction: Transaction,
    caller: Caller,
    config: WebhookConfig,
    keys: tuple[WebhookKey, ...],
    given: bytes,
    now: int,
) -> tuple[WebhookKey, ...]:
    if len(keys) >= MOST_KEYS:
        raise WebhookKeysFull(config.name)
    retired = _retire(transaction, keys, now)
    number = max((key.number for key in keys), default=0) + 1
    secret = given or house.message_keys.made_key()
    made = keys_service.sealed(house.hasher, house.sealer, config.name, number, secret, now)
    transaction.webhooks.keys.insert([made])
    transaction.append(event(EventKind.WEBHOOK_KEY_ROTATED, caller, config, now, key=made.name))
    return (*retired, made)


def _retire(transaction: Transaction, keys: tuple[WebhookKey, ...], now: int) -> tuple[WebhookKey, ...]:
    retired = tuple(webhook_keys.retire(key, now) for key in keys)
    transaction.webhooks.keys.update([new for old, new in zip(keys, retired, strict=True) if new is not old])
    return retired


def tell_state(transaction: Transaction, caller: Caller, before: WebhookConfig, after: WebhookConfig, now: int) -> None:
    """Tells of a state that was reached."""
    if after.state is before.state:
        return
    if after.state is WebhookConfigState.DELETED:
        transaction.append(event(EventKind.WEBHOOK_CONFIG_DELETED, caller, after, now))
        return
    last = after.last_call
    said = {}
    if after.state is WebhookConfigState.REJECTED and last is not None:
        said = {"status_code": last.status_code, "transaction_status": last.transaction_status}
    _tell(transaction, caller, EventKind.WEBHOOK_CONFIG_UPDATED, before, after, now, **said)


def tell_list(transaction: Transaction, caller: Caller, before: WebhookConfig, after: WebhookConfig, now: int) -> None:
    """Tells of drift once for each that is another, and of its end."""
    if after.state is WebhookConfigState.DRIFTED and after.differences != before.differences:
        fields = ",".join(each.field for each in after.differences)
        transaction.append(event(EventKind.WEBHOOK_CONFIG_DRIFTED, caller, after, now, fields=fields))
    elif after.state is not before.state or (before.refresh_wanted_time and not after.refresh_wanted_time):
        _tell(transaction, caller, EventKind.WEBHOOK_CONFIG_UPDATED, before, after, now)


def wake(transaction: Transaction, caller: Caller, config: WebhookConfig, now: int) -> None:
    """Tells those who wait for a refresh that it has ended."""
    ended = replace(config, refresh_wanted_time=None)
    _tell(transaction, caller, EventKind.WEBHOOK_CONFIG_UPDATED, config, ended, now)


def _tell(
    transaction: Transaction,
    caller: Caller,
    kind: EventKind,
    before: WebhookConfig,
    after: WebhookConfig,
    now: int,
    **details: str,
) -> None:
    said = {"state": after.state.value, "state_before": before.state.value, **details}
    transaction.append(event(kind, caller, after, now, **said))


def event(kind: EventKind, caller: Caller, config: WebhookConfig, now: int, **details: str) -> Event:
    return Event(
        kind=kind,
        resource=config.name,
        time=now,
        merchant_gateway_id=config.merchant_gateway_id,
        merchant_id=config.merchant_id,
        correlation_id=caller.correlation_id,
        actor=caller.client,
        details={name: text for name, text in details.items() if text},
        snapshot=config,
    )
