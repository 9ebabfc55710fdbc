"""What the gateway counts of its calls to issuers' own systems."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from adapters.inbound.metrics import BUCKETS


class DirectoryMetrics:
    """Labels hold the names of calls and what they came to, never ids."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Counter(
            "mintmark_directory_calls",
            "Calls to issuers' own systems, by what they came to.",
            ("method", "outcome"),
            registry=registry,
        )
        self._seconds = Histogram(
            "mintmark_directory_call_seconds",
            "Time until an issuer's own system has answered, in seconds.",
            ("method",),
            buckets=BUCKETS,
            registry=registry,
        )
        self._resting = Gauge(
            "mintmark_directory_breakers_open",
            "Issuers' own systems that are not called for a while, or only to see how they are.",
            registry=registry,
        )

    def came_to(self, method: str, outcome: str) -> None:
        """Counts one call."""
        self._calls.labels(method, outcome).inc()

    def took(self, method: str, seconds: float) -> None:
        """Counts the time of a call that was made."""
        self._seconds.labels(method).observe(seconds)

    def resting(self, count: Callable[[], float]) -> None:
        """Says how many breakers are open."""
        self._resting.set_function(count)
