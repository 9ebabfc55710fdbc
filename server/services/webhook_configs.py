"""Webhook configs for those who desire them."""

from collections.abc import Sequence
from dataclasses import replace

from server.domain import webhook_configs, webhook_plans
from server.domain.accounts import Account
from server.domain.callers import Caller
from server.domain.queries import Page, UnmanagedWebhookQuery, WebhookConfigQuery
from server.domain.refusals import FieldInvalid, ResourceExists, ResourceNotFound, SecretInUse, WebhookConfigStateUnfit
from server.domain.sibs_accounts import Sibs
from server.domain.unmanaged_webhooks import UnmanagedWebhook
from server.domain.violations import FieldsInvalid
from server.domain.webhook_configs import GOING, WebhookConfig, WebhookConfigState
from server.domain.webhook_plans import (
    Desired,
    Held,
    Surroundings,
    WebhookConfigAction,
    WebhookConfigChange,
    needs_call,
)
from server.ports import Store, Transaction
from server.services import webhook_book, webhook_schedule
from server.services.webhook_house import WebhookHouse

# An account with more merchants is asked only for those that have configs.
MOST_MERCHANTS = 1000


def visible(caller: Caller, config: WebhookConfig | None, name: str) -> WebhookConfig:
    """The config, where there is one and the caller may see it. Raises ResourceNotFound."""
    if config is None or not caller.reach.merchant(config.merchant_gateway_id, config.merchant_id):
        raise ResourceNotFound(name)
    return config


def get(store: Store, caller: Caller, name: str) -> Held:
    """Raises ResourceNotFound."""
    config = visible(caller, store.view.webhook_config(name), name)
    return Held(config, tuple(store.view.webhook_keys([name])[name]))


def list_page(store: Store, query: WebhookConfigQuery, page: Page) -> list[WebhookConfig]:
    return store.view.webhook_configs(query, page)


def list_unmanaged(store: Store, query: UnmanagedWebhookQuery, page: Page) -> list[UnmanagedWebhook]:
    return store.view.unmanaged_webhooks(query, page)


def create(house: WebhookHouse, transaction: Transaction, caller: Caller, desired: Desired) -> Held:
    """Raises ResourceNotFound (the account), ResourceExists, FieldInvalid, SecretInUse."""
    now = house.now(transaction)
    account, sibs = _account(transaction, caller, desired.account, "desired.account")
    desired = replace(desired, webhook_config_id=desired.webhook_config_id or house.ids.uuid())
    if transaction.webhooks.configs.get(desired.name) is not None:
        raise ResourceExists(desired.name)
    around = _around(house, transaction, caller, account, sibs, {}, [desired])
    desired, wanted = _checked(desired, around)
    return webhook_book.create(house, transaction, caller, account, sibs, desired, wanted, now)


def update(
    house: WebhookHouse, transaction: Transaction, caller: Caller, name: str, changes: dict[str, object], etag: str
) -> Held:
    """The config with these fields of Desired changed. Raises ResourceNotFound, EtagMismatch, WebhookConfigStateUnfit,
    FieldInvalid, SecretInUse, WebhookKeysFull."""
    now = house.now(transaction)
    held = _held(transaction, caller, name)
    webhook_configs.check_etag(held.config, etag)
    if held.config.state in GOING:
        raise WebhookConfigStateUnfit(name, held.config.state)
    account, sibs = _account(transaction, caller, held.config.account, "account")
    desired = replace(_stated(held.config), **changes)  # type: ignore[arg-type]  # fields of Desired
    around = _around(house, transaction, caller, account, sibs, {name: held}, [desired])
    desired, _ = _checked(desired, around)
    change = webhook_plans.change_of(desired, around)
    return _do(house, transaction, caller, account, sibs, change, now) or held


