"""How something came to be known of a payment: one line of its story each."""

from dataclasses import dataclass
from enum import StrEnum

from server.domain.payment_operations import OperationState


class EvidenceKind(StrEnum):
    ATTEMPT = "ATTEMPT"
    ANSWER = "ANSWER"
    STATUS_ANSWER = "STATUS_ANSWER"
    WEBHOOK = "WEBHOOK"
    OPERATOR = "OPERATOR"
    EXPORT = "EXPORT"
    OURS = "OURS"
    SUBSCRIPTION_ANSWER = "SUBSCRIPTION_ANSWER"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One line. `digest` recognises the same piece again; `sealed_body` is the partner's message after the card-data
    cut."""

    name: str
    payment: str
    operation: str
    kind: EvidenceKind
    time: int
    state_before: OperationState
    state_after: OperationState
    summary: str
    actor: str
    attempt: int = 0
    partner_transaction_id: str = ""
    digest: bytes | None = None
    sealed_body: bytes = b""


class Outcome(StrEnum):
    """What became of a call to a partner. UNREPORTED until somebody tells."""

    UNREPORTED = "UNREPORTED"
    NOT_SENT = "NOT_SENT"
    UNKNOWN = "UNKNOWN"
    ANSWERED = "ANSWERED"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One grant to send an operation. `request_id` belongs to whoever got it; `send_by` ends it."""

    name: str
    operation: str
    number: int
    client: str
    request_id: str
    task: str
    fence: int
    begin_time: int
    send_by: int
    outcome: Outcome = Outcome.UNREPORTED
    report_time: int | None = None
