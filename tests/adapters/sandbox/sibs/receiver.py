"""A gateway that opens notifications with the keys it knows and answers by script."""

import json
import sys
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from adapters.sandbox.sibs.sealing import Sealed, Unopened, unseal
from tests.adapters.sandbox.sibs.caller import KEY


@dataclass(frozen=True, slots=True)
class Message:
    """A notification as it came."""

    path: str
    headers: dict[str, str]
    body: str

    @property
    def sealed(self) -> Sealed:
        header = self.headers.get
        return Sealed(self.body, header("x-initialization-vector", ""), header("x-authentication-tag", ""))

    def text(self, *keys: str) -> str:
        """The plaintext under the first of the keys that opens it. Raises Unopened."""
        for key in keys:
            try:
                return unseal(key, self.sealed).decode()
            except Unopened:
                continue
        raise Unopened

    def json(self, *keys: str) -> dict[str, Any]:
        return dict(json.loads(self.text(*(keys or (KEY,)))))


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"


def acknowledgement(notification_id: str, **changes: Any) -> Answer:
    """The exact one, unless changed; None leaves a field out."""
    document = {"statusCode": "200", "statusMsg": "Success", "notificationID": notification_id, **changes}
    return Answer(body=json.dumps({name: text for name, text in document.items() if text is not None}).encode())


# What to answer a message, given the id in it.
Reply = Callable[[str], Answer]


class Receiver:
    """Starts at once; answers from `replies` first, then acknowledges what opens under `keys`, else says 400."""

    def __init__(self) -> None:
        self.messages: list[Message] = []
        self.replies: deque[Reply] = deque()
        self.otherwise: Reply = acknowledgement
        self.keys = [KEY]
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def do_POST(self) -> None:
                length = int(self.headers.get("content-length", 0))
                body = self.rfile.read(length)
                if len(body) < length:
                    # Whoever sent it was killed.
                    self.close_connection = True
                    return
                headers = {name.lower(): value for name, value in self.headers.items()}
                answer = receiver.answer(Message(self.path, headers, body.decode()))
                self.send_response(answer.status)
                self.send_header("content-type", answer.content_type)
                self.send_header("content-length", str(len(answer.body)))
                self.end_headers()
                self.wfile.write(answer.body)

            def log_message(self, *_: Any) -> None:
                """Quiet."""

        class Server(ThreadingHTTPServer):
            request_queue_size = 128

            def handle_error(self, *_: Any) -> None:
                """A peer that was killed is no error."""
                raised = sys.exception()
                if raised is not None and not isinstance(raised, ConnectionError):
                    raise raised

        self._server = Server(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}/hooks/3d0f"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def answer(self, message: Message) -> Answer:
        self.messages.append(message)
        try:
            document = json.loads(message.text(*self.keys))
            notification_id = document["notificationID"]
        except (Unopened, ValueError, KeyError):
            return Answer(400)
        return (self.replies.popleft() if self.replies else self.otherwise)(notification_id)

    def refuse(self) -> None:
        """From now on everything is refused."""
        self.otherwise = lambda _id: Answer(503)

    def accept(self) -> None:
        """From now on everything is acknowledged."""
        self.otherwise = acknowledgement

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
