"""A folder of files that are written once: what retention exports."""

import os
from collections.abc import Iterable
from pathlib import Path

MODE = 0o600
SUFFIX = ".new"
# A file that was begun so long ago belongs to a core that ended in the middle of it.
LEFT_BEHIND_S = 24 * 3600


class ArchiveFolder:
    """Files of lines in one folder, which must be there: a new one could be on another disk than was meant."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._tidied = False

    def check(self) -> None:
        """Raises OSError where the folder is not there or nothing can be written to it."""
        if not os.access(self._folder, os.W_OK | os.X_OK) or not self._folder.is_dir():
            raise NotADirectoryError(20, "not a folder that can be written to")

    def write(self, name: str, lines: Iterable[str]) -> None:
        """Writes a file whole, readable by its owner only and durable when this returns. Raises OSError."""
        beside = self._folder / f".{name}{SUFFIX}"
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, MODE)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8") as file:
                for line in lines:
                    file.write(f"{line}\n")
                file.flush()
                os.fsync(file.fileno())
                now = os.fstat(file.fileno()).st_mtime
            beside.replace(self._folder / name)
        except BaseException:
            beside.unlink(missing_ok=True)
            raise
        # The name too: what it holds is about to be removed elsewhere.
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        if not self._tidied:
            self._tidied = True
            self._tidy(now)

    def _tidy(self, now: float) -> None:
        for left in self._folder.glob(f".*.jsonl{SUFFIX}"):
            if now - left.stat().st_mtime > LEFT_BEHIND_S:
                left.unlink(missing_ok=True)
