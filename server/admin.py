"""The core's admin address: `/livez`, `/readyz` and `/metrics`."""

import contextlib
import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

TIMEOUT_S = 5.0
# It sees within this time that it is to end; a core waits for that.
NOTICED_S = 0.1


class UnixServer(ThreadingHTTPServer):
    """The same over a unix socket."""

    address_family = socket.AF_UNIX

    def server_bind(self) -> None:
        path = Path(str(self.server_address))
        path.unlink(missing_ok=True)
        socketserver.TCPServer.server_bind(self)
        path.chmod(0o600)
        self.server_name, self.server_port = "unix", 0


class AdminServer:
    """Answers on its own thread until closed. `ready` says whether the core can do its work."""

    def __init__(self, address: str, ready: Callable[[], bool]) -> None:
        class Handler(BaseHTTPRequestHandler):
            timeout = TIMEOUT_S

            def do_GET(self) -> None:
                match self.path:
                    case "/livez":
                        self.answer(200, b"ok\n", "text/plain")
                    case "/readyz":
                        fit = ready()
                        self.answer(200 if fit else 503, b"ready\n" if fit else b"not ready\n", "text/plain")
                    case "/metrics":
                        self.answer(200, generate_latest(), CONTENT_TYPE_LATEST)
                    case _:
                        self.answer(404, b"not found\n", "text/plain")

            def answer(self, status: int, body: bytes, content_type: str) -> None:
                self.send_response(status)
                self.send_header("Content-Type", content_type)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                with contextlib.suppress(OSError):
                    self.wfile.write(body)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the library's name
                """Probes are not worth a line."""

        if address.startswith("unix:"):
            self._server: ThreadingHTTPServer = UnixServer(address.removeprefix("unix:"), Handler)  # type: ignore[arg-type]
        else:
            host, _, port = address.rpartition(":")
            self._server = ThreadingHTTPServer((host.strip("[]"), int(port)), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(NOTICED_S,), name="admin", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(TIMEOUT_S)
