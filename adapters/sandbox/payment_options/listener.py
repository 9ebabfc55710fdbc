"""A listener of the twin's own, which can be closed: then connections to it are refused."""

import asyncio
import socket
from contextlib import suppress

import uvicorn
from starlette.types import ASGIApp

from adapters.sandbox.payment_options.wire import TwinProtocol
from adapters.serving import Server, bind

# What is on its way when the role ends is given up soon.
GRACE_SECONDS = 1


def configuration(app: ASGIApp, *, lifespan: bool) -> uvicorn.Config:
    """How the sandbox is served: faults need `TwinProtocol`."""
    return uvicorn.Config(
        app,
        http=TwinProtocol,
        ws="none",
        lifespan="on" if lifespan else "off",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=GRACE_SECONDS,
    )


class Listener:
    """Serves `app` at `address` while it is open; open and close as often as you like."""

    def __init__(self, address: str, app: ASGIApp) -> None:
        self.address = address
        self._app = app
        self._server: Server | None = None
        self._socket: socket.socket | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def is_open(self) -> bool:
        """Whether connections are accepted."""
        return self._server is not None

    async def open(self) -> None:
        """Accepts connections. Raises AddressUnusable."""
        if self._server is not None:
            return
        self._socket = bind(self.address)
        if self.address.endswith(":0"):
            self.address = self.address.removesuffix("0") + str(self._socket.getsockname()[1])
        self._server = Server(configuration(self._app, lifespan=False))
        self._task = asyncio.create_task(self._server.serve([self._socket]))
        while not self._server.started and not self._task.done():
            await asyncio.sleep(0)

    async def close(self) -> None:
        """Refuses connections, and ends those that are there."""
        if self._server is None or self._task is None or self._socket is None:
            return
        self._server.should_exit = self._server.force_exit = True
        with suppress(asyncio.CancelledError):
            await self._task
        self._socket.close()
        self._server = self._task = self._socket = None
