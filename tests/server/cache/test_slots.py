"""What is in a slot and who may put it there: the same for Redis and memory."""

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from server.cache.entries import FIELDS, EntryInvalid
from server.cache.memory import LARGEST, LARGEST_ABSENT, MemorySlots
from server.cache.views import CachedViews, Found, Slots
from server.domain.tokens import Token
from server.ports import CachedKind
from server.store.store import SqlStore
from tests.server.store import samples

TOKEN, BINDING = CachedKind.TOKEN, CachedKind.BINDING
NAME = samples.token().name
MINUTE = 60_000_000


class Counting:
    """The database, counting who asks it, with something to happen between its answer and the asker's next step."""

    def __init__(self, store: SqlStore) -> None:
        self.asked = 0
        self.then: Callable[[], object] = lambda: None
        self._view = store.view

    def token(self, name: str) -> Any:
        return self._tell(self._view.token(name))

    def binding(self, name: str) -> Any:
        return self._tell(self._view.binding(name))

    def _tell(self, answer: Any) -> Any:
        self.asked += 1
        then, self.then = self.then, lambda: None
        then()
        return answer


@pytest.fixture
def database(sqlite: SqlStore) -> Counting:
    return Counting(sqlite)


@pytest.fixture
def views(slots: Slots, database: Counting) -> CachedViews:
    return CachedViews(slots, database)


def insert(store: SqlStore, *tokens: Token) -> None:
    store.write("t", lambda transaction: transaction.tokens.insert(tokens or (samples.token(),)))


def change(store: SqlStore, revision: int) -> Token:
    """Changes the token without an event, as a repeated notification does."""
    after = replace(samples.token(), revision=revision)
    store.write("t", lambda transaction: transaction.tokens.update([after]))
    return after


def held(slots: Slots, kind: CachedKind = TOKEN, name: str = NAME) -> str:
    return slots.look(kind, name)[0]


def test_a_view_is_read_from_the_database_once(views: CachedViews, database: Counting, sqlite: SqlStore) -> None:
    insert(sqlite)
    sqlite.write("b", lambda transaction: transaction.bindings.insert([samples.binding()]))
    for _ in range(3):
        assert views.token(NAME) == samples.token()
        assert views.binding(samples.binding().name) == samples.binding()
    assert database.asked == 2


def test_so_is_that_there_is_none_until_there_is_one(views: CachedViews, database: Counting, sqlite: SqlStore) -> None:
    for _ in range(3):
        assert views.token(NAME) is None
        assert views.binding(NAME) is None
    assert database.asked == 2
    insert(sqlite)
    assert views.token(NAME) == samples.token()
    sqlite.write("t", lambda transaction: transaction.tokens.delete([NAME]))
    assert views.token(NAME) is None


def test_a_change_is_seen_by_the_next_read(views: CachedViews, sqlite: SqlStore) -> None:
    insert(sqlite)
    for revision in range(10, 20):
        assert views.token(NAME)
        assert change(sqlite, revision) == views.token(NAME)


def test_a_reader_that_began_before_a_change_stores_nothing_after_it(
    views: CachedViews, database: Counting, sqlite: SqlStore
) -> None:
    insert(sqlite)
    database.then = lambda: change(sqlite, 10)
    assert views.token(NAME) == samples.token()
    after = views.token(NAME)
    assert after
    assert after.revision == 10


def test_a_reader_meets_a_change_that_is_being_committed(
    views: CachedViews, database: Counting, slots: Slots, sqlite: SqlStore
) -> None:
    """It reads the database, and leaves nothing behind."""
    insert(sqlite)
    marker = slots.mark(slots.epoch, [(TOKEN, NAME)])
    assert marker
    for _ in range(2):
        assert views.token(NAME) == samples.token()
    assert database.asked == 2
    assert slots.release(marker)
    assert held(slots) == "miss"


def test_a_marker_takes_the_place_of_entries_and_leases(slots: Slots) -> None:
    for name, prepare in (("lease", False), ("entry", True)):
        outcome, lease = slots.look(TOKEN, name)
        assert outcome == "miss"
        if prepare:
            slots.put(lease, samples.token())
            assert isinstance(slots.look(TOKEN, name)[1], Found)
        marker = slots.mark(slots.epoch, [(TOKEN, name)])
        assert marker
        assert held(slots, name=name) == "busy"
        slots.put(lease, samples.token())
        assert held(slots, name=name) == "busy"
        assert slots.release(marker)
        slots.put(lease, samples.token())
        assert held(slots, name=name) == "miss"


