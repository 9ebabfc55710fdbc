"""Verifications of cards and reads of their credentials, for gateways that answer D1."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from prometheus_client import Counter

from server.domain import card_numbers, card_verifications, cards, names
from server.domain.accounts import Account
from server.domain.callers import Caller
from server.domain.card_accesses import CardAccess, CardDataAccessResult, CardDataPurpose, Step
from server.domain.card_verifications import Answer, Findings, Question
from server.domain.cards import Card, CardState, NumberHash
from server.domain.consumers import ConsumerState
from server.domain.d1_issuer_accounts import CardVerificationMode, D1Issuer
from server.domain.events import EventKind
from server.domain.refusals import FieldInvalid, IssuerCallNotAllowed, ResourceNotFound, StoreUnavailable
from server.ports import Transaction
from server.services import issuer_calls
from server.services.card_house import CardHouse, event

ACCESSES = Counter(
    "mintmark_card_accesses_total",
    "Calls of D1's for card data, by what for and what they came to.",
    ("kind", "outcome"),
)


@dataclass(frozen=True, slots=True)
class Asking:
    """Who asks, about which issuer."""

    sender: str
    issuer_id: str
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Verification:
    """How a verification goes on: with an answer, with card data to be compared, or (neither) with the directory."""

    access: CardAccess
    answer: Answer | None = None
    compare: Card | None = None


def allowed_to_verify(house: CardHouse, asking: Asking) -> D1Issuer:
    """Raises ResourceNotFound, IssuerCallNotAllowed, StoreUnavailable."""
    account, stated = _allowed(house, asking)
    if stated.card_verification is CardVerificationMode.OFF:
        raise IssuerCallNotAllowed(account.name, "card_verification")
    return stated


def allowed_to_tell(house: CardHouse, asking: Asking) -> D1Issuer:
    """Raises ResourceNotFound, IssuerCallNotAllowed, StoreUnavailable."""
    account, stated = _allowed(house, asking)
    if not stated.tell_credentials:
        raise IssuerCallNotAllowed(account.name, "tell_credentials")
    if not stated.d1_public_keys:
        raise IssuerCallNotAllowed(account.name, "d1_public_keys")
    return stated


def _allowed(house: CardHouse, asking: Asking) -> tuple[Account, D1Issuer]:
    return issuer_calls.allowed(house.principals, asking.sender, asking.issuer_id)


def begin(
    house: CardHouse,
    transaction: Transaction,
    caller: Caller,
    stated: D1Issuer,
    asking: Asking,
    hashes: Sequence[NumberHash],
    question: Question,
) -> Verification:
    """Counts the try and writes the access. Not to be repeated: each call is another try. Raises StoreUnavailable where
    the gateway cannot know whether the number is a card's."""
    now = house.now(transaction)
    access = _access(house, asking, CardDataPurpose.VERIFICATION, now)
    if stated.directory is not None:
        access = replace(access, step=Step.DIRECTORY)
        transaction.cards.accesses.insert([access])
        return Verification(access)
    card = transaction.cards.lock_with_number(asking.issuer_id, hashes)
    if card is None and hashes:
        _check_looked_for(house, transaction, hashes, now)
    usable = card is not None and _consumer_usable(transaction, card)
    begun = card_verifications.begin(card, question, stated, now, consumer_usable=usable)
    access = replace(
        access,
        card=card.name if card else "",
        step=begun.step,
        result=begun.result,
        expiry_given=question.expiry_given,
        code_given=question.code_given,
        code_compared=begun.code_compared,
        attempts_exceeded=begun.attempts_exceeded,
    )
    transaction.cards.accesses.insert([access])
    if begun.card is not None and begun.card is not card:
        transaction.cards.save_attempts(begun.card)
        if begun.tell:
            transaction.append(event(EventKind.CARD_VERIFICATION_ATTEMPTS_EXCEEDED, caller, begun.card, now))
    if begun.step is Step.COMPARE:
        return Verification(access, compare=begun.card)
    return Verification(access, card_verifications.answer(access, card, now))


