"""The wall around Redis: no caller waits longer than the budget, whatever is on the other side."""

import random
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from server.cache.breaker import FAILURES
from server.cache.redis import LINKS, RedisUnavailable, RedisWall
from tests.flows.test_tls import Authority
from tests.server.cache.fake_redis import FakeRedis, believable, bulk, slow
from tests.valkey import Valkey
from tests.waiting import eventually

# Ten times the budget: the machine is shared.
MODEST_S = 1.0
PROBE_S = 0.05


@contextmanager
def wall_around(url: str) -> Iterator[RedisWall]:
    wall = RedisWall(url)
    try:
        yield wall
    finally:
        wall.close()


@pytest.fixture
def wall(valkey: Valkey, patient: None) -> Iterator[RedisWall]:
    with wall_around(valkey.url) as made:
        yield made


@pytest.fixture
def hasty_wall(valkey: Valkey) -> Iterator[RedisWall]:
    """One with the real budget."""
    with wall_around(valkey.url) as made:
        yield made


def asked(wall: RedisWall, *command: bytes | int) -> object:
    with wall.link() as link:
        return link.ask(*command)


def fails(wall: RedisWall, *command: bytes | int) -> float:
    """The operation must fail; how long that took."""
    began = time.monotonic()
    with pytest.raises(RedisUnavailable):
        asked(wall, *(command or (b"GET", b"k")))
    return time.monotonic() - began


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes come soon."""
    monkeypatch.setattr("server.cache.breaker.PROBE_S", PROBE_S)


def test_it_asks_a_real_valkey(wall: RedisWall) -> None:
    assert asked(wall, b"SET", b"k", b"\0\xff v", b"PX", 60_000) == b"OK"
    assert asked(wall, b"GET", b"k") == b"\0\xff v"
    assert asked(wall, b"GET", b"absent") is None
    assert asked(wall, b"EXISTS", b"k") == 1


def test_links_are_used_again(wall: RedisWall) -> None:
    with wall.link() as first:
        pass
    with wall.link() as second, wall.link() as third:
        assert second is first
        assert third is not first


def test_many_callers_at_once_get_their_own_answers(wall: RedisWall, patient: None) -> None:
    with ThreadPoolExecutor(4 * LINKS) as pool:
        answers = list(pool.map(lambda number: asked(wall, b"ECHO", b"%d" % number), range(2_000)))
    assert answers == [b"%d" % number for number in range(2_000)]
    assert wall._made <= LINKS


def test_login_and_database_of_the_url_are_used(patient: None) -> None:
    fake = FakeRedis(believable)
    try:
        with wall_around(f"{fake.url}?username=us%40er&password=p%3Aw&db=3") as wall:
            assert asked(wall, b"GET", b"k") == b"OK"
        assert fake.seen[:2] == [[b"AUTH", b"us@er", b"p:w"], [b"SELECT", b"3"]]
    finally:
        fake.remove()


def test_over_tls_with_its_authority(tmp_path: Path, patient: None) -> None:
    authority = Authority(tmp_path, "authority")
    pair = authority.issue("redis")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(pair.certificate, pair.key)
    fake = FakeRedis(believable, tls=tls)
    try:
        with wall_around(f"{fake.url}?ssl_ca_certs={authority.file}") as wall:
            eventually(lambda: _works(wall), what="an answer")
            made = fake.connections
            assert all(_works(wall) for _ in range(3))
            assert fake.connections == made, "what TLS has to say by itself was taken for a fault"
        with wall_around(fake.url) as wall:
            assert fails(wall) < MODEST_S, "it trusts anybody"
    finally:
        fake.remove()


@pytest.mark.parametrize("url", ["redis://host:port", "redis://host?no_such_option=1", "redis://host?db=x"])
def test_a_url_that_cannot_be_understood_is_told(url: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  whatever the library says; the setting's name is told elsewhere
        RedisWall(url)


RANDOM = random.Random(1)
GARBAGE: dict[str, Callable[[list[bytes]], bytes]] = {
    "nothing": lambda _: b"",
    "too late": slow,
    "noise": lambda _: RANDOM.randbytes(200) + b"\r\n",
    "an error": lambda _: b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
    "the half of it": lambda _: b"$10\r\nabc",
    "more than was asked for": lambda _: b"+OK\r\n+OK\r\n",
    "a list": lambda _: b"*1\r\n+OK\r\n",
    "a list of a billion": lambda _: b"*1000000000\r\n",
    "a text of a gigabyte": lambda _: b"$1000000000\r\n" + b"x" * 1_000_000,
    "no length": lambda _: b"$x\r\n",
}


@pytest.mark.parametrize("kind", GARBAGE)
def test_garbage_is_a_failure_within_the_budget(kind: str) -> None:
    fake = FakeRedis(GARBAGE[kind])
    try:
        with wall_around(fake.url) as wall:
            assert fails(wall) < MODEST_S
    finally:
        fake.remove()


def test_an_answer_in_drops_is_not_waited_for() -> None:
    """Each byte comes in time; all of them would take a minute."""
    fake = FakeRedis(lambda _: bulk(b"x" * 1000), seconds=0.05)
    try:
        with wall_around(fake.url) as wall:
            assert fails(wall) < MODEST_S
    finally:
        fake.remove()


@pytest.mark.parametrize("answer", [b"", b"+OK\r\n", b"-NOAUTH\r\n", b"$6\r\nnobody\r\n"])
def test_one_that_greets_wrongly_is_not_used(answer: bytes) -> None:
    fake = FakeRedis(lambda _: answer, greets=False)
    try:
        with wall_around(fake.url) as wall:
            assert fails(wall) < MODEST_S
            assert [b"GET", b"k"] not in fake.seen
    finally:
        fake.remove()


@pytest.mark.parametrize(
    "url", ["unix:///nonexistent/redis.sock", "redis://no-such-host.invalid:1", "redis://127.0.0.1:1"]
)
def test_nobody_there(url: str) -> None:
    with wall_around(url) as wall:
        assert fails(wall) < MODEST_S


def test_one_that_takes_no_connections_is_not_waited_for(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.bind(str(tmp_path / "s"))
        deaf.listen(0)
        with wall_around(f"unix://{tmp_path}/s") as wall:
            assert max(fails(wall) for _ in range(FAILURES)) < MODEST_S


def test_after_five_failures_nobody_asks_until_a_probe_has_worked(soon: None) -> None:
    working: list[bool] = []
    fake = FakeRedis(lambda command: believable(command) if working else b"-LOADING\r\n")
    try:
        with wall_around(fake.url) as wall:
            for _ in range(FAILURES):
                fails(wall)
            for _ in range(100):
                fails(wall, b"GET", b"unasked")
            eventually(lambda: [b"SET", b"mintmark:probe", b"1", b"PX", b"1000"] in fake.seen, what="a probe")
            assert [b"GET", b"unasked"] not in fake.seen
            working.append(True)
            eventually(lambda: _works(wall), what="the use of Redis")
    finally:
        fake.remove()


def _works(wall: RedisWall) -> bool:
    try:
        return asked(wall, b"GET", b"again") is not None
    except RedisUnavailable:
        return False


def test_it_is_used_again_after_a_restart(valkey: Valkey, wall: RedisWall, soon: None) -> None:
    assert asked(wall, b"SET", b"k", b"v") == b"OK"
    valkey.stop()
    try:
        for _ in range(FAILURES):
            fails(wall)
    finally:
        valkey.start()
    eventually(lambda: _works_on(wall), what="the use of Redis")


def _works_on(wall: RedisWall) -> bool:
    try:
        return asked(wall, b"SET", b"k", b"v") == b"OK"
    except RedisUnavailable:
        return False


def test_a_restart_between_two_operations_costs_nothing(valkey: Valkey, wall: RedisWall) -> None:
    """A link that the other side has closed is seen to be closed before it is used."""
    lives = set()
    for _ in range(3):
        with wall.link() as link:
            lives.add(link.life)
        valkey.stop()
        valkey.start()
    assert len(lives) == 3


def test_a_late_answer_is_not_taken_for_the_next_one(valkey: Valkey, hasty_wall: RedisWall) -> None:
    eventually(lambda: _works_on(hasty_wall), what="an answer")
    valkey.pause()
    try:
        fails(hasty_wall, b"GET", b"k")
    finally:
        valkey.resume()
    assert eventually(lambda: _echo(hasty_wall), what="an answer") == b"new"


def _echo(wall: RedisWall) -> object:
    try:
        return asked(wall, b"ECHO", b"new")
    except RedisUnavailable:
        return None


def test_a_silent_one_takes_the_budget_a_few_times_and_then_nothing(valkey: Valkey, hasty_wall: RedisWall) -> None:
    eventually(lambda: _works_on(hasty_wall), what="an answer")
    valkey.pause()
    try:
        slow = [seconds for _ in range(200) if (seconds := fails(hasty_wall)) > 0.05]
    finally:
        valkey.resume()
    # Five open the breaker; some more for a machine that is busy.
    assert len(slow) <= 2 * FAILURES
