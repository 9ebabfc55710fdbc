"""Issuers' cards, the keys of their data, and accesses to it, within a transaction."""

from collections.abc import Collection, Sequence
from typing import Protocol

from server.domain.card_accesses import CardAccess, CardDataPurpose
from server.domain.card_keys import CardHashKey, CardKey
from server.domain.cards import Card, CurrentKeys, NumberHash
from server.domain.queries import CardAccessQuery, CardQuery, Page
from server.domain.tasks import Task
from server.ports.shelf import Shelf


class Cards(Protocol):
    """Locked in this order: cards, hash keys, tasks. Whoever claims tasks locks no card."""

    @property
    def cards(self) -> Shelf[Card]: ...
    @property
    def keys(self) -> Shelf[CardKey]: ...
    @property
    def hash_keys(self) -> Shelf[CardHashKey]: ...
    @property
    def accesses(self) -> Shelf[CardAccess]: ...

    def with_number(self, issuer_id: str, hashes: Sequence[NumberHash]) -> list[Card]:
        """The issuer's cards whose number has one of these hashes, in the order of the hashes, unlocked."""

    def lock_with_number(self, issuer_id: str, hashes: Sequence[NumberHash]) -> Card | None:
        """The first of them, locked."""

    def of_consumer(self, issuer_id: str, consumer_id: str) -> str:
        """The name of one of the consumer's cards that are neither deleted nor rejected; empty where there is none."""

    def save_attempts(self, card: Card) -> None:
        """Saves what is known of tries at the card's security code, and nothing else."""

    def due(self, kids: Collection[str], now: int, limit: int, *, with_rotations: bool) -> list[tuple[Task, Card]]:
        """Due tasks for gateways with these keys, locked, with their cards, unlocked: card data that waits first, then
        the longest due. Those that another core is claiming are left out."""

    def tasks_of(self, card: str) -> list[Task]:
        """The tasks for a card."""

    def to_rotate(self, current: CurrentKeys, kids: Collection[str], limit: int) -> list[Card]:
        """Cards whose data is for one of `kids` and not under the current keys, and that nobody has a task for."""

    def unreported(self, card: str, purposes: Collection[CardDataPurpose]) -> CardAccess | None:
        """The last access to a card for one of these purposes, where nobody has said what it came to."""


class CardView(Protocol):
    """Reads outside of the writer, each a consistent one of its own."""

    def card(self, name: str) -> Card | None: ...
    def cards(self, query: CardQuery, page: Page) -> list[Card]:
        """In the order of their names."""

    def keys(self) -> list[CardKey]: ...
    def hash_keys(self) -> list[CardHashKey]: ...
    def accesses(self, query: CardAccessQuery, page: Page) -> list[CardAccess]:
        """The newest first; `page.after` names the last one of the page before."""

    def has_due(self, kids: Collection[str], now: int, *, with_rotations: bool) -> bool:
        """Whether there may be a task for a gateway with these keys."""

    def waiting(self) -> tuple[int, int | None]:
        """How many tasks there are for gateways, and since when the oldest one is."""

    def has_to_rotate(self, current: CurrentKeys, kids: Collection[str]) -> bool:
        """Whether there may be a card to rotate for a gateway with these keys."""

    def under_former_keys(self, current: CurrentKeys) -> tuple[int, int]:
        """How many cards have card data for another key than the current one, and how many another key's hash."""
