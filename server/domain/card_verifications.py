"""Verifying a card: what is answered at once, what has to be compared, and what a comparison comes to.

A gateway compares, because the core cannot open card data; the core counts a try at the security code before it is
compared, and decides. A security code that nobody compared is never said to be right.
"""

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum

from server.domain.card_accesses import CardAccess, CardDataAccessResult, Step
from server.domain.cards import Card, CardState, CardSuspensionReason
from server.domain.d1_issuer_accounts import CardVerificationMode, D1Issuer
from server.domain.refusals import FieldInvalid

HOUR = 3600 * 1_000_000
# The last place on Earth where a month ends is twelve hours behind UTC.
LAST_PLACE = timedelta(hours=12)
LOST_OR_STOLEN = frozenset({CardSuspensionReason.LOST, CardSuspensionReason.STOLEN})
MOST_COUNTED = 1_000_000


class FieldComparison(StrEnum):
    NOT_GIVEN = "NOT_GIVEN"
    EQUAL = "EQUAL"
    DIFFERENT = "DIFFERENT"
    NOT_COMPARED = "NOT_COMPARED"


@dataclass(frozen=True, slots=True)
class Question:
    """What D1 gave, without any card data."""

    bin_matches: bool
    expiry_given: bool
    code_given: bool


@dataclass(frozen=True, slots=True)
class Findings:
    """What a gateway's comparison showed."""

    expiry: FieldComparison
    security_code: FieldComparison


@dataclass(frozen=True, slots=True)
class Answer:
    """What D1 is answered. `card_id` is empty where the card is unknown."""

    card_id: str = ""
    consumer_id: str = ""
    account_id: str = ""
    card_invalid: bool = True
    lost_or_stolen: bool = False
    expired: bool = False
    fraud_suspect: bool = False
    security_code_valid: bool = False
    verification_attempts_exceeded: bool = False


@dataclass(frozen=True, slots=True)
class Begun:
    """How a verification begins. `result` is what it came to, where nothing is to be compared; `card` is the card with
    the try counted; `tell` says that there were too many for the first time."""

    step: Step
    result: CardDataAccessResult
    card: Card | None
    code_compared: bool = False
    attempts_exceeded: bool = False
    tell: bool = False


