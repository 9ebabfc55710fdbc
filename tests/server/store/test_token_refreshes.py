"""Tokens that are to be read again and their tasks, on both databases."""

from dataclasses import replace

from server.domain import token_refreshes
from server.domain.events import Event, EventKind
from server.domain.tasks import NEVER, Task
from server.domain.tokens import Token, TokenProvider
from server.store import rows
from server.store.store import SqlStore
from server.store.token_refreshes import unplanned
from tests.server.store.samples import token
from tests.server.store.test_searches import plan_of

ACCOUNT = "partnerAccounts/d1"


def stored(store: SqlStore, gateway: str, *names: str, **fields: object) -> list[Token]:
    made = [
        replace(
            token(name),
            name=f"merchantGateways/{gateway}/merchants/m/tokens/{name}",
            merchant_gateway_id=gateway,
            provider=TokenProvider.D1_ECOM,
            refresh_generation=2,
            refreshed_generation=1,
            **fields,  # type: ignore[arg-type]
        )
        for name in names
    ]
    store.write("tokens", lambda transaction: transaction.tokens.insert(made))
    return made


def want(store: SqlStore, of: Token, now: int, account: str = ACCOUNT, correlation_id: str = "c-1") -> None:
    wanted = [token_refreshes.task_for(of, account, now, correlation_id)]
    store.write("tokens", lambda transaction: transaction.token_refreshes.want(wanted))


def task_of(store: SqlStore, of: Token) -> Task:
    (found,) = store.write("tasks", lambda transaction: transaction.webhooks.tasks_for(of.name))
    return found


def test_a_task_comes_forward_and_never_back(store: SqlStore) -> None:
    (one,) = stored(store, "MGW_1", "t-1")
    want(store, one, 50)
    want(store, one, 90)
    assert task_of(store, one).due_time == 50
    want(store, one, 30, "partnerAccounts/other", "")
    found = task_of(store, one)
    assert (found.due_time, found.account, found.correlation_id) == (30, "partnerAccounts/other", "c-1")
    want(store, one, 99, ACCOUNT, "c-2")
    found = task_of(store, one)
    assert (found.due_time, found.account, found.correlation_id) == (30, ACCOUNT, "c-2")


def test_a_task_that_is_leased_stays_leased(store: SqlStore) -> None:
    (one,) = stored(store, "MGW_1", "t-1")
    want(store, one, 50)
    leased = replace(task_of(store, one), holder="d", lease_expire_time=900, fence=3, tries=4)
    store.write("tasks", lambda transaction: transaction.ledger.tasks.update([leased]))
    want(store, one, 20)
    found = task_of(store, one)
    assert (found.fence, found.lease_expire_time, found.tries, found.due_time) == (3, 900, 4, 20)
    assert store.write("x", lambda transaction: transaction.token_refreshes.under_way(899)) == {ACCOUNT: 1}
    assert store.write("x", lambda transaction: transaction.token_refreshes.under_way(900)) == {}


def test_an_account_wakes_its_own_tasks_only(store: SqlStore) -> None:
    mine, resting, others = stored(store, "MGW_1", "t-1", "t-2", "t-3")
    want(store, mine, 50)
    want(store, resting, NEVER)
    want(store, others, NEVER, "partnerAccounts/other")
    store.write("x", lambda transaction: transaction.token_refreshes.wake(ACCOUNT, 70))
    assert [task_of(store, each).due_time for each in (mine, resting, others)] == [50, 70, NEVER]


def test_tokens_without_a_task_are_found_by_their_gateways(store: SqlStore) -> None:
    planned, one, other = stored(store, "MGW_1", "t-1", "t-2", "t-3")
    stored(store, "MGW_2", "t-4")
    (read,) = stored(store, "MGW_1", "t-5")
    fresh = replace(read, refreshed_generation=2)
    store.write("tokens", lambda transaction: transaction.tokens.update([fresh]))
    tsh = replace(token("t-6"), name="merchantGateways/MGW_1/merchants/m/tokens/t-6", merchant_gateway_id="MGW_1")
    of_tsh = replace(tsh, provider=TokenProvider.TSH, refresh_generation=2, refreshed_generation=0)
    store.write("tokens", lambda transaction: transaction.tokens.insert([of_tsh]))
    want(store, planned, NEVER)
    view = store.view.token_refreshes

    def found(limit: int) -> list[Token]:
        return store.write("x", lambda transaction: transaction.token_refreshes.unplanned(["MGW_1"], limit))

    assert found(10) == [one, other]
    assert found(1) == [one]
    assert view.has_unplanned(["MGW_1"])
    assert not view.has_unplanned([])
    assert not view.has_unplanned(["MGW_3"])
    for each in (one, other):
        want(store, each, 1)
    assert not view.has_unplanned(["MGW_1"])


def test_they_are_counted_by_gateway(store: SqlStore) -> None:
    stored(store, "MGW_1", "t-1", "t-2")
    stored(store, "MGW_1", "t-3", refresh_error="HTTP 404")
    stored(store, "MGW_2", "t-4")
    view = store.view.token_refreshes
    assert view.due_counts(["MGW_1", "MGW_2", "MGW_3"]) == {"MGW_1": 3, "MGW_2": 1}
    assert view.problem_counts(["MGW_1", "MGW_2"]) == {"MGW_1": 1}
    assert view.due_counts([]) == {}


def test_an_event_of_an_older_version_is_read(store: SqlStore) -> None:
    """Its token had no refresh_time."""
    (one,) = stored(store, "MGW_1", "t-1")
    row = rows.event_row(Event(EventKind.TOKEN_UPDATED, one.name, 1, snapshot=one), 1)
    assert '"refresh_time": null, ' in row["snapshot"]
    row["snapshot"] = row["snapshot"].replace('"refresh_time": null, ', "").replace(', "refresh_error": ""', "")
    assert "refresh_time" not in row["snapshot"]
    assert "refresh_error" not in row["snapshot"]
    assert rows.read_event(row).snapshot == one


def test_what_is_due_is_found_without_reading_every_token(sqlite_database: str) -> None:
    plan = plan_of(sqlite_database, unplanned(["MGW_1"]).limit(5))
    assert plan[0] == "SEARCH tokens USING INDEX tokens_to_refresh (merchant_gateway_id=?)"
    assert "SEARCH tasks USING INDEX tasks_by_resource (resource=?)" in plan
