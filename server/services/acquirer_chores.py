"""The steward's chore for what no key opened: tried again when its config has got a key."""

from prometheus_client import Gauge

from server.ports import Transaction
from server.services import acquirer_notifications
from server.services.acquirer_desk import AcquirerDesk
from server.services.acquirer_notifications import Opened

# Tried in one transaction. Who records waits for one step at most.
LIMIT = 50
CONTESTED = Gauge("mintmark_acquirer_transactions_contested", "Acquirer transactions that are contested.", ("account",))
KEPT = Gauge("mintmark_unreadable_notifications_kept", "Notifications that no key has opened.", ("account",))


class UnreadableNotifications:
    """Opens what can be opened by now, and counts what is kept."""

    name = "unreadable_notifications"

    def __init__(self, desk: AcquirerDesk, interval: float = 1.0) -> None:
        self.interval = interval
        self._desk = desk
        self._counted: dict[Gauge, set[str]] = {CONTESTED: set(), KEPT: set()}

    def wanted(self) -> bool:
        view = self._desk.house.store.view
        self._count(CONTESTED, view.acquirer.contested_counts())
        self._count(KEPT, view.acquirer.unreadable_counts())
        return bool(view.acquirer.configs_to_try())

    def step(self) -> bool:
        desk = self._desk
        configs = desk.house.store.view.acquirer.configs_to_try()
        for config in configs:
            self._open(config)
        return bool(configs)

    def _open(self, config: str) -> None:
        desk, config_id = self._desk, config.removeprefix("webhookConfigs/")
        opened = Opened()
        while True:
            after = opened.last

            def unit(transaction: Transaction, after: str = after) -> Opened:
                return acquirer_notifications.open_kept(desk, transaction, config_id, LIMIT, after)

            opened = desk.house.store.write(config, unit)
            if opened.opened + opened.unreadable < LIMIT:
                return

    def _count(self, gauge: Gauge, counts: dict[str, int]) -> None:
        for label in self._counted[gauge] - counts.keys():
            gauge.labels(label).set(0)
        for label, count in counts.items():
            gauge.labels(label).set(count)
        self._counted[gauge] |= counts.keys()
