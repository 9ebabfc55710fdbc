"""Consumers of card issuers for those who register them. Their personal data rests sealed."""

import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from server.domain import consumers, names
from server.domain.callers import Caller
from server.domain.consumers import NOTHING, Consumer, ConsumerState, PersonalData, PostalAddress
from server.domain.events import Event, EventKind
from server.domain.queries import ConsumerQuery, Page
from server.domain.refusals import ConsumerHasCards, ResourceNotFound
from server.ports import Sealer, Store, Transaction


def seal(sealer: Sealer, name: str, personal: PersonalData) -> bytes:
    """Empty where nothing is known."""
    if personal == NOTHING:
        return b""
    return sealer.seal(json.dumps(asdict(personal), ensure_ascii=False).encode(), _context(name))


def opened(sealer: Sealer, consumer: Consumer) -> PersonalData:
    """Raises SealBroken."""
    if not consumer.sealed_personal_data:
        return NOTHING
    told: Mapping[str, Any] = json.loads(sealer.open(consumer.sealed_personal_data, _context(consumer.name)))
    return PersonalData(**{**told, "residency_address": PostalAddress(**told["residency_address"])})


def told(sealer: Sealer, consumer: Consumer) -> PersonalData | None:
    """What is known of it as a person; None once it is deleted. Raises SealBroken."""
    return None if consumer.state is ConsumerState.DELETED else opened(sealer, consumer)


def _context(name: str) -> bytes:
    return f"{name}#personal_data".encode()


def register(
    transaction: Transaction,
    sealer: Sealer,
    caller: Caller,
    issuer_id: str,
    consumer_id: str,
    personal: PersonalData,
    now: int,
) -> Consumer:
    """Raises ResourceNotFound, FieldsInvalid, ResourceExists."""
    if not caller.reach.issuer(issuer_id):
        raise ResourceNotFound(names.issuer(issuer_id))
    consumers.check(personal, now)
    name = names.consumer(issuer_id, consumer_id)
    held = transaction.consumers.get(name)
    sealed = seal(sealer, name, personal)
    new = Consumer(name, issuer_id, consumer_id, now, now, sealed_personal_data=sealed)
    after = consumers.registered(held, new)
    if held is None:
        transaction.consumers.insert([after])
    else:
        transaction.consumers.update([after])
    transaction.append(_event(EventKind.CONSUMER_REGISTERED, after, caller, now))
    return after


def replace(
    transaction: Transaction, sealer: Sealer, caller: Caller, name: str, personal: PersonalData, now: int
) -> Consumer:
    """Raises ResourceNotFound, FieldsInvalid, ConsumerStateUnfit."""
    held = visible(caller, transaction.consumers.get(name), name)
    consumers.check(personal, now)
    consumers.check_present(held)
    differing = consumers.differing(opened(sealer, held), personal)
    if not differing:
        return held
    after = consumers.with_personal_data(held, seal(sealer, name, personal), now)
    return _save(transaction, after, caller, now, fields=",".join(f"{consumers.FIELD}.{each}" for each in differing))


def set_state(transaction: Transaction, caller: Caller, name: str, state: ConsumerState, now: int) -> Consumer:
    """Raises ResourceNotFound, ConsumerStateUnfit."""
    held = visible(caller, transaction.consumers.get(name), name)
    after = consumers.in_state(held, state, now)
    return after if after is held else _save(transaction, after, caller, now, fields="state")


def delete(transaction: Transaction, caller: Caller, name: str, now: int) -> Consumer:
    """Raises ResourceNotFound, ConsumerHasCards."""
    held = visible(caller, transaction.consumers.get(name), name)
    after = consumers.deleted(held, now)
    if after is not held:
        if card := transaction.cards.of_consumer(held.issuer_id, held.consumer_id):
            raise ConsumerHasCards(held.name, card)
        transaction.consumers.update([after])
        transaction.append(_event(EventKind.CONSUMER_DELETED, after, caller, now))
    return after


def visible(caller: Caller, consumer: Consumer | None, name: str) -> Consumer:
    """The consumer, where there is one and the caller may see it. Raises ResourceNotFound."""
    if consumer is None or not caller.reach.issuer(consumer.issuer_id):
        raise ResourceNotFound(name)
    return consumer


def get(store: Store, caller: Caller, name: str) -> Consumer:
    """Raises ResourceNotFound."""
    return visible(caller, store.view.consumers.get(name), name)


def list_page(store: Store, query: ConsumerQuery, page: Page) -> list[Consumer]:
    return store.view.consumers.page(query, page)


def _save(transaction: Transaction, after: Consumer, caller: Caller, now: int, **details: str) -> Consumer:
    transaction.consumers.update([after])
    transaction.append(_event(EventKind.CONSUMER_UPDATED, after, caller, now, **details))
    return after


def _event(kind: EventKind, consumer: Consumer, caller: Caller, now: int, **details: str) -> Event:
    return Event(
        kind=kind,
        resource=consumer.name,
        time=now,
        correlation_id=caller.correlation_id,
        actor=caller.client,
        details=details,
        snapshot=consumer,
        issuer_id=consumer.issuer_id,
    )
