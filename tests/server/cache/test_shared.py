"""What Redis is told and what is believed of it."""

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
import redis

from server.cache.shared import SharedSlots
from server.cache.views import CachedViews, Found
from server.keys import keyring
from server.keys.keyring import Keyring
from server.ports import CachedKind
from server.store.store import SqlStore
from tests.server.cache.conftest import shared_slots
from tests.server.store import samples
from tests.valkey import Valkey

TOKEN = CachedKind.TOKEN
pytestmark = pytest.mark.usefixtures("patient")


@pytest.fixture
def own_valkey() -> Iterator[Valkey]:
    """One that tests may restart with what it has saved."""
    server = Valkey()
    try:
        server.start()
        yield server
    finally:
        server.remove()


@pytest.fixture
def here(sqlite: SqlStore, valkey: Valkey, ring: Keyring) -> Iterator[SharedSlots]:
    with shared_slots(sqlite, valkey.url, ring) as slots:
        yield slots


def put(slots: SharedSlots, name: str, revision: int = 7) -> None:
    outcome, lease = slots.look(TOKEN, name)
    assert outcome == "miss"
    slots.put(lease, samples.token() if revision else None)
    assert isinstance(slots.look(TOKEN, name)[1], Found)


def test_nothing_in_redis_can_be_read(here: SharedSlots, valkey: Valkey) -> None:
    put(here, samples.token().name)
    assert here.mark(0, [(TOKEN, "merchantGateways/g/merchants/m/tokens/t")])
    with redis.Redis.from_url(valkey.url) as client:
        held = b"".join(key + client.get(key) for key in client.keys("*"))
        assert all(0 < client.pttl(key) <= 60_000 for key in client.keys("*")), "something stays for ever"
    for word in (b"merchant", b"453421", b"2366", b"TSH", b"lost", samples.token().token_id.encode()):
        assert word not in held.replace(b"mintmark:", b"")


def test_values_swapped_between_names_are_not_believed(here: SharedSlots, valkey: Valkey) -> None:
    with redis.Redis.from_url(valkey.url) as client:
        put(here, "a")
        (first,) = client.keys("*")
        put(here, "b", revision=0)
        (second,) = set(client.keys("*")) - {first}
        client.set(first, client.get(second))
        for garbage in (client.get(second), b"", b"e", b"e" + b"x" * 40, b"\0" * 100, "m".encode("utf-16")):
            client.set(first, garbage)
            assert here.look(TOKEN, "a") == ("lie", None)
        client.delete(first)
        client.lpush(first, "a list")
        assert here.look(TOKEN, "a") == ("unused", None)


def test_environments_that_share_a_redis_know_nothing_of_each_other(
    here: SharedSlots, sqlite: SqlStore, valkey: Valkey
) -> None:
    put(here, "a")
    with shared_slots(sqlite, valkey.url, keyring._new_keyring()) as there:
        assert there.look(TOKEN, "a")[0] == "miss"


def test_what_was_before_a_pause_is_not_found_after_it(here: SharedSlots, sqlite: SqlStore) -> None:
    put(here, "a")
    pause = sqlite.view.cache_pause()
    here.observe(type(pause)(pause.epoch + 1, 0.0, pause.time, pause.asked))
    assert here.look(TOKEN, "a")[0] == "miss"


def test_what_a_restart_brings_back_from_a_file_is_not_found(
    own_valkey: Valkey, sqlite: SqlStore, ring: Keyring
) -> None:
    """The file is from before a change; the marker and its release were in memory only."""
    before = samples.token()
    sqlite.write("t", lambda transaction: transaction.tokens.insert([before]))
    with shared_slots(sqlite, own_valkey.url, ring) as slots:
        sqlite.mark_with(slots)
        views = CachedViews(slots, sqlite.view)
        assert views.token(before.name) == before
        with redis.Redis.from_url(own_valkey.url) as client:
            client.save()
        sqlite.write("t", lambda transaction: transaction.tokens.delete([before.name]))
        own_valkey.stop()
        own_valkey.start()
        with redis.Redis.from_url(own_valkey.url) as client:
            assert client.dbsize() == 1, "nothing was brought back, so this shows nothing"
        assert views.token(before.name) is None


def test_a_change_of_too_many_names_is_not_told_in_part(here: SharedSlots) -> None:
    assert here.mark(0, [(TOKEN, str(number)) for number in range(5_001)]) is None
    assert here.mark(0, [(TOKEN, str(number)) for number in range(5_000)])


def test_several_cores_share_what_one_has_read(sqlite: SqlStore, valkey: Valkey, ring: Keyring) -> None:
    with ExitStack() as stack:
        first, second = (stack.enter_context(shared_slots(sqlite, valkey.url, ring)) for _ in range(2))
        put(first, "a")
        assert second.look(TOKEN, "a")[1].view == samples.token()
        assert second.mark(0, [(TOKEN, "a")])
        assert first.look(TOKEN, "a")[0] == "busy"
