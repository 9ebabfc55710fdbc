"""The twins' clock."""

import asyncio
import time

from adapters.sandbox.clock import TwinClock


def test_a_faster_clock_shortens_a_wait_under_way() -> None:
    async def play() -> float:
        clock = TwinClock(1)
        began = time.monotonic()
        waiting = asyncio.create_task(clock.sleep(600))
        await asyncio.sleep(0)
        clock.speed = 10_000
        await waiting
        return time.monotonic() - began

    assert 0.05 <= asyncio.run(play()) < 5


def test_no_wait_at_all() -> None:
    asyncio.run(TwinClock(1).sleep(0))


def test_what_has_passed_counts_each_second_at_the_speed_of_its_time() -> None:
    now = [100.0]
    clock = TwinClock(10, lambda: now[0])
    now[0] += 2
    assert clock.elapsed == 20
    clock.speed = 1000
    assert clock.elapsed == 20
    now[0] += 3
    assert clock.elapsed == 3020
