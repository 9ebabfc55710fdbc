"""A Redis that may be slow, gone or lying: who asks it waits 100 ms at most, and then does without it for a while."""

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import Any

import redis.asyncio as client
import structlog
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

BUDGET_S = 0.100
REST_S = 5.0
# Nothing that is kept there is longer; what is, is not from us.
LONGEST = 16 * 1024

log = structlog.get_logger("mintmark.cache")


class RedisUnavailable(Exception):
    """It cannot be used now: do without it."""


class Redis:
    """Values that end by themselves. Each operation raises RedisUnavailable, after 100 ms at most."""

    def __init__(
        self, url: str, failed: Callable[[], None] = lambda: None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """`failed` is called for each failure. Raises ValueError for a URL that cannot be understood."""
        try:
            self._client = client.Redis.from_url(
                url,
                socket_timeout=BUDGET_S,
                socket_connect_timeout=BUDGET_S,
                retry=Retry(NoBackoff(), 0),
                protocol=2,
                driver_info=None,
            )
            # Of a wrong option it is heard only here.
            self._client.connection_pool.make_connection()  # type: ignore[no-untyped-call]
        except TypeError:
            raise ValueError("an option that nobody knows") from None
        self._failed = failed
        self._monotonic = monotonic
        self._rests_until = 0.0

    async def get(self, name: bytes) -> tuple[bytes, float] | None:
        """A value and how many seconds it has left; None where there is none."""
        value, left = await self._within((b"GETRANGE", name, 0, LONGEST), (b"PTTL", name))
        if not isinstance(value, bytes) or not value or not isinstance(left, int) or left <= 0:
            return None
        return value, left / 1000

    async def put(self, name: bytes, value: bytes, seconds: float) -> None:
        """Keeps a value for so long."""
        await self._within((b"SET", name, value, b"PX", max(1, int(seconds * 1000))))

    async def put_where_none(self, name: bytes, value: bytes, seconds: float) -> bool:
        """The same where there is none yet: whether that was so."""
        (kept,) = await self._within((b"SET", name, value, b"NX", b"PX", max(1, int(seconds * 1000))))
        return kept is not None

    async def remove(self, name: bytes) -> None:
        await self._within((b"DEL", name))

    async def aclose(self) -> None:
        with contextlib.suppress(Exception):
            await self._client.aclose()

    async def _within(self, *commands: tuple[bytes | int, ...]) -> list[Any]:
        """What each is answered, all of them within the one budget."""
        if self._monotonic() < self._rests_until:
            raise RedisUnavailable
        try:
            async with asyncio.timeout(BUDGET_S):
                return [await self._client.execute_command(*each) for each in commands]  # type: ignore[no-untyped-call]
        except Exception as error:
            # Whatever a library makes of what comes from there: nobody needs it.
            self._rests_until = self._monotonic() + REST_S
            self._failed()
            log.warning("redis_left_alone", error=type(error).__name__)
            raise RedisUnavailable from None
