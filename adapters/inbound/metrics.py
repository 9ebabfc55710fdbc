"""What the gateway counts. Labels hold route templates, never ids."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
BATCHES = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)


class Metrics:
    """The gateway's metrics in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self._requests = Counter("mintmark_http_requests", "Requests answered.", ("route", "status"), registry=registry)
        self._seconds = Histogram(
            "mintmark_http_request_seconds",
            "Time to the answer, in seconds.",
            ("route",),
            buckets=BUCKETS,
            registry=registry,
        )
        self.in_flight = Gauge("mintmark_http_requests_in_flight", "Requests being worked on.", registry=registry)
        self.streams = Gauge("mintmark_http_event_streams", "Event streams that are open.", registry=registry)
        self.batch = Histogram(
            "mintmark_notification_batch_size", "Records in a batch.", buckets=BATCHES, registry=registry
        )
        self.waiting = Gauge("mintmark_notifications_waiting", "Records waiting for a batch.", registry=registry)
        self.not_stored = Counter(
            "mintmark_notifications_not_stored", "Records not known to be stored.", registry=registry
        )
        self.batch_seconds = Histogram(
            "mintmark_notification_batch_seconds",
            "Time until the core has answered a batch, in seconds.",
            buckets=BUCKETS,
            registry=registry,
        )
        self.oldest = Gauge(
            "mintmark_notification_oldest_waiting_seconds",
            "Age of the oldest waiting record, in seconds.",
            registry=registry,
        )
        self.principals_age = Gauge(
            "mintmark_principals_age_seconds",
            "Time since the core last said who may call, in seconds; infinite before it has.",
            registry=registry,
        )
        self.spans = Counter(
            "mintmark_spans", "Spans that ended here, by what became of them.", ("outcome",), registry=registry
        )
        self._failed = Counter(
            "mintmark_failed_authentications", "Calls answered with 401.", ("route",), registry=registry
        )
        self._limited = Counter(
            "mintmark_limited_authentications",
            "Calls whose authentication failed past the limit, answered with 429 or 503.",
            ("route",),
            registry=registry,
        )
        self._counters: dict[tuple[str, int], Counter] = {}
        self._histograms: dict[str, Histogram] = {}

    def limited(self, route: str) -> None:
        """Counts one failed authentication past the limit."""
        self._limited.labels(route).inc()

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Counts one answer."""
        key = (route, status)
        counter = self._counters.get(key)
        if counter is None:
            counter = self._counters[key] = self._requests.labels(route, str(status))
        counter.inc()
        histogram = self._histograms.get(route)
        if histogram is None:
            histogram = self._histograms[route] = self._seconds.labels(route)
        histogram.observe(seconds)
        if status == 401:
            self._failed.labels(route).inc()
