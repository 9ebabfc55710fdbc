"""What gateways see in card data: card data that waits is leased to them, and so are cards for newer keys."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from prometheus_client import Counter

from server.domain import cards, names, tasks
from server.domain.callers import Caller
from server.domain.card_accesses import CardAccess, CardDataAccessResult, CardDataPurpose, Step
from server.domain.cards import Card, CardRejection, CardState, CurrentKeys, Fingerprint
from server.domain.events import EventKind
from server.domain.principals import Principals
from server.domain.tasks import Task, TaskKind
from server.ports import Transaction
from server.services.card_house import CardHouse, event, tell_change
from server.services.cards import drop_tasks

# A rotation goes on beside new cards, not before them.
ROTATED_AT_ONCE = 16
PURPOSES = (CardDataPurpose.FINGERPRINT, CardDataPurpose.KEY_ROTATION)

FINGERPRINTS = Counter(
    "mintmark_card_fingerprints_total", "Looks of gateways at card data, by what they came to.", ("outcome",)
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """Card data leased to a gateway; `lease` is what is left of that, in microseconds."""

    card: Card
    generation: int
    jwe: str
    key_rotation: bool
    store_security_codes: bool
    lease: int


def can_rotate(current: CurrentKeys, kids: Collection[str], hash_key_id: str) -> bool:
    """Whether a gateway has the current keys."""
    return bool(current.card_key_id) and current.card_key_id in kids and current.hash_key_id == hash_key_id


def has_due(house: CardHouse, kids: Collection[str], *, rotates: bool) -> bool:
    """Whether there may be a task to claim. Raises StoreUnavailable."""
    return house.store.view.cards.has_due(kids, house.now_outside(), with_rotations=rotates)


def has_to_rotate(house: CardHouse, current: CurrentKeys, kids: Collection[str]) -> bool:
    """Whether there may be a card under former keys that nobody has a task for. Raises StoreUnavailable."""
    return house.store.view.cards.has_to_rotate(current, kids)


def claim(
    house: CardHouse,
    principals: Principals,
    transaction: Transaction,
    caller: Caller,
    kids: Collection[str],
    hash_key_id: str,
    limit: int,
) -> list[Claimed]:
    """Leases card data for one of these keys: what waits first, then, to a gateway that has the current keys, what is
    to be rotated."""
    now = house.now(transaction)
    current = house.current(transaction, now)
    rotates = can_rotate(current, kids, hash_key_id)
    chosen: list[tuple[Task, Card]] = []
    for task, card in transaction.cards.due(kids, now, limit, with_rotations=rotates):
        if task.name != card.task or not (card.pending or cards.needs_rotation(card, current)):
            transaction.ledger.tasks.delete([task.name])
            continue
        chosen.append((task, card))
    leased = [_leased(house, task, caller.client, now) for task, _ in chosen]
    transaction.ledger.tasks.update(sorted(leased, key=lambda task: task.name))
    room = min(limit - len(chosen), ROTATED_AT_ONCE)
    if rotates and room > 0:
        fresh = transaction.cards.to_rotate(current, kids, room)
        added = [_leased(house, _rotation(card, caller, now), caller.client, now) for card in fresh]
        transaction.ledger.tasks.insert(sorted(added, key=lambda task: task.name))
        chosen += zip(added, fresh, strict=True)
    transaction.cards.accesses.insert([_access(house, caller, card, now) for _, card in chosen])
    return [_claimed(principals, card, house.lease) for _, card in chosen]


def record(
    house: CardHouse,
    principals: Principals,
    transaction: Transaction,
    caller: Caller,
    name: str,
    generation: int,
    seen: Fingerprint | CardRejection,
) -> tuple[bool, str]:
    """What a gateway saw in card data of a card: whether that changed the card, and what it came to. Safe to repeat,
    and accepted as long as the card has that card data."""
    now = house.now(transaction)
    card = transaction.cards.cards.get(name)
    if card is not None and card.pending and generation == card.generation:
        return True, _settle(principals, transaction, caller, card, seen, now)
    if card is not None and card.state in cards.IN_BOOKS and generation == card.live_generation:
        rotated = _rotate(house, transaction, caller, card, seen, now)
        return rotated, "ROTATED" if rotated else "NOT_ROTATED"
    return False, "OUT_OF_DATE"


def _settle(
    principals: Principals,
    transaction: Transaction,
    caller: Caller,
    card: Card,
    seen: Fingerprint | CardRejection,
    now: int,
) -> str:
    why = seen if isinstance(seen, CardRejection) else _objection(principals, transaction, card, seen)
    if why is None and isinstance(seen, Fingerprint):
        after = cards.accept(card, seen, now)
    else:
        after = cards.reject(card, why or CardRejection.UNREADABLE, now)
    transaction.cards.cards.update([after])
    drop_tasks(transaction, card)
    _report(transaction, card, why)
    if after.state is CardState.REJECTED:
        transaction.append(event(EventKind.CARD_REJECTED, caller, after, now, rejection=why or ""))
    else:
        tell_change(transaction, caller, card, after, now, replacement_rejection=why or "")
    return why or "ACCEPTED"


def _objection(principals: Principals, transaction: Transaction, card: Card, seen: Fingerprint) -> CardRejection | None:
    """Why card data is refused that a gateway finds as it should be."""
    if seen.has_security_code and not _stores_codes(principals, card):
        return CardRejection.SECURITY_CODE_NOT_ALLOWED
    if _others(transaction, card, seen):
        return CardRejection.CARD_NUMBER_TAKEN
    return None


def _others(transaction: Transaction, card: Card, seen: Fingerprint) -> bool:
    """Whether another card of the issuer has the number. The index sees to those that come in at the same moment; where
    there is more than one key it cannot, and they come in one after the other."""
    if seen.former_hashes:
        told = (seen.number_hash, *seen.former_hashes)
        transaction.cards.hash_keys.get_many([names.card_hash_key(each.hash_key_id) for each in told])
    found = transaction.cards.with_number(card.issuer_id, [seen.number_hash, *seen.former_hashes])
    return any(other.name != card.name for other in found)


def _rotate(
    house: CardHouse,
    transaction: Transaction,
    caller: Caller,
    card: Card,
    seen: Fingerprint | CardRejection,
    now: int,
) -> bool:
    """A refusal only ends the try: what the card has is as good as before."""
    current = house.current(transaction, now)
    after = card
    if isinstance(seen, Fingerprint):
        taken = _others(transaction, card, replace(seen, former_hashes=()))
        after = cards.rotate(card, seen, current, now, number_taken=taken)
    if after is not card:
        transaction.cards.cards.update([after])
        tell_change(transaction, caller, card, after, now, card_key_id=after.card_key_id)
    if not card.pending:
        # What waits has a task of its own, which must not be touched.
        _end_rotation(house, transaction, after, current, now)
        _report(transaction, card, seen if isinstance(seen, CardRejection) else None)
    return after is not card


def _end_rotation(house: CardHouse, transaction: Transaction, card: Card, current: CurrentKeys, now: int) -> None:
    if not cards.needs_rotation(card, current):
        drop_tasks(transaction, card)
        return
    tries = [
        tasks.let_go(task, now + tasks.backoff(task.tries, house.ids.roll()))
        for task in transaction.cards.tasks_of(card.name)
    ]
    transaction.ledger.tasks.update(sorted(tries, key=lambda task: task.name))


def _report(transaction: Transaction, card: Card, why: CardRejection | None) -> None:
    """Writes what the last look at the card came to."""
    access = transaction.cards.unreported(card.name, PURPOSES)
    if access is None:
        return
    result = CardDataAccessResult.SUCCEEDED if why is None else CardDataAccessResult.REJECTED
    if why is CardRejection.UNREADABLE:
        result = CardDataAccessResult.UNREADABLE
    transaction.cards.accesses.update([replace(access, result=result)])


def _rotation(card: Card, caller: Caller, now: int) -> Task:
    return Task(
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


def _leased(house: CardHouse, task: Task, holder: str, now: int) -> Task:
    """Where nobody answers it comes again: when the lease ends the first time, later and later after that."""
    pause = tasks.backoff(task.tries, house.ids.roll()) if task.tries else 0
    given = tasks.leased(task, holder, house.lease, now)
    return replace(given, tries=task.tries + 1, due_time=now + house.lease + pause)


def _access(house: CardHouse, caller: Caller, card: Card, now: int) -> CardAccess:
    return CardAccess(
        name=names.card_access(house.ids.access_id(now)),
        issuer_id=card.issuer_id,
        card=card.name,
        purpose=CardDataPurpose.FINGERPRINT if card.pending else CardDataPurpose.KEY_ROTATION,
        result=CardDataAccessResult.UNSPECIFIED,
        sender=caller.client,
        correlation_id=caller.correlation_id,
        create_time=now,
        step=Step.LOOK,
    )


def _claimed(principals: Principals, card: Card, lease: int) -> Claimed:
    return Claimed(
        card=card,
        generation=card.generation if card.pending else card.live_generation,
        jwe=card.pending_card if card.pending else card.encrypted_card,
        key_rotation=not card.pending,
        store_security_codes=_stores_codes(principals, card),
        lease=lease,
    )


def _stores_codes(principals: Principals, card: Card) -> bool:
    account = principals.issuer_accounts.get(card.issuer_id)
    return account is not None and account.d1_issuer is not None and account.d1_issuer.store_security_codes