def finish(
    house: CardHouse, transaction: Transaction, name: str, told: Findings | CardDataAccessResult
) -> tuple[CardAccess, Answer | None]:
    """What an access came to, and the answer of a comparison. Safe to repeat. Raises ResourceNotFound, FieldInvalid."""
    now = house.now(transaction)
    before = transaction.cards.accesses.get(name)
    if before is None or before.step in (Step.NOTHING, Step.LOOK):
        raise ResourceNotFound(name)
    _check_told(before, told)
    card = transaction.cards.cards.get(before.card) if before.card else None
    result = told if isinstance(told, CardDataAccessResult) else card_verifications.result_of(before, told)
    after = card_verifications.finish(before, card, result)
    if after != before:
        transaction.cards.accesses.update([after])
        if card is not None and after.code_compared and after.result is CardDataAccessResult.SUCCEEDED:
            # The security code was right, and so was everything else.
            transaction.cards.save_attempts(cards.reset_attempts(card))
    if isinstance(told, CardDataAccessResult):
        return after, None
    return after, card_verifications.answer(after, card, now)


def _check_told(access: CardAccess, told: Findings | CardDataAccessResult) -> None:
    """Raises FieldInvalid where that was not to be found out."""
    if isinstance(told, Findings):
        fits = access.step is Step.COMPARE
    elif told is CardDataAccessResult.UNREADABLE:
        fits = True
    else:
        fits = access.step is Step.DIRECTORY
    if not fits:
        raise FieldInvalid("finding", f"{access.name} did not ask for it", "finding")


def read_credentials(
    house: CardHouse, transaction: Transaction, stated: D1Issuer, asking: Asking, card_id: str
) -> tuple[CardAccess, Card | None]:
    """Writes the access, and returns the card; None where none may be told. Its result says which."""
    now = house.now(transaction)
    access = _access(house, asking, CardDataPurpose.CREDENTIALS, now)
    if stated.directory is not None:
        access = replace(access, step=Step.DIRECTORY)
        transaction.cards.accesses.insert([access])
        return access, None
    card = transaction.cards.cards.get(names.card(asking.issuer_id, card_id))
    told = card if card is not None and _tellable(card, stated) and _consumer_usable(transaction, card) else None
    access = replace(
        access,
        card=card.name if card else "",
        step=Step.TELL if told else Step.NOTHING,
        result=CardDataAccessResult.SUCCEEDED if told else CardDataAccessResult.NO_USABLE_CARD,
    )
    transaction.cards.accesses.insert([access])
    return access, told


def _check_looked_for(house: CardHouse, transaction: Transaction, hashes: Sequence[NumberHash], now: int) -> None:
    """A gateway that has not heard of the current hash key would find no card that is hashed with it, and D1 would be
    told that a good card is invalid. Raises StoreUnavailable."""
    current = house.current(transaction, now).hash_key_id
    if current and all(each.hash_key_id != current for each in hashes):
        raise StoreUnavailable(f"the gateway has not the hash key {current!r}")


def _tellable(card: Card, stated: D1Issuer) -> bool:
    """D1's documentation says that credentials have a security code."""
    complete = card.has_security_code or stated.tell_credentials_without_security_code
    return card.state is CardState.ACTIVE and complete


def _consumer_usable(transaction: Transaction, card: Card) -> bool:
    """Whether the card's consumer is not known to be out of use. One that nobody has registered is not."""
    return transaction.consumer_state(names.consumer(card.issuer_id, card.consumer_id)) in (None, ConsumerState.ACTIVE)


def _access(house: CardHouse, asking: Asking, purpose: CardDataPurpose, now: int) -> CardAccess:
    return CardAccess(
        name=names.card_access(house.ids.access_id(now)),
        issuer_id=asking.issuer_id,
        card="",
        purpose=purpose,
        result=CardDataAccessResult.UNSPECIFIED,
        sender=asking.sender,
        # A partner's text: it could hold anything.
        correlation_id=card_numbers.cut(asking.correlation_id).replace("\0", "\\0"),
        create_time=now,
    )
