"""Slots in this process's memory: exact where every commit goes through this process, as on SQLite."""

import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from server.cache.entries import ABSENT_LIFETIME_S, LIFETIME_S
from server.cache.metrics import MARKS
from server.cache.views import Found
from server.ports import CachedKind, CacheMarker, CachePause, Changed

# A view takes 2 kB at most as a rule.
LARGEST = 10_000
# Names that exist are not to be driven out by names that somebody makes up.
LARGEST_ABSENT = 1_000
MARKER_S = 30.0

Slot = tuple[CachedKind, str]


@dataclass(frozen=True, slots=True, eq=False)
class Lease:
    """A reader's hold on an empty slot."""

    slot: Slot


@dataclass(frozen=True, slots=True, eq=False)
class Marker:
    """A writer's hold on the slots of what it changes."""

    changed: Changed
    until: float
    epoch: None = None


class MemorySlots:
    """A bounded number of slots; the one that was used longest ago goes first. Safe to use from any thread."""

    epoch = 0

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: OrderedDict[Slot, tuple[Found, float]] = OrderedDict()
        self._absent: OrderedDict[Slot, tuple[Found, float]] = OrderedDict()
        self._leases: OrderedDict[Slot, Lease] = OrderedDict()
        self._markers: dict[Slot, Marker] = {}

    def look(self, kind: CachedKind, name: str) -> tuple[str, Any]:
        slot, now = (kind, name), time.monotonic()
        with self._lock:
            marker = self._markers.get(slot)
            if marker is not None:
                if now < marker.until:
                    return "busy", None
                del self._markers[slot]
            for entries in (self._entries, self._absent):
                held = entries.get(slot)
                if held is not None and now < held[1]:
                    entries.move_to_end(slot)
                    return "hit", held[0]
            if slot in self._leases:
                return "busy", None
            lease = self._leases[slot] = Lease(slot)
            _bound(self._leases, LARGEST_ABSENT)
            return "miss", lease

    def put(self, lease: Lease, view: Any) -> None:
        entries, lifetime, largest = (
            (self._absent, ABSENT_LIFETIME_S, LARGEST_ABSENT) if view is None else (self._entries, LIFETIME_S, LARGEST)
        )
        with self._lock:
            if self._leases.get(lease.slot) is not lease:
                return
            del self._leases[lease.slot]
            entries[lease.slot] = Found(view), time.monotonic() + lifetime
            entries.move_to_end(lease.slot)
            _bound(entries, largest)

    def mark(self, epoch: int, changed: Changed) -> CacheMarker | None:
        marker = Marker(changed, time.monotonic() + MARKER_S)
        MARKS.inc(len(changed))
        with self._lock:
            for slot in changed:
                self._markers[slot] = marker
                self._clear(slot)
        return marker

    def release(self, marker: CacheMarker) -> bool:
        assert isinstance(marker, Marker)  # noqa: S101  ours
        with self._lock:
            for slot in marker.changed:
                if self._markers.get(slot) is marker:
                    del self._markers[slot]
                # One that had ended meanwhile has let readers in.
                self._clear(slot)
        return True

    def _clear(self, slot: Slot) -> None:
        self._entries.pop(slot, None)
        self._absent.pop(slot, None)
        self._leases.pop(slot, None)

    def paused_for(self, seconds: float) -> bool:
        return False

    def observe(self, pause: CachePause) -> None:
        """A commit that took too long pauses caches that are shared; this one has been told of it."""

    def settle(self) -> None:
        """There is nobody else."""

    def close(self) -> None:
        """Nothing to let go of."""


def _bound(held: "OrderedDict[Slot, Any]", largest: int) -> None:
    while len(held) > largest:
        held.popitem(last=False)
