"""Cards for the issuers' own services."""

from collections.abc import Callable

from server.domain import cards, encrypted_cards, names
from server.domain.callers import Caller
from server.domain.cards import Card, CardState, CardSuspensionReason, EncryptedCard
from server.domain.events import EventKind
from server.domain.queries import CardQuery, Page
from server.domain.refusals import ResourceNotFound
from server.domain.tasks import Task, TaskKind
from server.ports import Store, Transaction
from server.services.card_house import CardHouse, event, tell_change


def get(store: Store, caller: Caller, name: str) -> Card:
    """Raises ResourceNotFound."""
    return _visible(caller, store.view.cards.card(name), name)


def list_page(store: Store, query: CardQuery, page: Page) -> list[Card]:
    return store.view.cards.cards(query, page)


def register(
    house: CardHouse,
    transaction: Transaction,
    caller: Caller,
    issuer_id: str,
    card_id: str,
    consumer_id: str,
    account_id: str,
    jwe: str,
) -> Card:
    """A new card, or one anew whose id is free again. Raises ResourceNotFound, CardKeyUnknown, ResourceExists."""
    if not caller.reach.issuer(issuer_id):
        raise ResourceNotFound(f"issuers/{names.segment(issuer_id)}")
    now = house.now(transaction)
    encrypted = _read(house, transaction, jwe, now)
    held = transaction.cards.cards.get(names.card(issuer_id, card_id))
    card = cards.register(held, issuer_id, card_id, consumer_id, account_id, encrypted, now)
    if held is None:
        transaction.cards.cards.insert([card])
    else:
        transaction.cards.cards.update([card])
    _want_fingerprint(transaction, caller, card, now)
    transaction.append(event(EventKind.CARD_REGISTERED, caller, card, now))
    return card


def replace(house: CardHouse, transaction: Transaction, caller: Caller, name: str, jwe: str) -> Card:
    """The card with other card data waiting. Raises ResourceNotFound, CardKeyUnknown, CardStateUnfit."""
    now = house.now(transaction)
    encrypted = _read(house, transaction, jwe, now)
    before = _held(transaction, caller, name)
    after = cards.replace_card(before, encrypted, now)
    transaction.cards.cards.update([after])
    drop_tasks(transaction, after)
    _want_fingerprint(transaction, caller, after, now)
    tell_change(transaction, caller, before, after, now)
    return after


def suspend(
    house: CardHouse, transaction: Transaction, caller: Caller, name: str, reason: CardSuspensionReason, text: str
) -> Card:
    """Raises ResourceNotFound, CardStateUnfit."""
    return _changed(house, transaction, caller, name, lambda card, now: cards.suspend(card, reason, text, now))


def resume(house: CardHouse, transaction: Transaction, caller: Caller, name: str) -> Card:
    """Raises ResourceNotFound, CardStateUnfit."""
    return _changed(house, transaction, caller, name, cards.resume)


def delete(house: CardHouse, transaction: Transaction, caller: Caller, name: str) -> Card:
    """Raises ResourceNotFound, CardStateUnfit."""
    return _changed(house, transaction, caller, name, cards.delete)


def reset_attempts(house: CardHouse, transaction: Transaction, caller: Caller, name: str) -> Card:
    """Raises ResourceNotFound, CardStateUnfit."""
    now = house.now(transaction)
    before = _held(transaction, caller, name)
    after = cards.reset_attempts(before)
    if after is not before:
        transaction.cards.save_attempts(after)
        said = str(before.verification_attempts)
        tell_change(transaction, caller, before, after, now, verification_attempts_before=said)
    return after


def drop_tasks(transaction: Transaction, card: Card) -> None:
    """Nothing is to be done for the card any more."""
    transaction.ledger.tasks.delete(sorted(task.name for task in transaction.cards.tasks_of(card.name)))


def _changed(
    house: CardHouse, transaction: Transaction, caller: Caller, name: str, change: Callable[[Card, int], Card]
) -> Card:
    now = house.now(transaction)
    before = _held(transaction, caller, name)
    after = change(before, now)
    if after is before:
        return before
    transaction.cards.cards.update([after])
    if after.state is CardState.DELETED:
        drop_tasks(transaction, after)
        transaction.append(event(EventKind.CARD_DELETED, caller, after, now, state_before=before.state.value))
    else:
        tell_change(transaction, caller, before, after, now)
    return after


def _visible(caller: Caller, card: Card | None, name: str) -> Card:
    if card is None or not caller.reach.issuer(card.issuer_id):
        raise ResourceNotFound(name)
    return card


def _held(transaction: Transaction, caller: Caller, name: str) -> Card:
    return _visible(caller, transaction.cards.cards.get(name), name)


def _read(house: CardHouse, transaction: Transaction, jwe: str, now: int) -> EncryptedCard:
    return encrypted_cards.read(jwe, house.kids(transaction, now), "encrypted_card")


def _want_fingerprint(transaction: Transaction, caller: Caller, card: Card, now: int) -> None:
    task = Task(
        name=card.task,
        kind=TaskKind.FINGERPRINT_CARD,
        account="",
        payment="",
        operation="",
        due_time=now,
        create_time=now,
        correlation_id=caller.correlation_id,
        resource=card.name,
    )
    transaction.ledger.tasks.insert([task])
