"""Tokens read again at D1: who wants it, which dispatcher does it, and what it has learned.

A token has one task at most. Lock order: tokens, tasks.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from server.domain import names, tasks, token_refreshes
from server.domain.accounts import Account
from server.domain.callers import Caller
from server.domain.events import Event, EventKind
from server.domain.refusals import RefreshNotPossible, ResourceNotFound
from server.domain.tasks import Task, TaskKind
from server.domain.token_refreshes import Reading, Verdict
from server.domain.tokens import Token, TokenProvider
from server.ports import Assertions, Transaction
from server.services import d1_endpoints, tokens
from server.services.d1_endpoints import D1Endpoint
from server.services.payment_house import PaymentHouse

KINDS = frozenset({TaskKind.REFRESH_TOKEN})
# Of an account at once: a slow D1 must not take the dispatchers from what moves money.
AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class RefreshDesk:
    """What everything about reading tokens again shares."""

    house: PaymentHouse
    signer: Assertions

    def now(self, transaction: Transaction) -> int:
        return self.house.now(transaction)


@dataclass(frozen=True, slots=True)
class ClaimedRefresh:
    """A leased task; what is left of the lease, in microseconds; the token as its reading begins; and where to ask."""

    task: Task
    lease: int
    token: Token
    endpoint: D1Endpoint


def want(
    transaction: Transaction,
    changed: Iterable[Token],
    accounts: Mapping[str, str],
    correlation_ids: Mapping[str, str],
    now: int,
) -> None:
    """Has those of the tokens read again that are due, where an account says how. `accounts` are named by their
    gateways, correlation ids by tokens."""
    transaction.token_refreshes.want(
        [
            token_refreshes.task_for(
                token, accounts[token.merchant_gateway_id], now, correlation_ids.get(token.name, "")
            )
            for token in changed
            if token.provider is TokenProvider.D1_ECOM and token.refresh_due and token.merchant_gateway_id in accounts
        ]
    )


def refresh(transaction: Transaction, caller: Caller, name: str, now: int) -> Token:
    """Has a token read again because somebody asks for it. Raises ResourceNotFound, RefreshNotPossible."""
    held = tokens.visible(caller, transaction.tokens.get(name), name)
    if held.provider is not TokenProvider.D1_ECOM:
        raise RefreshNotPossible(name, "provider")
    accounts = {each.merchant_gateway_id: each.name for each in transaction.accounts.all() if each.d1_api is not None}
    if held.merchant_gateway_id not in accounts:
        raise RefreshNotPossible(name, "account")
    after = token_refreshes.asked(held, now)
    transaction.tokens.update([after])
    transaction.append(tokens.event_of(EventKind.TOKEN_REFRESH_REQUESTED, after, caller, now))
    want(transaction, [after], accounts, {name: caller.correlation_id}, now)
    return after


def claim(
    desk: RefreshDesk, transaction: Transaction, caller: Caller, limit: int, paused: Collection[str]
) -> list[ClaimedRefresh]:
    """Leases due tasks, of `paused` accounts none. What is not to be read any more is forgotten."""
    now, house = desk.now(transaction), desk.house
    room = {name: AT_ONCE - count for name, count in transaction.token_refreshes.under_way(now).items()}
    full = {name for name, left in room.items() if left <= 0}
    due = transaction.webhooks.due(KINDS, full.union(paused), now, limit)
    if not due:
        return []
    accounts = {account.name: account for account in transaction.accounts.all()}
    seen = transaction.token_refreshes.tokens_seen([each.resource for each in due])
    lease = house.limits.micros(house.limits.lease)
    claimed: list[ClaimedRefresh] = []
    for task in transaction.ledger.tasks.get_many([each.name for each in due]).values():
        if task.leased(now) or task.due_time > now or room.get(task.account, AT_ONCE) <= 0:
            continue
        token, account = seen.get(task.resource), accounts.get(task.account)
        endpoint = _endpoint(desk, account, token, now)
        if token is None or endpoint is None:
            transaction.ledger.tasks.delete([task.name])
            continue
        room[task.account] = room.get(task.account, AT_ONCE) - 1
        leased = tasks.leased(task, caller.client, lease, now)
        transaction.ledger.tasks.update([leased])
        claimed.append(ClaimedRefresh(leased, lease, token, endpoint))
    return claimed


def _endpoint(desk: RefreshDesk, account: Account | None, token: Token | None, now: int) -> D1Endpoint | None:
    """Where to ask for a token; None where it is not to be read, or the account is not its gateway's any more."""
    if account is None or token is None or not token.refresh_due:
        return None
    if account.merchant_gateway_id != token.merchant_gateway_id:
        return None
    house = desk.house
    return d1_endpoints.endpoint(house.hasher, house.sealer, desk.signer, house.ids, account, now)


def record(
    desk: RefreshDesk, transaction: Transaction, caller: Caller, name: str, fence: int, token: str, reading: Reading
) -> None:
    """Keeps what was read, by the generation that it began with; or why nothing was, under the current lease. Repeating
    it changes nothing. Raises ResourceNotFound."""
    held = transaction.tokens.get(token)
    if held is None:
        raise ResourceNotFound(token)
    task = transaction.ledger.tasks.get(names.refresh_task(token))
    now = desk.now(transaction)
    leased = task is not None and task.name == name and task.held_by(fence, now)
    after = held
    if reading.verdict is Verdict.READ and reading.details is not None:
        after = token_refreshes.read(held, reading.details, reading.generation, now)
    elif task is not None and leased and held.refresh_due:
        after = token_refreshes.failed(held, reading, task.tries, now)
    if after is not held:
        transaction.tokens.update([after])
        if token_refreshes.tells_news(held, after):
            correlation_id = task.correlation_id if task else caller.correlation_id
            transaction.append(_event(after, reading, caller.client, correlation_id, now))
    if task is None:
        return
    if not after.refresh_due:
        transaction.ledger.tasks.delete([task.name])
    elif leased:
        transaction.ledger.tasks.update([token_refreshes.again(task, after, reading, desk.house.ids.roll(), now)])


def _event(token: Token, reading: Reading, actor: str, correlation_id: str, now: int) -> Event:
    problem = {"refresh_error": token.refresh_error} if token.refresh_error else {}
    return Event(
        kind=EventKind.TOKEN_UPDATED,
        resource=token.name,
        time=now,
        merchant_gateway_id=token.merchant_gateway_id,
        merchant_id=token.merchant_id,
        correlation_id=correlation_id,
        actor=actor,
        details={"refresh_generation": str(reading.generation), **problem},
        snapshot=token,
    )
