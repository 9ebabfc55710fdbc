"""The sandbox as a role: its control API, its admin address, and its end."""

import asyncio
import signal
from collections.abc import Iterator

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from adapters import admin
from adapters.clock import Clock
from adapters.sandbox.app import Sandbox, build
from adapters.sandbox.payment_options.listener import configuration
from adapters.serving import Server, bind
from adapters.settings import Settings

log = structlog.get_logger("mintmark.sandbox")


class _Feeds(Collector):
    """The feeds as metrics."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox

    def collect(self) -> Iterator[Metric]:
        """Read when asked."""
        stopped = GaugeMetricFamily(
            "mintmark_sandbox_feed_stopped", "Whether the feed waits for a resume.", labels=["feed"]
        )
        sent = CounterMetricFamily(
            "mintmark_sandbox_attempts", "Attempts, by what became of them.", labels=["feed", "outcome"]
        )
        for name, feed in self._sandbox.feeds.items():
            stopped.add_metric([name], int(feed.stopped))
            for outcome in ("acknowledged", "retried", "refused"):
                sent.add_metric([name, outcome], feed.counts[outcome])
        yield stopped
        yield sent


async def serve(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT. Raises AddressUnusable."""
    sandbox = Sandbox(settings, Clock(settings.clock_file if settings.development else None).wall)
    registry = CollectorRegistry()
    registry.register(_Feeds(sandbox))
    listener = bind(settings.sandbox_address)
    server = Server(configuration(build(sandbox), lifespan=True))

    def stop() -> None:
        server.should_exit = True

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        async with admin.serving(settings.admin_address, lambda: "" if server.started else "starting", registry):
            log.info("serving", address=settings.sandbox_address, target=settings.sandbox_target_url)
            await server.serve([listener])
    finally:
        listener.close()
