"""How reports on one resource are put in order when they arrive in none (safety rules, "Order")."""

from dataclasses import dataclass

from server.domain import timestamps
from server.domain.notifications import NotificationFlag

# A partner's clock may run ahead by this much; a time further ahead would make everything after it stale.
FURTHEST_AHEAD = 24 * 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class OrderTime:
    """The time that orders a report, in microseconds; None where the order of arrival counts, and why."""

    micros: int | None
    flags: tuple[NotificationFlag, ...] = ()


def order_time(text: str, now: int) -> OrderTime:
    if not text:
        return OrderTime(None)
    parsed = timestamps.parse(text)
    if parsed.micros is None:
        return OrderTime(None, (NotificationFlag.TIMESTAMP_UNREADABLE,))
    flags = (NotificationFlag.TIMESTAMP_MALFORMED,) if parsed.malformed else ()
    if parsed.micros > now + FURTHEST_AHEAD:
        return OrderTime(None, (*flags, NotificationFlag.TIMESTAMP_AHEAD))
    return OrderTime(parsed.micros, flags)


def is_stale(held: int | None, reported: int | None, *, creation: bool) -> bool:
    """Whether a report is older than what is held. A creation of the same instant came before the update."""
    if held is None or reported is None:
        return False
    return reported < held or (creation and reported == held)


def newest(held: int | None, reported: int | None) -> int | None:
    return max((time for time in (held, reported) if time is not None), default=None)
