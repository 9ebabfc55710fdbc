"""Tasks about webhook configs: what the dispatcher gets to do, and what it tells when it has done it.

A config has one task at a time, of its present generation. Lock order: configs, their keys, tasks.
"""

import hashlib
import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from server.domain import names, tasks, webhook_configs, webhook_keys
from server.domain.callers import Caller
from server.domain.refusals import ResourceNotFound
from server.domain.tasks import Task, TaskKind
from server.domain.unmanaged_webhooks import UnmanagedWebhook
from server.domain.webhook_configs import (
    COMPARED,
    GOING,
    SETTLED,
    AcquirerCall,
    CallOutcome,
    Channel,
    Fact,
    Observed,
    Presence,
    WebhookConfig,
    WebhookConfigState,
    same_code,
)
from server.domain.webhook_keys import WebhookKey
from server.ports import Transaction
from server.services import acquirer_endpoints, webhook_book
from server.services.acquirer_endpoints import AcquirerEndpoint
from server.services.webhook_house import WebhookHouse
from server.services.webhook_keys import as_text, secret_of

# How often a list is asked for that cannot be had, until somebody wants it again.
MOST_LISTS = 12
LONGEST_WAIT = 24 * 3600 * tasks.MICROS


@dataclass(frozen=True, slots=True)
class Application:
    """A config as the acquirer is to have it, or to have it no more. `presence`: whether it has it now."""

    endpoint: AcquirerEndpoint
    config: WebhookConfig
    presence: Presence
    delete: bool
    key: str


@dataclass(frozen=True, slots=True)
class Listing:
    """A question what the acquirer has for a merchant, an acceptor and a terminal."""

    endpoint: AcquirerEndpoint
    scope: tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class ListedWebhook:
    """A config as the acquirer lists it; texts as they came. `key_digest` is the SHA-256 of its key: compared, and kept
    nowhere."""

    code: str
    channel_text: str
    value: str
    key_digest: bytes
    support_email: str
    algorithm: str
    payment_method_codes: tuple[str, ...]


Work = tuple[Task, Application | Listing]


def claim(
    house: WebhookHouse,
    transaction: Transaction,
    caller: Caller,
    kinds: Collection[TaskKind],
    limit: int,
    paused: Collection[str],
) -> list[Work]:
    """Leases due tasks, of `paused` accounts none. From then on nobody knows what the acquirer has."""
    wanted = frozenset(kinds) & tasks.OF_WEBHOOKS
    if not wanted or limit <= 0:
        return []
    now = house.now(transaction)
    webhooks = transaction.webhooks
    seen = webhooks.due(wanted, paused, now, limit)
    # The configs are locked before their tasks, as everybody does; what has changed meanwhile is left alone.
    configs = webhooks.configs.get_many([each.resource for each in seen if each.kind is TaskKind.APPLY_WEBHOOK_CONFIG])
    held = transaction.ledger.tasks.get_many([each.name for each in seen])
    due = [task for task in held.values() if task.due_time <= now and not task.leased(now)]
    work: list[Work] = []
    for task in sorted(due, key=lambda each: (each.due_time, each.name)):
        leased = tasks.leased(task, caller.client, house.limits.lease, now)
        made = _work(house, transaction, leased, configs.get(task.resource), now)
        if made is None:
            transaction.ledger.tasks.delete([task.name])
        else:
            transaction.ledger.tasks.update([leased])
            work.append((leased, made))
    return work


def _work(
    house: WebhookHouse, transaction: Transaction, task: Task, config: WebhookConfig | None, now: int
) -> Application | Listing | None:
    """What a task is to do; None where nothing is."""
    account = transaction.accounts.get(task.account)
    if account is None or account.sibs is None:
        return None
    if task.kind is TaskKind.LIST_WEBHOOK_CONFIGS:
        _, scope = names.scope_of(task.resource)
        endpoint = acquirer_endpoints.configuration(house.hasher, house.sealer, account, task.holder)
        return Listing(endpoint, scope) if endpoint else None
    if config is None or task.name != names.apply_task(config.name, config.generation) or config.state in SETTLED:
        return None
    endpoint = acquirer_endpoints.configuration(house.hasher, house.sealer, account, config.actor)
    if endpoint is None:
        return None
    wanted = webhook_book.wanted_now(house, config, account.sibs)
    changed = webhook_configs.claimed(config, wanted, now)
    transaction.webhooks.configs.update([changed])
    keys = transaction.webhooks.keys_of([config.name])[config.name]
    current = webhook_keys.current(keys) if wanted.channel is Channel.URL else None
    delete = config.state is WebhookConfigState.DELETING
    # What is to be forgotten is told with the key that it had last.
    key = current or (max(keys, key=lambda each: each.number) if keys and delete else None)
    return Application(endpoint, changed, config.presence, delete, as_text(house.sealer, key) if key else "")


