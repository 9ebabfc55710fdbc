"""Empty SQLite databases at the newest schema, copied: to migrate takes longer than all else in the start of a core."""

import importlib
import tempfile
from collections.abc import Callable
from functools import cache
from pathlib import Path


def place(file: Path) -> str:
    """Puts one there, as the core would have made it. Returns its URL."""
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(_migrated())
    return f"sqlite:///{file}"


@cache
def _migrated() -> bytes:
    upgrade: Callable[[str], None] = importlib.import_module("server.store.migrate").upgrade
    with tempfile.TemporaryDirectory(prefix="mintmark-template-") as folder:
        file = Path(folder) / "mintmark.sqlite"
        upgrade(f"sqlite:///{file}")
        return file.read_bytes()
