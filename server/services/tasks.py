"""Tasks for the dispatchers: leased to one of them at a time, for as long as it renews."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from server.domain import names, tasks
from server.domain.accounts import Account
from server.domain.callers import Caller
from server.domain.payment_subscription_calls import CHANGES, CallKind, next_call
from server.domain.payment_subscriptions import PaymentSubscription
from server.domain.tasks import Task, TaskKind
from server.ports import Sealer, Transaction
from server.services import partner_secrets
from server.services.payment_house import PaymentHouse
from server.services.standstill import stands_still

# Looked at for each one that is wanted, so that accounts with much to do don't hide others.
SPARE = 4


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to reach a partner on behalf of an account."""

    account: str
    base_url: str
    path_prefix: str
    authorization: str
    api_key: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """A leased task; what is left of the lease, in microseconds; where to ask, of a query; and of a subscription what
    for."""

    task: Task
    lease: int
    endpoint: Endpoint | None
    call: CallKind | None = None
    subscription: PaymentSubscription | None = None


def endpoint(sealer: Sealer, account: Account) -> Endpoint | None:
    """None where the account sends nothing."""
    options = account.payment_options
    if options is None:
        return None
    authorization, api_key = partner_secrets.opened(sealer, account)
    return Endpoint(account.name, options.base_url, options.path_prefix, authorization, api_key)


def claim(
    house: PaymentHouse,
    transaction: Transaction,
    caller: Caller,
    kinds: Collection[TaskKind],
    limit: int,
    paused: Collection[str] = (),
) -> list[Claimed]:
    """Leases due tasks, of `paused` accounts none. Claiming is not sending: that needs a grant."""
    now = house.now(transaction)
    ledger = transaction.ledger
    accounts = {each.name: each for each in transaction.accounts.all() if each.payment_options is not None}
    room = {name: _room(account) for name, account in accounts.items()}
    for name, count in ledger.under_way(now).items():
        room[name] = room.get(name, 0) - count
    full = [name for name, left in room.items() if left <= 0]
    chosen: list[Task] = []
    for task in ledger.claimable(kinds, full, paused, now, limit * SPARE):
        if task.kind is TaskKind.SUBMIT_PAYMENT_OPERATION:
            if room.get(task.account, 0) <= 0:
                continue
            room[task.account] -= 1
        chosen.append(task)
        if len(chosen) == limit:
            break
    lease = house.limits.micros(house.limits.lease)
    leased = [tasks.leased(task, caller.client, lease, now) for task in chosen]
    attended = [task for task in leased if task.kind is TaskKind.ATTEND_SUBSCRIPTION]
    seen = ledger.subscriptions_seen([names.payment_subscription(task.payment) for task in attended])
    claimed = []
    for task in leased:
        account = accounts[task.account]
        subscription = seen.get(names.payment_subscription(task.payment)) if task in attended else None
        held = subscription is not None and stands_still(transaction, account)
        call = next_call(subscription, task.change_time, now, held=held) if subscription else None
        # Committed before it can be sent: from now on it may have been.
        changed = replace(task, change_time=now) if call in CHANGES else task
        claimed.append(Claimed(changed, lease, _where(house, account, task), call, subscription))
    ledger.tasks.update(sorted((each.task for each in claimed), key=lambda task: task.name))
    return claimed


def _room(account: Account) -> int:
    return account.payment_options.send_concurrency if account.payment_options else 0


def _where(house: PaymentHouse, account: Account, task: Task) -> Endpoint | None:
    return None if task.kind is TaskKind.SUBMIT_PAYMENT_OPERATION else endpoint(house.sealer, account)


def renew(house: PaymentHouse, transaction: Transaction, leases: Sequence[tuple[str, int]]) -> tuple[list[str], int]:
    """The names of the tasks whose leases go on, and for how long. The others are somebody else's, or done."""
    now = house.now(transaction)
    lease = house.limits.micros(house.limits.lease)
    held = transaction.ledger.tasks.get_many([name for name, _ in leases])
    renewed = {
        name: replace(held[name], lease_expire_time=now + lease)
        for name, fence in leases
        if name in held and held[name].held_by(fence, now)
    }
    transaction.ledger.tasks.update([renewed[name] for name in sorted(renewed)])
    return list(renewed), lease
