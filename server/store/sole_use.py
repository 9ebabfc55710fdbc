"""One core on one SQLite file: what it remembers of the file is right because nobody else writes to it."""

import fcntl
import os
from pathlib import Path

from server.store.engine import DatabaseUnfit


class SoleUse:
    """Held until it is closed, or its process ends."""

    def __init__(self, database: Path) -> None:
        """Raises DatabaseUnfit where another process holds it."""
        # A file of its own: closing any descriptor of SQLite's file would let go of SQLite's own locks.
        file = database.with_name(f"{database.name}.lock")
        try:
            self._descriptor = os.open(file, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise DatabaseUnfit(f"{file}: {error.strerror}") from None
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._descriptor)
            raise DatabaseUnfit(f"{database}: another process uses it; several cores need PostgreSQL") from None

    def close(self) -> None:
        os.close(self._descriptor)
