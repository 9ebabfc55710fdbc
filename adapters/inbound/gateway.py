"""The gateway role: everything it is made of, from its start to its end."""

import asyncio
import contextlib
import signal
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import structlog
import uvicorn
from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

from adapters import admin
from adapters.clock import Clock
from adapters.core import AioAccessToken, Tls, aio_channel
from adapters.following import Following
from adapters.inbound.app import Gateway
from adapters.inbound.authentication import Authentication
from adapters.inbound.card_keys import CardKeys
from adapters.inbound.card_metrics import CardMetrics
from adapters.inbound.consumer_information import PATH, ConsumerInformation
from adapters.inbound.core_calls import CoreCalls
from adapters.inbound.d1_directory import D1Directory
from adapters.inbound.d1_ecom import D1Ecom
from adapters.inbound.d1_issuer import D1Issuer
from adapters.inbound.directory import CardDirectories
from adapters.inbound.directory_metrics import DirectoryMetrics
from adapters.inbound.directory_tls import DirectoryTls
from adapters.inbound.failed_authentications import FailedAuthentications
from adapters.inbound.issuer_cards import Core, IssuerCards
from adapters.inbound.issuer_paths import IssuerCallers, IssuerPath
from adapters.inbound.limits import Limits
from adapters.inbound.metrics import Metrics
from adapters.inbound.oauth import OAuth, Paths
from adapters.inbound.payment_options import PaymentWebhooks
from adapters.inbound.principals import Principals, watch
from adapters.inbound.protocol import bounded
from adapters.inbound.recorder import Recorder
from adapters.inbound.rest.description import documents
from adapters.inbound.rest.event_stream import EventStreams
from adapters.inbound.rest.paths import finder
from adapters.inbound.routes import of_consumers, of_directories, table
from adapters.inbound.sibs import SibsNotifications
from adapters.inbound.tsh import Tsh
from adapters.serving import Server, bind
from adapters.settings import Settings, SettingsInvalid, hide_opentelemetry

if TYPE_CHECKING:
    from adapters.traces import Traces

CLIENT = "role.gateway"
ROLE = "gateway"
LOOPBACK_NAMES = ("localhost", "127.0.0.1", "[::1]")
TICK = 0.02


def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT. Raises SettingsInvalid and AddressUnusable before it serves."""
    import uvloop

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(settings))


async def serve(settings: Settings) -> None:
    """Serves on the running loop until a signal comes; then refuses new work and finishes what is in flight."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with AsyncExitStack() as stack:
        principals, gateway, registry, traces = await stack.enter_async_context(_built(settings))
        stopping = "stopping"
        await stack.enter_async_context(
            admin.serving(
                settings.admin_address,
                lambda: stopping if gateway.stopping else ("" if principals.fresh else "waiting for the core"),
                registry,
            )
        )
        listener = stack.enter_context(contextlib.closing(bind(settings.http_address)))
        server = Server(_config(settings, gateway))
        task = asyncio.create_task(server.serve([listener]))
        stopped = asyncio.create_task(stop.wait())
        structlog.get_logger().info("serving", address=settings.http_address)
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        deadline = time.monotonic() + settings.shutdown_timeout
        await _drain(server, gateway, settings.shutdown_timeout)
        stopped.cancel()
        await task
        if traces:
            await asyncio.to_thread(traces.close, deadline - time.monotonic())


