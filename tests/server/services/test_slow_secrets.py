"""Slow hashes: few at a time, few that wait, and none for what was hashed before."""

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from server.domain.refusals import TooManyCalls
from server.services import slow_secrets
from server.services.slow_secrets import MOST_AT_ONCE, MOST_OF_ONE_CLIENT, MOST_RUNNING, SlowSecrets
from tests.waiting import eventually

FAR = 1e9
KEY = b"random"


class HeldBack:
    """A slow hash that ends when it is let."""

    def __init__(self) -> None:
        self.let = threading.Event()
        self.asked: list[str] = []
        self.running = self.most_running = 0
        self._lock = threading.Lock()

    def __call__(self, secret: str) -> str:
        with self._lock:
            self.asked.append(secret)
            self.running += 1
            self.most_running = max(self.most_running, self.running)
        assert self.let.wait(30)
        with self._lock:
            self.running -= 1
        return f"hash of {secret}"


@pytest.fixture
def slow() -> Iterator[HeldBack]:
    held = HeldBack()
    yield held
    held.let.set()


@contextmanager
def flood(secrets: SlowSecrets, wanted: list[tuple[str, str]]) -> Iterator[list[Future[str]]]:
    """That many callers at once, each with a thread of its own."""
    with ThreadPoolExecutor(len(wanted)) as pool:
        yield [pool.submit(secrets.hash_of, client, secret, FAR) for client, secret in wanted]


def full(secrets: SlowSecrets, count: int) -> Callable[[], bool]:
    return lambda: secrets._by_client.total() == count


def test_so_many_run_and_so_many_wait_and_the_next_is_refused_at_once(slow: HeldBack) -> None:
    secrets = SlowSecrets(slow, KEY, time.monotonic)
    wanted = [(f"c-{number}", "wrong") for number in range(MOST_AT_ONCE)]
    with flood(secrets, wanted) as made:
        eventually(full(secrets, MOST_AT_ONCE))
        with pytest.raises(TooManyCalls) as refused:
            secrets.hash_of("another", "wrong", FAR)
        assert refused.value.metadata == {"class": "secret"}
        assert len(slow.asked) <= MOST_RUNNING
        slow.let.set()
        assert {each.result(30) for each in made} == {"hash of wrong"}
    assert slow.most_running <= MOST_RUNNING
    # There is room again.
    assert secrets.hash_of("another", "wrong", FAR) == "hash of wrong"


def test_one_client_leaves_room_for_the_others(slow: HeldBack) -> None:
    secrets = SlowSecrets(slow, KEY, time.monotonic)
    with flood(secrets, [("flooded", f"s-{number}") for number in range(MOST_OF_ONE_CLIENT)]) as made:
        eventually(full(secrets, MOST_OF_ONE_CLIENT))
        with pytest.raises(TooManyCalls):
            secrets.hash_of("flooded", "one more", FAR)
        with flood(secrets, [("other", "right")]) as others:
            eventually(full(secrets, MOST_OF_ONE_CLIENT + 1))
            slow.let.set()
            assert others[0].result(30) == "hash of right"
        assert len({each.result(30) for each in made}) == MOST_OF_ONE_CLIENT


def test_what_was_right_does_not_wait_and_is_not_displaced(slow: HeldBack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slow_secrets, "KEPT", 4)
    secrets = SlowSecrets(slow, KEY, time.monotonic)
    slow.let.set()
    secrets.hash_of("c", "right", FAR)
    secrets.was_right("c", "right")
    for number in range(10):
        secrets.hash_of("c", f"wrong-{number}", FAR)
    slow.let.clear()
    hashed = len(slow.asked)
    with flood(secrets, [("c", f"new-{number}") for number in range(MOST_OF_ONE_CLIENT)]):
        eventually(full(secrets, MOST_OF_ONE_CLIENT))
        # Neither does one that was wrong a moment ago, for its hash is known.
        for secret in ("right", "wrong-9"):
            assert secrets.hash_of("c", secret, 0.0) == f"hash of {secret}"
        slow.let.set()
    # One that was long ago is made again, and the secret alone does not say whose it is.
    for client, secret in (("c", "wrong-0"), ("d", "right")):
        secrets.hash_of(client, secret, FAR)
    assert slow.asked[hashed + MOST_OF_ONE_CLIENT :] == ["wrong-0", "right"]


def test_waiting_ends_at_the_deadline(slow: HeldBack) -> None:
    now = 100.0
    secrets = SlowSecrets(slow, KEY, lambda: now)
    with flood(secrets, [("a", f"s-{number}") for number in range(MOST_RUNNING)]):
        eventually(lambda: slow.running == MOST_RUNNING)
        for secret in ("another", "s-0"):
            # Of the same secret there is one hash, for which both wait.
            with pytest.raises(TooManyCalls):
                secrets.hash_of("a", secret, now)
        assert len(slow.asked) == MOST_RUNNING
        slow.let.set()
    assert secrets.hash_of("a", "another", now + 30) == "hash of another"


def test_callers_with_one_secret_share_its_hash(slow: HeldBack) -> None:
    secrets = SlowSecrets(slow, KEY, time.monotonic)
    with flood(secrets, [("c", "right")] * MOST_OF_ONE_CLIENT) as made:
        eventually(lambda: secrets._by_client["c"] == MOST_OF_ONE_CLIENT)
        # Who waits takes a place too.
        with pytest.raises(TooManyCalls):
            secrets.hash_of("c", "right", FAR)
        slow.let.set()
        assert {each.result(30) for each in made} == {"hash of right"}
    assert slow.asked == ["right"]
    assert not secrets._by_client


def test_a_fault_is_told_to_everybody_and_forgotten() -> None:
    calls: list[str] = []

    def broken(secret: str) -> str:
        calls.append(secret)
        if len(calls) == 1:
            raise MemoryError
        return "made"

    secrets = SlowSecrets(broken, KEY, time.monotonic)
    with pytest.raises(MemoryError):
        secrets.hash_of("c", "s", FAR)
    assert secrets.hash_of("c", "s", FAR) == "made"