def expired(expiry: str, now: int) -> bool:
    """Whether the month of an expiry date (MMYY) is over everywhere on Earth."""
    month, year = int(expiry[:2]), 2000 + int(expiry[2:])
    end = datetime(year + month // 12, month % 12 + 1, 1, tzinfo=UTC) + LAST_PLACE
    return now >= int(end.timestamp()) * 1_000_000


def begin(card: Card | None, question: Question, stated: D1Issuer, now: int, *, consumer_usable: bool) -> Begun:
    """`consumer_usable` is whether the card's consumer is not known to be out of use."""
    if card is None or card.state is not CardState.ACTIVE or not consumer_usable or expired(card.expiry, now):
        return Begun(Step.NOTHING, CardDataAccessResult.NO_USABLE_CARD, card)
    if not question.bin_matches:
        return Begun(Step.NOTHING, CardDataAccessResult.CARD_MISMATCH, card)
    # Only where a code would be compared is there anything to guess at.
    checked = stated.card_verification is CardVerificationMode.WITH_SECURITY_CODE and card.has_security_code
    compared, exceeded, tell = question.code_given and checked, False, False
    if compared:
        card, exceeded, tell = count_try(card, stated, now)
        compared = not exceeded
    if question.expiry_given or compared:
        return Begun(Step.COMPARE, CardDataAccessResult.UNSPECIFIED, card, compared, exceeded, tell)
    result = CardDataAccessResult.SUCCEEDED
    if question.code_given:
        result = CardDataAccessResult.ATTEMPTS_EXCEEDED if exceeded else CardDataAccessResult.SECURITY_CODE_NOT_CHECKED
    return Begun(Step.NOTHING, result, card, compared, exceeded, tell)


def count_try(card: Card, stated: D1Issuer, now: int) -> tuple[Card, bool, bool]:
    """The card with one more try, whether that is one too many, and whether that is to be told."""
    window = stated.security_code_attempts_window_hours
    last = card.last_verification_attempt_time
    over = window > 0 and last is not None and now - last >= window * HOUR
    before, told = (0, False) if over else (card.verification_attempts, card.attempts_exceeded_told)
    exceeded = before >= stated.security_code_attempts
    counted = replace(
        card,
        verification_attempts=min(before + 1, MOST_COUNTED),
        last_verification_attempt_time=max(now, last or 0),
        attempts_exceeded_told=told or exceeded,
    )
    return counted, exceeded, exceeded and not told


def result_of(access: CardAccess, findings: Findings) -> CardDataAccessResult:
    """What a comparison comes to: right is only what was given, was to be compared, and is equal."""
    if access.expiry_given and findings.expiry is not FieldComparison.EQUAL:
        return CardDataAccessResult.CARD_MISMATCH
    if not access.code_given:
        return CardDataAccessResult.SUCCEEDED
    if access.attempts_exceeded:
        return CardDataAccessResult.ATTEMPTS_EXCEEDED
    if not access.code_compared:
        return CardDataAccessResult.SECURITY_CODE_NOT_CHECKED
    match findings.security_code:
        case FieldComparison.EQUAL:
            return CardDataAccessResult.SUCCEEDED
        case FieldComparison.DIFFERENT:
            return CardDataAccessResult.SECURITY_CODE_WRONG
        case _:
            return CardDataAccessResult.SECURITY_CODE_NOT_CHECKED


def finish(access: CardAccess, card: Card | None, result: CardDataAccessResult, *, consumer_usable: bool) -> CardAccess:
    """The access with what it came to: the first result stays. `consumer_usable` as of `begin`. Raises FieldInvalid
    where another one is told."""
    if access.step is Step.COMPARE and access.result is CardDataAccessResult.NO_USABLE_CARD:
        return access
    if access.result is not CardDataAccessResult.UNSPECIFIED:
        if access.result is not result and not _corrects(access, result):
            raise FieldInvalid("finding", f"{access.name} came to {access.result} before", "finding")
        return replace(access, result=result)
    usable = card is not None and card.state is CardState.ACTIVE and consumer_usable and _has_still(card, access)
    if access.step is Step.COMPARE and not usable and result is not CardDataAccessResult.UNREADABLE:
        # Taken out of use, or given other card data, while it was compared.
        return replace(access, result=CardDataAccessResult.NO_USABLE_CARD)
    return replace(access, result=result)


def _corrects(access: CardAccess, result: CardDataAccessResult) -> bool:
    """Card data that was handed out to be told, and turned out to be unreadable."""
    return access.step is Step.TELL and result is CardDataAccessResult.UNREADABLE


def _has_still(card: Card, access: CardAccess) -> bool:
    """Whether the card has the card data that was handed out to be compared. If not, it may be another cardholder's."""
    return access.step is not Step.COMPARE or card.live_generation == access.generation


def answer(access: CardAccess, card: Card | None, now: int) -> Answer:
    """What D1 is answered, by what the access came to."""
    right = access.result is CardDataAccessResult.SUCCEEDED and (card is None or _has_still(card, access))
    code_valid = right or not access.code_given
    if card is None:
        return Answer(security_code_valid=code_valid)
    invalid = access.result in (CardDataAccessResult.NO_USABLE_CARD, CardDataAccessResult.CARD_MISMATCH)
    invalid = invalid or not _has_still(card, access)
    suspended = card.state is CardState.SUSPENDED
    return Answer(
        card_id=card.card_id,
        consumer_id="" if invalid else card.consumer_id,
        account_id="" if invalid else card.account_id,
        card_invalid=invalid,
        lost_or_stolen=invalid and suspended and card.suspension_reason in LOST_OR_STOLEN,
        expired=invalid and bool(card.expiry) and expired(card.expiry, now),
        fraud_suspect=invalid and suspended and card.suspension_reason is CardSuspensionReason.FRAUD_SUSPECTED,
        security_code_valid=code_valid,
        verification_attempts_exceeded=access.attempts_exceeded,
    )
