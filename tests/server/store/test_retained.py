"""What is removed and what stays, on both databases."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from sqlalchemy import text

from server.domain.events import cursor
from server.domain.notifications import Notification, NotificationState
from server.domain.principals import RevokedAccessToken
from server.domain.refusals import CursorOutOfRange
from server.domain.retention import RetainedKind
from server.ports import LAST_KEY, Identity, Request, Transaction
from server.store.store import SqlStore
from tests.server.store import samples
from tests.server.store.test_acquirer import transaction as told_of
from tests.server.store.test_acquirer import unreadable
from tests.server.store.test_cards import access as card_access
from tests.waiting import eventually


def keep_events(store: SqlStore, *times: int) -> None:
    def run(transaction: Transaction) -> None:
        for time in times:
            transaction.append(replace(samples.event(), time=time))

    store.write("k", run)


def notification(time: int, state: NotificationState = NotificationState.APPLIED) -> Notification:
    return replace(samples.notification(f"{time:014x}a"), state=state, receive_time=time)


def remove_events(store: SqlStore, up_to: int) -> int:
    return store.write(LAST_KEY, lambda transaction: transaction.removal.events(up_to))


def test_a_prefix_of_the_events_goes_with_its_mark(store: SqlStore) -> None:
    keep_events(store, 10, 20, 30, 40)
    assert remove_events(store, 2) == 2
    assert store.view.bounds() == (2, 4)
    assert [event.sequence for event in store.view.events(2, 10)] == [3, 4]
    assert remove_events(store, 1) == 0
    assert store.view.bounds() == (2, 4)
    assert store.view.retained.event_times(2, 1) == [(3, 30)]
    assert remove_events(store, 4) == 2
    assert store.view.events(4, 10) == []
    keep_events(store, 50)
    assert [event.sequence for event in store.view.events(4, 10)] == [5]


def test_who_reads_after_a_removed_event_is_told(store: SqlStore) -> None:
    """Also where nothing is left: an empty answer would look like being caught up."""
    keep_events(store, 10, 20, 30)
    assert store.view.events(0, 1)[0].sequence == 1
    for removed in (1, 2, 3):
        remove_events(store, removed)
        with pytest.raises(CursorOutOfRange) as told:
            store.view.events(removed - 1, 10)
        ends = {"oldest_cursor": cursor(store.generation, removed), "head_cursor": cursor(store.generation, 3)}
        assert told.value.metadata == ends


@pytest.mark.parametrize("time", [5, 10, 15, 25, 30, 31, 99])
def test_the_last_event_before_a_time_is_found(store: SqlStore, time: int) -> None:
    assert store.view.retained.last_event_before(time) == 0
    keep_events(store, *range(10, 30))
    remove_events(store, 3)
    older = [event.sequence for event in store.view.events(3, 100) if event.time < time]
    assert store.view.retained.last_event_before(time) == (older[-1] if older else 0)


def test_notifications_are_found_by_the_time_in_their_names(store: SqlStore) -> None:
    quarantined = NotificationState.QUARANTINED
    kept = [notification(10), notification(20, quarantined), notification(30), notification(40), notification(50)]
    store.write("k", lambda transaction: transaction.keep_notifications(kept))
    retained = store.view.retained
    assert retained.notifications(kept[3].name, "", 10, quarantined=False) == [kept[0], kept[2]]
    assert retained.notifications(kept[3].name, "", 10, quarantined=True) == [kept[1]]
    assert retained.notifications(kept[3].name, kept[0].name, 10, quarantined=False) == [kept[2]]
    assert retained.notifications(kept[4].name, "", 1, quarantined=False) == [kept[0]]


def test_a_notification_that_has_changed_since_it_was_seen_stays(store: SqlStore) -> None:
    seen = [notification(time) for time in (10, 20, 30)]
    store.write("k", lambda transaction: transaction.keep_notifications(seen))
    store.write("k", lambda transaction: transaction.count_deliveries({seen[1].name: 1}, 99))
    stale = replace(seen[2], state=NotificationState.QUARANTINED)
    removed = store.write("k", lambda transaction: transaction.removal.notifications([seen[0], seen[1], stale]))
    assert removed == 1
    assert [store.view.notification(each.name) is None for each in seen] == [True, False, False]
    assert store.write("k", lambda transaction: transaction.removal.notifications([])) == 0


def test_the_oldest_go_first_and_so_many_at_once(store: SqlStore) -> None:
    def fill(transaction: Transaction) -> None:
        for time in (30, 10, 20, 40):
            transaction.keep_request(Request("clients/a", "/m", f"r-{time}", b"f", b"r", time))
            transaction.know([Identity(bytes([time]), "notifications/n", time)], [])
            transaction.revoke_access_token(RevokedAccessToken(f"t-{time}", "clients/a", time))

    store.write("k", fill)
    for remaining in ([20, 30, 40], [30, 40], [40], [40]):
        for run in (
            lambda transaction: transaction.removal.requests(40, 1),
            lambda transaction: transaction.removal.identities(40, 1),
            lambda transaction: transaction.removal.revoked_access_tokens(40, 1),
        ):
            store.write("k", run)

        def left(transaction: Transaction) -> tuple[list[int], list[int]]:
            requests = [time for time in (10, 20, 30, 40) if transaction.request("clients/a", "/m", f"r-{time}")]
            return requests, sorted(
                each.known_since for each in transaction.identities([b"\x0a", b"\x14", b"\x1e", b"("]).values()
            )

        assert store.write("k", left) == (remaining, remaining)
        assert sorted(token.expire_time for token in store.view.revoked_access_tokens(0)) == remaining


def test_the_oldest_of_each_kind(store: SqlStore) -> None:
    assert store.view.retained.oldest() == {}
    keep_events(store, 11, 12)
    remove_events(store, 1)

    def fill(transaction: Transaction) -> None:
        transaction.keep_notifications([notification(13), notification(14, NotificationState.QUARANTINED)])
        transaction.keep_request(Request("clients/a", "/m", "r", b"f", b"r", 15))
        transaction.know([Identity(b"d", "notifications/n", 16)], [])
        transaction.revoke_access_token(RevokedAccessToken("t", "clients/a", 17))
        transaction.acquirer.transactions.insert([told_of(update_time=18)])
        transaction.acquirer.unreadable.insert([unreadable(receive_time=19)])
        transaction.cards.accesses.insert([card_access(create_time=20)])

    store.write("k", fill)
    assert store.view.retained.oldest() == {kind: 12 + place for place, kind in enumerate(RetainedKind)}


def test_an_identity_that_was_removed_while_it_is_renewed_is_known_again(store: SqlStore) -> None:
    """Another core's retention and a recording may meet; a repeat must not look new because of it."""
    identity = Identity(b"d", "notifications/n", 10)
    store.write("k", lambda transaction: transaction.know([identity], []))
    renewed = replace(identity, known_since=20, notification="notifications/m", applied=False)
    store.write("k", lambda transaction: transaction.removal.identities(11, 10))
    store.write("k", lambda transaction: transaction.know([], [renewed]))
    assert store.write("k", lambda transaction: transaction.identities([b"d"])) == {b"d": renewed}


