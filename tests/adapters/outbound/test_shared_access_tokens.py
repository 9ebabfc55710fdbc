"""Access tokens that dispatchers share in Redis: one fetch for all, sealed, and no trouble but a little time."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
import redis as redis_client

from adapters.cache import redis as wall
from adapters.cache.redis import Redis, RedisUnavailable
from adapters.outbound.shared_access_tokens import SharedAccessTokens
from tests.adapters.outbound.acquiring import Dispatching, Wishes, dispatching
from tests.adapters.outbound.test_access_tokens import fetching_over, issued, refused
from tests.adapters.sandbox.sibs.caller import Caller, caller_of
from tests.server.cache.fake_redis import FakeRedis, believable
from tests.valkey import Valkey
from tests.waiting import paused

KEY = bytes(range(32))
NOBODY = "redis://127.0.0.1:9/0"


@pytest.fixture
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    with caller_of(tmp_path_factory.mktemp("twin")) as made:
        yield made


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a busy machine a good Redis may be slow, too."""
    monkeypatch.setattr(wall, "BUDGET_S", 1.5)


class Failures:
    """Counts what failed at Redis."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


@asynccontextmanager
async def sharing(
    url: str, key: bytes | None = KEY, failed: Callable[[], None] = lambda: None
) -> AsyncIterator[Dispatching]:
    """A dispatcher with a Redis."""

    async def get() -> bytes | None:
        return key

    redis = Redis(url, failed)
    try:
        async with dispatching(SharedAccessTokens(redis, get)) as made:
            yield made
    finally:
        await redis.aclose()


def test_dispatchers_share_one_and_fetch_it_once(twin: Caller, valkey: Valkey) -> None:
    endpoint = Wishes(twin).fetched()

    async def work() -> None:
        async with sharing(valkey.url) as first, sharing(valkey.url) as second, sharing(valkey.url) as third:
            every = [each.access_tokens.get(endpoint) for each in (first, second) for _ in range(5)]
            got = await asyncio.gather(*every)
            assert len(set(got)) == 1
            # One that comes later, and one that lives again.
            assert await third.access_tokens.get(endpoint) == got[0]
            async with sharing(valkey.url) as fourth:
                assert await fourth.access_tokens.get(endpoint) == got[0]

    asyncio.run(work())
    assert issued(twin) == 1


def test_a_refresh_is_shared_too(twin: Caller, valkey: Valkey) -> None:
    endpoint = Wishes(twin).fetched()

    async def work() -> None:
        async with sharing(valkey.url) as first, sharing(valkey.url) as second:
            old = await first.access_tokens.get(endpoint)
            assert await second.access_tokens.get(endpoint) == old
            twin.control("POST", "/access-tokens/revoke", {"static": False})
            # One hears of it first and has a new one; what the other has is older and refused.
            assert first.access_tokens.refused(endpoint, old)
            new = await first.access_tokens.get(endpoint)
            assert second.access_tokens.refused(endpoint, old)
            assert await second.access_tokens.get(endpoint) == new != old

    asyncio.run(work())
    assert issued(twin) == 2


def test_near_its_end_it_is_better_than_none(twin: Caller, valkey: Valkey) -> None:
    """A new dispatcher fetches its own; where that fails, it uses what is left."""
    endpoint = Wishes(twin).fetched()

    async def work() -> None:
        async with sharing(valkey.url) as first, sharing(valkey.url) as second:
            old = await first.access_tokens.get(endpoint)
            with redis_client.Redis.from_url(valkey.url) as plain:
                (name,) = plain.keys("mintmark:*")
                plain.pexpire(name, 600_000)
            twin.fault("status", endpoint="access-token", status=503)
            assert await second.access_tokens.get(endpoint) == old
            assert second.counted("access_token", "failed") == 1
            second.ahead = 601
            assert await second.access_tokens.get(endpoint) != old
            await fetching_over(second)

    asyncio.run(work())


def test_nothing_in_redis_can_be_read_or_put_there(twin: Caller, valkey: Valkey) -> None:
    wishes = Wishes(twin)
    endpoint, other = wishes.fetched(), wishes.fetched(scope="other")

    async def work() -> None:
        async with sharing(valkey.url) as first:
            text = await first.access_tokens.get(endpoint)
        with redis_client.Redis.from_url(valkey.url) as plain:
            (name,) = plain.keys("*")
            value = plain.get(name)
            assert 3500 < plain.ttl(name) <= 3600
            assert isinstance(value, bytes)
            assert text.encode() not in value
            # In another place, damaged, of no size, too long, or of another kind.
            async with sharing(valkey.url) as second:
                await second.access_tokens.get(other)
            (elsewhere,) = set(plain.keys("*")) - {name}
            for bad in (plain.get(elsewhere), value[:-1] + bytes([value[-1] ^ 1]), b"x", b"x" * 100_000, None):
                plain.delete(name)
                if bad is None:
                    plain.lpush(name, "a", "b")
                else:
                    plain.set(name, bad, ex=3600)
                before = issued(twin)
                async with sharing(valkey.url) as third:
                    assert await third.access_tokens.get(endpoint) != text
                assert issued(twin) == before + 1
        async with sharing(valkey.url, bytes(32)) as stranger:
            before = issued(twin)
            await stranger.access_tokens.get(endpoint)
            assert issued(twin) == before + 1

    asyncio.run(work())


def test_redis_gone_or_hanging_costs_one_wait(twin: Caller, valkey: Valkey) -> None:
    wishes = Wishes(twin)

    async def work(url: str) -> None:
        failures = Failures()
        async with sharing(url, failed=failures) as dispatcher:
            got = [await dispatcher.access_tokens.get(wishes.fetched(scope=str(each))) for each in range(3)]
            assert len(set(got)) == 3
            # After the first one it is left alone.
            assert failures.count == 1

    asyncio.run(work(NOBODY))
    asyncio.run(work("redis://no-such-host.invalid"))
    valkey.pause()
    try:
        asyncio.run(work(valkey.url))
    finally:
        valkey.resume()


def test_without_the_key_each_has_its_own(twin: Caller, valkey: Valkey) -> None:
    endpoint = Wishes(twin).fetched()

    async def work() -> None:
        async with sharing(valkey.url, None) as first, sharing(valkey.url, None) as second:
            assert await first.access_tokens.get(endpoint) != await second.access_tokens.get(endpoint)

    asyncio.run(work())
    with redis_client.Redis.from_url(valkey.url) as plain:
        assert plain.keys("*") == []


@pytest.mark.parametrize(
    "answer", [b"$100000000000\r\n", b"*1000000000\r\n", b"-ERR no\r\n", b"nonsense\r\n", b"+OK\r\n"]
)
def test_a_redis_that_talks_nonsense(twin: Caller, answer: bytes) -> None:
    endpoint = Wishes(twin).fetched()
    fake = FakeRedis(lambda command: believable(command) if command[0] in {b"CLIENT", b"HELLO"} else answer)

    async def work() -> None:
        async with sharing(fake.url) as dispatcher:
            assert await dispatcher.access_tokens.get(endpoint)

    try:
        asyncio.run(work())
    finally:
        fake.remove()
    assert issued(twin) == 1


def test_who_waits_for_another_dispatcher_does_not_wait_for_ever(
    twin: Caller, valkey: Valkey, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that took the turn and died."""
    monkeypatch.setattr("adapters.outbound.access_tokens.LONGEST_WAIT_S", 0.3)
    endpoint = Wishes(twin).fetched()

    async def work() -> None:
        async with sharing(valkey.url) as first:
            twin.fault("hang", endpoint="access-token")
            dying = asyncio.create_task(first.access_tokens.get(endpoint))
            while issued(twin) < 1:
                await paused(0.01)
            async with sharing(valkey.url) as second:
                assert await second.access_tokens.get(endpoint)
            twin.control("POST", "/faults/release")
            await dying

    asyncio.run(work())
    assert issued(twin) == 2


