"""Rows of a partner's export as evidence: what each says in the words of a status answer, and when that counts.

An export is a picture of some earlier moment, put together by people. What it says is judged as a status answer is, and
two things count less: that something is open, which may be over by now, and a no that could be another attempt's.
"""

import json
from dataclasses import asdict, dataclass, fields
from enum import StrEnum

from server.domain import payment_operations
from server.domain.payment_answers import FOLLOWING, TRANSACTION_TYPES, PartnerAnswer, Reading
from server.domain.payment_operations import NOTHING_MOVED, Change, Fact, Operation


class ExportOutcome(StrEnum):
    DONE = "DONE"
    PARTLY_DONE = "PARTLY_DONE"
    DECLINED = "DECLINED"
    OPEN = "OPEN"


DONE = frozenset({ExportOutcome.DONE, ExportOutcome.PARTLY_DONE})
_NOES = frozenset({Fact.STATUS_DECLINED, Fact.TRY_DECLINED})
# What the partner's answers would have said; what the row itself has as response code counts instead.
_RESPONSE_CODES = {
    ExportOutcome.DONE: "0",
    ExportOutcome.PARTLY_DONE: "10",
    ExportOutcome.DECLINED: "",
    ExportOutcome.OPEN: "578",
}


class Finding(StrEnum):
    """What a row means for us; `mintmark.v1.ReconciliationFinding` says it of each."""

    CONFIRMS = "CONFIRMS"
    SETTLES = "SETTLES"
    CHARGED_AFTER_ALL = "CHARGED_AFTER_ALL"
    DUPLICATE_CHARGE = "DUPLICATE_CHARGE"
    DISAGREES = "DISAGREES"
    PROVES_NOTHING = "PROVES_NOTHING"
    UNKNOWN_CHARGE = "UNKNOWN_CHARGE"
    NOT_OURS = "NOT_OURS"


@dataclass(frozen=True, slots=True)
class ExportRow:
    """A row, its texts as they came. `line` is its place in the file and no part of what it says."""

    line: int
    partner_transaction_id: str
    reference: str
    transaction_type: str
    amount: str
    currency_code: str
    outcome: ExportOutcome
    outcome_text: str
    response_code: str
    partner_merchant_id: str
    time_text: str

    @property
    def done(self) -> bool:
        """Whether it says that money was moved."""
        return self.outcome in DONE

    def said(self) -> bytes:
        """What it says, wherever it stands: the same row again is the same text."""
        told = asdict(self)
        del told["line"]
        return json.dumps(told, ensure_ascii=False, separators=(",", ":")).encode()


ROW_FIELDS = tuple(field.name for field in fields(ExportRow))


@dataclass(frozen=True, slots=True)
class UnknownCharge:
    """Something that a partner did for us, as its export says, and that we know nothing of.

    No merchant is known of it, so that only who sees all of the gateway's sees it. `time` is in microseconds.
    """

    name: str
    account: str
    merchant_gateway_id: str
    merchant_id: str
    row: ExportRow
    actor: str
    time: int


def fits(operation: Operation, row: ExportRow) -> bool:
    """Whether the row's type is one that the operation's kind has."""
    return row.transaction_type in TRANSACTION_TYPES.get(operation.kind, ())


def answer_of(row: ExportRow, operation: Operation, references: frozenset[str]) -> PartnerAnswer:
    """The row in the words of a status answer about the operation.

    `references` are those of its payment: a capture, release or refund that is known by its transaction id may carry
    the reference of what it follows.
    """
    parents = row.reference in references and operation.kind in FOLLOWING
    known = parents and row.partner_transaction_id == operation.partner_transaction_id
    return PartnerAnswer(
        http_status=200,
        readable=True,
        body=row.said(),
        success="true" if row.done or row.outcome is ExportOutcome.OPEN else "false",
        transaction_type=row.transaction_type,
        # The partner's word for done, whatever was asked for.
        gateway_code="INFO0000" if row.done else "",
        message=row.outcome_text,
        response_code=row.response_code or _RESPONSE_CODES[row.outcome],
        amount=row.amount,
        currency=row.currency_code,
        partner_merchant_id=row.partner_merchant_id,
        reference=operation.reference if known else row.reference,
        partner_transaction_id=row.partner_transaction_id,
    )


def fact_of_row(operation: Operation, row: ExportRow, reading: Reading, now: int) -> Fact | None:
    """The fact that a row about an operation is; None where it proves nothing."""
    fact = payment_operations.fact_of_status(operation, reading)
    if fact is Fact.STATUS_PROCESSING:
        # That was when the export was made.
        return None
    bound = row.partner_transaction_id == operation.partner_transaction_id
    # Else it could be the no to another attempt than the one that is on its way, or that nobody has heard of.
    alone = operation.attempt_count <= 1 and now >= operation.in_flight_until
    return None if fact in _NOES and not bound and not alone else fact


def finding_of(row: ExportRow, change: Change) -> Finding:
    """What a row that counts means, by what it made of its operation."""
    if change.charged_after_all:
        return Finding.CHARGED_AFTER_ALL
    if change.changed:
        return Finding.SETTLES
    if change.disagrees:
        return Finding.DISAGREES
    same = change.after.charged if row.done else change.after.state in NOTHING_MOVED
    return Finding.CONFIRMS if same else Finding.PROVES_NOTHING