def record_call(
    house: WebhookHouse,
    transaction: Transaction,
    caller: Caller,
    task_name: str,
    fence: int,
    config_name: str,
    generation: int,
    calls: Sequence[AcquirerCall],
    retry_after: int,
) -> WebhookConfigState:
    """Keeps the calls; the last one says what becomes of the config, where they were for what is desired now. Raises
    ResourceNotFound."""
    now = house.now(transaction)
    webhooks = transaction.webhooks
    config = webhooks.configs.get(config_name)
    if config is None:
        raise ResourceNotFound(config_name)
    task = transaction.ledger.tasks.get(task_name)
    known = {call.tpp_request_id for call in config.calls}
    made = [call for call in calls if call.tpp_request_id]
    if made and all(call.tpp_request_id in known for call in made):
        return config.state
    kept = [replace(call, generation=generation, time=now) for call in calls]
    if generation != config.generation:
        webhooks.configs.update([webhook_configs.reported_late(config, kept, now)])
        _let_begin(transaction, config, now)
        return config.state
    leased = task is not None and task.held_by(fence, now)
    if kept[-1].fact is Fact.UNSETTLED:
        if task is None or not leased:
            # Somebody else is at it, or it was told before.
            return config.state
        changed = webhook_configs.reported(config, kept, now)
        webhooks.configs.update([changed])
        wait = max(tasks.backoff(task.tries, house.ids.roll()), min(retry_after, LONGEST_WAIT))
        transaction.ledger.tasks.update([tasks.let_go(task, now + wait)])
        return changed.state
    changed = webhook_configs.reported(config, kept, now)
    webhooks.configs.update([changed])
    transaction.ledger.tasks.delete(sorted(each.name for each in webhooks.tasks_for(config.name)))
    if changed.state is WebhookConfigState.APPLIED and changed.apply_time == now:
        _key_applied(transaction, changed, now)
    webhook_book.tell_state(transaction, caller, config, changed, now)
    return changed.state


def _let_begin(transaction: Transaction, config: WebhookConfig, now: int) -> None:
    """Who was at an earlier generation has reported: nothing is in the way of the present one any more."""
    for task in transaction.webhooks.tasks_for(config.name):
        if not task.leased(now) and task.tries == 0 and task.due_time > now:
            transaction.ledger.tasks.update([replace(task, due_time=now)])


def _key_applied(transaction: Transaction, config: WebhookConfig, now: int) -> None:
    key = webhook_keys.current(transaction.webhooks.keys_of([config.name])[config.name])
    if key is not None and key.apply_time is None:
        transaction.webhooks.keys.update([replace(key, apply_time=now)])


def record_list(
    house: WebhookHouse,
    transaction: Transaction,
    caller: Caller,
    task_name: str,
    fence: int,
    call: AcquirerCall,
    webhooks: Sequence[ListedWebhook],
    retry_after: int,
) -> int:
    """What the acquirer has, compared with what is desired; how many configs differ. Only under the current lease."""
    now = house.now(transaction)
    seen = transaction.webhooks.task(task_name)
    if seen is None or seen.kind is not TaskKind.LIST_WEBHOOK_CONFIGS:
        return 0
    account, scope = names.scope_of(seen.resource)
    configs = transaction.webhooks.configs_of(account)
    task = transaction.ledger.tasks.get(task_name)
    if task is None or not task.held_by(fence, now):
        return 0
    asked = task.lease_begin_time or 0
    call = replace(call, time=now)
    concerned = [each for each in configs if each.scope == scope and each.state is not WebhookConfigState.DELETED]
    if call.outcome not in (CallOutcome.ACCEPTED, CallOutcome.REJECTED) and task.tries + 1 < MOST_LISTS:
        wait = max(tasks.backoff(task.tries, house.ids.roll()), min(retry_after, LONGEST_WAIT))
        transaction.ledger.tasks.update([tasks.let_go(task, now + wait)])
        return 0
    keys = transaction.webhooks.keys_of([each.name for each in configs])
    drifted = 0
    if call.outcome is CallOutcome.ACCEPTED:
        found = _observed(house, configs, keys, webhooks, now)
        others = [each for each in configs if each.name in found and each not in concerned]
        for config in (*concerned, *others):
            observed = found.get(config.name, Observed(present=False, observe_time=now))
            drifted += _compare(house, transaction, caller, config, keys[config.name], observed, call, asked, now)
        _keep_unmanaged(transaction, account, scope, configs, webhooks, now)
    else:
        for config in concerned:
            transaction.webhooks.configs.update([webhook_configs.not_listed(config, call, now)])
            webhook_book.wake(transaction, caller, config, now)
    again = any((each.refresh_wanted_time or 0) > asked for each in concerned)
    if again:
        transaction.ledger.tasks.update([replace(task, due_time=now, holder="", lease_expire_time=None)])
    else:
        transaction.ledger.tasks.delete([task.name])
    return drifted


