"""A clock that jumps neither opens nor shuts the door."""

from adapters.clock import Clock
from adapters.inbound.clock_guard import ClockGuard, Passed


class Clocks:
    wall = 1_000_000.0
    monotonic = 50.0

    def __init__(self) -> None:
        self.guard = ClockGuard(Clock(wall=lambda: self.wall, monotonic=lambda: self.monotonic))

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.monotonic += seconds


def test_with_clocks_that_agree_the_wall_clock_tells() -> None:
    clocks = Clocks()
    assert clocks.guard.has_passed(clocks.wall + 5) is Passed.NO
    clocks.wait(5)
    assert clocks.guard.has_passed(clocks.wall) is Passed.YES


def test_after_a_jump_ahead_nobody_knows_until_the_database_is_heard() -> None:
    clocks = Clocks()
    expiry = clocks.wall + 60
    clocks.guard.database_says(clocks.wall)
    clocks.wall += 3600
    assert clocks.guard.has_passed(expiry) is Passed.UNSURE
    assert clocks.guard.has_passed(clocks.wall + 60) is Passed.NO
    clocks.guard.database_says(clocks.wall - 3600)
    assert clocks.guard.has_passed(expiry) is Passed.NO
    clocks.wait(60)
    assert clocks.guard.has_passed(expiry) is Passed.YES


def test_a_jump_that_the_database_shares_counts() -> None:
    clocks = Clocks()
    expiry = clocks.wall + 60
    clocks.wall += 3600
    assert clocks.guard.has_passed(expiry) is Passed.UNSURE
    clocks.guard.database_says(clocks.wall)
    assert clocks.guard.has_passed(expiry) is Passed.YES


def test_a_jump_back_keeps_nothing_alive() -> None:
    clocks = Clocks()
    expiry = clocks.wall + 60
    clocks.wait(61)
    clocks.wall -= 3600
    clocks.guard.database_says(clocks.wall + 3600)
    assert clocks.guard.has_passed(expiry) is Passed.YES
