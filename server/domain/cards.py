"""Cards of card issuers. Card data rests as JWEs that only gateways can open; here is what they tell of it."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from server.domain import names
from server.domain.refusals import CardStateUnfit, ResourceExists


class CardState(StrEnum):
    PENDING = "PENDING"
    ACTIVE = "ACTIVE"
    SUSPENDED = "SUSPENDED"
    DELETED = "DELETED"
    REJECTED = "REJECTED"


class CardSuspensionReason(StrEnum):
    LOST = "LOST"
    STOLEN = "STOLEN"
    FRAUD_SUSPECTED = "FRAUD_SUSPECTED"
    ISSUER_DECISION = "ISSUER_DECISION"
    CARDHOLDER_DECISION = "CARDHOLDER_DECISION"


class CardRejection(StrEnum):
    UNREADABLE = "UNREADABLE"
    FIELDS_INVALID = "FIELDS_INVALID"
    CARD_NUMBER_INVALID = "CARD_NUMBER_INVALID"
    SECURITY_CODE_NOT_ALLOWED = "SECURITY_CODE_NOT_ALLOWED"
    CARD_NUMBER_TAKEN = "CARD_NUMBER_TAKEN"


# Those whose id may be registered again.
GONE = frozenset({CardState.DELETED, CardState.REJECTED})
# Those with card data that gateways have looked at.
IN_BOOKS = frozenset({CardState.ACTIVE, CardState.SUSPENDED})


@dataclass(frozen=True, slots=True)
class Card:
    """A card. Times are microseconds.

    It has up to two pieces of card data, each a JWE for a gateway's key: the one that counts, numbered
    `live_generation`, and one that waits for a gateway, numbered `generation`, which is the newest.
    """

    name: str
    issuer_id: str
    card_id: str
    consumer_id: str
    account_id: str
    create_time: int
    update_time: int
    state: CardState = CardState.PENDING
    suspension_reason: CardSuspensionReason | None = None
    suspension_text: str = ""
    rejection: CardRejection | None = None
    replacement_rejection: CardRejection | None = None
    generation: int = 1
    pending_key_id: str = ""
    pending_card: str = field(default="", repr=False)
    live_generation: int = 0
    card_key_id: str = ""
    encrypted_card: str = field(default="", repr=False)
    hash_key_id: str = ""
    number_hash: bytes | None = field(default=None, repr=False)
    bin: str = ""
    last_digits: str = ""
    expiry: str = ""
    has_security_code: bool = False
    # Tries at the security code, the last one, and whether it was told that they were too many.
    verification_attempts: int = 0
    last_verification_attempt_time: int | None = None
    attempts_exceeded_told: bool = False
    revision: int = 1

    @property
    def pending(self) -> bool:
        """Whether card data waits for a gateway."""
        return bool(self.pending_key_id)

    @property
    def task(self) -> str:
        """The name of the task for the gateways, of card data that waits, else of a rotation of keys."""
        if self.pending:
            return names.fingerprint_task(self.name, self.generation)
        return names.rotation_task(self.name, self.live_generation)


@dataclass(frozen=True, slots=True)
class EncryptedCard:
    """Card data as it comes: the JWE, and the id of the key that it is encrypted for."""

    jwe: str = field(repr=False)
    key_id: str


@dataclass(frozen=True, slots=True)
class NumberHash:
    """A keyed hash of a card number, and the id of its key."""

    hash_key_id: str
    hash: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """What a gateway saw in card data. `encrypted` is the same card data for a newer key, where it is to be replaced;
    `former_hashes` are of the same number under keys that were current before."""

    number_hash: NumberHash
    bin: str
    last_digits: str
    expiry: str
    has_security_code: bool
    encrypted: EncryptedCard | None = None
    former_hashes: tuple[NumberHash, ...] = ()


@dataclass(frozen=True, slots=True)
class CurrentKeys:
    """The ids of the keys to encrypt and to hash with now; empty where nobody has published any."""

    card_key_id: str = ""
    hash_key_id: str = ""


def register(
    held: Card | None,
    issuer_id: str,
    card_id: str,
    consumer_id: str,
    account_id: str,
    encrypted: EncryptedCard,
    now: int,
) -> Card:
    """A new card, or one anew whose id is free again. Raises ResourceExists."""
    if held is not None and held.state not in GONE:
        raise ResourceExists(held.name)
    return Card(
        name=names.card(issuer_id, card_id),
        issuer_id=issuer_id,
        card_id=card_id,
        consumer_id=consumer_id,
        account_id=account_id,
        create_time=now,
        update_time=now,
        # What was told of earlier card data of this id must never be taken for this.
        generation=held.generation + 1 if held else 1,
        pending_key_id=encrypted.key_id,
        pending_card=encrypted.jwe,
        revision=held.revision + 1 if held else 1,
    )


def replace_card(card: Card, encrypted: EncryptedCard, now: int) -> Card:
    """The card with other card data waiting, in place of what may wait already. Raises CardStateUnfit."""
    if card.state in GONE:
        raise CardStateUnfit(card.name, card.state)
    return _saved(
        card,
        now,
        generation=card.generation + 1,
        pending_key_id=encrypted.key_id,
        pending_card=encrypted.jwe,
        replacement_rejection=None,
    )


def suspend(card: Card, reason: CardSuspensionReason, text: str, now: int) -> Card:
    """The card out of use, or with another reason. Raises CardStateUnfit."""
    _check_in_books(card)
    if (card.state, card.suspension_reason, card.suspension_text) == (CardState.SUSPENDED, reason, text):
        return card
    return _saved(card, now, state=CardState.SUSPENDED, suspension_reason=reason, suspension_text=text)


def resume(card: Card, now: int) -> Card:
    """The card in use again. Raises CardStateUnfit."""
    _check_in_books(card)
    if card.state is CardState.ACTIVE:
        return card
    return _saved(card, now, state=CardState.ACTIVE, suspension_reason=None, suspension_text="")


def delete(card: Card, now: int) -> Card:
    """The card without anything of its number but its beginning and its end. Raises CardStateUnfit."""
    if card.state is CardState.DELETED:
        return card
    if card.state is CardState.REJECTED:
        raise CardStateUnfit(card.name, card.state)
    erased = replace(_without_pending(card), card_key_id="", encrypted_card="", hash_key_id="", number_hash=None)
    return _saved(erased, now, state=CardState.DELETED, has_security_code=False)


def reset_attempts(card: Card) -> Card:
    """The card as if nobody had tried its security code. Raises CardStateUnfit."""
    if card.state in GONE:
        raise CardStateUnfit(card.name, card.state)
    if not card.verification_attempts and not card.attempts_exceeded_told:
        return card
    return replace(card, verification_attempts=0, attempts_exceeded_told=False)


def accept(card: Card, seen: Fingerprint, now: int) -> Card:
    """The card with the card data that waited, as a gateway saw it. Nobody has tried its security code yet."""
    encrypted = seen.encrypted or EncryptedCard(card.pending_card, card.pending_key_id)
    return _saved(
        _without_pending(card),
        now,
        state=CardState.ACTIVE if card.state is CardState.PENDING else card.state,
        replacement_rejection=None,
        live_generation=card.generation,
        card_key_id=encrypted.key_id,
        encrypted_card=encrypted.jwe,
        hash_key_id=seen.number_hash.hash_key_id,
        number_hash=seen.number_hash.hash,
        bin=seen.bin,
        last_digits=seen.last_digits,
        expiry=seen.expiry,
        has_security_code=seen.has_security_code,
        verification_attempts=0,
        attempts_exceeded_told=False,
    )


def reject(card: Card, why: CardRejection, now: int) -> Card:
    """The card with the card data that waited refused and erased; what it had before counts on."""
    erased = _without_pending(card)
    if card.state is CardState.PENDING:
        return _saved(erased, now, state=CardState.REJECTED, rejection=why)
    return _saved(erased, now, replacement_rejection=why)


def needs_rotation(card: Card, current: CurrentKeys) -> bool:
    """Whether its card data is encrypted, or its number hashed, with a key that is not the current one."""
    return (
        card.state in IN_BOOKS
        and bool(card.encrypted_card)
        and (card.card_key_id != current.card_key_id or card.hash_key_id != current.hash_key_id)
    )


def rotate(card: Card, seen: Fingerprint, current: CurrentKeys, now: int, *, number_taken: bool = False) -> Card:
    """The card with what is nearer to the current keys; the same where nothing is, or another card was seen. With
    `number_taken` another card has this hash, and this one keeps its own.

    A gateway that has not heard of the newest keys cannot lead a card back to older ones.
    """
    if (seen.bin, seen.last_digits, seen.expiry, seen.has_security_code) != (
        card.bin,
        card.last_digits,
        card.expiry,
        card.has_security_code,
    ):
        return card
    after = card
    encrypted, hashed = seen.encrypted, seen.number_hash
    if encrypted is not None and encrypted.key_id == current.card_key_id != card.card_key_id:
        after = replace(after, card_key_id=encrypted.key_id, encrypted_card=encrypted.jwe)
    if not number_taken and hashed.hash_key_id == current.hash_key_id != card.hash_key_id:
        after = replace(after, hash_key_id=hashed.hash_key_id, number_hash=hashed.hash)
    return card if after is card else _saved(after, now)


def _check_in_books(card: Card) -> None:
    if card.state not in IN_BOOKS:
        raise CardStateUnfit(card.name, card.state)


def _without_pending(card: Card) -> Card:
    return replace(card, pending_key_id="", pending_card="")


def _saved(card: Card, now: int, **changes: object) -> Card:
    return replace(card, update_time=now, revision=card.revision + 1, **changes)  # type: ignore[arg-type]  # its fields
