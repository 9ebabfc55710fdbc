"""What everything about issuers' cards shares: the clock, new ids, who may speak to us, and the keys as they are."""

from dataclasses import dataclass

from server.domain import card_keys
from server.domain.callers import Caller
from server.domain.cards import Card, CurrentKeys
from server.domain.events import Event, EventKind
from server.domain.principals import Principals
from server.ports import Clock, Ids, Store, Transaction
from server.services.principals import Directory


@dataclass(frozen=True, slots=True)
class CardHouse:
    """Times are on the database's clock, which every core shares. `lease` is in microseconds."""

    store: Store
    clock: Clock
    ids: Ids
    directory: Directory
    lease: int

    def now(self, transaction: Transaction) -> int:
        return transaction.ledger.now() + self.clock.offset()

    def now_outside(self) -> int:
        """Raises StoreUnavailable."""
        return self.store.view.database_time() + self.clock.offset()

    @property
    def principals(self) -> Principals:
        """Raises StoreUnavailable where they must be read and cannot be."""
        return self.directory.principals

    def kids(self, transaction: Transaction, now: int) -> list[str]:
        """The ids of the keys that gateways have, the current one first."""
        return [key.kid for key in card_keys.live(transaction.cards.keys.all(), now)]

    def current(self, transaction: Transaction, now: int) -> CurrentKeys:
        return CurrentKeys(
            card_keys.current(transaction.cards.keys.all(), now),
            card_keys.current_hash_key(transaction.cards.hash_keys.all(), now),
        )

    def current_outside(self, now: int) -> CurrentKeys:
        """Raises StoreUnavailable."""
        view = self.store.view.cards
        return CurrentKeys(card_keys.current(view.keys(), now), card_keys.current_hash_key(view.hash_keys(), now))


def event(kind: EventKind, caller: Caller, card: Card, now: int, **details: str) -> Event:
    """An event of a card; its snapshot holds nothing that is encrypted or hashed."""
    return Event(
        kind=kind,
        resource=card.name,
        time=now,
        correlation_id=caller.correlation_id,
        actor=caller.client,
        details={name: text for name, text in details.items() if text},
        snapshot=card,
        issuer_id=card.issuer_id,
    )


def tell_change(transaction: Transaction, caller: Caller, before: Card, after: Card, now: int, **details: str) -> None:
    """Appends the event of a card that changed."""
    said = {"state": after.state.value, "state_before": before.state.value, **details}
    transaction.append(event(EventKind.CARD_UPDATED, caller, after, now, **said))
