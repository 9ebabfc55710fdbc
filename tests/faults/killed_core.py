"""A core that kills itself: `python -m tests.faults.killed_core POINTS_FILE K before|after`.

A point is a commit of SQLite or a change in the file system that the core makes from Python. Each is written to
POINTS_FILE, a line of text; at the K-th, before or after it is made, the process gets SIGKILL. K = 0 only counts.
The product knows nothing of this: what it calls is wrapped from outside, before it is imported.
"""

import os
import signal
import sqlite3
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

_write = os.write


class Passing(Protocol):
    """What is passed at each point."""

    def pass_by(self, label: str, change: Callable[[], Any]) -> Any: ...


class Points:
    """Counts, and kills at the right one."""

    def __init__(self, file: str, at: int, side: str) -> None:
        self._file = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._at = at
        self._side = side
        self._lock = threading.Lock()
        self._count = 0

    def pass_by(self, label: str, change: Callable[[], Any]) -> Any:
        with self._lock:
            self._count += 1
            mine = self._count == self._at
            _write(self._file, f"{label}\n".encode())
        if mine and self._side == "before":
            os.kill(os.getpid(), signal.SIGKILL)
        try:
            return change()
        finally:
            # A change that fails, such as making a folder that exists, is a moment like any other.
            if mine:
                os.kill(os.getpid(), signal.SIGKILL)


def wrap(points: Passing) -> None:
    """Puts the points into what Python offers for changing files and for committing."""
    for name in ("fsync", "replace", "mkdir", "unlink"):
        setattr(os, name, _wrapped(points, name, getattr(os, name)))
    opened, connected = os.open, sqlite3.connect

    def open_file(path: Any, flags: int, *rest: Any, **named: Any) -> Any:
        def change() -> Any:
            return opened(path, flags, *rest, **named)

        return points.pass_by(f"create {_base(path)}", change) if flags & os.O_CREAT else change()

    class Connection(sqlite3.Connection):
        def commit(self) -> None:
            if self.in_transaction:
                points.pass_by("commit", super().commit)

    def connect(*arguments: Any, **named: Any) -> Any:
        return connected(*arguments, **{"factory": Connection, **named})

    os.open = open_file
    sqlite3.connect = connect


def _wrapped(points: Passing, name: str, change: Callable[..., Any]) -> Callable[..., Any]:
    def call(*arguments: Any, **named: Any) -> Any:
        what = " ".join(_base(each) for each in arguments if not isinstance(each, int))
        return points.pass_by(f"{name} {what}".strip(), lambda: change(*arguments, **named))

    return call


def _base(path: Any) -> str:
    return Path(path).name


def main(file: str, at: str, side: str) -> int:
    from server.__main__ import main as serve

    wrap(Points(file, int(at), side))
    return serve([])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
