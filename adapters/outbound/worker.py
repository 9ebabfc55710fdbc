"""The dispatcher role. In this version the core has no tasks, so it only keeps a checked connection to it."""

import asyncio
import contextlib
import signal

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from adapters import admin
from adapters.core import AioAccessToken, CredentialsMissing, Tls, aio_channel
from adapters.settings import Settings

CLIENT = "role.dispatcher"
CHECK_EVERY = 1.0
TIMEOUT = 3.0


def run(settings: Settings) -> None:
    """Works until SIGTERM or SIGINT. Raises AddressUnusable before it starts."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(settings))


async def work(settings: Settings) -> None:
    """Checks the core every second, as a client with the dispatcher's credentials."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    tls = Tls(settings.grpc_ca, settings.internal_certificate, settings.internal_key)
    why = "waiting for the core"
    async with (
        aio_channel(settings.core_internal_address, tls) as channel,
        admin.serving(settings.admin_address, lambda: why, registry),
    ):
        access_token = AioAccessToken(channel, settings.credentials(CLIENT))
        structlog.get_logger().info("this version has no tasks to claim")
        while not stop.is_set():
            why = await _trouble(channel, access_token)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), CHECK_EVERY if not why else CHECK_EVERY / 5)


async def _trouble(channel: grpc.aio.Channel, access_token: AioAccessToken) -> str:
    """Why the core cannot be worked with; empty where it can."""
    try:
        await access_token.metadata()
        answer = await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=TIMEOUT)
    except CredentialsMissing:
        return "the credentials cannot be read"
    except grpc.aio.AioRpcError as error:
        return f"the core answers {error.code().name}"
    return "" if answer.status == health_pb2.HealthCheckResponse.SERVING else "the core is not serving"
