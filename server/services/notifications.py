"""Recording what partners send: durable, applied once, or kept in quarantine."""

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

import structlog

from server.domain import names, recording
from server.domain.bindings import Binding
from server.domain.callers import Caller
from server.domain.events import Event, EventKind
from server.domain.issuer_operations import IssuerOperation
from server.domain.merchants import Merchant
from server.domain.notifications import (
    LONGEST_SEARCHABLE,
    Notification,
    NotificationState,
    QuarantineReason,
    Record,
    RecordOutcome,
    RecordResult,
)
from server.domain.queries import NotificationQuery, Page
from server.domain.recording import Resource, Target
from server.domain.refusals import Refusal, ResourceNotFound
from server.domain.tokens import Token
from server.ports import Clock, ContentRefused, Hasher, Identity, Ids, Sealer, Shelf, Store, Transaction
from server.services import token_refreshes
from server.services.digital_cards import DigitalCardBook, Telling
from server.services.principals import Directory
from server.services.records import pack

R = TypeVar("R", Token, Binding, Merchant, IssuerOperation)

log = structlog.get_logger("notifications")


@dataclass(frozen=True, slots=True)
class Prepared:
    """A record with everything about it that needs no database."""

    record: Record
    name: str
    gateway: str
    target: Target
    digest: bytes | None
    sealed_body: bytes
    sealed_record: bytes
    quarantine_reason: QuarantineReason | None
    # The account that says how a token of the gateway is read again, where one does.
    d1_account: str = ""


@dataclass(slots=True)
class Book:
    """The resources and identities that a batch concerns, as they are after each of its records."""

    held: dict[tuple[type, str], Resource]
    identities: dict[bytes, Identity]
    stored: set[tuple[type, str]]
    known: set[bytes]
    digital_cards: DigitalCardBook
    changed: dict[tuple[type, str], Resource] = field(default_factory=dict)
    learned: dict[bytes, Identity] = field(default_factory=dict)
    notifications: list[Notification] = field(default_factory=list)
    deliveries: dict[str, int] = field(default_factory=dict)

    def save(self, of: type, resource: Resource) -> None:
        self.held[of, resource.name] = self.changed[of, resource.name] = resource

    def learn(self, identity: Identity) -> None:
        self.identities[identity.digest] = self.learned[identity.digest] = identity


class Recorder:
    """Records batches of notifications."""

    def __init__(
        self, store: Store, directory: Directory, hasher: Hasher, sealer: Sealer, clock: Clock, ids: Ids
    ) -> None:
        self._store = store
        self._directory = directory
        self._hasher = hasher
        self._sealer = sealer
        self._clock = clock
        self._ids = ids

    def record(self, records: Sequence[Record], deadline: float | None = None) -> list[RecordResult]:
        """Stores and applies the records, in one transaction. Safe to repeat. Raises StoreUnavailable.

        Where the database refuses the batch for its content, the batch is halved until the culprit is alone, and
        that one is kept in quarantine with nothing of its own but the sealed body. A fault of ours that one record
        brings out is kept from its neighbours in the same way, and that record is not stored.
        """
        now = self._clock.now()
        principals = self._directory.principals
        results: list[RecordResult | None] = [None] * len(records)
        prepared: list[Prepared] = []
        places: list[int] = []
        for place, record in enumerate(records):
            standing = principals.standing(record)
            if standing.refused:
                results[place] = RecordResult(standing.refused)
            else:
                reason = record.quarantine_reason or standing.quarantine_reason
                gateway = standing.merchant_gateway_id
                prepared.append(self._prepare(record, gateway, reason, principals.d1_accounts.get(gateway, ""), now))
                places.append(place)
        for place, result in zip(places, self._store_all(prepared, now, deadline), strict=True):
            results[place] = result
        return [result for result in results if result is not None]

    def _prepare(
        self, record: Record, gateway: str, reason: QuarantineReason | None, d1_account: str, now: int
    ) -> Prepared:
        name = names.notification(self._ids.notification_id(now))
        target = Target(None, "") if reason else recording.target(record, gateway)
        parts = recording.identity(record, gateway)
        return Prepared(
            record,
            name,
            gateway,
            target,
            self._hasher.identity_hash(*parts) if parts else None,
            self._sealer.seal(record.body, name.encode()),
            self._sealer.seal(pack(record), record_context(name)),
            reason or target.quarantine_reason,
            d1_account,
        )

    def _store_all(self, prepared: Sequence[Prepared], now: int, deadline: float | None) -> list[RecordResult]:
        if not prepared:
            return []
        try:
            return self._store.write(
                "notifications",
                lambda transaction: store_batch(transaction, prepared, now),
                deadline=deadline,
                correlation_ids=[each.record.correlation_id for each in prepared],
            )
        except Refusal:
            raise
        except ContentRefused:
            if len(prepared) == 1:
                bare = self._bare(prepared[0])
                return self._store.write("notifications", lambda transaction: store_batch(transaction, [bare], now))
        except Exception as error:
            if len(prepared) == 1:
                where = "".join(traceback.format_tb(error.__traceback__))
                record = prepared[0].record
                log.error(
                    "fault",
                    kind=record.kind,
                    error=type(error).__name__,
                    at=where,
                    correlation_id=record.correlation_id,
                )
                return [RecordResult(RecordOutcome.NOT_STORED)]
        half = len(prepared) // 2
        return self._store_all(prepared[:half], now, None) + self._store_all(prepared[half:], now, None)

    def _bare(self, prepared: Prepared) -> Prepared:
        """The same notification without anything that a database could refuse."""
        record = replace(
            prepared.record,
            merchant_id="",
            token_id="",
            device_id="",
            card_id="",
            digital_card_id="",
            consumer_id="",
            operation_id="",
            correlation_id="refused",
            content=None,
        )
        return replace(
            prepared, record=record, target=Target(None, ""), quarantine_reason=QuarantineReason.STORE_REFUSED
        )


