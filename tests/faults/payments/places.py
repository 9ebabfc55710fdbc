"""Places in a process where it gets a signal, counted from outside: the product knows nothing of them.

Each call to the core, each step of a request to a partner, each commit and each change of a file is two places: before
it and after it. Each is written to a file, a line of text; at the K-th the process gets the signal. K = 0 only counts.
"""

import os
import signal
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

_write = os.write


class Places:
    """Counts while `FILE.armed` is there, from the first place called `first` on, and signals at the right one."""

    def __init__(self, file: str, at: int, number: signal.Signals, first: str = "") -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._armed = Path(f"{file}.armed")
        self._at = at
        self._signal = number
        self._first = first
        self._count = 0
        self._lock = threading.Lock()

    def reach(self, label: str) -> None:
        if not self._armed.exists():
            return
        with self._lock:
            if self._first not in ("", label):
                return
            self._first = ""
            self._count += 1
            mine = self._count == self._at
            _write(self._file, f"{label}\n".encode())
        if mine:
            os.kill(os.getpid(), self._signal)

    def pass_by(self, label: str, change: Callable[[], Any]) -> Any:
        """As `tests.faults.killed_core.Points` does it."""
        self.reach(f"before {label}")
        try:
            return change()
        finally:
            self.reach(f"after {label}")

    async def around(self, label: str, call: Awaitable[Any]) -> Any:
        self.reach(f"before {label}")
        answer = await call
        self.reach(f"after {label}")
        return answer
