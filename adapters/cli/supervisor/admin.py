"""The admin address that `serve` binds: how all roles are, and their metrics as one text."""

import json
import os
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from adapters.cli.refusals import Refused
from adapters.cli.supervisor import metrics, probe
from adapters.cli.supervisor.processes import RoleProcess

ROLE_SECONDS = 2.0
# A client that sends nothing, or reads nothing, is let go.
IDLE_SECONDS = 10.0


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = IDLE_SECONDS
    answers: dict[str, Callable[[], tuple[int, str, str]]]

    def do_GET(self) -> None:
        answer = self.answers.get(self.path.partition("?")[0])
        status, kind, text = answer() if answer else (404, "application/json", '{"error": "not found"}')
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Says nothing: these calls come every few seconds."""

    def address_string(self) -> str:
        """A unix socket's peer has no address."""
        return "local"


class _Quiet(socketserver.BaseServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up early is no news."""


class _TcpServer(_Quiet, ThreadingHTTPServer):
    """host:port."""


class _UnixServer(_Quiet, socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


class Admin:
    """/livez, /readyz and /metrics over the roles. Raises Refused where the address cannot be bound."""

    def __init__(self, address: str, roles: tuple[RoleProcess, ...]) -> None:
        self._roles = roles
        handler = type(
            "Handler",
            (_Handler,),
            {"answers": {"/livez": self._livez, "/readyz": self._readyz, "/metrics": self._metrics}},
        )
        self._server: socketserver.BaseServer
        try:
            if address.startswith("unix:"):
                path = Path(address.removeprefix("unix:"))
                path.unlink(missing_ok=True)
                mask = os.umask(0o177)
                try:
                    self._server = _UnixServer(str(path), handler)
                finally:
                    os.umask(mask)
            else:
                host, _, port = address.rpartition(":")
                self._server = _TcpServer((host.strip("[]"), int(port)), handler)
        except OSError as error:
            raise Refused(
                f"cannot bind the admin address {address}: {error.strerror or error}",
                "stop what uses it, or name another in MINTMARK_ADMIN_ADDRESS",
            ) from None
        threading.Thread(target=self._server.serve_forever, args=(0.1,), name="admin", daemon=True).start()

    def close(self) -> None:
        """Stops answering."""
        self._server.shutdown()
        self._server.server_close()

    def _livez(self) -> tuple[int, str, str]:
        return 200, "application/json", '{"live": true}'

    def _readyz(self) -> tuple[int, str, str]:
        roles = {
            process.role.name: {"ready": process.ready, "pid": process.pid, "restarts": process.restarts}
            for process in self._roles
        }
        ready = all(process.ready for process in self._roles)
        return (200 if ready else 503), "application/json", json.dumps({"ready": ready, "roles": roles})

    def _metrics(self) -> tuple[int, str, str]:
        texts = {}
        for process in self._roles:
            status, text = probe.get(process.admin_address, "/metrics", ROLE_SECONDS)
            if status == 200:
                texts[process.role.name] = text
        ready = {process.role.name: process.ready for process in self._roles}
        restarts = {process.role.name: process.restarts for process in self._roles}
        return 200, metrics.CONTENT_TYPE, metrics.own(ready, restarts) + metrics.merged(texts)
