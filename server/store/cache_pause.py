"""The pause of the caches: how a commit that could not tell them what it changes keeps everybody off them.

The pause is committed before the change is, and cannot be withdrawn, so that no crash can leave a change without it. It
names the time until which no core may use the cache, by the database's clock, and an epoch, which is part of the
cache's keys: what was cached before a pause is not found after it. Every pause that is written, a renewal too, raises
the epoch.
"""

import time

from sqlalchemy import Connection, select, text, update

from server.ports import CachePause
from server.store import schema
from server.store.engine import CLOCKS

PAUSE_S = 10.0
# One with less than this left is renewed, so that an outage costs one small write every few seconds.
RENEWED_BELOW_S = PAUSE_S / 2
MICROS = 1_000_000


def read(connection: Connection) -> CachePause:
    """How it is right now."""
    clock = text(CLOCKS[connection.dialect.name])
    head = schema.store_head
    asked = time.monotonic()
    epoch, until, now = connection.execute(select(head.c.cache_epoch, head.c.cache_pause_time, clock)).one()
    return CachePause(epoch, (until - now) / MICROS, now, asked)


def ensure(connection: Connection) -> CachePause:
    """Sees to it that a pause is in force for the next seconds once this transaction is committed."""
    held = read(connection)
    if held.left >= RENEWED_BELOW_S:
        return held
    head = schema.store_head
    until = held.time + int(PAUSE_S * MICROS)
    raised = (
        update(head).values(cache_epoch=head.c.cache_epoch + 1, cache_pause_time=until).returning(head.c.cache_epoch)
    )
    return CachePause(connection.execute(raised).scalar_one(), PAUSE_S, held.time, held.asked)
