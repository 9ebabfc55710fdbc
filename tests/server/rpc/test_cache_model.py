"""Writers, readers and a Valkey that fails at random: no read shows less than what was known before it began."""

import random
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.server.rpc.cached import Cached, binding_at, token_at
from tests.server.rpc.fake_outages import FakeOutages
from tests.server.rpc.running import RunningCore, running_core
from tests.server.rpc.two_cores import two_cores
from tests.valkey import Valkey

WRITES = 40
READERS_OF_A_CORE = 2


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
    """Pauses and the breaker end soon, so that the cache is used between two faults."""
    monkeypatch.setattr("server.store.cache_pause.PAUSE_S", 1.6)
    monkeypatch.setattr("server.store.cache_pause.RENEWED_BELOW_S", 1.2)
    monkeypatch.setattr("server.store.marking.QUICK_S", 0.5)
    monkeypatch.setattr("server.cache.breaker.PROBE_S", 0.1)


class Known:
    """What is known of a number that only grows: the largest one that a finished call has shown or written."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._least = 0
        self.wrong: list[str] = []
        self.reads = 0

    @property
    def least(self) -> int:
        return self._least

    def seen(self, before: int, now: int, where: str) -> None:
        with self._lock:
            self.reads += 1
            if now < before:
                self.wrong.append(f"{where} showed {now} after {before}")
            self._least = max(self._least, now)


def token_count(core: RunningCore, cached: Cached) -> int:
    token = token_at(core, cached.token)
    return token.delivery_count if token else 0


def binding_count(core: RunningCore, cached: Cached) -> int:
    binding = binding_at(core, cached.binding)
    return binding.delivery_count if binding else 0


Count = Callable[[RunningCore, Cached], int]
COUNTS: tuple[tuple[str, Count], ...] = (("token", token_count), ("binding", binding_count))


def runs(cached: Cached, seed: int, faults: Callable[[random.Random], object]) -> dict[str, int]:
    """Writes on every core in turns while others read everywhere and faults happen. How often was read."""
    known = {kind: Known() for kind, _ in COUNTS}
    done = threading.Event()
    chance = random.Random(seed)

    def read(core: RunningCore, kind: str, count: Count) -> None:
        while not done.is_set():
            before = known[kind].least
            known[kind].seen(before, count(core, cached), f"the {kind} at core {cached.cores.index(core)}")

    def disturb() -> None:
        own = random.Random(seed + 1)
        while not done.wait(own.uniform(0.0, 0.3)):
            faults(own)

    def write() -> None:
        written = {kind: count(cached.cores[0], cached) for kind, count in COUNTS}
        deliver = {"token": cached.deliver, "binding": cached.deliver_binding}
        for _ in range(WRITES):
            cached.writing = chance.choice(cached.cores)
            kind, count = chance.choice(COUNTS)
            deliver[kind]()
            written[kind] += 1
            known[kind].seen(0, written[kind], "the writer")
            for core in cached.cores:
                assert count(core, cached) == written[kind], f"the write is not seen at {cached.cores.index(core)}"
            done.wait(chance.choice([0.0, 0.0, 0.1]))

    with ThreadPoolExecutor(16) as pool:
        working = [
            pool.submit(read, core, kind, count)
            for core in cached.cores
            for kind, count in COUNTS
            for _ in range(READERS_OF_A_CORE)
        ]
        working.append(pool.submit(disturb))
        try:
            write()
        finally:
            done.set()
            for each in working:
                each.result(30)
    wrong = [each for kind in known for each in known[kind].wrong]
    assert not wrong, wrong[:5]
    return {kind: known[kind].reads for kind in known}


def begin(cached: Cached) -> None:
    for step in cached.steps():
        cached.holds(step)
    cached.deliver_binding()


@pytest.mark.parametrize("seed", [0])
def test_two_cores_and_a_failing_valkey(
    own_valkey: Valkey, postgres_database: str, place: str, short_pause: None, seed: int
) -> None:
    with two_cores(postgres_database, own_valkey.url) as cores:
        cached = Cached(cores, place)
        begin(cached)
        faults = FakeOutages(own_valkey)
        runs(cached, seed, faults)
        assert {"flush", "pause", "restart"} & set(faults.happened)


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(100, 150))
def test_many_schedules(own_valkey: Valkey, postgres_database: str, place: str, short_pause: None, seed: int) -> None:
    with two_cores(postgres_database, own_valkey.url) as cores:
        cached = Cached(cores, place)
        begin(cached)
        runs(cached, seed, FakeOutages(own_valkey))


def test_one_core_with_its_memory(place: str) -> None:
    with running_core() as core:
        cached = Cached([core], place)
        begin(cached)
        began = time.monotonic()
        reads = runs(cached, 7, lambda _: None)
        assert min(reads.values()) > 0, f"nothing was read in {time.monotonic() - began} s"


def test_two_cores_of_which_one_never_reaches_redis(
    own_valkey: Valkey, postgres_database: str, place: str, short_pause: None
) -> None:
    with two_cores(postgres_database, own_valkey.url, "unix:///nonexistent/redis.sock") as cores:
        cached = Cached(cores, place)
        begin(cached)
        runs(cached, 3, lambda _: None)
