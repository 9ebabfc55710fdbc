"""Accesses to card data: who had it opened, when and what for. One line for each, written before anything is opened."""

from dataclasses import dataclass
from enum import StrEnum


class CardDataPurpose(StrEnum):
    VERIFICATION = "VERIFICATION"
    CREDENTIALS = "CREDENTIALS"
    FINGERPRINT = "FINGERPRINT"
    KEY_ROTATION = "KEY_ROTATION"


class CardDataAccessResult(StrEnum):
    # Not reported.
    UNSPECIFIED = "UNSPECIFIED"
    SUCCEEDED = "SUCCEEDED"
    NO_USABLE_CARD = "NO_USABLE_CARD"
    CARD_MISMATCH = "CARD_MISMATCH"
    SECURITY_CODE_WRONG = "SECURITY_CODE_WRONG"
    SECURITY_CODE_NOT_CHECKED = "SECURITY_CODE_NOT_CHECKED"
    ATTEMPTS_EXCEEDED = "ATTEMPTS_EXCEEDED"
    REJECTED = "REJECTED"
    UNREADABLE = "UNREADABLE"
    LEFT_TO_DIRECTORY = "LEFT_TO_DIRECTORY"


class Step(StrEnum):
    """What an access left to the gateway: nothing, to compare, to tell, or to ask the issuer's own system."""

    NOTHING = "NOTHING"
    COMPARE = "COMPARE"
    TELL = "TELL"
    DIRECTORY = "DIRECTORY"
    LOOK = "LOOK"


@dataclass(frozen=True, slots=True)
class CardAccess:
    """One access. Times are microseconds. `card` is empty where none was found.

    Of a verification: whether D1 gave an expiry date and a security code, whether that code is compared, whether there
    were too many tries, and which card data (`Card.live_generation`) is compared.
    """

    name: str
    issuer_id: str
    card: str
    purpose: CardDataPurpose
    result: CardDataAccessResult
    sender: str
    correlation_id: str
    create_time: int
    step: Step = Step.NOTHING
    expiry_given: bool = False
    code_given: bool = False
    code_compared: bool = False
    attempts_exceeded: bool = False
    generation: int = 0