def _observed(
    house: WebhookHouse,
    configs: Sequence[WebhookConfig],
    keys: dict[str, list[WebhookKey]],
    webhooks: Sequence[ListedWebhook],
    now: int,
) -> dict[str, Observed]:
    """What was listed of our own configs, by name."""
    found = {}
    for listed in webhooks:
        for config in configs:
            if same_code(listed.code, config.notification_configuration_code):
                found[config.name] = _observation(house, listed, keys[config.name], now)
    return found


def _observation(house: WebhookHouse, listed: ListedWebhook, keys: Sequence[WebhookKey], now: int) -> Observed:
    same = ""
    if listed.key_digest:
        secrets = {key.name: secret_of(house.sealer, key) for key in keys}
        digests = {name: hashlib.sha256(secret).digest() for name, secret in secrets.items()}
        same = next((name for name, each in digests.items() if hmac.compare_digest(each, listed.key_digest)), "")
    return Observed(
        present=True,
        observe_time=now,
        channel_text=listed.channel_text,
        value=listed.value,
        payment_method_codes=tuple(sorted(listed.payment_method_codes)),
        support_email=listed.support_email,
        algorithm=listed.algorithm,
        key=same,
        foreign_key=bool(listed.key_digest) and not same,
    )


def _compare(
    house: WebhookHouse,
    transaction: Transaction,
    caller: Caller,
    config: WebhookConfig,
    keys: Sequence[WebhookKey],
    observed: Observed,
    call: AcquirerCall,
    asked: int,
    now: int,
) -> bool:
    """Whether the config differs. Compared only where no call could have changed it since the acquirer was asked."""
    waits = (config.refresh_wanted_time or 0) > asked
    if config.state not in COMPARED or config.call_time >= asked:
        if not waits and config.refresh_wanted_time is not None:
            transaction.webhooks.configs.update([webhook_configs.not_listed(config, call, now)])
            webhook_book.wake(transaction, caller, config, now)
        return False
    current = webhook_keys.current(keys)
    changed = webhook_configs.listed(config, current.name if current else "", observed, call, now)
    if waits:
        changed = replace(changed, refresh_wanted_time=config.refresh_wanted_time)
    transaction.webhooks.configs.update([changed])
    webhook_book.tell_list(transaction, caller, config, changed, now)
    drifted = changed.state is WebhookConfigState.DRIFTED
    if drifted:
        webhook_book.heal(house, transaction, caller, changed, now)
    return drifted or bool(changed.differences)


def _keep_unmanaged(
    transaction: Transaction,
    account: str,
    scope: tuple[str, str, str],
    configs: Sequence[WebhookConfig],
    webhooks: Sequence[ListedWebhook],
    now: int,
) -> None:
    """Keeps what was listed and is none of our configs, in place of what was when this was last asked."""
    known = transaction.accounts.get(account)
    ours = [each.notification_configuration_code for each in configs if each.state not in GOING]
    before = transaction.webhooks.unmanaged_of(account, scope)
    found: dict[str, UnmanagedWebhook] = {}
    for place, each in enumerate(webhooks):
        if known is None or any(same_code(each.code, code) for code in ours):
            continue
        name = names.unmanaged_webhook(account, each.code or f"unnamed-{'-'.join(scope)}-{place}")
        observed = Observed(
            present=True,
            observe_time=now,
            channel_text=each.channel_text,
            value=each.value,
            payment_method_codes=tuple(sorted(each.payment_method_codes)),
            support_email=each.support_email,
            algorithm=each.algorithm,
            foreign_key=bool(each.key_digest),
        )
        found[name] = UnmanagedWebhook(name, account, known.merchant_gateway_id, *scope, each.code, observed)
    elsewhere = transaction.webhooks.unmanaged.get_many(sorted(found))
    replaced = {each.name for each in before} | set(elsewhere)
    transaction.webhooks.unmanaged.delete(sorted(replaced))
    transaction.webhooks.unmanaged.insert([found[name] for name in sorted(found)])
