"""Partner accounts for the operators who state them."""

from collections.abc import Sequence

from server.domain import accounts
from server.domain.accounts import Account, AccountAction, AccountChange
from server.domain.callers import Caller
from server.domain.events import Event, EventKind
from server.domain.queries import Page
from server.domain.refusals import ResourceNotFound
from server.ports import Store, Transaction

EVENT_KINDS = {
    AccountAction.CREATE: EventKind.ACCOUNT_CREATED,
    AccountAction.UPDATE: EventKind.ACCOUNT_UPDATED,
    AccountAction.DELETE: EventKind.ACCOUNT_DELETED,
}
MOST = 10_000


def plan(store: Store, desired: Sequence[Account], now: int, *, delete_missing: bool) -> tuple[AccountChange, ...]:
    """Raises FieldInvalid."""
    held = {account.name: account for account in store.view.accounts(Page(limit=MOST))}
    return accounts.plan(held, desired, now, delete_missing=delete_missing)


def apply(
    transaction: Transaction, caller: Caller, desired: Sequence[Account], now: int, *, delete_missing: bool
) -> tuple[AccountChange, ...]:
    """Raises FieldInvalid, AccountInUse."""
    held = {account.name: account for account in transaction.accounts.all()}
    changes = accounts.plan(held, desired, now, delete_missing=delete_missing)
    in_use = transaction.ledger.accounts_in_use() | transaction.webhooks.accounts_with_configs()
    accounts.check_in_use(changes, held, in_use)
    by_action: dict[AccountAction, list[AccountChange]] = {action: [] for action in AccountAction}
    for change in changes:
        by_action[change.action].append(change)
    created, updated = by_action[AccountAction.CREATE], by_action[AccountAction.UPDATE]
    transaction.accounts.insert([change.after for change in created if change.after])
    transaction.accounts.update([change.after for change in updated if change.after])
    transaction.accounts.delete([change.account for change in by_action[AccountAction.DELETE]])
    for change in (*updated, *by_action[AccountAction.DELETE]):
        before = held[change.account]
        if accounts.calls_d1_no_more(before, change.after):
            transaction.token_refreshes.forget(change.account)
        elif change.after and change.after.d1_api and accounts.calls_d1_otherwise(before, change.after):
            transaction.token_refreshes.wake(change.account, now)
    for change in changes:
        if change.action in EVENT_KINDS:
            transaction.append(_event(change, caller, now))
    return changes


def get(store: Store, name: str) -> Account:
    """Raises ResourceNotFound."""
    found = store.view.account(name)
    if found is None:
        raise ResourceNotFound(name)
    return found


def list_page(store: Store, page: Page) -> list[Account]:
    return store.view.accounts(page)


def _event(change: AccountChange, caller: Caller, now: int) -> Event:
    return Event(
        kind=EVENT_KINDS[change.action],
        resource=change.account,
        time=now,
        correlation_id=caller.correlation_id,
        actor=caller.client,
        details={"fields": ",".join(change.fields)} if change.fields else {},
    )
