"""A sandbox that serves its control API over a real socket, in a thread."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from adapters.sandbox.app import Sandbox, build
from adapters.sandbox.payment_options.listener import configuration
from adapters.serving import Server, bind
from adapters.settings import Settings
from tests.plain import PLAIN
from tests.waiting import eventually


@contextmanager
def running(settings: Settings) -> Iterator[httpx.Client]:
    """A client of the control API of a sandbox with `settings`."""
    listener = bind("127.0.0.1:0")
    made: list[Server] = []

    async def serve() -> None:
        made.append(Server(configuration(build(Sandbox(settings)), lifespan=True)))
        await made[0].serve([listener])

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        eventually(lambda: made and made[0].started, 60, "the sandbox's start")
        host, port = listener.getsockname()
        with httpx.Client(base_url=f"http://{host}:{port}", timeout=20, trust_env=False, verify=PLAIN) as client:
            yield client
    finally:
        for server in made:
            server.should_exit = True
        thread.join()
        listener.close()
