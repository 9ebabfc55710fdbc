"""Digital cards: for those who read them, and as the reports of a transaction leave them."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from server.domain import digital_cards, issuer_operations, names
from server.domain.callers import Caller
from server.domain.digital_cards import DigitalCard
from server.domain.events import Event, EventKind
from server.domain.notifications import D1IssuerOperation, Record
from server.domain.queries import DigitalCardQuery, Page
from server.domain.refusals import ResourceNotFound
from server.ports import Shelf, Store


def get(store: Store, caller: Caller, name: str) -> DigitalCard:
    """Raises ResourceNotFound."""
    found = store.view.issuers.digital_card(name)
    if found is None or not caller.reach.issuer(found.issuer_id):
        raise ResourceNotFound(name)
    return found


def list_page(store: Store, query: DigitalCardQuery, page: Page) -> list[DigitalCard]:
    return store.view.issuers.digital_cards(query, page)


@dataclass(frozen=True, slots=True)
class Telling:
    """A report, the notification that it is kept as, and what its events say of who acted. `again` where it is
    replayed: then the notification is not their cause."""

    record: Record
    notification: str
    actor: str
    correlation_id: str
    again: bool = False
    details: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class DigitalCardBook:
    """The digital cards that a transaction concerns, as they are after each of its reports."""

    held: dict[str, DigitalCard]
    stored: frozenset[str]
    changed: dict[str, DigitalCard] = field(default_factory=dict)

    @classmethod
    def open(cls, shelf: Shelf[DigitalCard], records: Iterable[Record]) -> "DigitalCardBook":
        """With the digital cards that the records tell of, in one read."""
        wanted = [name for record in records for name in digital_cards.names_told(record)]
        held = shelf.get_many(wanted)
        return cls(held, frozenset(held))

    def tell(self, telling: Telling, now: int, append: Callable[[Event], None]) -> None:
        """What a report says of digital cards."""
        record = telling.record
        if not isinstance(record.content, D1IssuerOperation):
            return
        arrival = names.arrival_of(telling.notification)
        for name in digital_cards.names_told(record):
            held = self.held.get(name)
            after = digital_cards.report(held, name, record, record.content, now, arrival, again=telling.again)
            if after is None or after is held:
                continue
            self.held[name] = self.changed[name] = after
            append(_event(telling, held, after, record.content, now))

    def save(self, shelf: Shelf[DigitalCard]) -> None:
        """Writes what has changed, in the order of names: two cores wait for each other instead of locking each other
        out."""
        changed = [self.changed[name] for name in sorted(self.changed)]
        shelf.insert([card for card in changed if card.name not in self.stored])
        shelf.update([card for card in changed if card.name in self.stored])


def _event(telling: Telling, held: DigitalCard | None, after: DigitalCard, fact: D1IssuerOperation, now: int) -> Event:
    # Of the report that caused it, which may be an older one than the card's last.
    told = {
        "operation": fact.operation,
        "operation_state": issuer_operations.state_of(fact.status),
        "state": after.state,
    }
    return Event(
        kind=EventKind.DIGITAL_CARD_UPDATED,
        resource=after.name,
        time=now,
        correlation_id=telling.correlation_id,
        notification="" if telling.again else telling.notification,
        actor=telling.actor,
        details={**told, **({"state_before": held.state} if held else {}), **telling.details},
        snapshot=after,
        issuer_id=after.issuer_id,
    )
