"""How far subscriptions are behind, for the metrics."""

import threading
from collections.abc import Iterable

from prometheus_client.core import REGISTRY, GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from server.domain.refusals import StoreUnavailable
from server.ports import Clock, Store

# However often somebody asks for the metrics, the store is asked no more often than this.
KEPT_S = 5.0


class LagMetrics(Collector):
    """One gauge a subscription, by one query when the metrics are asked for. While the store is gone there are none:
    a figure that nobody knows any more would look right."""

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._monotonic = clock.monotonic
        self._lock = threading.Lock()
        self._kept: dict[str, int] = {}
        self._kept_until = 0.0

    def start(self) -> None:
        REGISTRY.register(self)

    def stop(self) -> None:
        REGISTRY.unregister(self)

    def describe(self) -> Iterable[Metric]:
        """Nothing: registering asks the store for nothing, and cores in one process don't dispute the name."""
        return ()

    def collect(self) -> Iterable[Metric]:
        gauge = GaugeMetricFamily(
            "mintmark_subscription_lag_events",
            "Events of the stream after what a subscription has acknowledged.",
            labels=("subscription",),
        )
        for name, lag in self._lags().items():
            gauge.add_metric((name,), lag)
        return (gauge,)

    def _lags(self) -> dict[str, int]:
        with self._lock:
            if self._monotonic() >= self._kept_until:
                try:
                    head = self._store.view.bounds()[1]
                    floors = self._store.view.subscription_floors()
                    self._kept = {each.name: max(0, head - each.sequence) for each in floors}
                except StoreUnavailable:
                    self._kept = {}
                self._kept_until = self._monotonic() + KEPT_S
            return self._kept
