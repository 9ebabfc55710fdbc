"""Keys that cost a hash: what a flood of them may take."""

import asyncio

from adapters.inbound.problems import Problem
from adapters.inbound.slow_hashes import MOST_AT_ONCE, MOST_OF_ONE_SOURCE, SlowHashes, _scrypt

SALT = bytes(32)


async def flood(hashes: SlowHashes, count: int, source: str, what: str = "wrong") -> list[object]:
    """Wrong keys, all at once: what became of each."""
    keys = (f"{what} {source} {number}".encode() for number in range(count))
    return await asyncio.gather(*(hashes.of(key, SALT, source) for key in keys), return_exceptions=True)


def refused(answers: list[object]) -> list[int]:
    return [each.answer.status for each in answers if isinstance(each, Problem)]


def test_a_flood_from_one_source_leaves_room_for_a_key_from_another() -> None:
    async def run() -> None:
        hashes = SlowHashes()
        flooding = asyncio.gather(flood(hashes, 100, "192.0.2.1"), hashes.of(b"taken over", SALT, "192.0.2.2"))
        answers, good = await flooding
        assert refused(answers) == [429] * (100 - MOST_OF_ONE_SOURCE)
        assert good == _scrypt(b"taken over", SALT)
        # Its places are free again.
        assert refused(await flood(hashes, MOST_OF_ONE_SOURCE, "192.0.2.1", "new")) == []

    asyncio.run(run())


def test_all_sources_together_have_no_more_than_the_queue() -> None:
    async def run() -> None:
        hashes = SlowHashes()
        answers = await asyncio.gather(*(flood(hashes, 10, f"192.0.2.{number}") for number in range(3)))
        assert [len(refused(each)) for each in answers] == [2, 2, 10]

    assert MOST_AT_ONCE == 16
    asyncio.run(run())


def test_a_key_that_comes_twice_is_hashed_once() -> None:
    async def run() -> None:
        hashes = SlowHashes()
        answers = await asyncio.gather(*(hashes.of(b"key", SALT, "192.0.2.1") for _ in range(100)))
        assert set(answers) == {_scrypt(b"key", SALT)}

    asyncio.run(run())
