"""The run folder: one supervisor per data folder, and no role of an earlier one left."""

import contextlib
import fcntl
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from adapters.cli.refusals import Refused
from adapters.cli.supervisor.launcher import lock_file
from adapters.cli.supervisor.processes import GRACE, RoleProcess
from adapters.settings import Settings


def take(settings: Settings) -> int:
    """Makes the run folders (0700) and locks them for this supervisor. The lock goes with the returned descriptor.

    Raises Refused where another one holds the data folder, or somebody else owns one of them.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True)
    for folder in (settings.pid_dir, settings.run_dir):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if folder.stat().st_uid != os.getuid():
            raise Refused(f"{folder} belongs to another user", "remove it, or name another MINTMARK_DATA_DIR")
        folder.chmod(0o700)
    lock = settings.pid_dir / "serve.lock"
    try:
        descriptor = lock_file(str(lock))
    except BlockingIOError:
        raise Refused(
            f"another `mintmark serve` (process {_pid(lock) or 'unknown'}) runs on the data folder {settings.data_dir}",
            "stop it, or name another folder in MINTMARK_DATA_DIR",
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return descriptor


def clear(roles: Iterable[RoleProcess], note: Callable[[str], None], monotonic: Callable[[], float]) -> None:
    """Waits for roles that an earlier supervisor left behind when it was killed; kills those that don't end."""
    for role in roles:
        if not _locked(role.pid_file):
            role.pid_file.unlink(missing_ok=True)
            continue
        note(f"mintmark serve: waiting for an earlier {role.role.name} (process {_pid(role.pid_file)}) to end")
        deadline = monotonic() + role.role.stop_seconds + GRACE
        while _locked(role.pid_file):
            pid = _pid(role.pid_file)
            if monotonic() > deadline and pid:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                deadline = monotonic() + GRACE
            time.sleep(0.05)
        role.pid_file.unlink(missing_ok=True)


def _locked(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _pid(path: Path) -> int:
    try:
        return int(path.read_text().strip() or 0)
    except (OSError, ValueError):
        return 0
