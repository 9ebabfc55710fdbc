"""What everything about webhook configs shares: the clock, the keys, the limits, and where the acquirer reaches us."""

from dataclasses import dataclass
from urllib.parse import quote

from server.ports import Clock, Hasher, Ids, MessageKeys, Sealer, Store, Transaction

NOTIFICATIONS_PATH = "/sibs/notifications/"


@dataclass(frozen=True, slots=True)
class WebhookLimits:
    """Microseconds. `key_keep`: how long a key is kept after its last use. `refresh`: how often the acquirer is asked
    what it has without anybody wanting it; 0 for never."""

    lease: int
    key_keep: int
    refresh: int


@dataclass(frozen=True, slots=True)
class WebhookHouse:
    """Times are on the database's clock, which every core shares."""

    store: Store
    clock: Clock
    ids: Ids
    hasher: Hasher
    sealer: Sealer
    message_keys: MessageKeys
    limits: WebhookLimits
    public_url: str

    def now(self, transaction: Transaction) -> int:
        return transaction.ledger.now() + self.clock.offset()

    def now_outside(self) -> int:
        """Raises StoreUnavailable."""
        return self.store.view.database_time() + self.clock.offset()

    def own_address(self, webhook_config_id: str) -> str:
        """Where the acquirer's notifications for a config reach us."""
        return f"{self.public_url.rstrip('/')}{NOTIFICATIONS_PATH}{quote(webhook_config_id, safe='')}"