def store_batch(transaction: Transaction, prepared: Sequence[Prepared], now: int) -> list[RecordResult]:
    """Decides per record and writes per table."""
    book = open_book(transaction, prepared)
    results = [record_one(book, each, now, transaction.append) for each in prepared]
    transaction.keep_notifications(book.notifications)
    transaction.count_deliveries(book.deliveries, now)
    # In order, so that two cores wait for each other instead of locking each other out.
    learned = sorted(book.learned.values(), key=lambda identity: identity.digest)
    new = [identity for identity in learned if identity.digest not in book.known]
    renewed = [identity for identity in learned if identity.digest in book.known]
    transaction.know(new, renewed)
    save_changed(book, Token, transaction.tokens)
    save_changed(book, Binding, transaction.bindings)
    save_changed(book, Merchant, transaction.merchants)
    save_changed(book, IssuerOperation, transaction.issuer_operations)
    book.digital_cards.save(transaction.digital_cards)
    # Last: whoever changes tasks has locked what they are for.
    changed = [resource for resource in book.changed.values() if isinstance(resource, Token)]
    accounts = {each.gateway: each.d1_account for each in prepared if each.d1_account}
    correlation_ids = {each.target.name: each.record.correlation_id for each in prepared}
    token_refreshes.want(transaction, changed, accounts, correlation_ids, now)
    return results


def save_changed(book: Book, of: type[R], shelf: Shelf[R]) -> None:
    changed = [(key in book.stored, resource) for key, resource in book.changed.items() if isinstance(resource, of)]
    changed.sort(key=lambda each: each[1].name)
    shelf.insert([resource for stored, resource in changed if not stored])
    shelf.update([resource for stored, resource in changed if stored])


def open_book(transaction: Transaction, prepared: Sequence[Prepared]) -> Book:
    def names_of(of: type) -> list[str]:
        return [each.target.name for each in prepared if each.target.of is of]

    held: dict[tuple[type, str], Resource] = {}
    held |= {(Token, name): token for name, token in transaction.tokens.get_many(names_of(Token)).items()}
    held |= {(Binding, name): binding for name, binding in transaction.bindings.get_many(names_of(Binding)).items()}
    held |= {(Merchant, name): one for name, one in transaction.merchants.get_many(names_of(Merchant)).items()}
    operations = transaction.issuer_operations.get_many(names_of(IssuerOperation))
    held |= {(IssuerOperation, name): operation for name, operation in operations.items()}
    of_issuers = [each.record for each in prepared if each.target.of is IssuerOperation]
    digital_cards = DigitalCardBook.open(transaction.digital_cards, of_issuers)
    identities = transaction.identities([each.digest for each in prepared if each.digest is not None])
    return Book(held, identities, set(held), set(identities), digital_cards)