def test_one_reader_at_a_time_may_store(slots: Slots) -> None:
    _, lease = slots.look(TOKEN, NAME)
    assert held(slots) == "busy"
    slots.put(lease, samples.token())
    slots.put(lease, replace(samples.token(), revision=99))
    assert slots.look(TOKEN, NAME)[1].view == samples.token()


def test_a_release_leaves_the_marker_of_a_later_change_alone(slots: Slots) -> None:
    first = slots.mark(slots.epoch, [(TOKEN, NAME)])
    second = slots.mark(slots.epoch, [(TOKEN, NAME)])
    assert first
    assert second
    slots.release(first)
    assert held(slots) == "busy"
    slots.release(second)
    assert held(slots) == "miss"


def test_what_came_in_place_of_a_lost_marker_is_removed_before_anybody_hears_of_the_change(
    views: CachedViews, slots: Slots, sqlite: SqlStore, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    """Redis is flushed between mark and commit, and a reader puts there what was before the commit."""
    insert(sqlite)
    mark = slots.mark

    def lossy(epoch: int, changed: Any) -> Any:
        marker = mark(epoch, changed)
        if isinstance(slots, MemorySlots):
            slots._markers.clear()
        else:
            request.getfixturevalue("valkey").flush()
        assert views.token(NAME) == samples.token()
        assert held(slots) == "hit", "the reader stored nothing, so this shows nothing"
        return marker

    monkeypatch.setattr(slots, "mark", lossy)
    assert change(sqlite, 10) == views.token(NAME)


def test_kinds_and_names_have_slots_of_their_own(slots: Slots) -> None:
    leases = {}
    for kind, name in itertools.product(CachedKind, ("a", "b")):
        outcome, leases[kind, name] = slots.look(kind, name)
        assert outcome == "miss"
    slots.put(leases[TOKEN, "a"], samples.token())
    assert [held(slots, *each) for each in leases] == ["hit", "busy", "busy", "busy"]


@pytest.mark.parametrize("kind", CachedKind)
def test_entries_hold_views_whole(kind: CachedKind) -> None:
    view = samples.token() if kind is TOKEN else samples.binding()
    bare = type(view)(
        **{name: getattr(view, name) for name in type(view).__dataclass_fields__ if name in _mandatory(view)}
    )
    for each in (view, bare, None):
        read = FIELDS[kind].read(FIELDS[kind].write(each, 1000), 2000)
        assert read == each
        assert repr(read) == repr(each), "a field has become another type"


def _mandatory(view: Any) -> set[str]:
    fields = type(view).__dataclass_fields__
    return {"name", "token", "provider"} & set(fields) | {
        name
        for name in fields
        if name.endswith(("_id", "create_time", "update_time")) and name[:4] not in ("visa", "part")
    }


def test_entries_have_an_end() -> None:
    """Judged by what they say themselves: Redis may show one for as long as it likes."""
    view, none = (FIELDS[TOKEN].write(each, 5 * MINUTE) for each in (samples.token(), None))
    assert FIELDS[TOKEN].read(view, 6 * MINUTE) == samples.token()
    assert FIELDS[TOKEN].read(none, 5 * MINUTE + MINUTE // 12) is None
    for entry, now in ((view, 6 * MINUTE + 1), (none, 5 * MINUTE + MINUTE // 12 + 1), (view, 4 * MINUTE)):
        with pytest.raises(EntryInvalid):
            FIELDS[TOKEN].read(entry, now)


def test_entries_of_a_version_with_other_fields_are_not_read() -> None:
    with pytest.raises(EntryInvalid):
        FIELDS[BINDING].read(FIELDS[TOKEN].write(None, 0), 0)


def test_memory_is_bounded_and_names_that_nobody_has_drive_out_nothing() -> None:
    slots = MemorySlots()
    for number in range(LARGEST + 10):
        slots.put(slots.look(TOKEN, str(number))[1], samples.token())
    for number in range(LARGEST_ABSENT + 10):
        slots.put(slots.look(TOKEN, f"absent {number}")[1], None)
        slots.look(BINDING, f"leased {number}")
    assert (len(slots._entries), len(slots._absent), len(slots._leases)) == (LARGEST, LARGEST_ABSENT, LARGEST_ABSENT)
    assert held(slots, name=str(LARGEST + 9)) == held(slots, name="10") == "hit"
    assert held(slots, name="9") == "miss"
