"""GetToken and GetBinding through the cache: right whatever becomes of Redis, and as fast as without it."""

import random
import time
from collections.abc import Callable, Iterator

import httpx
import pytest
import redis
from mintmark.v1 import tokens_pb2

from server.settings import SettingsInvalid
from tests.plain import PLAIN
from tests.server.cache.fake_redis import FakeRedis, believable, slow
from tests.server.rpc.cached import Cached, token_at
from tests.server.rpc.running import RunningCore, refused, running_core
from tests.server.rpc.two_cores import two_cores
from tests.valkey import Valkey
from tests.waiting import eventually

NOBODY = "unix:///nonexistent/redis.sock"
# With five failures of a tenth of a second each the breaker opens; some more for a machine that is busy.
SLOW_S, SLOW_CALLS = 0.09, 20


@pytest.fixture
def own_valkey() -> Iterator[Valkey]:
    server = Valkey()
    try:
        server.start()
        yield server
    finally:
        server.resume()
        server.remove()


@pytest.fixture
def short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses and the breaker end soon, so that a test sees what is after them."""
    monkeypatch.setattr("server.store.cache_pause.PAUSE_S", 2.0)
    monkeypatch.setattr("server.store.cache_pause.RENEWED_BELOW_S", 1.5)
    monkeypatch.setattr("server.store.marking.QUICK_S", 0.7)
    monkeypatch.setattr("server.cache.breaker.PROBE_S", 0.2)


def plays(cached: Cached, between: Callable[[], object] = lambda: None) -> None:
    for step in cached.steps():
        between()
        cached.holds(step)


def keys(valkey: Valkey) -> int:
    with redis.Redis.from_url(valkey.url) as client:
        return int(client.dbsize())


@pytest.mark.parametrize("redis_url", ["", NOBODY, "redis://127.0.0.1:1/0", "redis://user:secret@no-such-host.invalid"])
def test_without_redis(redis_url: str, place: str) -> None:
    with running_core(redis_url=redis_url) as core:
        plays(Cached([core], place))


def test_with_valkey(valkey: Valkey, place: str) -> None:
    with running_core(redis_url=valkey.url) as core:
        plays(Cached([core], place))
        assert keys(valkey) >= 3, "nothing is cached, so this shows nothing"


def test_two_cores_with_valkey(valkey: Valkey, postgres_database: str, place: str) -> None:
    with two_cores(postgres_database, valkey.url) as cores:
        plays(Cached(cores, place))
        assert keys(valkey) >= 3, "nothing is cached, so this shows nothing"


def test_two_cores_without_redis(postgres_database: str, place: str) -> None:
    with two_cores(postgres_database, "") as cores:
        plays(Cached(cores, place))


def test_flushed_between_calls(valkey: Valkey, postgres_database: str, place: str) -> None:
    with two_cores(postgres_database, valkey.url) as cores:
        plays(Cached(cores, place), valkey.flush)


def test_killed_midway_and_started_again(
    own_valkey: Valkey, postgres_database: str, place: str, short_pause: None
) -> None:
    with two_cores(postgres_database, own_valkey.url) as cores:
        cached = Cached(cores, place)
        plays(cached)
        own_valkey.stop()
        plays(cached)
        own_valkey.start()
        plays(cached)
        eventually(lambda: _used(cached, own_valkey), what="the use of Redis")
        plays(cached)


def test_paused_redis_makes_few_calls_slow(own_valkey: Valkey, postgres_database: str, place: str) -> None:
    with two_cores(postgres_database, own_valkey.url) as cores:
        cached = Cached(cores, place)
        plays(cached)
        own_valkey.pause()
        slow = 0
        for core in cores:
            for _ in range(100):
                began = time.monotonic()
                assert token_at(core, cached.token)
                slow += time.monotonic() - began > SLOW_S
        assert slow <= SLOW_CALLS
        plays(cached)
        own_valkey.resume()
        plays(cached)


GARBAGE: dict[str, Callable[[list[bytes]], bytes]] = {
    "noise": lambda _: random.randbytes(100) + b"\r\n",
    "a noisy value": lambda command: believable(command, b"e" + random.randbytes(300)),
    "errors": lambda _: b"-ERR no\r\n",
    "numbers": lambda _: b":42\r\n",
    "lists": lambda _: b"*2\r\n+OK\r\n+OK\r\n",
    "the half of it": lambda command: believable(command, b"e" * 50)[:-4],
    "nothing": lambda _: b"",
    "what is right, too late": slow,
    "yes to everything, and forgets it": believable,
    "a marker that nobody has put": lambda command: believable(command, b"m" + b"0" * 12),
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage(kind: str, place: str) -> None:
    fake = FakeRedis(GARBAGE[kind])
    try:
        with running_core(redis_url=fake.url) as core:
            plays(Cached([core], place))
        assert fake.seen, "it was not asked, so this shows nothing"
    finally:
        fake.remove()


def test_values_of_other_keys(place: str) -> None:
    """A Redis that keeps what it is given and shows it for every other key."""
    kept: list[tuple[bytes, bytes]] = []

    def answer(command: list[bytes]) -> bytes:
        if command[0] == b"EVAL" and len(command) == 7:
            kept.append((command[3], command[5]))
        others = [value for key, value in kept if key != command[1]]
        return believable(command, random.choice(others) if others and random.random() < 0.7 else b"")

    fake = FakeRedis(answer)
    try:
        with running_core(redis_url=fake.url) as core:
            plays(Cached([core], place))
            plays(Cached([core], place))
        assert len(kept) > 10, "hardly anything was put there, so this shows nothing"
        another = FakeRedis(lambda command: believable(command, random.choice(kept)[1]))
        try:
            with running_core(redis_url=another.url) as core:
                plays(Cached([core], place))
        finally:
            another.remove()
    finally:
        fake.remove()


def test_a_core_that_redis_is_dead_for_takes_its_change_out_of_the_other_cores_cache(
    valkey: Valkey, postgres_database: str, place: str, short_pause: None
) -> None:
    """And what was cached before is not believed after the pause either."""
    with two_cores(postgres_database, NOBODY, valkey.url) as cores:
        cached = Cached(cores, place)
        plays(cached)
        eventually(lambda: _cached_again(cached, cores[1]), what="an entry in the other core's cache")
        pause = cores[0].core.store.view.cache_pause()
        etag = cached.disable()
        seen = token_at(cores[1], cached.token)
        assert seen
        assert seen.etag == etag
        assert cores[0].core.store.view.cache_pause().epoch > pause.epoch
        shown = {etag}

        def after_the_pause() -> bool:
            used = _cached_again(cached, cores[1])
            token = token_at(cores[1], cached.token)
            shown.add(token.etag if token else "")
            return used

        # As soon as the pause is over the other core uses Redis again, and what was there must not be found.
        eventually(after_the_pause, what="the use of Redis")
        assert shown == {etag}


def _used(cached: Cached, valkey: Valkey) -> bool:
    cached.holds()
    return keys(valkey) >= 3


def _cached_again(cached: Cached, core: RunningCore) -> bool:
    """Whether no pause is in force and the token is in the cache."""
    if core.core.store.view.cache_pause().left > 0:
        return False
    before = _hits(core)
    token_at(core, cached.token)
    token_at(core, cached.token)
    return _hits(core) >= before + 1


def _hits(core: RunningCore) -> float:
    return _sum(core, 'mintmark_cache_reads_total{kind="token",outcome="hit"}')


def _sum(core: RunningCore, word: str) -> float:
    """What the lines of `/metrics` with a word say, added up."""
    address = core.settings.admin_address.removeprefix("unix:")
    with httpx.Client(transport=httpx.HTTPTransport(uds=address, verify=PLAIN)) as client:
        told = client.get("http://admin/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in told if word in line and not line.startswith("#"))


def test_who_may_not_see_a_token_does_not_see_it_in_the_cache(valkey: Valkey, place: str) -> None:
    for redis_url in ("", valkey.url):
        with running_core(redis_url=redis_url) as core:
            cached = Cached([core], place)
            plays(cached)
            stranger = core.client(["tokens.read"], ["MGW_999999"])
            friend = core.client(["tokens.read"], [place])
            request = tokens_pb2.GetTokenRequest(name=cached.token)
            for _ in range(3):
                assert friend.tokens.GetToken(request).token.name == cached.token
                with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
                    stranger.tokens.GetToken(request)


def test_what_the_cache_does_is_counted(valkey: Valkey, place: str) -> None:
    with running_core(redis_url=valkey.url) as core:
        cached = Cached([core], place)
        names = ("mintmark_cache_marks_total", "mintmark_redis_seconds_count", "mintmark_cache_reads_total", "absent")
        before = [_sum(core, name) for name in names]
        plays(cached)
        assert all(_sum(core, name) > first for name, first in zip(names, before, strict=True))
        assert _sum(core, "mintmark_cache_paused") == _sum(core, "mintmark_redis_breaker_open") == 0


def test_readiness_does_not_depend_on_redis() -> None:
    with running_core(redis_url=NOBODY) as core:
        assert core.core.ready()


def test_a_url_that_cannot_be_understood_is_told_without_its_password() -> None:
    with pytest.raises(SettingsInvalid, match="MINTMARK_REDIS_URL") as told:
        RunningCore(redis_url="redis://user:secret@host:port")
    assert "secret" not in str(told.value)


def test_the_log_tells_of_a_lost_redis_once_and_nothing_of_its_url(
    capfd: pytest.CaptureFixture[str], place: str
) -> None:
    with running_core(redis_url="redis://user:very-secret@127.0.0.1:1") as core:
        cached = Cached([core], place)
        for _ in range(30):
            token_at(core, cached.token)
    told = "".join(capfd.readouterr())
    assert told.count("redis_left_alone") == 1
    assert "very-secret" not in told
