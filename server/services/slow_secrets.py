"""Hashes of client secrets that were taken over from elsewhere: scrypt, tens of milliseconds and 16 MiB each.

Whoever knows the id of such a client can have a hash made for any secret. What bounds that: few are made at a time, few
wait, and one client has half of the places at most, so that a flood at one leaves room for the others. What has been
hashed is remembered, and a secret that was right is never displaced by those that were not: who was let in before does
not wait at all.
"""

import hmac
import threading
from collections import Counter as Tally
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Late

from prometheus_client import Counter

from server.domain.refusals import TooManyCalls

MOST_RUNNING = 2
# Callers, each with a thread: those whose hash is being made, and those who wait for a hash, also for the same one.
MOST_AT_ONCE = 16
MOST_OF_ONE_CLIENT = MOST_AT_ONCE // 2
KEPT = 4096
CALL_CLASS = "secret"

MADE = Counter("mintmark_client_secret_hashes_total", "Slow hashes of client secrets, by outcome.", ("outcome",))


class SlowSecrets:
    """Makes slow hashes of secrets and remembers them. Safe to use from any thread."""

    def __init__(self, make: Callable[[str], str], process_key: bytes, now: Callable[[], float]) -> None:
        """`make` is the slow hash; deadlines are on the clock `now`. `process_key` is random."""
        self._make = make
        self._now = now
        # What is remembered goes by a fast hash that means nothing outside this process.
        self._process_key = process_key
        self._lock = threading.Lock()
        self._running = threading.Semaphore(MOST_RUNNING)
        self._right: OrderedDict[bytes, str] = OrderedDict()
        self._others: OrderedDict[bytes, str] = OrderedDict()
        self._being_made: dict[bytes, Future[str]] = {}
        self._by_client: Tally[str] = Tally()

    def hash_of(self, client_id: str, secret: str, deadline: float) -> str:
        """The slow hash of a secret that somebody says is the client's. Raises TooManyCalls where others are before it
        for too long."""
        label = self._label(client_id, secret)
        with self._lock:
            for remembered in (self._right, self._others):
                if label in remembered:
                    remembered.move_to_end(label)
                    MADE.labels("remembered").inc()
                    return remembered[label]
            if not self._has_room(client_id):
                MADE.labels("shed").inc()
                raise TooManyCalls(CALL_CLASS)
            self._by_client[client_id] += 1
            pending = self._being_made.get(label)
            made: Future[str] = pending or Future()
            self._being_made[label] = made
        try:
            return self._awaited(made, deadline) if pending else self._made(made, label, secret, deadline)
        finally:
            self._gone(client_id)

    def was_right(self, client_id: str, secret: str) -> None:
        """Says that the secret is the client's."""
        label = self._label(client_id, secret)
        with self._lock:
            known = self._others.pop(label, None)
            if known is not None:
                _put(self._right, label, known)

    def _has_room(self, client_id: str) -> bool:
        return self._by_client.total() < MOST_AT_ONCE and self._by_client[client_id] < MOST_OF_ONE_CLIENT

    def _made(self, made: Future[str], label: bytes, secret: str, deadline: float) -> str:
        try:
            made.set_result(self._hash(secret, deadline))
        except BaseException as error:
            # Whoever waits for the same one is told the same.
            made.set_exception(error)
            raise
        finally:
            self._ended(label, made)
        return made.result()

    def _awaited(self, pending: Future[str], deadline: float) -> str:
        try:
            return pending.result(max(0.0, deadline - self._now()))
        except Late:
            MADE.labels("shed").inc()
            raise TooManyCalls(CALL_CLASS) from None

    def _hash(self, secret: str, deadline: float) -> str:
        if not self._running.acquire(timeout=max(0.0, deadline - self._now())):
            MADE.labels("shed").inc()
            raise TooManyCalls(CALL_CLASS)
        try:
            MADE.labels("made").inc()
            return self._make(secret)
        finally:
            self._running.release()

    def _gone(self, client_id: str) -> None:
        with self._lock:
            self._by_client[client_id] -= 1
            if not self._by_client[client_id]:
                del self._by_client[client_id]

    def _ended(self, label: bytes, made: Future[str]) -> None:
        with self._lock:
            del self._being_made[label]
            if made.exception() is None:
                _put(self._others, label, made.result())

    def _label(self, client_id: str, secret: str) -> bytes:
        said = f"{len(client_id)}:{client_id}{secret}".encode("utf-8", "surrogatepass")
        return hmac.digest(self._process_key, said, "sha256")


def _put(held: OrderedDict[bytes, str], label: bytes, made: str) -> None:
    held[label] = made
    if len(held) > KEPT:
        held.popitem(last=False)
