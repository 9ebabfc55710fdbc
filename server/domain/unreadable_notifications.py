"""Notifications for a webhook config that none of its keys has opened: kept within bounds, in case that a key comes."""

from dataclasses import dataclass, replace

# Of one config; the oldest go first.
MOST_KEPT = 1_000
MOST_BYTES = 16 * 1024 * 1024
# Told of once in this time while it goes on.
TOLD_EVERY = 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class UnreadableNotification:
    """A message as it came, sealed. Times are microseconds. `digest` recognises it when it comes again, `tried_key` is
    the number of the newest key that did not open it."""

    name: str
    unreadable_id: str
    webhook_config: str
    merchant_gateway_id: str
    merchant_id: str
    digest: bytes
    size: int
    receive_time: int
    last_delivery_time: int
    correlation_id: str
    tried_key: int
    sealed_message: bytes
    delivery_count: int = 1


@dataclass(frozen=True, slots=True)
class UnreadableTally:
    """Of one config: how many had no room since it was last told of, and when that was."""

    name: str
    dropped_count: int = 0
    tell_time: int | None = None


def repeated(held: UnreadableNotification, correlation_id: str, tried_key: int, now: int) -> UnreadableNotification:
    return replace(
        held,
        delivery_count=held.delivery_count + 1,
        last_delivery_time=now,
        correlation_id=correlation_id,
        tried_key=tried_key,
    )


def to_drop(sizes: list[tuple[str, int]], size: int) -> list[str]:
    """The names that have to go, so that one more of this size has room. `sizes` are those that are kept, the oldest
    first."""
    count, room = len(sizes) + 1, sum(each for _, each in sizes) + size
    dropped = []
    for name, each in sizes:
        if count <= MOST_KEPT and room <= MOST_BYTES:
            break
        dropped.append(name)
        count, room = count - 1, room - each
    return dropped


def is_to_be_told(tally: UnreadableTally, now: int) -> bool:
    return tally.tell_time is None or now - tally.tell_time >= TOLD_EVERY
