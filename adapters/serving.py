"""An HTTP server inside a role: its socket, and uvicorn without a will of its own about signals."""

import contextlib
import socket
import stat
from collections.abc import Generator
from pathlib import Path

import uvicorn

BACKLOG = 2048


class AddressUnusable(Exception):
    """Nobody can listen there. The text names the address."""


def bind(address: str) -> socket.socket:
    """A listening socket at `host:port` or `unix:/path`; a socket file is for this user only.

    Raises AddressUnusable. A socket file that a dead process has left is replaced.
    """
    try:
        return _bind_unix(Path(address.removeprefix("unix:"))) if address.startswith("unix:") else _bind_tcp(address)
    except OSError as error:
        raise AddressUnusable(f"cannot listen on {address}: {error.strerror or type(error).__name__}") from None


def _bind_tcp(address: str) -> socket.socket:
    host, _, port = address.rpartition(":")
    host = host.strip("[]")
    family = socket.getaddrinfo(host, int(port), type=socket.SOCK_STREAM)[0][0]
    listener = socket.create_server((host, int(port)), family=family, backlog=BACKLOG)
    # Connections inherit it. asyncio sets it only on sockets that name their protocol; without it an answer in two
    # writes waits 40 ms for the peer's delayed acknowledgement.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


def _bind_unix(path: Path) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    if path.exists() and stat.S_ISSOCK(path.stat().st_mode):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        path.chmod(0o600)
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


class Server(uvicorn.Server):
    """uvicorn without signal handlers: the role decides when it stops, by `should_exit`."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Captures none."""
        yield
