"""Questions for the status of transactions at the acquirer, leased to a dispatcher."""

from collections.abc import Collection
from dataclasses import dataclass

from server.domain import tasks
from server.domain.callers import Caller
from server.domain.tasks import Task, TaskKind
from server.ports import Transaction
from server.services import acquirer_endpoints
from server.services.acquirer_desk import AcquirerDesk
from server.services.acquirer_endpoints import AcquirerEndpoint

KINDS = frozenset({TaskKind.QUERY_ACQUIRER_TRANSACTION})


@dataclass(frozen=True, slots=True)
class ClaimedQuery:
    """A leased question; what is left of the lease, in microseconds; and where to ask."""

    task: Task
    lease: int
    endpoint: AcquirerEndpoint


def claim(
    desk: AcquirerDesk, transaction: Transaction, caller: Caller, limit: int, paused: Collection[str]
) -> list[ClaimedQuery]:
    """Leases due questions, of `paused` accounts none. One whose account does not say any more where to ask waits."""
    now, house = desk.now(transaction), desk.house
    due = transaction.webhooks.due(KINDS, paused, now, limit)
    if not due:
        return []
    accounts = {account.name: account for account in transaction.accounts.all()}
    lease = house.limits.micros(house.limits.lease)
    claimed: list[ClaimedQuery] = []
    for task in transaction.ledger.tasks.get_many([each.name for each in due]).values():
        if task.leased(now) or task.due_time > now:
            continue
        account = accounts.get(task.account)
        endpoint = acquirer_endpoints.payments(house.hasher, house.sealer, account, caller.client) if account else None
        if endpoint is None:
            transaction.ledger.tasks.update([tasks.asked_again(task, 0, now)])
            continue
        leased = tasks.leased(task, caller.client, lease, now)
        transaction.ledger.tasks.update([leased])
        claimed.append(ClaimedQuery(leased, lease, endpoint))
    return claimed
