"""What goes on beside the calls: one place that knows every task, and ends them."""

import asyncio
from collections.abc import Coroutine
from typing import Any

import structlog

from adapters.logs import fault

log = structlog.get_logger("mintmark.sandbox")


class Background:
    """Tasks that end with the twin."""

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Begins."""
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)
        return task

    async def close(self) -> None:
        """Gives up what is going on."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("work of the twin failed", **fault(task.exception()))
