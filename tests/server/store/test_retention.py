"""The chore: what its time is over for goes, in small steps, and nothing else; on both databases."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from server.domain.events import Event, EventKind
from server.domain.notifications import Notification, NotificationState
from server.domain.principals import RevokedAccessToken
from server.domain.retention import REVOKED_LEEWAY, Periods, Pin, RetainedKind
from server.ids import RandomIds
from server.ports import Identity, Request, Transaction
from server.services import retention
from server.services.retention import DAY, Retention
from server.services.steward import Steward
from server.store.store import SqlStore
from tests.server.store import samples
from tests.server.store.test_retained import keep_events
from tests.waiting import eventually

NOW = 1_000 * DAY
PERIODS = Periods(
    events=90 * DAY,
    pin_limit=30 * DAY,
    notifications=90 * DAY,
    quarantined_notifications=180 * DAY,
    requests=30 * DAY,
    identities=400 * DAY,
    acquirer_transactions=400 * DAY,
    card_accesses=400 * DAY,
)
ALL_STEPS = 200


class FakeClock:
    """A wall clock that a test moves."""

    def __init__(self) -> None:
        self.time = NOW

    def now(self) -> int:
        return self.time

    def monotonic(self) -> float:
        return self.time / 1_000_000

    def offset(self) -> int:
        return 0


class FakePins:
    """Subscriptions that hold events back."""

    def __init__(self, *pins: Pin) -> None:
        self.held: Sequence[Pin] = pins

    def pins(self) -> Sequence[Pin]:
        return self.held


class FakeExport:
    """Remembers what was exported; fails while `full`, and cannot open what is `sealed_away`."""

    def __init__(self) -> None:
        self.full = False
        self.exported: list[str] = []
        self.sealed_away: set[str] = set()
        self.meanwhile: Callable[[], object] = lambda: None

    def check(self) -> None:
        if self.full:
            raise OSError(28, "no room")

    def events(self, events: Sequence[Event]) -> None:
        self.check()
        self.exported += [str(event.sequence) for event in events]
        self.meanwhile()

    def notifications(self, notifications: Sequence[Notification]) -> Sequence[Notification]:
        self.check()
        opened = [each for each in notifications if each.name not in self.sealed_away]
        self.exported += [each.name for each in opened]
        self.meanwhile()
        return opened


@pytest.fixture
def small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "STEP", 3)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def made(store: SqlStore, clock: FakeClock) -> Callable[..., Retention]:
    def make(pins: FakePins | None = None, export: FakeExport | None = None) -> Retention:
        return Retention(store, clock, RandomIds(), PERIODS, pins or FakePins(), export)

    return make


def pass_over(chore: Retention) -> int:
    """Does everything that is due; the number of steps."""
    steps = 0
    while chore.wanted() and steps < ALL_STEPS:
        steps += 1
        if not chore.step():
            break
    assert steps < ALL_STEPS
    return steps


def ago(days: float) -> int:
    return NOW - int(days * DAY)


def notification(time: int, state: NotificationState = NotificationState.APPLIED) -> Notification:
    kept = samples.notification(RandomIds().notification_id(time))
    return replace(kept, state=state, receive_time=time)


def sequences(store: SqlStore) -> list[int]:
    return [event.sequence for event in store.view.events(store.view.bounds()[0], 1000)]


def told(store: SqlStore) -> list[tuple[str, str, dict[str, str]]]:
    """The events of retention's own."""
    own = (EventKind.RETENTION_PINNED, EventKind.SUBSCRIPTION_PASSED)
    events = store.view.events(store.view.bounds()[0], 1000)
    return [(str(event.kind), event.resource, event.details) for event in events if event.kind in own]