def test_a_token_endpoint_that_is_down_is_told_to_everybody(twin: Caller, valkey: Valkey) -> None:
    endpoint = Wishes(twin).fetched()
    twin.fault("status", endpoint="access-token", status=500, times=0)

    async def work() -> None:
        async with sharing(valkey.url) as first, sharing(valkey.url) as second:
            troubles = [(await refused(each, endpoint)).trouble for each in (first, second)]
            assert troubles == ["access_token_http_500"] * 2
            twin.control("DELETE", "/faults")
            assert await first.access_tokens.get(endpoint) == await second.access_tokens.get(endpoint)

    asyncio.run(work())


def test_after_a_rest_redis_is_used_again(valkey: Valkey) -> None:
    now = [0.0]

    async def work() -> None:
        redis = Redis(valkey.url, monotonic=lambda: now[0])
        valkey.pause()
        with pytest.raises(RedisUnavailable):
            await redis.put(b"a", b"b", 10)
        valkey.resume()
        with pytest.raises(RedisUnavailable):
            await redis.get(b"a")
        now[0] = wall.REST_S
        await redis.put(b"a", b"b", 10)
        value, left = (await redis.get(b"a")) or (b"", 0.0)
        assert value == b"b"
        assert 0 < left <= 10
        assert not await redis.put_where_none(b"a", b"c", 10)
        await redis.remove(b"a")
        assert await redis.get(b"a") is None
        assert await redis.put_where_none(b"a", b"c", 10)
        await redis.aclose()

    asyncio.run(work())


@pytest.mark.parametrize("url", ["redis://user:secret@host:port", "redis://h?nonsense=1", "http://x"])
def test_urls_that_nobody_understands(url: str) -> None:
    with pytest.raises(ValueError, match=r".") as told:
        Redis(url)
    assert "secret" not in json.dumps(str(told.value))
