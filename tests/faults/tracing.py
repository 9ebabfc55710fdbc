"""strace, where it is there and allowed to trace: it sees and breaks what the core asks of the kernel."""

import functools
import shutil
import subprocess
from pathlib import Path

import pytest

SYNCS = "fsync,fdatasync"


@functools.cache
def why_not() -> str:
    """Why strace cannot be used here; empty where it can."""
    if shutil.which("strace") is None:
        return "strace is not there"
    tried = subprocess.run(
        ["strace", "-f", "--seccomp-bpf", "-qq", "-e", "trace=fdatasync", "true"],
        capture_output=True,
        text=True,
        check=False,
        timeout=20,
    )
    return "" if tried.returncode == 0 else f"strace may not trace here: {tried.stderr.strip()[:200]}"


def needed() -> None:
    """Skips the test where there is no strace."""
    if why_not():
        pytest.skip(why_not())


def recording(file: Path) -> list[str]:
    """The command that runs another and writes down each sync and the file it was for, before the sync returns."""
    return ["strace", "-f", "--seccomp-bpf", "-qq", "-y", "-o", str(file), "-e", f"trace={SYNCS}"]


def breaking(file: Path, call: str, how: str) -> list[str]:
    """The command that runs another with a fault in a system call, such as `signal=KILL:when=7`."""
    # Not with --seccomp-bpf, under which an injected signal never comes.
    return ["strace", "-f", "-qq", "-o", str(file), "-e", f"trace={call}", "-e", f"inject={call}:{how}"]