def record_one(book: Book, prepared: Prepared, now: int, append: Callable[[Event], None]) -> RecordResult:
    record, target = prepared.record, prepared.target
    held = book.held.get((target.of, target.name)) if target.of else None
    known = book.identities.get(prepared.digest) if prepared.digest is not None else None
    # What was kept in quarantine and can be applied today is news.
    healed = known is not None and not known.applied and not prepared.quarantine_reason
    if known and not healed and recording.is_repeat(record, held, known.known_since, now):
        book.deliveries[known.notification] = book.deliveries.get(known.notification, 0) + 1
        after = recording.repeated(record, held, now)
        if after is not None and target.of:
            book.save(target.of, after)
        return RecordResult(RecordOutcome.REPEATED, known.notification)
    if prepared.quarantine_reason:
        applied = recording.quarantined(record, prepared.quarantine_reason)
    else:
        applied = recording.apply(record, prepared.name, prepared.gateway, held, now)
    if applied.after is not None and target.of:
        book.save(target.of, applied.after)
    if prepared.digest is not None:
        book.learn(Identity(prepared.digest, prepared.name, now, applied.quarantine_reason is None))
    book.notifications.append(kept(prepared, applied, held.revision if held else 0, now))
    event = applied.event or quarantine_event(prepared, applied, now)
    if event:
        append(event)
    if applied.state is NotificationState.APPLIED:
        # Behind the event of the notification's own resource, which is found by being the first.
        book.digital_cards.tell(Telling(record, prepared.name, record.sender, record.correlation_id), now, append)
    return RecordResult(RecordOutcome.STORED, prepared.name, applied.state, applied.quarantine_reason)


def record_context(notification: str) -> bytes:
    """What a sealed record is bound to: its notification, and that it is no body."""
    return f"{notification}/record".encode()


def kept(prepared: Prepared, applied: recording.Applied, revision: int, now: int) -> Notification:
    record = prepared.record
    return Notification(
        name=prepared.name,
        kind=record.kind,
        state=applied.state,
        quarantine_reason=applied.quarantine_reason,
        flags=applied.flags,
        resource=prepared.target.name,
        merchant_gateway_id=prepared.gateway,
        merchant_id=record.merchant_id[:LONGEST_SEARCHABLE],
        token_id=record.token_id[:LONGEST_SEARCHABLE],
        device_id=record.device_id[:LONGEST_SEARCHABLE],
        correlation_id=record.correlation_id[:LONGEST_SEARCHABLE],
        sender=record.sender,
        receive_time=now,
        delivery_count=1,
        last_delivery_time=now,
        body_size=len(record.body),
        sealed_body=prepared.sealed_body,
        sealed_record=prepared.sealed_record,
        resource_revision=revision,
        issuer_id=record.issuer_id,
        card_id=record.card_id[:LONGEST_SEARCHABLE],
        digital_card_id=record.digital_card_id[:LONGEST_SEARCHABLE],
        consumer_id=record.consumer_id[:LONGEST_SEARCHABLE],
        operation_id=record.operation_id[:LONGEST_SEARCHABLE],
    )


def quarantine_event(prepared: Prepared, applied: recording.Applied, now: int) -> Event | None:
    if applied.quarantine_reason is None:
        return None
    return Event(
        kind=EventKind.NOTIFICATION_QUARANTINED,
        resource=prepared.name,
        notification=prepared.name,
        time=now,
        merchant_gateway_id=prepared.gateway,
        merchant_id=prepared.record.merchant_id[:LONGEST_SEARCHABLE],
        correlation_id=prepared.record.correlation_id[:LONGEST_SEARCHABLE],
        actor=prepared.record.sender,
        details={"quarantine_reason": applied.quarantine_reason},
        issuer_id=prepared.record.issuer_id,
    )


def get(store: Store, sealer: Sealer, caller: Caller, name: str) -> tuple[Notification, bytes]:
    """A notification and its body. Raises ResourceNotFound."""
    found = store.view.notification(name)
    if found is None or not caller.reach.sees(found.merchant_gateway_id, found.merchant_id, found.issuer_id):
        raise ResourceNotFound(name)
    body = sealer.open(found.sealed_body, found.name.encode())
    return replace(found, event_sequence=store.view.event_sequence(name)), body


def list_page(store: Store, query: NotificationQuery, page: Page) -> list[Notification]:
    return store.view.notifications(query, page)
