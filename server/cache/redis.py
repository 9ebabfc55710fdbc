"""The wall around Redis: a time budget for each operation, and a breaker. Whatever Redis does, callers wait no longer.

Connections are made by one thread in the background, because looking up a host's name cannot be stopped; callers wait
for one within their budget only. That thread also probes Redis while the breaker is open, so that no caller has to.
"""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import structlog

from server.cache.breaker import Breaker
from server.cache.link import Link, Redis, RedisFault
from server.cache.metrics import REDIS_FAILURES, REDIS_SECONDS, REDIS_UNUSED

BUDGET_S = 0.100
# An operation takes a fraction of a millisecond as a rule, so a few links serve many callers.
LINKS = 8
# A link that was idle for longer may have been cut by something on the way.
IDLE_S = 30.0
PROBE = (b"SET", b"mintmark:probe", b"1", b"PX", 1000)

log = structlog.get_logger("cache")


class RedisUnavailable(Exception):
    """Redis cannot be used now: do without it."""


class RedisWall:
    """Operations on one Redis. Safe to use from any thread."""

    def __init__(self, url: str) -> None:
        """Raises ValueError for a URL that cannot be understood. A Redis that is not there is no error."""
        self._redis = Redis(url, BUDGET_S)
        self._breaker = Breaker()
        self._lock = threading.Lock()
        # Callers wait for a free link, the thread for something to do.
        self._free = threading.Condition(self._lock)
        self._needed = threading.Condition(self._lock)
        self._idle: list[Link] = []
        self._waiting = 0
        self._made = 0
        self._refused = 0
        self._closing = False
        REDIS_UNUSED.set(0)
        self._thread = threading.Thread(target=self._work, name="redis", daemon=True)
        self._thread.start()

    @contextmanager
    def link(self) -> Iterator[Link]:
        """A link for one operation, which has 100 ms in all. Raises RedisUnavailable, also for what fails inside."""
        began = time.monotonic()
        link: Link | None = None
        try:
            link = self._take(began + BUDGET_S)
            yield link
            REDIS_SECONDS.observe(time.monotonic() - began)
            self._give_back(link)
            link = None
        except RedisFault as fault:
            REDIS_SECONDS.observe(time.monotonic() - began)
            self._failed(fault)
            raise RedisUnavailable from None
        finally:
            self._drop(link)

    def close(self) -> None:
        with self._lock:
            self._closing = True
            self._free.notify_all()
            self._needed.notify()
        self._thread.join(2 * BUDGET_S)
        with self._lock:
            idle, self._idle = self._idle, []
        for link in idle:
            link.close()

    def _take(self, deadline: float) -> Link:
        stale: list[Link] = []
        try:
            with self._lock:
                refused = self._refused
                self._waiting += 1
                try:
                    while True:
                        if self._breaker.open or self._closing:
                            raise RedisUnavailable
                        while self._idle:
                            link = self._idle.pop()
                            if time.monotonic() - link.idle_since < IDLE_S and link.quiet():
                                link.deadline = deadline
                                return link
                            self._made -= 1
                            stale.append(link)
                        left = deadline - time.monotonic()
                        if left <= 0 or self._refused != refused:
                            raise RedisFault("no connection")
                        self._needed.notify()
                        self._free.wait(left)
                finally:
                    self._waiting -= 1
                    if self._idle:
                        # Whoever was woken in vain hands that on.
                        self._free.notify()
        finally:
            for each in stale:
                each.close()

    def _give_back(self, link: Link) -> None:
        link.idle_since = time.monotonic()
        with self._lock:
            if not self._closing:
                self._idle.append(link)
                self._free.notify()
                return
        link.close()

    def _drop(self, link: Link | None) -> None:
        if link is not None:
            with self._lock:
                self._made -= 1
                # Whoever waits for a link has to ask for a new one.
                self._free.notify()
            link.close()

    def _failed(self, fault: RedisFault) -> None:
        REDIS_FAILURES.inc()
        with self._lock:
            opened = self._breaker.fail(time.monotonic())
            if opened:
                self._free.notify_all()
                self._needed.notify()
        if opened:
            REDIS_UNUSED.set(1)
            log.warning("redis_left_alone", error=str(fault))

    def _work(self) -> None:
        while True:
            with self._lock:
                while not self._closing:
                    until_probe = self._breaker.until_probe(time.monotonic())
                    probing = until_probe == 0
                    if probing or (until_probe is None and self._wanted()):
                        break
                    self._needed.wait(until_probe)
                if self._closing:
                    return
            link = self._connect(probing=probing)
            with self._lock:
                if probing:
                    self._breaker.probed(time.monotonic(), worked=link is not None)
                if link is None:
                    self._refused += 1
                else:
                    self._made += 1
                    link.idle_since = time.monotonic()
                    self._idle.append(link)
                self._free.notify_all()
            if probing and link is not None:
                REDIS_UNUSED.set(0)
                log.info("redis_used_again")

    def _wanted(self) -> bool:
        return self._waiting > len(self._idle) and self._made < LINKS

    def _connect(self, *, probing: bool) -> Link | None:
        try:
            link = self._redis.connect(BUDGET_S)
        except RedisFault:
            return None
        except Exception as error:
            # Whatever it is: without this thread Redis would never be used again.
            log.error("redis_fault", error=type(error).__name__)
            return None
        try:
            # One that reads but cannot write is of no use.
            if probing and link.ask(*PROBE) != b"OK":
                raise RedisFault("it does not store")
        except RedisFault:
            link.close()
            return None
        return link
