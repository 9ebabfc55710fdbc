"""Imports modules of the house in the given folder, and writes what importing them did besides: one line each.

    python importing.py FOLDER MODULE...

Run in a process of its own, because an audit hook stays for good.
"""

import importlib
import os
import sys
import threading
from collections.abc import Iterator

ROOT = sys.argv[1]
ROOMS = tuple(f"{ROOT}/{room}/" for room in ("server", "adapters", "mintmark_client"))
SETTINGS = tuple(f"{ROOT}/{room}/settings.py" for room in ("server", "adapters"))
OUTSIDE = ("socket.", "subprocess.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "sqlite3.connect")
CHANGING = ("os.mkdir", "os.remove", "os.rename", "os.rmdir", "os.chmod", "os.link", "os.symlink", "os.truncate")
# Asking for the machine's name or making a pair of connected sockets reaches nobody.
HARMLESS = ("socket.__new__", "socket.gethostname")

seen: list[str] = []


def callers() -> Iterator[str]:
    frame = sys._getframe(2)
    while frame is not None:
        yield frame.f_code.co_filename
        frame = frame.f_back  # type: ignore[assignment]  # the loop ends at None


def ours() -> str | None:
    """The module of the house that is being imported, if the call comes from its import."""
    return next((name for name in callers() if name.startswith(ROOMS)), None)


def watch(event: str, arguments: tuple[object, ...]) -> None:
    written = event == "open" and isinstance(arguments[1], str) and set(arguments[1]) & set("wax+")
    reached = event.startswith((*OUTSIDE, *CHANGING)) and event not in HARMLESS
    if (written or reached) and (module := ours()):
        seen.append(f"{module}: {event} {arguments}")


class Environment(dict[str, str]):
    """Notices when a module of ours, and not one that it imports, asks for a variable."""

    def _note(self, key: object) -> None:
        asking = next((name for name in callers() if not name.endswith(("/os.py", "<frozen os>", "importing.py"))), "")
        if asking.startswith(ROOT) and "/.venv/" not in asking and asking not in SETTINGS:
            seen.append(f"{asking}: reads {key} from the environment")

    def __getitem__(self, key: str) -> str:
        self._note(key)
        return super().__getitem__(key)

    def get(self, key: str, default: object = None) -> object:  # type: ignore[override]  # wider on purpose
        self._note(key)
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self._note(key)
        return super().__contains__(key)


def main() -> None:
    os.environ = Environment()  # type: ignore[assignment]  # noqa: B003  the modules' view of it
    sys.addaudithook(watch)
    sys.path.insert(0, ROOT)
    for name in sys.argv[2:]:
        importlib.import_module(name)
        if threading.active_count() > 1:
            seen.append(f"{name}: starts a thread")
            break
    sys.stdout.write("\n".join(seen))


main()
