"""The gateway's application on a real socket in this process, with a clock that tests move and no core behind it."""

import asyncio
import threading
from functools import partial
from pathlib import Path

import httpx
import uvicorn
from prometheus_client import CollectorRegistry, generate_latest

from adapters.clock import Clock
from adapters.inbound.app import Gateway
from adapters.inbound.authentication import Authentication
from adapters.inbound.failed_authentications import FailedAuthentications
from adapters.inbound.limits import Limits
from adapters.inbound.metrics import Metrics
from adapters.inbound.principals import Principals
from adapters.inbound.problems import NO_CONTENT, Answer, limited
from adapters.inbound.protocol import bounded
from adapters.inbound.request import Request
from adapters.inbound.routes import Route, Routes
from adapters.serving import Server, bind
from adapters.settings import Settings
from tests.adapters.inbound.fake_core import FakeCore
from tests.plain import PLAIN
from tests.waiting import eventually


class Door:
    """`/keys` wants an API key, also by Basic, and `/tokens` an access token; `limit` failures a minute."""

    def __init__(self, core: FakeCore, address: Path, limit: int) -> None:
        self.now = 1000.0
        self._core = core
        settings = Settings(http_address=f"unix:{address}")
        limits, self._registry = Limits.of(settings), CollectorRegistry()
        self._principals = Principals(Clock(monotonic=lambda: self.now))
        self._authentication = Authentication(self._principals, basic=True)
        self.failures = FailedAuthentications(limit, lambda: self.now)
        keys = Route("/keys", self._keys, tsh=True, partner=True, limited=partial(limited, status=429))
        tokens = Route("/tokens", self._tokens, partner=True)
        routes = Routes({b"/keys": keys, b"/tokens": tokens}, tokens, tokens, tokens, lambda _: None)
        application = Gateway(routes, limits, Metrics(self._registry), self.failures)
        config = uvicorn.Config(
            application, http=bounded(limits), ws="none", lifespan="off", interface="asgi3", log_config=None
        )
        self._server = Server(config)
        self._listener = bind(settings.http_address)
        self._thread = threading.Thread(target=self._serve)
        self.client = httpx.Client(
            transport=httpx.HTTPTransport(uds=str(address), verify=PLAIN), base_url="http://gateway"
        )

    def __enter__(self) -> "Door":
        self.let_pass(0)
        self._thread.start()
        eventually(lambda: self._server.started)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        self._server.should_exit = True
        self._thread.join(10)
        self._listener.close()

    def let_pass(self, seconds: float) -> None:
        """The clock goes on, and the core says that all is as it was."""
        self.now += seconds
        self._principals.apply(self._core.snapshot)

    def metrics(self) -> str:
        return generate_latest(self._registry).decode()

    def post(self, path: str, authorization: str = "", **headers: str) -> httpx.Response:
        sent = {"authorization": authorization} if authorization else {}
        return self.client.post(path, headers=sent | headers)

    def _serve(self) -> None:
        asyncio.run(self._server.serve([self._listener]))

    async def _keys(self, request: Request) -> Answer:
        await self._authentication.api_key(request)
        return NO_CONTENT

    async def _tokens(self, request: Request) -> Answer:
        self._authentication.bearer(request)
        return NO_CONTENT
