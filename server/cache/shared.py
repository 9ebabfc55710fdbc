"""Slots in Redis, shared by every core of one database. What is where and why it is right: `views`."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from server.cache.entries import ABSENT_LIFETIME_S, FIELDS, LIFETIME_S, EntryInvalid
from server.cache.link import Link, RedisFault
from server.cache.metrics import MARKS
from server.cache.pauses import Pauses
from server.cache.redis import RedisUnavailable, RedisWall
from server.cache.views import Found
from server.ports import CachedKind, CacheMarker, CachePause, CachePlace, CachePlaces, Changed

# What a slot's value begins with.
ENTRY, LEASE, MARKER = b"e", b"l", b"m"
NONCE_BYTES = 12
# A read of the database that takes longer is not stored.
LEASE_MS = 2_000
MARKER_MS = 30_000
# More names than this are not told within the budget; a pause does it.
LARGEST_CHANGE = 5_000

PUT = b"""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
return 1
"""
MARK = b"""
for _, key in ipairs(KEYS) do redis.call('SET', key, ARGV[1], 'PX', ARGV[2]) end
return #KEYS
"""
RELEASE = b"""
for _, key in ipairs(KEYS) do
  local held = redis.call('GET', key)
  if held and (held == ARGV[1] or string.sub(held, 1, 1) ~= 'm') then redis.call('DEL', key) end
end
return #KEYS
"""


@dataclass(frozen=True, slots=True)
class Lease:
    """A reader's hold on an empty slot, in one life of Redis."""

    kind: CachedKind
    place: CachePlace
    life: bytes
    value: bytes


@dataclass(frozen=True, slots=True)
class Marker:
    """A writer's hold on the slots of what it changes."""

    epoch: int
    changed: Changed
    value: bytes


class SharedSlots:
    """Slots behind the wall around Redis. Safe to use from any thread."""

    def __init__(self, wall: RedisWall, pauses: Pauses, places: CachePlaces, generation: Callable[[], str]) -> None:
        """`generation` names the database's history: another one has other slots."""
        self._wall = wall
        self._pauses = pauses
        self._places = places
        self._generation = generation

    @property
    def epoch(self) -> int:
        return self._pauses.epoch

    def look(self, kind: CachedKind, name: str) -> tuple[str, Any]:
        epoch = self._pauses.usable()
        if epoch is None:
            return "unused", None
        value = LEASE + secrets.token_bytes(NONCE_BYTES)
        try:
            with self._wall.link() as link:
                place = self._place(link, epoch, kind, name)
                held = link.ask(b"SET", place.key, value, b"NX", b"GET", b"PX", LEASE_MS)
                life = link.life
        except RedisUnavailable:
            return "unused", None
        if held is None:
            return "miss", Lease(kind, place, life, value)
        if not isinstance(held, bytes):
            return "lie", None
        if held[:1] in (LEASE, MARKER):
            return "busy", None
        return self._opened(kind, place, held)

    def _opened(self, kind: CachedKind, place: CachePlace, held: bytes) -> tuple[str, Any]:
        opened = place.open(held[1:]) if held[:1] == ENTRY else None
        if opened is None:
            return "lie", None
        try:
            return "hit", Found(FIELDS[kind].read(opened, self._pauses.database_time()))
        except EntryInvalid:
            return "lie", None

    def put(self, lease: Lease, view: Any) -> None:
        entry = FIELDS[lease.kind].write(view, self._pauses.database_time())
        lifetime = ABSENT_LIFETIME_S if view is None else LIFETIME_S
        try:
            with self._wall.link() as link:
                if link.life == lease.life:
                    sealed = ENTRY + lease.place.seal(entry)
                    link.ask(b"EVAL", PUT, 1, lease.place.key, lease.value, sealed, lifetime * 1000)
        except RedisUnavailable:
            return

    def mark(self, epoch: int, changed: Changed) -> CacheMarker | None:
        if len(changed) > LARGEST_CHANGE:
            return None
        marker = Marker(epoch, changed, MARKER + secrets.token_bytes(NONCE_BYTES))
        MARKS.inc(len(changed))
        return marker if self._tell(MARK, marker, marker.value, MARKER_MS) else None

    def release(self, marker: CacheMarker) -> bool:
        assert isinstance(marker, Marker)  # noqa: S101  ours
        return self._tell(RELEASE, marker, marker.value)

    def paused_for(self, seconds: float) -> bool:
        return self._pauses.paused_for(seconds)

    def observe(self, pause: CachePause) -> None:
        self._pauses.observe(pause)

    def settle(self) -> None:
        self._pauses.settle()

    def close(self) -> None:
        self._pauses.close()
        self._wall.close()

    def _tell(self, script: bytes, marker: Marker, *arguments: bytes | int) -> bool:
        try:
            with self._wall.link() as link:
                keys = [self._place(link, marker.epoch, kind, name).key for kind, name in marker.changed]
                if link.ask(b"EVAL", script, len(keys), *keys, *arguments) != len(keys):
                    raise RedisFault("it did not do what it was told")
        except RedisUnavailable:
            return False
        return True

    def _place(self, link: Link, epoch: int, kind: CachedKind, name: str) -> CachePlace:
        return self._places.place(
            self._generation().encode(), str(epoch).encode(), link.life, kind.encode(), name.encode()
        )
