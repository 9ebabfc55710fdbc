"""A core of its own for fault tests: started, killed and started again on the same data folder."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from mintmark.v1 import access_tokens_pb2, access_tokens_pb2_grpc

from tests.waiting import eventually

REPOSITORY = Path(__file__).parents[2]
SERVER = ("-m", "server")
CALL_SECONDS = 15
# A killed core is back sooner than gRPC's own pauses between attempts.
CHANNEL = [
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.min_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 100),
    ("grpc.use_local_subchannel_pool", 1),
]
Metadata = tuple[tuple[str, str], ...]


class CoreProcess:
    """`python -m server` on unix sockets in a folder of its own, or whatever `program` runs in its place."""

    def __init__(self, template: Path | None = None, **settings: str) -> None:
        """With `template`, the data folder begins as a copy of that one."""
        # Not pytest's folders: a unix socket's path has 100 bytes at most.
        self.folder = Path(tempfile.mkdtemp(prefix="mm-"))
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        if template:
            shutil.copytree(template, self.data, ignore=shutil.ignore_patterns("*.sock"))
        self.environment = {
            "PATH": os.environ["PATH"],
            "MINTMARK_DATA_DIR": str(self.data),
            "MINTMARK_GRPC_ADDRESS": f"unix:{self.folder / 'core.sock'}",
            "MINTMARK_ADMIN_ADDRESS": f"unix:{self.folder / 'admin.sock'}",
            **settings,
        }
        self.process: subprocess.Popen[bytes] | None = None
        self._channels: dict[str, grpc.Channel] = {}

    def launch(self, program: Sequence[str] = SERVER, before: Sequence[str] = ()) -> subprocess.Popen[bytes]:
        """Starts the process and returns at once. `before` is a command that runs it, such as strace."""
        command = [*before, sys.executable, *program]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                command, env=self.environment, cwd=REPOSITORY, stdout=log, stderr=log, process_group=0
            )
        return self.process

    def start(self, program: Sequence[str] = SERVER, before: Sequence[str] = ()) -> "CoreProcess":
        """Returns when the core answers. Raises RuntimeError where it ends instead."""
        self.launch(program, before)
        assert self.ready(), f"the core ended by itself:\n{self.log.read_text()}"
        return self

    def ready(self, seconds: float = 30) -> bool:
        """Waits until the core answers (True) or has ended (False)."""
        assert self.process is not None
        process = self.process
        check = health_pb2_grpc.HealthStub(self.channel()).Check

        def settled() -> str:
            if process.poll() is not None:
                return "ended"
            try:
                check(health_pb2.HealthCheckRequest(), timeout=1)
            except grpc.RpcError:
                return ""
            return "ready"

        return eventually(settled, seconds, "the start of the core") == "ready"

    def ended(self, seconds: float = 10) -> int:
        """Waits for the end of the process; its exit code."""
        assert self.process is not None
        return self.process.wait(seconds)

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the process and what it runs."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)
        if self.process is not None:
            self.process.wait(10)
            self.process = None
        self._hang_up()

    def stop(self) -> int:
        """Ends it as an operator does."""
        assert self.process is not None
        self._hang_up()
        self.process.terminate()
        code = self.process.wait(20)
        self.process = None
        return code

    def remove(self) -> None:
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def channel(self, *, internal: bool = False) -> grpc.Channel:
        address = f"unix:{self.data}/run/internal.sock" if internal else self.environment["MINTMARK_GRPC_ADDRESS"]
        if address not in self._channels:
            self._channels[address] = grpc.insecure_channel(address, CHANNEL)
        return self._channels[address]

    def metadata(self, client: str = "admin") -> Metadata:
        """The metadata of calls by one of the house's own clients."""
        written = json.loads((self.data / "credentials" / f"{client}.json").read_text())
        return self.metadata_of(written["client_id"], written["client_secret"])

    def metadata_of(self, client_id: str, client_secret: str) -> Metadata:
        issue = access_tokens_pb2_grpc.AccessTokensServiceStub(self.channel()).IssueAccessToken
        request = access_tokens_pb2.IssueAccessTokenRequest(client_id=client_id, client_secret=client_secret)
        return (("authorization", f"Bearer {issue(request, timeout=CALL_SECONDS).access_token}"),)

    def _hang_up(self) -> None:
        for channel in self._channels.values():
            channel.close()
        self._channels = {}
