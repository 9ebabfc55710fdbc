"""The files with the gateways' own keys: for their owner only (mode 0600), and written whole or not at all."""

import fcntl
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

LARGEST_FILE = 65_536


class KeyFileUnfit(Exception):
    """The file cannot be read as a file of keys. The text says why and what to do, and holds nothing of the file."""


def read(path: Path) -> str:
    """What the file holds. Raises FileNotFoundError where there is none, KeyFileUnfit for one that others may read,
    that is no regular file, or that is too large to be one of keys."""
    try:
        # Without O_NONBLOCK a named pipe in its place would hold up the gateway for ever.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        with os.fdopen(descriptor, "rb") as file:
            _check(os.fstat(descriptor))
            content = file.read(LARGEST_FILE + 1)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise KeyFileUnfit(f"cannot be read: {error.strerror or type(error).__name__}") from None
    if len(content) > LARGEST_FILE:
        raise KeyFileUnfit(f"is larger than {LARGEST_FILE} bytes")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        raise KeyFileUnfit("is not UTF-8") from None


def _check(found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise KeyFileUnfit("is not a regular file")
    if found.st_mode & 0o077:
        mode = stat.S_IMODE(found.st_mode)
        raise KeyFileUnfit(f"has mode {mode:04o}, which lets others than its owner at it: run chmod 600 on it")


def stamp(path: Path) -> tuple[int, int, int, int, int]:
    """Differs whenever the file was written, replaced or given another mode or owner; all zeros where there is none."""
    try:
        found = path.stat()
    except OSError:
        return (0, 0, 0, 0, 0)
    return (found.st_mtime_ns, found.st_size, found.st_ino, found.st_mode, found.st_ctime_ns)


@contextmanager
def alone_with(path: Path) -> Iterator[None]:
    """Keeps others from changing files of keys in the same folder meanwhile. Makes the folder. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield
        os.fsync(folder)
    finally:
        os.close(folder)


def write(path: Path, text: str) -> None:
    """Puts a file in place, whole, with mode 0600. Raises OSError, and then all is as it was."""
    # What a link leads to is replaced, and the link stays.
    place = path.resolve()
    temporary = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            os.fchmod(descriptor, 0o600)
            file.write(text)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(place)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
