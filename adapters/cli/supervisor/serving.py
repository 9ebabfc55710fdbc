"""The supervisor's main loop."""

import os
import signal
import threading
import time
from types import FrameType

from adapters.cli.output import note
from adapters.cli.refusals import REFUSED, Refused
from adapters.cli.supervisor import card_keys, folder, probe
from adapters.cli.supervisor.admin import Admin
from adapters.cli.supervisor.demonstration import Demonstration
from adapters.cli.supervisor.processes import (
    CORE,
    DISPATCHER,
    GATEWAY,
    SANDBOX,
    STOP_ORDER,
    WRONG_SETTINGS,
    Role,
    RoleProcess,
    describe,
)
from adapters.settings import Settings

# How often to ask roles whether they are ready: while one is not, and when all are.
EAGER, CALM = 0.05, 1.0
ANSWER_SECONDS = 1.0


class Supervisor:
    """Starts the roles, starts them again when they die, and stops them in order."""

    def __init__(self, settings: Settings, roles: tuple[Role, ...], demonstration: Demonstration | None = None) -> None:
        """The first of the roles is the core."""
        self.settings = settings
        self.demonstration = demonstration
        environment = {"MINTMARK_DATA_DIR": str(settings.data_dir.resolve())}
        if self.demonstration and "log_level" not in settings.model_fields_set:
            # The event feed shows what happens; a log line for each call would bury it.
            environment["MINTMARK_LOG_LEVEL"] = "warning"
        self.roles = tuple(RoleProcess(role, settings, environment) for role in roles)
        self.core = self.roles[0]
        self._wake = threading.Event()
        self._ask = threading.Event()
        self._stop_signals = 0
        self._code = 0
        self._announced = False

    def run(self) -> int:
        """Serves until a signal ends it. Returns the exit code. Raises Refused where it cannot begin."""
        lock = folder.take(self.settings)
        try:
            folder.clear(self.roles, note, time.monotonic)
            card_keys.ensure(self.settings)
            admin = Admin(self.settings.admin_address, self.roles)
            self._watch_signals()
            threading.Thread(target=self._ask_for_readiness, name="readiness", daemon=True).start()
            if self.demonstration:
                self.demonstration.start(lambda: self.core.ready, self._all_ready, self._wake.set)
            try:
                while not self._stop_signals and not self._code:
                    self._round()
            finally:
                if self.demonstration:
                    self.demonstration.stop()
                self._stop_roles()
                admin.close()
        finally:
            os.close(lock)
        return self._code

    def _round(self) -> None:
        for process in self.roles:
            code = process.ended()
            if code is not None:
                self._died(process, code)
            if process.due() and self._may_start(process) and not self._code:
                process.start()
                self._ask.set()
        if not self._announced and self._all_ready():
            self._announced = True
            if not self.demonstration:
                note(
                    f"mintmark serve: ready. gRPC {self.settings.grpc_address}, HTTP {self.settings.http_address}, "
                    f"admin {self.settings.admin_address}"
                )
        self._wake.wait(
            min([0.25, *(process.seconds_until_due() for process in self.roles if not process.pid)]) or 0.02
        )
        self._wake.clear()

    def _may_start(self, process: RoleProcess) -> bool:
        """The core is first: the others need the credentials that it makes at its first start, but not the sandbox."""
        if process is self.core or process.role is SANDBOX:
            return True
        if self.demonstration and not self.demonstration.prepared:
            return False
        return self.core.ever_ready or (self.settings.data_dir / "credentials" / "role.gateway.json").is_file()

    def _died(self, process: RoleProcess, code: int) -> None:
        name = process.role.name
        if code == WRONG_SETTINGS and not process.ever_ready:
            note(f"mintmark serve: the {name} refuses its settings (see above); stopping everything")
            self._code = WRONG_SETTINGS
            return
        process.restarts += 1
        pause = process.seconds_until_due()
        note(
            f"mintmark serve: the {name} {describe(code)}; starting it again {f'in {pause:.2g} s' if pause else 'now'}"
        )

    def _all_ready(self) -> bool:
        return all(process.ready for process in self.roles)

    def _ask_for_readiness(self) -> None:
        while not self._stop_signals:
            before = [process.ready for process in self.roles]
            for process in self.roles:
                pid = process.pid
                if pid is not None:
                    process.seen(pid, probe.get(process.admin_address, "/readyz", ANSWER_SECONDS)[0] == 200)
            if [process.ready for process in self.roles] != before:
                self._wake.set()
            self._ask.wait(CALM if self._all_ready() else EAGER)
            self._ask.clear()

    def _watch_signals(self) -> None:
        def stop(_number: int, _frame: FrameType | None) -> None:
            self._stop_signals += 1
            self._wake.set()

        def child(_number: int, _frame: FrameType | None) -> None:
            self._wake.set()

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGCHLD, child)

    def _stop_roles(self) -> None:
        """Gateway before dispatcher before core; a second signal kills what is left."""
        asked = max(1, self._stop_signals)
        for process in sorted(self.roles, key=lambda process: STOP_ORDER.index(process.role.name)):
            process.stop(lambda: self._stop_signals > asked)


def run(settings: Settings, *, sandbox: bool) -> int:
    """Runs `mintmark serve`. Returns the exit code: 0 stopped by a signal, 1 could not begin, 2 wrong settings."""
    roles = (CORE, GATEWAY, DISPATCHER, *((SANDBOX,) if sandbox else ()))
    demonstration = Demonstration(settings) if sandbox and settings.development else None
    try:
        return Supervisor(settings, roles, demonstration).run()
    except Refused as refused:
        note(str(refused))
        return REFUSED
