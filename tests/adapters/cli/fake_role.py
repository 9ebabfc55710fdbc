"""A role for the supervisor's tests: answers on its admin socket and writes down what happens to it.

`fake_role.py NAME FOLDER`: what it does at its start is the first line of `FOLDER/NAME.orders`, which it takes away:
`exit N`, `deaf` (ignores SIGTERM), `unready`, or nothing.
"""

import os
import signal
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any


class Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True


def take_order(file: Path) -> str:
    orders = file.read_text().splitlines() if file.exists() else []
    if orders:
        file.write_text("\n".join(orders[1:]))
    return orders[0] if orders else ""


def main(name: str, folder: Path) -> None:
    def tell(what: str) -> None:
        with (folder / "told").open("a") as told:
            told.write(f"{name} {what} {os.getpid()}\n")

    order = take_order(folder / f"{name}.orders")
    tell("began")
    if order.startswith("exit"):
        sys.exit(int(order.split()[1]))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = f'# TYPE calls counter\ncalls{{kind="a"}} 3\n{name}_only 1\n'.encode()
            self.send_response(503 if order == "unready" and self.path == "/readyz" else 200)
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Quiet."""

        def address_string(self) -> str:
            return "local"

    def stop(*_: Any) -> None:
        tell("stopped")
        if order != "deaf":
            os._exit(0)

    signal.signal(signal.SIGTERM, stop)
    path = Path(os.environ["MINTMARK_ADMIN_ADDRESS"].removeprefix("unix:"))
    path.unlink(missing_ok=True)
    with Server(str(path), Handler) as server:
        server.serve_forever()
        time.sleep(0)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