def rotate(house: WebhookHouse, transaction: Transaction, caller: Caller, name: str, key: bytes, etag: str) -> Held:
    """The config with a new key. Raises as `update`."""
    now = house.now(transaction)
    held = _held(transaction, caller, name)
    webhook_configs.check_etag(held.config, etag)
    config = held.config
    if config.state in GOING:
        raise WebhookConfigStateUnfit(name, config.state)
    if config.wanted.channel is not webhook_configs.Channel.URL:
        raise FieldInvalid("name", "a config with EMAIL has no key", "channel")
    account, sibs = _account(transaction, caller, config.account, "account")
    desired = _stated(config)
    if key:
        digest = webhook_book.digest(house, key)
        desired = replace(desired, key=key, key_digest=digest)
        if held.key is not None and held.key.digest == digest:
            raise FieldInvalid("key", "is the current one", "unique")
    around = _around(house, transaction, caller, account, sibs, {name: held}, [desired])
    desired, wanted = _checked(desired, around)
    return webhook_book.change(house, transaction, caller, sibs, held, desired, wanted, ("key",), now, call=True)


def delete(house: WebhookHouse, transaction: Transaction, caller: Caller, name: str, etag: str) -> Held:
    """Raises ResourceNotFound, EtagMismatch, WebhookDeleteNotPossible."""
    now = house.now(transaction)
    held = _held(transaction, caller, name)
    webhook_configs.check_etag(held.config, etag)
    if held.config.state not in GOING:
        account = transaction.accounts.get(held.config.account)
        webhook_plans.check_deletable(held.config, account.sibs if account else None)
    return webhook_book.delete(house, transaction, caller, held, now)


def plan(
    house: WebhookHouse,
    transaction: Transaction,
    caller: Caller,
    account_name: str,
    desired: Sequence[Desired],
    *,
    delete_missing: bool,
) -> tuple[WebhookConfigChange, ...]:
    """What `apply` would change. Raises ResourceNotFound, FieldsInvalid, WebhookDeleteNotPossible."""
    account, sibs = _account(transaction, caller, account_name, "account")
    return _plan(house, transaction, caller, account, sibs, desired, delete_missing=delete_missing)


def apply(
    house: WebhookHouse,
    transaction: Transaction,
    caller: Caller,
    account_name: str,
    desired: Sequence[Desired],
    *,
    delete_missing: bool,
) -> tuple[WebhookConfigChange, ...]:
    """Raises as `plan`, and WebhookKeysFull; nothing is changed then."""
    now = house.now(transaction)
    account, sibs = _account(transaction, caller, account_name, "account")
    changes = _plan(house, transaction, caller, account, sibs, desired, delete_missing=delete_missing)
    for change in changes:
        webhook_book.check_room(change)
    for change in changes:
        _do(house, transaction, caller, account, sibs, change, now)
    return changes


def refresh(
    house: WebhookHouse, transaction: Transaction, caller: Caller, account_name: str, names: Sequence[str]
) -> list[str]:
    """Has the acquirer asked for these configs, or for all of an account's; the names of those. Raises
    ResourceNotFound, FieldInvalid."""
    now = house.now(transaction)
    scopes: set[tuple[str, tuple[str, str, str]]] = set()
    if names:
        found = transaction.webhooks.configs.get_many(names)
        configs = [visible(caller, found.get(name), name) for name in sorted(names)]
        if any(account_name not in ("", config.account) for config in configs):
            raise FieldInvalid("names", f"not all are of {account_name}", "account")
    elif account_name:
        account, _ = _account(transaction, caller, account_name, "account")
        configs = [
            config
            for config in transaction.webhooks.configs_of(account.name)
            if caller.reach.merchant(config.merchant_gateway_id, config.merchant_id)
        ]
        seen = [each for each in account.merchant_ids if caller.reach.merchant(account.merchant_gateway_id, each)]
        if len(seen) <= MOST_MERCHANTS:
            scopes |= {(account.name, (merchant_id, "", "")) for merchant_id in seen}
    else:
        raise FieldInvalid("account", "give an account or names", "required")
    configs = [config for config in configs if config.state is not WebhookConfigState.DELETED]
    webhook_book.want_refresh(transaction, configs, now)
    scopes |= {(config.account, config.scope) for config in configs}
    for of, scope in sorted(scopes):
        webhook_schedule.ask(transaction, of, scope, now, caller.correlation_id)
    return [config.name for config in configs]


