"""One role's process: started, restarted at once and then with backoff, stopped within its limit."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from adapters.settings import Settings, child_environment

LAUNCHER = Path(__file__).with_name("launcher.py")
FIRST_BACKOFF = 0.25
LONGEST_BACKOFF = 5.0
# What a role may take beyond its own limit before it is killed: writing its last log line, unmapping its memory.
GRACE = 2.0
WRONG_SETTINGS = 2


@dataclass(frozen=True, slots=True)
class Role:
    """What a role runs, and how long it may take to stop (limits.md, in seconds)."""

    name: str
    module: tuple[str, ...]
    stop_seconds: float


CORE = Role("core", ("server",), 10.0)
GATEWAY = Role("gateway", ("adapters", "gateway"), 10.0)
DISPATCHER = Role("dispatcher", ("adapters", "dispatcher"), 20.0)
SANDBOX = Role("sandbox", ("adapters", "sandbox"), 10.0)
# Whoever sends stops before whoever receives.
STOP_ORDER = ("sandbox", "gateway", "dispatcher", "core")


@dataclass(slots=True)
class RoleProcess:
    """A role under supervision. Only the supervisor's main thread starts and stops it: the kernel's parent-death
    signal follows the thread that started a process, not the process."""

    role: Role
    settings: Settings
    environment: dict[str, str] = field(default_factory=dict)
    monotonic: Callable[[], float] = time.monotonic
    restarts: int = 0
    ready: bool = False
    ever_ready: bool = False
    ready_since_start: bool = False
    _failures: int = 0
    _start_at: float = 0.0
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def admin_address(self) -> str:
        """Where the role answers how it is."""
        return f"unix:{self.settings.run_dir / f'{self.role.name}.admin.sock'}"

    @property
    def pid_file(self) -> Path:
        return self.settings.pid_dir / f"{self.role.name}.pid"

    @property
    def pid(self) -> int | None:
        """The role's process id; None while it does not run."""
        return self._process.pid if self._process else None

    def start(self) -> None:
        """Starts the process. In a process group of its own, so that Ctrl-C reaches only the supervisor."""
        self.ready_since_start = False
        command = [sys.executable, "-m", *self.role.module]
        linux = sys.platform.startswith("linux")
        self._process = subprocess.Popen(  # noqa: S603  our own interpreter, no shell
            [
                *(sys.executable, "-I", "-S", str(LAUNCHER)),
                *(() if linux else ("--watch",)),
                *(str(os.getpid()), str(self.pid_file), *command),
            ],
            stdin=subprocess.DEVNULL if linux else subprocess.PIPE,
            env=child_environment({"MINTMARK_ADMIN_ADDRESS": self.admin_address, **self.environment}),
            process_group=0,
        )

    def seen(self, pid: int, ready: bool) -> None:
        """What the process `pid` said of its readiness, unless another has taken its place since."""
        self.ready = ready and self.pid == pid
        if self.ready:
            self.ever_ready = self.ready_since_start = True

    def ended(self) -> int | None:
        """The exit code of a process that has just ended, once; None otherwise. Decides when to start it again."""
        if self._process is None:
            return None
        code = self._process.poll()
        if code is None:
            return None
        self._process, self.ready = None, False
        # A role that was ready starts again at once; one that never gets there, at once and then ever later.
        self._failures = 1 if self.ready_since_start else self._failures + 1
        pause = 0.0 if self._failures == 1 else min(LONGEST_BACKOFF, FIRST_BACKOFF * 2 ** (self._failures - 2))
        self._start_at = self.monotonic() + pause
        return code

    def due(self) -> bool:
        """Whether it is to be started now."""
        return self._process is None and self.monotonic() >= self._start_at

    def seconds_until_due(self) -> float:
        """How long until it is to be started again."""
        return max(0.0, self._start_at - self.monotonic())

    def stop(self, hurry: Callable[[], bool]) -> None:
        """SIGTERM, its time limit, SIGKILL; SIGKILL at once when `hurry` says so. Returns when it has ended."""
        if self._process is None:
            self.pid_file.unlink(missing_ok=True)
            return
        self._process.terminate()
        deadline = self.monotonic() + self.role.stop_seconds + GRACE
        while self._process.poll() is None:
            if hurry() or self.monotonic() > deadline:
                # The group: with a watching launcher the role is its child.
                os.killpg(self._process.pid, signal.SIGKILL)
                self._process.wait()
                break
            try:
                self._process.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        self._process, self.ready = None, False
        self.pid_file.unlink(missing_ok=True)


def describe(code: int) -> str:
    """An exit code for people."""
    return f"was killed by {signal.Signals(-code).name}" if code < 0 else f"ended with code {code}"
