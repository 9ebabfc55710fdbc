"""A file of JSON lines that only grows. What is waiting is written and synced together."""

import asyncio
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec


class JournalBroken(Exception):
    """A line could not be made durable, so nobody knows what the file holds; nothing more is written to it."""


class Journal:
    """Lines of earlier runs stay. A line that a kill has cut off is removed when the file is opened again."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        os.ftruncate(self._descriptor, _whole(path))
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="journal")
        self._lines: list[bytes] = []
        self._durable: asyncio.Future[None] | None = None
        self._task: asyncio.Task[None] | None = None
        self._broken = False

    def documents(self) -> Iterator[dict[str, Any]]:
        """Every line that is written, oldest first."""
        with self.path.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    yield msgspec.json.decode(line)

    async def append(self, *documents: Any) -> None:
        """Returns when the lines are durable. Raises JournalBroken; then they may be there or not."""
        if self._broken:
            raise JournalBroken
        self._lines += [msgspec.json.encode(document) + b"\n" for document in documents]
        if self._durable is None:
            self._durable = asyncio.get_running_loop().create_future()
        durable = self._durable
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._write())
        # A caller that is cancelled does not take the others with it.
        await asyncio.shield(durable)

    async def close(self) -> None:
        """Writes what is waiting and closes the file."""
        if self._task is not None:
            await self._task
        self._writer.shutdown()
        os.close(self._descriptor)

    async def _write(self) -> None:
        loop = asyncio.get_running_loop()
        while self._lines and self._durable is not None:
            content, durable = b"".join(self._lines), self._durable
            self._lines, self._durable = [], None
            try:
                await loop.run_in_executor(self._writer, self._sync, content)
            except OSError:
                self._broken = True
                for waiting in (durable, self._durable):
                    if waiting is not None and not waiting.done():
                        waiting.set_exception(JournalBroken())
                return
            if not durable.done():
                durable.set_result(None)

    def _sync(self, content: bytes) -> None:
        written = 0
        while written < len(content):
            written += os.write(self._descriptor, content[written:])
        os.fdatasync(self._descriptor)


def _whole(path: Path) -> int:
    """The size of the file without a last line that has no end."""
    content = path.read_bytes()
    return content.rfind(b"\n") + 1