@asynccontextmanager
async def _built(
    settings: Settings,
) -> AsyncIterator[tuple[Principals, Gateway, CollectorRegistry, "Traces | None"]]:
    registry = CollectorRegistry()
    for collector in (ProcessCollector, PlatformCollector, GCCollector):
        collector(registry=registry)
    metrics = Metrics(registry)
    limits = Limits.of(settings)
    principals = Principals(Clock(settings.clock_file if settings.development else None))
    metrics.principals_age.set_function(principals.age)
    traces = _traces(settings, metrics)
    tracer = traces.tracer if traces else None
    following = [Following(tracer)] if tracer else []
    internal_tls = Tls(settings.grpc_ca, settings.internal_certificate, settings.internal_key)
    async with AsyncExitStack() as stack:
        try:
            internal = aio_channel(settings.core_internal_address, internal_tls, interceptors=following)
            stream = aio_channel(settings.core_internal_address, internal_tls, streams=True)
            public = aio_channel(settings.grpc_address, Tls(settings.grpc_ca), interceptors=following)
            public_stream = aio_channel(
                settings.grpc_address, Tls(settings.grpc_ca), streams=True, interceptors=following
            )
        except OSError as missing:
            raise SettingsInvalid(f"a file of MINTMARK_GRPC_CA or MINTMARK_INTERNAL_*: {missing.strerror}") from None
        for channel in (internal, stream, public, public_stream):
            stack.push_async_callback(channel.close)
        access_token = AioAccessToken(internal, settings.credentials(CLIENT))
        recorder = Recorder(internal, access_token, metrics, traced=tracer is not None)
        stack.push_async_callback(recorder.close)
        authentication = Authentication(principals, basic=settings.tsh_basic)
        callers = IssuerCallers(authentication, principals)
        card_metrics = CardMetrics(registry)
        card_keys = CardKeys(settings, card_metrics)
        directories = CardDirectories(
            principals, card_keys.open, DirectoryTls.of(settings), DirectoryMetrics(registry), following
        )
        stack.push_async_callback(directories.close)
        paths = Paths(public_url(settings), settings.ecom_token_path, settings.issuer_token_path)
        event_streams = EventStreams(limits.streams, metrics.streams)
        core = Core(internal, stream, access_token)
        consumers = ConsumerInformation(
            callers,
            internal,
            CoreCalls(access_token),
            IssuerPath.of(settings.issuer_consumers_prefix + PATH),
            directories,
        )
        cards = IssuerCards(settings, core, callers, limits, card_metrics, card_keys, directories)
        routes = table(
            D1Ecom(authentication, principals, recorder, limits),
            D1Issuer(callers, recorder, limits),
            Tsh(authentication, recorder, limits),
            PaymentWebhooks(internal, access_token, limits),
            SibsNotifications(internal, access_token, limits, tracer is not None),
            OAuth(internal, public, principals, limits, paths),
            paths,
            settings.tsh_prefix,
            settings.issuer_notifications_prefix,
            finder(public, public_stream, limits, event_streams, authentication.knows),
            *documents.routes(f"{paths.issuer}{paths.ecom_token}"),
            cards.keys_route,
        ).with_issuer_calls(
            (
                *cards.calls(),
                of_consumers(consumers),
                *of_directories(D1Directory(callers, directories, limits), settings),
            )
        )
        for work in (watch(principals, stream, access_token), *cards.background()):
            stack.push_async_callback(_cancelled, asyncio.create_task(work))
        failed = FailedAuthentications(settings.http_failed_authentication_limit, principals.clock.monotonic)
        gateway = Gateway(routes, limits, metrics, failed, _hosts(settings), tracer, event_streams.stop)
        yield principals, gateway, registry, traces


def _traces(settings: Settings, metrics: Metrics) -> "Traces | None":
    if settings.traces == "none":
        return None
    hide_opentelemetry()
    from adapters.traces import Traces

    return Traces(settings, ROLE, version("mintmark"), lambda outcome, count: metrics.spans.labels(outcome).inc(count))


async def _cancelled(task: asyncio.Task[None]) -> None:
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def _drain(server: uvicorn.Server, gateway: Gateway, seconds: float) -> None:
    """Refuses new work, waits for what is in flight, then stops the server; all in about `seconds`."""
    gateway.stop()
    deadline = time.monotonic() + seconds
    while gateway.in_flight and time.monotonic() < deadline:
        await asyncio.sleep(TICK)
    server.config.timeout_graceful_shutdown = 1
    server.should_exit = True


def public_url(settings: Settings) -> str:
    """Our URL as others see it, without a path."""
    if settings.public_url:
        return settings.public_url
    scheme = "https" if settings.http_tls_certificate else "http"
    return f"{scheme}://{'localhost' if settings.http_address.startswith('unix:') else settings.http_address}"


def _hosts(settings: Settings) -> set[str] | None:
    if not settings.development:
        return None
    configured = {settings.http_address.rpartition(":")[0], urlsplit(settings.public_url).hostname or ""}
    return {*LOOPBACK_NAMES, *configured} - {""}


def _config(settings: Settings, gateway: Gateway) -> uvicorn.Config:
    config = uvicorn.Config(
        gateway,
        http=bounded(Limits.of(settings)),
        ws="none",
        lifespan="off",
        interface="asgi3",
        access_log=False,
        log_config=None,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=settings.http_keep_alive_timeout,  # type: ignore[arg-type]  # any number of seconds works
        ssl_certfile=settings.http_tls_certificate,
        ssl_keyfile=settings.http_tls_key,
        ssl_ca_certs=str(settings.http_client_ca) if settings.http_client_ca else None,
        ssl_cert_reqs=ssl.CERT_OPTIONAL if settings.http_client_ca else ssl.CERT_NONE,
    )
    try:
        config.load()
    except (OSError, ssl.SSLError) as wrong:
        text = (
            f"MINTMARK_HTTP_TLS_CERTIFICATE, _KEY or MINTMARK_HTTP_CLIENT_CA: {wrong.strerror or type(wrong).__name__}"
        )
        raise SettingsInvalid(text) from None
    return config
