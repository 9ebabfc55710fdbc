"""What has to go so that what no key opens stays within its bounds."""

from hypothesis import given
from hypothesis import strategies as st

from server.domain.unreadable_notifications import (
    MOST_BYTES,
    MOST_KEPT,
    TOLD_EVERY,
    UnreadableTally,
    is_to_be_told,
    to_drop,
)


def test_the_oldest_goes_where_there_are_too_many() -> None:
    kept = [(f"n{number}", 1) for number in range(MOST_KEPT)]
    assert to_drop(kept[1:], 1) == []
    assert to_drop(kept, 1) == ["n0"]


def test_as_many_go_as_there_have_to_be_for_the_bytes() -> None:
    kept = [("a", MOST_BYTES // 2), ("b", MOST_BYTES // 4), ("c", MOST_BYTES // 4)]
    assert to_drop(kept, 1) == ["a"]
    assert to_drop(kept, MOST_BYTES // 2 + 1) == ["a", "b"]


@given(st.lists(st.integers(1, 65536), max_size=40), st.integers(1, 65536))
def test_what_stays_fits_and_nothing_goes_without_need(sizes: list[int], size: int) -> None:
    kept = [(str(place), each) for place, each in enumerate(sizes)]
    dropped = to_drop(kept, size)
    left = [each for name, each in kept if name not in dropped]
    assert dropped == [name for name, _ in kept][: len(dropped)]
    assert sum(left) + size <= MOST_BYTES
    assert len(left) < MOST_KEPT


def test_it_is_told_once_an_hour() -> None:
    assert is_to_be_told(UnreadableTally("w"), 5)
    assert not is_to_be_told(UnreadableTally("w", 0, 5), 5 + TOLD_EVERY - 1)
    assert is_to_be_told(UnreadableTally("w", 0, 5), 5 + TOLD_EVERY)
