"""The steward's chore for webhook configs: keys whose time is over, what nobody has looked at for long, and metrics."""

from prometheus_client import Gauge

from server.domain import webhook_keys
from server.domain.callers import Caller, Reach
from server.domain.events import EventKind
from server.domain.webhook_configs import WebhookConfigState
from server.ports import Transaction
from server.services import webhook_book, webhook_schedule
from server.services.webhook_house import WebhookHouse

LIMIT = 100
STATES = Gauge("mintmark_webhook_configs", "Webhook configs by account and state.", ("account", "state"))
OURSELVES = Caller("", frozenset(), Reach())


class WebhookTimes:
    """Removes keys past their time, and deleted configs with the last of theirs; has the acquirer asked what it has."""

    name = "webhook_times"

    def __init__(self, house: WebhookHouse, interval: float = 60.0) -> None:
        self.interval = interval
        self._house = house
        self._counted: set[tuple[str, str]] = set()

    def wanted(self) -> bool:
        self._count()
        now = self._house.now_outside()
        expired_before = now - self._house.limits.key_keep
        return self._house.store.view.has_webhook_chore(expired_before, self._refresh_before(now))

    def step(self) -> bool:
        house = self._house
        return house.store.write("webhookConfigs", self._tidy)

    def _refresh_before(self, now: int) -> int | None:
        return now - self._house.limits.refresh if self._house.limits.refresh else None

    def _tidy(self, transaction: Transaction) -> bool:
        now = self._house.now(transaction)
        before = self._refresh_before(now)
        stale = transaction.webhooks.to_refresh(before, LIMIT) if before is not None else []
        configs = transaction.webhooks.configs.get_many(stale)
        webhook_book.want_refresh(transaction, [configs[name] for name in sorted(configs)], now)
        for account, scope in sorted({(each.account, each.scope) for each in configs.values()}):
            webhook_schedule.ask(transaction, account, scope, now, "")
        expired = transaction.webhooks.expired(now, self._house.limits.key_keep, LIMIT)
        removed = [self._remove_keys(transaction, name, now) for name in expired]
        return len(stale) == LIMIT or (len(expired) == LIMIT and any(removed))

    def _remove_keys(self, transaction: Transaction, name: str, now: int) -> bool:
        """Whether anything was removed."""
        keep = self._house.limits.key_keep
        config = transaction.webhooks.configs.get(name)
        if config is None:
            return False
        keys = transaction.webhooks.keys_of([name])[name]
        times = {key.name: webhook_keys.expire_time(key, keys, config.key_end_time, keep) for key in keys}
        over = [key for key in keys if (times[key.name] or now) < now]
        transaction.webhooks.keys.delete([key.name for key in over])
        for key in over:
            event = webhook_book.event(EventKind.WEBHOOK_KEY_REMOVED, OURSELVES, config, now, key=key.name)
            transaction.append(event)
        gone = config.state is WebhookConfigState.DELETED and (config.delete_time or now) + keep < now
        if gone and len(over) == len(keys):
            transaction.webhooks.configs.delete([name])
            return True
        return bool(over)

    def _count(self) -> None:
        counts = self._house.store.view.webhook_config_counts()
        for account, state in self._counted - counts.keys():
            STATES.labels(account, state).set(0)
        for (account, state), count in counts.items():
            STATES.labels(account, state).set(count)
        self._counted |= counts.keys()
