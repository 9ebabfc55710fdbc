"""The file of lines: durable when it says so, whole after a kill."""

import asyncio
import os
from pathlib import Path

import pytest

from adapters.sandbox.payment_options.journal import Journal, JournalBroken


def test_many_lines_share_a_sync(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[int] = []
    sync = os.fdatasync

    def counted(descriptor: int) -> None:
        sync(descriptor)
        synced.append(os.fstat(descriptor).st_size)

    monkeypatch.setattr(os, "fdatasync", counted)

    async def write() -> list[int]:
        journal = Journal(tmp_path / "j")

        async def one(number: int) -> int:
            await journal.append({"number": number})
            return synced[-1]

        sizes = await asyncio.gather(*(one(number) for number in range(500)))
        await journal.close()
        return sizes

    sizes = asyncio.run(write())
    assert len(synced) < 10
    # Whoever was told had its line within what was synced.
    lines = (tmp_path / "j").read_bytes().splitlines(keepends=True)
    ends = [sum(map(len, lines[: number + 1])) for number in range(500)]
    assert all(size >= end for size, end in zip(sizes, ends, strict=True))


def test_nothing_is_acknowledged_before_it_is_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError

    async def write() -> None:
        journal = Journal(tmp_path / "j")
        monkeypatch.setattr(os, "fdatasync", fail)
        failed = await asyncio.gather(*(journal.append({}) for _ in range(3)), return_exceptions=True)
        assert [type(error) for error in failed] == [JournalBroken] * 3
        monkeypatch.undo()
        # What a failed sync has left is unknown, so nothing more goes in.
        with pytest.raises(JournalBroken):
            await journal.append({})
        await journal.close()

    asyncio.run(write())


def test_a_line_that_was_cut_off_is_no_line(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_bytes(b'{"a":1}\n{"a":2}\n{"a":')

    async def write() -> None:
        journal = Journal(path)
        assert [document["a"] for document in journal.documents()] == [1, 2]
        await journal.append({"a": 3}, {"a": 4})
        assert [document["a"] for document in journal.documents()] == [1, 2, 3, 4]
        await journal.close()

    asyncio.run(write())


def test_a_caller_that_gives_up_takes_nobody_with_it(tmp_path: Path) -> None:
    async def write() -> None:
        journal = Journal(tmp_path / "j")
        gone, stays = (asyncio.create_task(journal.append({"a": number})) for number in range(2))
        await asyncio.sleep(0)
        gone.cancel()
        await stays
        assert len(list(journal.documents())) == 2
        await journal.close()

    asyncio.run(write())
