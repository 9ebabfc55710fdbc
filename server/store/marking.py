"""What the writer does for the caches around a commit.

Before the commit the names of the changed tokens and bindings are marked in the cache, after it they are released, and
only then anybody hears that it is done. Where marking is not certain to have worked, nothing is committed before a
pause in the database keeps every core off the cache (`cache_pause`) and all of them know it; where the release is not,
or the commit took so long that a marker may have ended, nobody hears of it before that.
"""

import time
from dataclasses import dataclass

from sqlalchemy import Connection

from server.ports import CacheMarker, CacheMarks, Changed
from server.store import cache_pause
from server.store.transaction import SqlTransaction

# A commit that takes longer is not covered by what was done before it. Pauses are renewed in time for it.
QUICK_S = 3.0


class NotMarked(Exception):
    """The transaction must not be committed: it has to be run again during a pause."""


@dataclass(slots=True)
class Marked:
    """What was done before a commit: a marker for each changed name, or nothing, because there is a pause."""

    changed: Changed
    began: float
    marker: CacheMarker | None


class Marking:
    """The writer's part of keeping caches right. Without `marks` there is no cache, and nothing is done."""

    def __init__(self) -> None:
        self.marks: CacheMarks | None = None

    def mark(self, transaction: SqlTransaction) -> Marked | None:
        """Marks what the transaction has changed: before its events are numbered, which other cores wait for."""
        if self.marks is None or not transaction.changed:
            return None
        changed = tuple(transaction.changed)
        return Marked(changed, time.monotonic(), self.marks.mark(self.marks.epoch, changed))

    def check(self, marked: Marked | None, transaction: SqlTransaction) -> None:
        """The last thing before the commit. Raises NotMarked."""
        if self.marks is None or marked is None:
            return
        held = marked.marker
        if held is not None and held.epoch is not None and held.epoch != transaction.cache_epoch():
            # Another core has paused the caches, and we have not heard of it yet.
            marked.marker = self.marks.mark(transaction.cache_epoch(), marked.changed)
        if marked.marker is None and not self.marks.paused_for(QUICK_S):
            raise NotMarked

    def release(self, marked: Marked | None, connection: Connection) -> None:
        """After the commit and before anybody hears of it. Raises what the database raises; then nobody must hear."""
        if self.marks is None or marked is None:
            return
        if time.monotonic() - marked.began < QUICK_S and (marked.marker is None or self.marks.release(marked.marker)):
            return
        self.pause(connection)

    def pause(self, connection: Connection) -> None:
        """Returns when a pause is in force and known everywhere. Raises what the database raises."""
        if self.marks is None:
            return
        with connection.begin():
            pause = cache_pause.ensure(connection)
        self.marks.observe(pause)
        self.marks.settle()
