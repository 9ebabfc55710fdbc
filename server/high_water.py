"""How far the history of this database had come when money was last about to move, in a file outside of it.

A database that is behind its mark was restored from a backup: what was sent since the backup is not known to it.
"""

import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import structlog

from server.domain.refusals import StoreUnavailable

log = structlog.get_logger("high_water")


class Heads(Protocol):
    def head(self) -> tuple[str, int, int]:
        """The generation, the newest removed sequence and the head."""


@dataclass(frozen=True, slots=True)
class Mark:
    generation: str
    sequence: int


class HighWaterMark:
    """The file. Each core has its own."""

    def __init__(self, path: Path, heads: Heads) -> None:
        self._path = path
        self._heads = heads
        self._lock = threading.Lock()
        self._kept: Mark | None = None

    def read(self) -> Mark | None:
        """None where there is no mark, or none that can be read."""
        try:
            held = json.loads(self._path.read_text())
            self._kept = Mark(str(held["generation"]), int(held["sequence"]))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, KeyError, TypeError) as error:
            log.error("high_water_unreadable", error=type(error).__name__)
            return None
        return self._kept

    @property
    def kept(self) -> Mark | None:
        """The newest mark of this process."""
        return self._kept

    def reach(self) -> None:
        # Before the head is read: what others reach meanwhile is no fall.
        known = self._kept
        generation, _, sequence = self._heads.head()
        if known is not None and known.generation == generation and known.sequence > sequence:
            raise StoreUnavailable("the database is behind what is known of it")
        with self._lock:
            kept = self._kept
            if kept is not None and kept.generation == generation and kept.sequence >= sequence:
                return
            try:
                self._write(Mark(generation, sequence))
            except OSError as error:
                raise StoreUnavailable(f"the high-water mark cannot be kept: {type(error).__name__}") from error

    def _write(self, mark: Mark) -> None:
        beside = self._path.with_name(f".{self._path.name}.new")
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            json.dump({"generation": mark.generation, "sequence": mark.sequence}, file)
            file.write("\n")
            file.flush()
            os.fsync(file.fileno())
        beside.replace(self._path)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        self._kept = mark
