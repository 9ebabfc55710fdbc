"""Access tokens in Redis, so that dispatchers share them, and one alone fetches a new one. Sealed: who reads or writes
there gains nothing.

Whatever fails here is no reason not to have an access token: then each dispatcher fetches its own.
"""

import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

import msgspec

from adapters.cache.redis import Redis, RedisUnavailable
from adapters.jose.sealed_places import SealedPlace, sealed_place

# How long others wait for the one who fetches; after it somebody else does.
TURN_S = 15.0


@dataclass(frozen=True, slots=True)
class SharedAccessToken:
    """An access token that another dispatcher, or an earlier life, has fetched. Seconds: `life` in all, `left` now."""

    text: str = field(repr=False)
    life: float
    left: float


class SharedAccessTokens:
    """`key` gives the key that the core hands out, None where it cannot be had now."""

    def __init__(self, redis: Redis, key: Callable[[], Awaitable[bytes | None]]) -> None:
        self._redis = redis
        self._key = key

    async def get(self, source: bytes) -> SharedAccessToken | None:
        place = await self._place(b"access token", source)
        if place is None:
            return None
        try:
            found = await self._redis.get(place.name)
        except RedisUnavailable:
            return None
        plain = place.open(found[0]) if found else None
        if found is None or plain is None:
            return None
        text, life = msgspec.json.decode(plain, type=tuple[str, float])
        return SharedAccessToken(text, life, min(found[1], life))

    async def put(self, source: bytes, text: str, life: float) -> None:
        place = await self._place(b"access token", source)
        if place is not None:
            try:
                await self._redis.put(place.name, place.seal(msgspec.json.encode((text, life))), life)
            except RedisUnavailable:
                return

    async def take_turn(self, source: bytes) -> bool:
        """Whether to fetch one: nobody else is at it, or nobody can say."""
        place = await self._place(b"turn", source)
        if place is None:
            return True
        try:
            return await self._redis.put_where_none(place.name, secrets.token_bytes(8), TURN_S)
        except RedisUnavailable:
            return True

    async def end_turn(self, source: bytes) -> None:
        place = await self._place(b"turn", source)
        if place is not None:
            try:
                await self._redis.remove(place.name)
            except RedisUnavailable:
                return

    async def _place(self, what: bytes, source: bytes) -> SealedPlace | None:
        key = await self._key()
        return sealed_place(key, what, source) if key else None
