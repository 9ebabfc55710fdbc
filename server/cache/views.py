"""Token and binding views through a cache.

How answers stay right. Each name has one slot, and what is in it is one of three:

- an *entry*: the view, or that there is none;
- a *lease*: somebody found the slot empty, took it, and reads the database now. Only while that very lease is still in
  the slot the entry may be put in its place;
- a *marker*: somebody is committing a change. Who finds it reads the database and stores nothing.

The writer puts markers, whatever is in the slots, before it commits, and after the commit it removes them, or whatever
is there in their place but another's marker; only then anybody hears that the change is done. So an entry that is
older than a change whose writer has been answered is nowhere:

- it was there before the marker: the marker took its place;
- its reader had begun before the marker: its lease is gone, and a late store finds that;
- the marker was lost (Redis was flushed, restarted, or out of memory) and its reader began between that and the commit:
  the removal after the commit takes its lease or its entry away;
- its store or its lease was delayed for however long: the lease that it needs is gone, or is a new one.

A writer that dies between marker and removal leaves the marker, which ends after 30 s: until then the database is read.
Where the writer cannot put its markers for certain, it commits only during a *pause* of all cores, which is written in
the database; where it cannot remove them, it pauses all cores before anybody hears that the change is done. See
`server.store.cache_pause`, `server.store.marking` and `pauses`. A pause's epoch is part of every slot's name, so
nothing from before a pause is found after it. The identity of the Redis process is another part: what a restart
brings back from a file, or a replica that takes over has missed, is not found either.

What remains: a cache that shows a genuine old entry of the same slot again, such as one that says yes to a marker and
drops it, or one of two primaries; and two faults at once, a marker lost before the commit, or a writer that stood still
for seconds there, and that writer's death right after it. Such an entry is believed until its own end, 60 s after it
was made at most. Everything else that a cache may say, or not say, costs time only.
"""

from collections.abc import Callable
from typing import Any, Protocol

from server.cache.metrics import READS
from server.domain.bindings import Binding
from server.domain.tokens import Token
from server.ports import CachedKind, CacheMarks, Views


class Found:
    """An entry."""

    __slots__ = ("view",)

    def __init__(self, view: Any) -> None:
        self.view = view


class Slots(CacheMarks, Protocol):
    """Where entries, leases and markers are. Nothing here raises."""

    def look(self, kind: CachedKind, name: str) -> tuple[str, Any]:
        """How it went, and what was found: for `hit` the Found, for `miss` a lease, else None."""

    def put(self, lease: Any, view: Any) -> None:
        """Puts the view, or that there is none, in the place of the lease."""

    def close(self) -> None: ...


class CachedViews:
    """Views from the slots where they are, else from the database."""

    def __init__(self, slots: Slots, database: Views) -> None:
        self._slots = slots
        self._database = database
        self._reads = {
            (kind, outcome): READS.labels(kind.value, outcome)
            for kind in CachedKind
            for outcome in ("hit", "absent", "miss", "busy", "lie", "unused")
        }

    def token(self, name: str) -> Token | None:
        found: Token | None = self._get(CachedKind.TOKEN, name, self._database.token)
        return found

    def binding(self, name: str) -> Binding | None:
        found: Binding | None = self._get(CachedKind.BINDING, name, self._database.binding)
        return found

    def _get(self, kind: CachedKind, name: str, read: Callable[[str], Any]) -> Any:
        outcome, found = self._slots.look(kind, name)
        if isinstance(found, Found):
            outcome = "hit" if found.view is not None else "absent"
        self._reads[kind, outcome].inc()
        if isinstance(found, Found):
            return found.view
        view = read(name)
        if found is not None:
            self._slots.put(found, view)
        return view
