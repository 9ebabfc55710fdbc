"""When a notification is sent again: the acquirer's seven tiers (contract, section 3.2)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

# Resending ends two months after the first try, whatever the count.
HORIZON = 60 * 86_400.0


@dataclass(frozen=True, slots=True)
class Tier:
    """One batch job: up to which retry count it takes notifications, how many at once, how often it runs (seconds)."""

    number: int
    last: int
    most: int
    period: float

    def next_run(self, now: float) -> float:
        """When the job runs next: at whole periods, always after `now`."""
        return (now // self.period + 1) * self.period


TIERS = tuple(
    Tier(number, last, most, period)
    for number, (last, most, period) in enumerate(
        (
            (4, 400, 300.0),
            (8, 600, 3_600.0),
            (13, 800, 2 * 3_600.0),
            (19, 1000, 4 * 3_600.0),
            (26, 1200, 6 * 3_600.0),
            (34, 1400, 12 * 3_600.0),
            (43, 1600, 24 * 3_600.0),
        )
    )
)
TRIES = TIERS[-1].last + 1


def tier_of(tries: int) -> Tier:
    """The job that takes a notification which has been tried so often. There is none from TRIES on."""
    return next(tier for tier in TIERS if tries <= tier.last)


def due_after(tries: int, now: float, first: float) -> float | None:
    """When a notification is due again that was tried `tries` times, `first` being its first try; None: never."""
    if tries >= TRIES:
        return None
    due = tier_of(tries).next_run(now)
    return due if due <= first + HORIZON else None


def batches(waiting: Iterable[tuple[int, int]]) -> tuple[list[int], list[tuple[int, Tier]]]:
    """Which of the notifications that are due, each with its number and its tries, go now, and which have to wait for
    the next run of their job because it takes no more: those with the fewest tries go first, then the oldest, so that
    each has its turn. First tries always go."""
    go: list[int] = []
    left: list[tuple[int, Tier]] = []
    taken: dict[Tier, int] = {}
    for number, tries in sorted(waiting, key=lambda each: (each[1], each[0])):
        tier = tier_of(tries)
        if tries and taken.get(tier, 0) >= tier.most:
            left.append((number, tier))
            continue
        if tries:
            taken[tier] = taken.get(tier, 0) + 1
        go.append(number)
    return go, left


def table() -> list[Mapping[str, float]]:
    """For people."""
    return [{"tier": tier.number, "last": tier.last, "most": tier.most, "period": tier.period} for tier in TIERS]
