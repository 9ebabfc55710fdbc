"""What the dispatcher counts. Labels hold kinds and outcomes, never ids or accounts."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)


class Metrics:
    """The dispatcher's metrics in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.calls = Counter(
            "mintmark_partner_calls",
            "Calls to partners, by what became of them.",
            ("kind", "outcome"),
            registry=registry,
        )
        self.seconds = Histogram(
            "mintmark_partner_call_seconds",
            "Time of a call to a partner, in seconds.",
            ("kind",),
            buckets=BUCKETS,
            registry=registry,
        )
        self.in_flight = Gauge("mintmark_partner_calls_in_flight", "Tasks being worked on.", registry=registry)
        self.breakers = Gauge(
            "mintmark_partner_breakers_open", "Accounts of which little or nothing is claimed.", registry=registry
        )
        self.spooled = Gauge(
            "mintmark_spool_answers_waiting", "Answers on disk that the core does not know yet.", registry=registry
        )
        self.set_aside = Gauge(
            "mintmark_spool_answers_set_aside", "Answers on disk that only people can settle.", registry=registry
        )
        self.redis_failures = Counter(
            "mintmark_redis_failures", "Operations on Redis that failed or took too long.", registry=registry
        )
        self.spans = Counter(
            "mintmark_spans", "Spans that ended here, by what became of them.", ("outcome",), registry=registry
        )