def _account(transaction: Transaction, caller: Caller, name: str, field: str) -> tuple[Account, Sibs]:
    account = transaction.accounts.get(name)
    if account is None or not caller.reach.gateway(account.merchant_gateway_id):
        raise ResourceNotFound(name)
    if account.sibs is None:
        raise FieldInvalid(field, "is not of provider SIBS", "provider")
    return account, account.sibs


def _held(transaction: Transaction, caller: Caller, name: str) -> Held:
    config = visible(caller, transaction.webhooks.configs.get(name), name)
    return Held(config, tuple(transaction.webhooks.keys_of([name])[name]))


def _around(
    house: WebhookHouse,
    transaction: Transaction,
    caller: Caller,
    account: Account,
    sibs: Sibs,
    held: dict[str, Held],
    desired: Sequence[Desired],
) -> Surroundings:
    absent = sorted({each.name for each in desired if each.webhook_config_id} - set(held))
    taken = transaction.webhooks.configs.get_many(absent)
    owners = {each.key_digest: transaction.webhooks.config_with_key(each.key_digest) for each in desired if each.key}
    return Surroundings(
        account=account,
        sibs=sibs,
        own_address=house.own_address,
        sees=lambda merchant_id: caller.reach.merchant(account.merchant_gateway_id, merchant_id),
        held=held,
        taken=frozenset(taken),
        key_owners={digest: owner for digest, owner in owners.items() if owner is not None},
    )


def _plan(
    house: WebhookHouse,
    transaction: Transaction,
    caller: Caller,
    account: Account,
    sibs: Sibs,
    desired: Sequence[Desired],
    *,
    delete_missing: bool,
) -> tuple[WebhookConfigChange, ...]:
    configs = [
        config
        for config in transaction.webhooks.configs_of(account.name)
        if caller.reach.merchant(config.merchant_gateway_id, config.merchant_id)
    ]
    keys = transaction.webhooks.keys_of([config.name for config in configs])
    held = {config.name: Held(config, tuple(keys[config.name])) for config in configs}
    around = _around(house, transaction, caller, account, sibs, held, desired)
    normal = [_normal(each, around) for each in desired]
    return webhook_plans.plan(normal, around, delete_missing=delete_missing)


def _checked(desired: Desired, around: Surroundings) -> tuple[Desired, webhook_configs.Wanted]:
    desired = _normal(desired, around)
    owner = around.key_owners.get(desired.key_digest)
    if desired.key and owner is not None and owner != desired.name:
        raise SecretInUse
    if wrong := webhook_plans.violations(desired, around, "desired"):
        raise FieldsInvalid(wrong)
    return desired, webhook_plans.resolved(desired, around)


def _normal(desired: Desired, around: Surroundings) -> Desired:
    """Our own address, written out, is our own address."""
    if desired.webhook_config_id and desired.value == around.own_address(desired.webhook_config_id):
        return replace(desired, value="")
    return desired


def _stated(config: WebhookConfig) -> Desired:
    return Desired(
        webhook_config_id=config.webhook_config_id,
        account=config.account,
        merchant_id=config.merchant_id,
        acceptor_id=config.acceptor_id,
        terminal_id=config.terminal_id,
        channel=config.wanted.channel,
        value=config.stated_value,
        payment_method_codes=config.wanted.payment_method_codes,
        support_email=config.stated_support_email,
        acknowledgement_status_code=config.stated_acknowledgement_status_code,
    )


def _do(
    house: WebhookHouse,
    transaction: Transaction,
    caller: Caller,
    account: Account,
    sibs: Sibs,
    change: WebhookConfigChange,
    now: int,
) -> Held | None:
    """Makes a line of a plan true; None where nothing is to be done."""
    held, desired, wanted = change.held, change.desired, change.wanted
    if change.action is WebhookConfigAction.DELETE and held is not None:
        return webhook_book.delete(house, transaction, caller, held, now)
    if change.action is WebhookConfigAction.NONE or desired is None or wanted is None:
        return None
    if held is None:
        return webhook_book.create(house, transaction, caller, account, sibs, desired, wanted, now)
    fields, call = change.fields, needs_call(change)
    return webhook_book.change(house, transaction, caller, sibs, held, desired, wanted, fields, now, call=call)
