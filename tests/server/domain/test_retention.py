"""How far retention may go."""

from hypothesis import given
from hypothesis import strategies as st

from server.domain.retention import Periods, Pin, RetainedKind, floor_of, removable

PERIODS = Periods(
    events=90,
    pin_limit=30,
    notifications=91,
    quarantined_notifications=92,
    requests=30,
    identities=400,
    acquirer_transactions=401,
    card_accesses=402,
)


def test_only_what_is_older_goes() -> None:
    oldest = [(1, 0), (2, 5), (3, 10)]
    assert removable(oldest, None, 90, PERIODS) == 0
    assert removable(oldest, None, 91, PERIODS) == 1
    assert removable(oldest, None, 96, PERIODS) == 2
    assert removable(oldest, None, 1000, PERIODS) == 3
    assert removable([], None, 1000, PERIODS) == 0


def test_a_young_event_keeps_older_ones_behind_it() -> None:
    assert removable([(1, 0), (2, 50), (3, 0)], None, 100, PERIODS) == 1


def test_a_pin_holds_back_what_is_after_it_until_its_limit() -> None:
    oldest = [(1, 0), (2, 0), (3, 0)]
    assert removable(oldest, 1, 120, PERIODS) == 1
    assert removable(oldest, 0, 120, PERIODS) == 0
    assert removable(oldest, 0, 121, PERIODS) == 3


def test_the_one_that_is_furthest_behind_counts() -> None:
    assert floor_of([]) is None
    assert floor_of([Pin("a", 7), Pin("b", 3)]) == 3


def test_every_kind_has_its_period() -> None:
    # What no key opens is quarantine too.
    apart = set(RetainedKind) - {RetainedKind.UNREADABLE_NOTIFICATIONS}
    assert len({PERIODS.of(kind) for kind in apart}) == len(apart)
    assert PERIODS.of(RetainedKind.UNREADABLE_NOTIFICATIONS) == PERIODS.quarantined_notifications


@given(st.lists(st.integers(0, 300), max_size=20), st.none() | st.integers(0, 20), st.integers(0, 500))
def test_what_goes_is_a_prefix_and_nothing_more_could(times: list[int], floor: int | None, now: int) -> None:
    oldest = list(enumerate(times, 1))
    last = removable(oldest, floor, now, PERIODS)

    def over(sequence: int, time: int) -> bool:
        held = floor is not None and sequence > floor
        return now - time > (120 if held else 90)

    assert all(over(*each) for each in oldest[:last])
    assert last == len(oldest) or not over(*oldest[last])
