"""The dispatcher role: everything it is made of, from its start to its end."""

import asyncio
import contextlib
import signal

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from adapters import admin
from adapters.core import AioAccessToken, CredentialsMissing, Tls, aio_channel
from adapters.outbound.core_tasks import CoreTasks
from adapters.outbound.dispatcher import Dispatcher
from adapters.outbound.metrics import Metrics
from adapters.outbound.spool import Spool
from adapters.outbound.transport import Transport
from adapters.settings import Settings, SettingsInvalid

CLIENT = "role.dispatcher"
CHECK_EVERY = 1.0
TIMEOUT = 3.0


def run(settings: Settings) -> None:
    """Works until SIGTERM or SIGINT. Raises SettingsInvalid and AddressUnusable before it starts."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(work(settings))


async def work(settings: Settings) -> None:
    """Works on the running loop until a signal comes; then finishes what is in flight."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    try:
        spool = Spool(settings.spool_dir)
    except OSError as error:
        raise SettingsInvalid(f"MINTMARK_DATA_DIR: the spool cannot be made there: {error.strerror}") from None
    tls = Tls(settings.grpc_ca, settings.internal_certificate, settings.internal_key)
    transport = Transport(settings.dispatcher_concurrency)
    why = "waiting for the core"
    async with (
        aio_channel(settings.core_internal_address, tls) as channel,
        aio_channel(settings.core_internal_address, tls, streams=True) as waiting,
        contextlib.aclosing(transport),
    ):
        access_token = AioAccessToken(channel, settings.credentials(CLIENT))
        core = CoreTasks(channel, waiting, access_token)
        dispatcher = Dispatcher(core, transport, spool, Metrics(registry), settings.dispatcher_concurrency)
        async with admin.serving(settings.admin_address, lambda: why or dispatcher.trouble, registry):
            structlog.get_logger().info("working", core=settings.core_internal_address)
            working = asyncio.create_task(dispatcher.work(stop, settings.dispatcher_shutdown_timeout))
            while not stop.is_set() and not working.done():
                why = await _trouble(channel, access_token)
                await asyncio.wait({working}, timeout=CHECK_EVERY if not why else CHECK_EVERY / 5)
            why = "stopping"
            await working


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
