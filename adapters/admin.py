"""The admin address of a role: whether it lives, whether it can serve, and its metrics."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from importlib.metadata import version

import uvicorn
from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from adapters.serving import Server, bind

Ready = Callable[[], str]


def app(ready: Ready, registry: CollectorRegistry) -> Starlette:
    """`/livez`, `/readyz` and `/metrics` (Prometheus text). `ready` returns why it cannot serve; empty when it can."""

    async def livez(_request: Request) -> Response:
        return PlainTextResponse("ok\n")

    async def readyz(_request: Request) -> Response:
        why = ready()
        return PlainTextResponse(f"{why or 'ok'}\n", 503 if why else 200)

    async def metrics(_request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    return Starlette(routes=[Route("/livez", livez), Route("/readyz", readyz), Route("/metrics", metrics)])


@asynccontextmanager
async def serving(address: str, ready: Ready, registry: CollectorRegistry) -> AsyncIterator[None]:
    """Serves the admin address while the block runs. Raises AddressUnusable."""
    build = Gauge("mintmark_build_info", "Always 1; the version that runs.", ("version",), registry=registry)
    build.labels(version("mintmark")).set(1)
    listener = bind(address)
    config = uvicorn.Config(
        app(ready, registry),
        http="httptools",
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        limit_concurrency=64,
        timeout_keep_alive=5,
        timeout_graceful_shutdown=1,
    )
    server = Server(config)
    task = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await task
        listener.close()
