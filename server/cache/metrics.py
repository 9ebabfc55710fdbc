"""What the cache counts and shows on `/metrics`."""

from prometheus_client import Counter, Gauge, Histogram

READS = Counter(
    "mintmark_cache_reads_total",
    "Reads of token and binding views: hit, absent (a hit that says there is none), miss, busy (somebody changes or "
    "reads it), lie (not ours, or too old), unused (the cache was not asked).",
    ("kind", "outcome"),
)
MARKS = Counter("mintmark_cache_marks_total", "Names marked before a commit.")
PAUSED = Gauge("mintmark_cache_paused", "Whether a pause keeps this core off the cache.")
REDIS_SECONDS = Histogram(
    "mintmark_redis_seconds",
    "Time of operations on Redis, in seconds.",
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25),
)
REDIS_FAILURES = Counter("mintmark_redis_failures_total", "Operations on Redis that failed or took too long.")
REDIS_UNUSED = Gauge("mintmark_redis_breaker_open", "Whether Redis is left alone after failures.")
