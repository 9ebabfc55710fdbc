"""A role of ours in a process that can be killed, paused and started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.faults.core_process import REPOSITORY
from tests.waiting import eventually


class RoleProcess:
    """`python -m adapters ROLE`, or whatever `program` runs in its place. `deaths` are the moments of its kills."""

    def __init__(self, log: Path, environment: Mapping[str, str], program: Sequence[str]) -> None:
        self.log = log
        self.program = program
        self.environment = dict(environment)
        self.process: subprocess.Popen[bytes] | None = None
        self.deaths: list[tuple[float, float]] = []

    def start(self) -> "RoleProcess":
        """Starts it, and returns at once."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.program],
                env=self.environment,
                cwd=REPOSITORY,
                stdout=log,
                stderr=log,
                process_group=0,
            )
        return self

    @property
    def pid(self) -> int:
        assert self.process is not None
        return self.process.pid

    @property
    def alive(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def stopped(self) -> bool:
        """Whether SIGSTOP has it."""
        return "\nState:\tT" in Path(f"/proc/{self.pid}/status").read_text()

    def signal(self, number: signal.Signals) -> None:
        if self.alive:
            os.killpg(self.pid, number)

    def kill(self) -> None:
        began = time.time()
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(10)
            self.process = None
        self.deaths.append((began, time.time()))

    def ended(self, seconds: float = 60) -> int:
        """Waits until it has ended by itself; its exit code."""
        assert self.process is not None
        code = self.process.wait(seconds)
        self.deaths.append((time.time() - 1, time.time()))
        return code

    def paused_itself(self, seconds: float = 60) -> bool:
        """Waits until it has stopped itself (True) or has ended (False)."""

        def settled() -> str:
            if not self.alive:
                return "ended"
            return "stopped" if self.stopped else ""

        return eventually(settled, seconds, "the pause of the process") == "stopped"
