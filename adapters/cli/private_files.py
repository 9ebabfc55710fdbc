"""What must not be read by others: from a file that only we may read, or from stdin."""

import stat
import sys
from pathlib import Path

from adapters.cli.refusals import Refused, usage

STDIN = Path("-")


def private_text(file: Path, longest: int, what: str) -> str:
    """The file's text, or that of stdin for `-`; one character more than `longest` where it is too long.

    Raises Refused for a file that others may read, or that cannot be read. `what` says what it holds.
    """
    if file == STDIN:
        if sys.stdin.isatty():
            raise usage(f"{what} is not typed: pipe it into the command, or name a file")
        try:
            return sys.stdin.read(longest + 1)
        except UnicodeError:
            raise usage(f"{what} on stdin is not UTF-8") from None
    try:
        mode = file.stat().st_mode
        if stat.S_ISREG(mode) and mode & 0o077:
            raise Refused(f"others may read {file}", f"chmod 600 {file}")
        with file.open(encoding="utf-8-sig") as opened:
            return opened.read(longest + 1)
    except (OSError, UnicodeError) as error:
        raise usage(f"cannot read {file}: {type(error).__name__}") from None
