"""A running Mintmark for the tests: `mintmark serve` as people start it, with ports and a data folder of its own."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import grpc
import httpx
from mintmark.v1 import access_tokens_pb2, access_tokens_pb2_grpc

from tests.plain import PLAIN
from tests.waiting import eventually

# All tests come from loopback, and many fail to authenticate on purpose. Those of the limit itself leave it as it is.
UNLIMITED = {"MINTMARK_HTTP_FAILED_AUTHENTICATION_LIMIT": "10000"}
COMMAND = Path(sys.executable).parent / "mintmark"


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on right now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


class Stack:
    """One `mintmark serve`. Stopped and started again it keeps its data folder."""

    def __init__(self, *, sandbox: bool = False, development: bool = False, **settings: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mintmark-stack-"))
        self.data = self.folder / "data"
        self.log = self.folder / "log"
        self._sandbox = sandbox
        self._process: subprocess.Popen[bytes] | None = None
        self._channel: grpc.Channel | None = None
        self._http: httpx.Client | None = None
        http, core, admin, twin = (f"127.0.0.1:{port}" for port in free_ports(4))
        self.grpc_address = core
        self.http_url = f"http://{http}"
        self.admin_url = f"http://{admin}"
        self.sandbox_url = f"http://{twin}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "MINTMARK_HTTP_ADDRESS": http,
            "MINTMARK_GRPC_ADDRESS": core,
            "MINTMARK_ADMIN_ADDRESS": admin,
            "MINTMARK_SANDBOX_ADDRESS": twin,
            "MINTMARK_DATA_DIR": str(self.data),
            "MINTMARK_DEVELOPMENT": str(int(development)),
            **UNLIMITED,
            **settings,
        }

    def start(self, seconds: float = 30) -> "Stack":
        """Returns when every role is ready."""
        command = [str(COMMAND), "serve", *(["--sandbox"] if self._sandbox else [])]
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(command, env=self.environment, cwd=self.folder, stdout=log, stderr=log)
        eventually(self._ready, seconds, "the start of all roles")
        return self

    def stop(self) -> int:
        """Ends all roles in order, as an operator does. Returns the exit code."""
        self._hang_up()
        if self._process is None:
            return 0
        self._process.terminate()
        try:
            return self._process.wait(40)
        finally:
            self._process.kill()
            self._process = None

    def kill(self) -> None:
        """Ends `mintmark serve` itself the way a crash does; the roles end by themselves."""
        self._hang_up()
        assert self._process is not None
        self._process.kill()
        self._process.wait(10)
        self._process = None

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def pid(self, role: str) -> int:
        """The process id of a role, from its pid file."""
        return int((self.data / "run" / f"{role}.pid").read_text())

    def readiness(self) -> httpx.Response:
        return httpx.get(f"{self.admin_url}/readyz", timeout=5, verify=PLAIN)

    @property
    def http(self) -> httpx.Client:
        """A client of the gateway."""
        if self._http is None:
            self._http = httpx.Client(base_url=self.http_url, timeout=20, verify=PLAIN)
        return self._http

    @property
    def channel(self) -> grpc.Channel:
        """A channel to the core's public listener."""
        if self._channel is None:
            self._channel = grpc.insecure_channel(self.grpc_address, [("grpc.use_local_subchannel_pool", 1)])
        return self._channel

    def credentials(self, client: str = "admin") -> tuple[str, str]:
        """Client id and secret as the core wrote them at its first start."""
        written = json.loads((self.data / "credentials" / f"{client}.json").read_text())
        return written["client_id"], written["client_secret"]

    def metadata(self, client_id: str = "", client_secret: str = "") -> tuple[tuple[str, str], ...]:
        """The metadata of calls by a client, the administrator when none is given."""
        if not client_id:
            client_id, client_secret = self.credentials()
        issue = access_tokens_pb2_grpc.AccessTokensServiceStub(self.channel).IssueAccessToken
        request = access_tokens_pb2.IssueAccessTokenRequest(client_id=client_id, client_secret=client_secret)
        return (("authorization", f"Bearer {issue(request, timeout=10).access_token}"),)

    def command(self, *arguments: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs `mintmark` against this stack."""
        result = subprocess.run(
            [COMMAND, *arguments],
            env=self.environment,
            cwd=self.folder,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert not check or result.returncode == 0, f"{arguments}: {result.stdout}{result.stderr}"
        return result

    def lines(self, *arguments: str, stdin: str = "") -> list[Any]:
        """What `mintmark` prints as JSON: one object per line."""
        output = self.command("--output", "json", *arguments, stdin=stdin).stdout
        return [json.loads(line) for line in output.splitlines()]

    def with_settings(self, settings: Mapping[str, str]) -> "Stack":
        """The same stack with other settings, from its next start on."""
        self.environment.update(settings)
        return self

    def _hang_up(self) -> None:
        if self._channel is not None:
            self._channel.close()
            self._channel = None
        if self._http is not None:
            self._http.close()
            self._http = None

    def _ready(self) -> bool:
        assert self._process is not None
        code = self._process.poll()
        if code is not None:
            raise RuntimeError(f"mintmark serve ended with {code}:\n{self.log.read_text()}")
        try:
            answer = self.readiness()
        except httpx.TransportError:
            return False
        assert answer.status_code == 200, f"{answer.text}\n{self.log.read_text()[-2000:]}"
        return True
