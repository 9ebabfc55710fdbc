"""Starts one role so that it ends when its supervisor does, even by SIGKILL.

Run as a file, with `-I -S`, for speed: `launcher.py [--watch] PARENT_PID PID_FILE COMMAND...`.

The role holds a lock on its pid file for as long as it lives, so that a pid file that is not locked is stale. On
Linux this process becomes the role, with a parent-death signal. Elsewhere, and with `--watch`, it stays as the role's
parent and ends the role when its stdin, a pipe that only the supervisor holds open, is closed.
"""

import ctypes
import fcntl
import os
import signal
import sys
import threading

PR_SET_PDEATHSIG = 1
# EX_TEMPFAIL: the role before us is still there, or our supervisor is gone already.
NOT_NOW = 75


def lock_file(path: str) -> int:
    """Locks a file without waiting; the lock goes with the descriptor, through exec. Raises BlockingIOError."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    return descriptor


def write_pid(path: str, pid: int) -> int:
    """Puts a locked pid file in place, whole from its first moment. Returns the descriptor that holds the lock."""
    fresh = f"{path}.{pid}"
    descriptor = lock_file(fresh)
    os.pwrite(descriptor, f"{pid}\n".encode(), 0)
    os.rename(fresh, path)  # noqa: PTH104  pathlib takes longer to load than all the rest of this
    return descriptor


def become(parent: int, pid_file: str, command: list[str]) -> None:
    """Linux: this process turns into the role. Returns only when the parent is gone already."""
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
    if os.getppid() != parent:
        return
    os.set_inheritable(write_pid(pid_file, os.getpid()), True)
    os.execv(command[0], command)  # noqa: S606  the supervisor's own interpreter, no shell


def watch(pid_file: str, command: list[str]) -> int:
    """Elsewhere: this process starts the role, hands on SIGTERM, and ends it when stdin is closed."""
    import subprocess

    role = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603  the same
    # We live as long as the role does, so the lock is as good as its own.
    write_pid(pid_file, role.pid)
    signal.signal(signal.SIGTERM, lambda *_: role.terminate())

    def end_with_parent() -> None:
        while os.read(0, 1024):
            pass
        role.terminate()

    threading.Thread(target=end_with_parent, daemon=True).start()
    code = role.wait()
    if code < 0:
        # End as the role did, so that the supervisor sees the signal.
        signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def launch(arguments: list[str]) -> int:
    """Reads the arguments and starts the role."""
    watching = arguments[0] == "--watch"
    parent, pid_file, *command = arguments[1:] if watching else arguments
    try:
        os.close(lock_file(pid_file))
    except BlockingIOError:
        return NOT_NOW
    if watching or not sys.platform.startswith("linux"):
        return watch(pid_file, command)
    become(int(parent), pid_file, command)
    return NOT_NOW


if __name__ == "__main__":
    sys.exit(launch(sys.argv[1:]))
