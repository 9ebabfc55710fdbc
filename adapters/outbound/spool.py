"""What partners answered and the core does not know yet: on disk before the core is told, gone once it knows.

One file for each attempt, written whole or not at all. A file that is torn is known by its digest. Files are not sealed
(the dispatcher has no key that would not lie beside them), so they are for this user only, hold no whole card number,
and stay no longer than it takes. Any number of dispatchers may share the folder: telling the core twice changes
nothing.
"""

import hashlib
import os
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import structlog
from google.protobuf.message import DecodeError
from mintmark.v1 import tasks_pb2 as pb

MAGIC = b"mintmark spool 1\n"
DIGEST_SIZE = 32
ENTRY, FRESH = ".attempt", ".new"
# A file that has not got its name yet: somebody may still be writing it.
WRITING_S = 60.0


log = structlog.get_logger("mintmark.dispatcher")


class Torn(ValueError):
    """The file is not whole."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What is kept of one attempt, and where."""

    path: Path
    report: pb.RecordAttemptRequest


class Spool:
    """The folder. Everything here is I/O that may take a while: call it in a thread."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder if it is missing. Raises OSError."""
        self.folder = folder
        # What the core will not take, or cannot be read: for people.
        self.aside = folder / "aside"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.aside.mkdir(mode=0o700, exist_ok=True)

    def keep(self, report: pb.RecordAttemptRequest) -> Entry:
        """Returns when the report outlives a crash of the machine. Raises OSError."""
        payload = report.SerializeToString(deterministic=True)
        name = hashlib.sha256(report.attempt.encode()).hexdigest()[:32]
        path = self.folder / f"{name}{ENTRY}"
        fresh = self.folder / f"{name}.{uuid.uuid4().hex}{FRESH}"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "wb") as file:
                file.write(MAGIC + hashlib.sha256(payload).digest() + payload)
                file.flush()
                os.fsync(file.fileno())
            fresh.replace(path)
        except OSError:
            fresh.unlink(missing_ok=True)
            raise
        self._sync()
        return Entry(path, report)

    def forget(self, entry: Entry) -> None:
        """The core knows. Safe to repeat."""
        entry.path.unlink(missing_ok=True)

    def set_aside(self, path: Path) -> None:
        """Keeps a file for people. Safe to repeat."""
        try:
            path.replace(self.aside / path.name)
        except FileNotFoundError:
            return
        self._sync()

    def try_out(self) -> None:
        """Raises OSError where nothing can be kept now."""
        path = self.folder / f"{uuid.uuid4().hex}.try"
        try:
            with path.open("xb") as file:
                file.write(MAGIC)
                file.flush()
                os.fsync(file.fileno())
        finally:
            path.unlink(missing_ok=True)

    def waiting(self) -> list[Path]:
        """What a crash, or an outage of the core, has left; the oldest first."""
        found = []
        for path in self.folder.iterdir():
            try:
                age = path.stat().st_mtime
            except FileNotFoundError:
                continue
            if path.suffix == ENTRY or (path.suffix == FRESH and time.time() - age > WRITING_S):
                found.append((age, path))
        return [path for _, path in sorted(found)]

    def entries(self) -> Iterator[Entry]:
        """What is waiting, as far as it can be read; what is torn is set aside."""
        for path in self.waiting():
            try:
                yield read(path)
            except FileNotFoundError:
                # Another dispatcher has told the core.
                continue
            except Torn:
                log.error("an answer on disk is not whole: its attempt will be in doubt", alert=True, file=path.name)
                self.set_aside(path)

    def _sync(self) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read(path: Path) -> Entry:
    """The entry in a file. Raises Torn and OSError."""
    content = path.read_bytes()
    payload = content[len(MAGIC) + DIGEST_SIZE :]
    if not content.startswith(MAGIC) or hashlib.sha256(payload).digest() != content[len(MAGIC) :][:DIGEST_SIZE]:
        raise Torn(path.name)
    try:
        return Entry(path, pb.RecordAttemptRequest.FromString(payload))
    except DecodeError:
        raise Torn(path.name) from None
