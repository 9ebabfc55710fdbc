"""The dispatcher role: everything it is made of, from its start to its end."""

import asyncio
import contextlib
import signal
import ssl
import time
from importlib.metadata import version
from typing import TYPE_CHECKING

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from adapters import admin
from adapters.core import AioAccessToken, CredentialsMissing, Tls, aio_channel
from adapters.following import Following
from adapters.outbound.access_tokens import AccessTokens
from adapters.outbound.calls import CallBook
from adapters.outbound.core_tasks import CoreTasks
from adapters.outbound.core_trouble import CORE_TROUBLE
from adapters.outbound.dispatcher import Dispatcher
from adapters.outbound.metrics import Metrics
from adapters.outbound.spool import Spool
from adapters.outbound.transport import Transport, presenting
from adapters.settings import Settings, SettingsInvalid, hide_opentelemetry

if TYPE_CHECKING:
    from adapters.outbound.shared_access_tokens import SharedAccessTokens
    from adapters.traces import Traces

CLIENT = "role.dispatcher"
ROLE = "dispatcher"
CHECK_EVERY = 1.0
TIMEOUT = 3.0
# After the core could not be asked for the key of what is kept in Redis.
KEY_AGAIN_S = 30.0


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
    d1_transport = Transport(settings.dispatcher_concurrency, tls=_d1_tls(settings))
    metrics = Metrics(registry)
    traces = _traces(settings, metrics)
    tracer = traces.tracer if traces else None
    following = [Following(tracer, begins=False)] if tracer else []
    why = "waiting for the core"
    async with (
        aio_channel(settings.core_internal_address, tls, interceptors=following) as channel,
        aio_channel(settings.core_internal_address, tls, streams=True) as waiting,
        contextlib.AsyncExitStack() as stack,
    ):
        stack.push_async_callback(transport.aclose)
        stack.push_async_callback(d1_transport.aclose)
        access_token = AioAccessToken(channel, settings.credentials(CLIENT))
        core = CoreTasks(channel, waiting, access_token)
        book = CallBook(metrics, tracer)
        shared = await _shared(settings, core, metrics, stack)
        tokens = await stack.enter_async_context(contextlib.aclosing(AccessTokens(transport, book, shared)))
        d1_tokens = await stack.enter_async_context(contextlib.aclosing(AccessTokens(d1_transport, book, shared)))
        concurrency = settings.dispatcher_concurrency
        dispatcher = Dispatcher(core, transport, tokens, d1_transport, d1_tokens, spool, book, metrics, concurrency)
        async with admin.serving(settings.admin_address, lambda: why or dispatcher.trouble, registry):
            structlog.get_logger().info("working", core=settings.core_internal_address)
            working = asyncio.create_task(dispatcher.work(stop, settings.dispatcher_shutdown_timeout))
            while not stop.is_set() and not working.done():
                why = await _trouble(channel, access_token)
                await asyncio.wait({working}, timeout=CHECK_EVERY if not why else CHECK_EVERY / 5)
            why = "stopping"
            await working
    if traces:
        await asyncio.to_thread(traces.close, settings.dispatcher_shutdown_timeout)


def _d1_tls(settings: Settings) -> ssl.SSLContext:
    certificate, key, ca = settings.dispatcher_d1_certificate, settings.dispatcher_d1_key, settings.dispatcher_d1_ca
    try:
        return presenting(certificate, key, ca)
    except (OSError, ssl.SSLError):
        names = "MINTMARK_DISPATCHER_D1_CERTIFICATE, MINTMARK_DISPATCHER_D1_KEY and MINTMARK_DISPATCHER_D1_CA"
        raise SettingsInvalid(f"{names}: must be PEM files that can be read and belong together") from None


def _traces(settings: Settings, metrics: Metrics) -> "Traces | None":
    if settings.traces == "none":
        return None
    hide_opentelemetry()
    from adapters.traces import Traces

    return Traces(settings, ROLE, version("mintmark"), lambda outcome, count: metrics.spans.labels(outcome).inc(count))


async def _shared(
    settings: Settings, core: CoreTasks, metrics: Metrics, stack: contextlib.AsyncExitStack
) -> "SharedAccessTokens | None":
    """Where dispatchers share access tokens; None without a Redis."""
    if not settings.redis_url:
        return None
    from adapters.cache.redis import Redis
    from adapters.outbound.shared_access_tokens import SharedAccessTokens

    try:
        redis = Redis(settings.redis_url, metrics.redis_failures.inc)
    except ValueError:
        raise SettingsInvalid("MINTMARK_REDIS_URL: not the URL of a Redis") from None
    await stack.enter_async_context(contextlib.aclosing(redis))
    return SharedAccessTokens(redis, CacheKey(core).get)


class CacheKey:
    """The key of what is kept in Redis: asked for when it is first needed, and not again for a while where it cannot be
    had."""

    def __init__(self, core: CoreTasks) -> None:
        self._core = core
        self._key: bytes | None = None
        self._again_at = 0.0

    async def get(self) -> bytes | None:
        if self._key is None and time.monotonic() >= self._again_at:
            try:
                self._key = await self._core.access_token_key()
            except CORE_TROUBLE:
                self._again_at = time.monotonic() + KEY_AGAIN_S
        return self._key


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
