"""A gateway that answers by script, over a real socket."""

import base64
import json
import threading
from collections import deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from adapters.settings import Settings

TOKEN_PATH = "/oauth2/token"
ISSUER_TOKEN_PATH = "/authz/d1/v1/oauth2/token"
DROP = 0


@dataclass(frozen=True)
class Received:
    """One request as it came."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Script:
    """What to answer: the next status of the script, else 204. DROP closes the connection without an answer."""

    notifications: deque[int] = field(default_factory=deque)
    tokens: deque[int] = field(default_factory=deque)
    expires_in: float = 900
    otherwise: int = 204


class Gateway:
    """Starts at once; `received` has the notifications, `token_requests` the calls of the token endpoint."""

    def __init__(self) -> None:
        self.script = Script()
        self.received: list[Received] = []
        self.token_requests: list[Received] = []
        # What is answered with a status and a JSON document, by path.
        self.documents: dict[str, tuple[int, Any]] = {}
        gateway = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("content-length", 0)))
                request = Received(self.path, {key.lower(): value for key, value in self.headers.items()}, body)
                status, answer = gateway.answer(request)
                if status == DROP:
                    self.close_connection = True
                    return
                self.send_response(status)
                self.send_header("content-length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def do_GET(self) -> None:
                self.do_POST()

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def answer(self, request: Received) -> tuple[int, bytes]:
        if request.path in (TOKEN_PATH, ISSUER_TOKEN_PATH):
            self.token_requests.append(request)
            status = self.script.tokens.popleft() if self.script.tokens else 200
            document = {"access_token": f"at-{len(self.token_requests)}", "expires_in": self.script.expires_in}
            return status, json.dumps({**document, "token_type": "Bearer", "scope": "d1-notify"}).encode()
        self.received.append(request)
        if request.path in self.documents:
            status, document = self.documents[request.path]
            return status, json.dumps(document).encode()
        return (self.script.notifications.popleft() if self.script.notifications else self.script.otherwise), b""

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def basic(request: Received) -> str:
    """The credentials of a Basic header, either alphabet."""
    return base64.urlsafe_b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()


def settings_for(gateway: Gateway | None, folder: Path, *, speed: float = 1000) -> Settings:
    """Settings of a sandbox in `folder` with credentials, aimed at `gateway`."""
    credentials = folder / "credentials"
    credentials.mkdir(exist_ok=True)
    (credentials / "sandbox.d1.json").write_text(json.dumps({"client_id": "is_tbank01", "client_secret": "1:2/3"}))
    (credentials / "sandbox.tsh.json").write_text(json.dumps({"api_key": "key-1"}))
    return Settings(data_dir=folder, sandbox_target=gateway.url if gateway else "", sandbox_speed=speed)