def test_a_warning_is_due_once_in_its_interval(store: SqlStore) -> None:
    def ask(of: str, now: int) -> bool:
        return store.write("k", lambda transaction: transaction.removal.may_warn(of, now, 10))

    assert [ask("a", 0), ask("a", 9), ask("b", 9), ask("a", 10), ask("a", 11)] == [True, False, True, True, False]
    assert store.write("k", lambda transaction: transaction.removal.forget_warnings(10, 10)) == 1
    assert [ask("a", 12), ask("b", 12)] == [False, True]


def test_an_identity_that_another_core_renews_meanwhile_stays(postgres_database: str) -> None:
    first, second = SqlStore(postgres_database), SqlStore(postgres_database)
    identity = Identity(b"d", "notifications/n", 10)
    renewed = replace(identity, known_since=20)
    first.write("k", lambda transaction: transaction.know([identity], []))
    begun, go = threading.Event(), threading.Event()

    def renew(transaction: Transaction) -> None:
        transaction.know([], [renewed])
        begun.set()
        assert go.wait(30)

    def waiting() -> bool:
        statement = text("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'")
        with first._readers.connect() as connection:
            return bool(connection.execute(statement).scalar_one())

    try:
        with ThreadPoolExecutor(2) as pool:
            renewing = pool.submit(first.write, "k", renew)
            assert begun.wait(30)
            removing = pool.submit(second.write, "k", lambda transaction: transaction.removal.identities(11, 10))
            eventually(waiting, 10, "the removal's wait")
            go.set()
            renewing.result(30)
            assert removing.result(30) == 0
        assert first.write("k", lambda transaction: transaction.identities([b"d"])) == {b"d": renewed}
    finally:
        go.set()
        first.close()
        second.close()