def metric(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.usefixtures("small_steps")
def test_events_go_when_their_time_is_over(store: SqlStore, made: Callable[..., Retention]) -> None:
    keep_events(store, *(ago(91) for _ in range(7)), ago(89), ago(1))
    before = metric("mintmark_retention_removed_total", kind="events")
    pass_over(made())
    assert (sequences(store), store.view.bounds()) == ([8, 9], (7, 9))
    assert metric("mintmark_retention_removed_total", kind="events") - before == 7
    assert not made().wanted()
    assert metric("mintmark_retention_oldest_age_seconds", kind="events") == 89 * 24 * 3600


@pytest.mark.usefixtures("small_steps")
def test_notifications_go_when_their_time_is_over(store: SqlStore, made: Callable[..., Retention]) -> None:
    quarantined = NotificationState.QUARANTINED
    states = (NotificationState.APPLIED, NotificationState.STALE, NotificationState.REJECTED)
    old = [notification(ago(91), state) for state in states for _ in range(3)]
    waiting = [notification(ago(100), quarantined) for _ in range(5)]
    forgotten = [notification(ago(181), quarantined) for _ in range(4)]
    young = [notification(ago(89))]
    store.write("k", lambda t: t.keep_notifications([*forgotten, *waiting, *old, *young]))
    pass_over(made())
    left = {each.name for each in (*waiting, *young)}
    assert {each.name for each in (*old, *waiting, *forgotten, *young) if store.view.notification(each.name)} == left


@pytest.mark.usefixtures("small_steps")
def test_what_repeats_are_known_by_goes_when_its_time_is_over(store: SqlStore, made: Callable[..., Retention]) -> None:
    def fill(transaction: Transaction) -> None:
        for number, days in enumerate([31] * 7 + [29]):
            transaction.keep_request(Request("clients/a", "/m", str(number), b"f", b"r", ago(days)))
        for number, days in enumerate([401] * 7 + [399]):
            transaction.know([Identity(bytes([number]), "notifications/n", ago(days))], [])
        for number, seconds in enumerate([REVOKED_LEEWAY + 1] * 7 + [REVOKED_LEEWAY - 1]):
            transaction.revoke_access_token(RevokedAccessToken(str(number), "clients/a", NOW - seconds))

    store.write("k", fill)
    pass_over(made())

    def left(transaction: Transaction) -> tuple[list[str], list[bytes]]:
        requests = [str(number) for number in range(8) if transaction.request("clients/a", "/m", str(number))]
        return requests, list(transaction.identities([bytes([number]) for number in range(8)]))

    assert store.write("k", left) == (["7"], [b"\x07"])
    assert [token.jwt_id for token in store.view.revoked_access_tokens(0)] == ["7"]


def test_nothing_is_wanted_where_nothing_is_due(store: SqlStore, made: Callable[..., Retention]) -> None:
    assert not made().wanted()
    keep_events(store, ago(89))
    assert not made().wanted()


@pytest.mark.usefixtures("small_steps")
def test_a_subscription_holds_back_what_it_has_not_acknowledged(
    store: SqlStore, made: Callable[..., Retention], clock: FakeClock
) -> None:
    keep_events(store, *(ago(91) for _ in range(7)), ago(1))
    pins = FakePins(Pin("subscriptions/slow", 2), Pin("subscriptions/quick", 8))
    chore = made(pins)
    with capture_logs() as logs:
        pass_over(chore)
    assert sequences(store)[:6] == [3, 4, 5, 6, 7, 8]
    pinned = ("RETENTION_PINNED", "subscriptions/slow", {"floor_sequence": "2", "events": "5"})
    assert told(store) == [pinned]
    warned = [entry for entry in logs if entry["event"] == "retention_pinned"]
    assert [(entry["subscription"], entry["events"], entry["log_level"]) for entry in warned] == [
        ("subscriptions/slow", 5, "warning")
    ]
    chore.wanted()
    assert metric("mintmark_retention_pinned_events") == 5
    assert metric("mintmark_retention_pinned_subscriptions") == 1
    assert metric("mintmark_retention_pinned_age_seconds") == 91 * 24 * 3600
    (held,) = chore.overview().held
    assert (held.events, held.oldest_time, held.removal_time) == (5, ago(91), NOW + 29 * DAY)

    # A second look on the same day says nothing, one on the next day does.
    clock.time += DAY - 1
    pass_over(made(pins))
    assert told(store) == [pinned]
    clock.time += 1
    pass_over(made(pins))
    assert told(store) == [pinned, pinned]

    # What is acknowledged goes.
    pins.held = [Pin("subscriptions/slow", 6)]
    pass_over(chore)
    assert sequences(store)[0] == 7


@pytest.mark.usefixtures("small_steps")
def test_a_subscription_that_is_too_far_behind_is_passed(
    store: SqlStore, made: Callable[..., Retention], clock: FakeClock
) -> None:
    keep_events(store, *(ago(91) for _ in range(7)), ago(1))
    chore = made(FakePins(Pin("subscriptions/slow", 2), Pin("subscriptions/quick", 8)))
    clock.time += 29 * DAY - 1
    pass_over(chore)
    assert sequences(store)[0] == 3
    clock.time += 2
    with capture_logs() as logs:
        pass_over(chore)
    assert sequences(store)[0] == 8
    passed = [each for each in told(store) if each[0] == "SUBSCRIPTION_PASSED"]
    assert [name for _, name, _ in passed] == ["subscriptions/slow"]
    assert passed[0][2]["floor_sequence"] == "2"
    assert [entry["subscription"] for entry in logs if entry["event"] == "subscription_passed"] == [
        "subscriptions/slow"
    ]


def test_who_subscribes_while_rows_are_exported_counts(store: SqlStore, made: Callable[..., Retention]) -> None:
    keep_events(store, *(ago(91) for _ in range(3)))
    pins, export = FakePins(), FakeExport()
    export.meanwhile = lambda: setattr(pins, "held", [Pin("subscriptions/new", 1)])
    pass_over(made(pins, export))
    assert sequences(store)[:2] == [2, 3]


@pytest.mark.usefixtures("small_steps")
def test_nothing_goes_that_was_not_exported(store: SqlStore, made: Callable[..., Retention], clock: FakeClock) -> None:
    keep_events(store, *(ago(91) for _ in range(7)))
    kept = [notification(ago(91)) for _ in range(7)]
    store.write("k", lambda t: t.keep_notifications(kept))
    store.write("k", lambda t: t.keep_request(Request("clients/a", "/m", "r", b"f", b"r", ago(31))))
    export = FakeExport()
    chore = made(export=export)
    export.full = True
    with capture_logs() as logs:
        pass_over(chore)
    assert len(sequences(store)) == 7
    assert all(store.view.notification(each.name) for each in kept)
    # What needs no export goes on, and recording does.
    assert store.write("k", lambda t: t.request("clients/a", "/m", "r")) is None
    keep_events(store, ago(1))
    failed = [entry for entry in logs if entry["event"] == "retention_export_failed"]
    assert {(entry["kind"], entry["error"]) for entry in failed} == {
        ("EVENTS", "No space left on device"),
        ("NOTIFICATIONS", "No space left on device"),
    }
    assert metric("mintmark_retention_export_failing") == 1
    assert chore.overview().export_fails

    export.full = False
    clock.time += 1_000_000
    pass_over(chore)
    assert sequences(store) == [8]
    assert export.exported == [str(number) for number in range(1, 8)] + sorted(each.name for each in kept)
    assert metric("mintmark_retention_export_failing") == 0
    assert metric("mintmark_retention_last_pass_timestamp_seconds") == NOW / 1_000_000 + 1


@pytest.mark.usefixtures("small_steps")
def test_a_body_that_cannot_be_opened_stays_and_holds_up_nobody(
    store: SqlStore, made: Callable[..., Retention]
) -> None:
    kept = [notification(ago(91)) for _ in range(7)]
    store.write("k", lambda t: t.keep_notifications(kept))
    export = FakeExport()
    export.sealed_away = {kept[0].name, kept[4].name}
    before = metric("mintmark_retention_unexportable_total")
    pass_over(made(export=export))
    assert {each.name for each in kept if store.view.notification(each.name)} == export.sealed_away
    assert metric("mintmark_retention_unexportable_total") - before == 2


def test_a_delivery_that_comes_while_rows_are_exported_is_not_lost(
    store: SqlStore, made: Callable[..., Retention]
) -> None:
    kept = notification(ago(91))
    store.write("k", lambda t: t.keep_notifications([kept]))
    export = FakeExport()
    export.meanwhile = lambda: store.write("k", lambda t: t.count_deliveries({kept.name: 1}, NOW))
    pass_over(made(export=export))
    found = store.view.notification(kept.name)
    assert found
    assert found.delivery_count == kept.delivery_count + 1
    export.meanwhile = lambda: None
    pass_over(made(export=export))
    assert store.view.notification(kept.name) is None
    assert export.exported == [kept.name, kept.name]


def test_a_kind_that_fails_keeps_no_other_from_its_turn(
    store: SqlStore, made: Callable[..., Retention], monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_events(store, ago(91))
    store.write("k", lambda t: t.keep_request(Request("clients/a", "/m", "r", b"f", b"r", ago(31))))
    chore = made()

    def fails(_now: int) -> bool:
        raise RuntimeError

    monkeypatch.setitem(chore._sweeps, RetainedKind.EVENTS, fails)
    with pytest.raises(RuntimeError):
        chore.step()
    pass_over(chore)
    assert store.write("k", lambda t: t.request("clients/a", "/m", "r")) is None
    assert len(sequences(store)) == 1


@pytest.fixture
def second_store(database: str) -> Iterator[SqlStore]:
    opened = SqlStore(database)
    yield opened
    opened.close()


@pytest.mark.usefixtures("small_steps")
def test_of_two_cores_one_does_it(store: SqlStore, second_store: SqlStore, clock: FakeClock) -> None:
    keep_events(store, *(ago(91) for _ in range(100)))
    steps: dict[str, int] = {"a": 0, "b": 0}

    class Counted(Retention):
        def __init__(self, holder: str, of: SqlStore) -> None:
            super().__init__(of, clock, RandomIds(), PERIODS, FakePins())
            self._holder = holder

        def step(self) -> bool:
            steps[self._holder] += 1
            return super().step()

    chores = [Counted("a", store), Counted("b", second_store)]
    stewards = [
        Steward(of, (chore,), holder, time.monotonic)
        for of, chore, holder in zip((store, second_store), chores, "ab", strict=True)
    ]
    for steward in stewards:
        steward.start()
    try:
        eventually(lambda: not chores[0].wanted() and store.view.bounds() == (100, 100), 30, "the end of the pass")
    finally:
        for steward in stewards:
            steward.close()
    assert sorted(count > 0 for count in steps.values()) == [False, True]


@pytest.mark.usefixtures("small_steps")
def test_two_cores_that_both_believe_that_it_is_their_turn_lose_nothing(
    store: SqlStore, second_store: SqlStore, clock: FakeClock
) -> None:
    """A lease ends while a core stands still in the middle of a step."""
    keep_events(store, *(ago(91) for _ in range(60)), *(ago(1) for _ in range(5)))
    kept = [notification(ago(91)) for _ in range(60)]
    store.write("k", lambda t: t.keep_notifications(kept))
    exports = [FakeExport(), FakeExport()]
    chores = [
        Retention(of, clock, RandomIds(), PERIODS, FakePins(), export)
        for of, export in zip((store, second_store), exports, strict=True)
    ]
    with ThreadPoolExecutor(2) as pool:
        list(pool.map(pass_over, chores))
    pass_over(chores[0])
    assert (sequences(store), store.view.bounds()) == ([61, 62, 63, 64, 65], (60, 65))
    exported = {*exports[0].exported, *exports[1].exported}
    assert exported == {str(number) for number in range(1, 61)} | {each.name for each in kept}
