"""What a partner is asked to do for a payment, and every way in which its state can change.

`TRANSITIONS` is the whole truth: (state, fact) -> state. A fact that it does not list for a state changes nothing; it
is kept as evidence. Nothing here turns an operation in doubt into a failed one without a fact that says so, and no
state absorbs the fact that money was moved.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from server.domain.money import Money
from server.domain.payment_answers import Decline, Doubt, Expected, OperationKind, Reading, Verdict
from server.domain.payment_options import AmountUnit


class OperationState(StrEnum):
    PENDING = "PENDING"
    SENDING = "SENDING"
    PROCESSING = "PROCESSING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    IN_DOUBT = "IN_DOUBT"
    SUCCEEDED = "SUCCEEDED"
    PARTIALLY_APPROVED = "PARTIALLY_APPROVED"
    DECLINED = "DECLINED"
    CANCELLED = "CANCELLED"
    EXPIRED_UNSENT = "EXPIRED_UNSENT"
    NOT_CHARGED = "NOT_CHARGED"


S = OperationState

UNRESOLVED = frozenset({S.PENDING, S.SENDING, S.PROCESSING, S.REQUIRES_ACTION, S.IN_DOUBT})
# The partner confirmed that money was moved (or, of a void, released).
CHARGED = frozenset({S.SUCCEEDED, S.PARTIALLY_APPROVED})
# It is proven that nothing was moved.
NOTHING_MOVED = frozenset({S.DECLINED, S.CANCELLED, S.EXPIRED_UNSENT, S.NOT_CHARGED})
# In these nobody waits for anything but a person.
UNDER_WAY = frozenset({S.PENDING, S.SENDING, S.PROCESSING})


class Fact(StrEnum):
    """Something that came to be known of an operation."""

    BEGUN = "an attempt was granted"
    NOT_SENT = "the attempt's transport shows that nothing was sent"
    NO_ANSWER = "it was sent, and no whole answer came"
    ANSWER_APPROVED = "the answer says done"
    ANSWER_PARTIAL = "the answer says done in part"
    ANSWER_DECLINED = "the answer says no"
    ANSWER_ACTION = "the answer sends the payer to act"
    ANSWER_PROCESSING = "the answer says that the partner is at it"
    ANSWER_UNCLEAR = "the answer does not say what happened"
    STATUS_APPROVED = "the partner's status says done"
    STATUS_PARTIAL = "the partner's status says done in part"
    STATUS_DECLINED = "the partner's status says no"
    TRY_DECLINED = "the partner's status says no to one of the tries that the payer may have made"
    STATUS_PROCESSING = "the partner's status says that it is at it"
    CANCEL = "it was taken back"
    EXPIRE = "its time to be sent has passed"
    SENDER_SILENT = "the process that was to send it has not reported in time"
    ACTION_WINDOW_PASSED = "the payer's time to act has passed"
    STORE_RESTORED = "the store was restored from an earlier time"
    NOT_CHARGED = "an operator found out that nothing happened"


F = Fact

_APPROVALS = {F.ANSWER_APPROVED: S.SUCCEEDED, F.STATUS_APPROVED: S.SUCCEEDED}
_PARTIALS = {F.ANSWER_PARTIAL: S.PARTIALLY_APPROVED, F.STATUS_PARTIAL: S.PARTIALLY_APPROVED}
_CHARGES = _APPROVALS | _PARTIALS

TRANSITIONS: dict[OperationState, dict[Fact, OperationState]] = {
    S.PENDING: {
        F.BEGUN: S.SENDING,
        F.CANCEL: S.CANCELLED,
        F.EXPIRE: S.EXPIRED_UNSENT,
        F.STORE_RESTORED: S.IN_DOUBT,
        # Of an attempt that was reported as unsent: somebody was wrong, so nothing more is sent.
        F.NO_ANSWER: S.IN_DOUBT,
        F.ANSWER_UNCLEAR: S.IN_DOUBT,
        F.ANSWER_ACTION: S.IN_DOUBT,
        F.ANSWER_PROCESSING: S.IN_DOUBT,
        F.ANSWER_DECLINED: S.IN_DOUBT,
        F.STATUS_PROCESSING: S.IN_DOUBT,
        F.STATUS_DECLINED: S.IN_DOUBT,
        F.TRY_DECLINED: S.IN_DOUBT,
        **_CHARGES,
    },
    S.SENDING: {
        F.NOT_SENT: S.PENDING,
        F.NO_ANSWER: S.IN_DOUBT,
        F.ANSWER_DECLINED: S.DECLINED,
        F.ANSWER_ACTION: S.REQUIRES_ACTION,
        F.ANSWER_PROCESSING: S.PROCESSING,
        F.ANSWER_UNCLEAR: S.IN_DOUBT,
        F.STATUS_DECLINED: S.DECLINED,
        F.STATUS_PROCESSING: S.PROCESSING,
        F.SENDER_SILENT: S.IN_DOUBT,
        F.STORE_RESTORED: S.IN_DOUBT,
        **_CHARGES,
    },
    S.PROCESSING: {
        F.ANSWER_DECLINED: S.DECLINED,
        F.ANSWER_ACTION: S.REQUIRES_ACTION,
        F.STATUS_DECLINED: S.DECLINED,
        F.TRY_DECLINED: S.IN_DOUBT,
        # The partner has been at it for too long, and a person has found out.
        F.NOT_CHARGED: S.NOT_CHARGED,
        **_CHARGES,
    },
    S.REQUIRES_ACTION: {
        # One declined try does not close it: the payer may try again until the window has passed.
        F.ACTION_WINDOW_PASSED: S.IN_DOUBT,
        **_CHARGES,
    },
    S.IN_DOUBT: {
        # Only where the doubt is that the sender was silent: `change` looks.
        F.NOT_SENT: S.PENDING,
        F.NO_ANSWER: S.IN_DOUBT,
        F.ANSWER_DECLINED: S.DECLINED,
        F.ANSWER_ACTION: S.REQUIRES_ACTION,
        F.ANSWER_PROCESSING: S.PROCESSING,
        F.ANSWER_UNCLEAR: S.IN_DOUBT,
        F.STATUS_DECLINED: S.DECLINED,
        F.STATUS_PROCESSING: S.PROCESSING,
        F.NOT_CHARGED: S.NOT_CHARGED,
        **_CHARGES,
    },
    # What is done stays done; what contradicts it is told.
    S.SUCCEEDED: {},
    S.PARTIALLY_APPROVED: {},
    S.DECLINED: {F.STATUS_PROCESSING: S.IN_DOUBT, F.ANSWER_PROCESSING: S.IN_DOUBT, **_CHARGES},
    S.CANCELLED: {
        F.NO_ANSWER: S.IN_DOUBT,
        F.ANSWER_UNCLEAR: S.IN_DOUBT,
        F.ANSWER_ACTION: S.IN_DOUBT,
        F.ANSWER_PROCESSING: S.IN_DOUBT,
        F.STATUS_PROCESSING: S.IN_DOUBT,
        **_CHARGES,
    },
    S.EXPIRED_UNSENT: {
        F.NO_ANSWER: S.IN_DOUBT,
        F.ANSWER_UNCLEAR: S.IN_DOUBT,
        F.ANSWER_ACTION: S.IN_DOUBT,
        F.ANSWER_PROCESSING: S.IN_DOUBT,
        F.STATUS_PROCESSING: S.IN_DOUBT,
        **_CHARGES,
    },
    S.NOT_CHARGED: {
        # Its sender is heard of for the first time: it was sent, maybe after the operator has looked.
        F.NO_ANSWER: S.IN_DOUBT,
        F.ANSWER_UNCLEAR: S.IN_DOUBT,
        F.ANSWER_ACTION: S.IN_DOUBT,
        F.ANSWER_PROCESSING: S.IN_DOUBT,
        F.STATUS_PROCESSING: S.IN_DOUBT,
        **_CHARGES,
    },
}

# Definite facts that, where they change nothing, contradict what is held.
CONTRADICTIONS: dict[OperationState, frozenset[Fact]] = {
    S.SUCCEEDED: frozenset({F.NOT_SENT, F.ANSWER_DECLINED, F.STATUS_DECLINED}),
    S.PARTIALLY_APPROVED: frozenset({F.NOT_SENT, F.ANSWER_DECLINED, F.STATUS_DECLINED}),
    S.DECLINED: frozenset({F.NOT_SENT}),
    S.PROCESSING: frozenset({F.NOT_SENT}),
    S.REQUIRES_ACTION: frozenset({F.NOT_SENT}),
}

# The doubt that a fact leaves; of an unclear answer its reading says which.
DOUBTS = {
    F.NO_ANSWER: Doubt.OUTCOME_UNKNOWN,
    F.SENDER_SILENT: Doubt.SENDER_SILENT,
    F.ACTION_WINDOW_PASSED: Doubt.ACTION_WINDOW_PASSED,
    F.STORE_RESTORED: Doubt.STORE_RESTORED,
}

_ANSWER_FACTS = {
    Verdict.APPROVED: F.ANSWER_APPROVED,
    Verdict.PARTIALLY_APPROVED: F.ANSWER_PARTIAL,
    Verdict.DECLINED: F.ANSWER_DECLINED,
    Verdict.REQUIRES_ACTION: F.ANSWER_ACTION,
    Verdict.PROCESSING: F.ANSWER_PROCESSING,
    Verdict.IN_DOUBT: F.ANSWER_UNCLEAR,
}
_STATUS_FACTS = {
    Verdict.APPROVED: F.STATUS_APPROVED,
    Verdict.PARTIALLY_APPROVED: F.STATUS_PARTIAL,
    Verdict.DECLINED: F.STATUS_DECLINED,
    Verdict.PROCESSING: F.STATUS_PROCESSING,
}


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that a partner is asked to do. Times are microseconds on the database's clock.

    `in_flight_until`: until then an attempt may be on its way. `attend_time`: when the steward has to look at it.
    """

    name: str
    payment: str
    account: str
    number: int
    kind: OperationKind
    state: OperationState
    minor_amount: int
    currency_code: str
    amount_unit: AmountUnit
    reference: str
    partner_merchant_id: str
    stored_payment_method_id: str
    live: bool
    send_before: int
    create_time: int
    update_time: int
    parent: str = ""
    parent_transaction_id: str = ""
    confirmed_minor_amount: int | None = None
    partner_transaction_id: str | None = None
    partner_reference: str = ""
    auth_code: str = ""
    doubt: Doubt | None = None
    decline: Decline | None = None
    attempt_count: int = 0
    in_flight_until: int = 0
    # Whether the payer was ever sent to act, or may be: then there may be several tries.
    action_required: bool = False
    # Whether something was heard of it that is no answer to an attempt: then it was sent, whatever an attempt says.
    hinted: bool = False
    redirect_expire_time: int | None = None
    attend_time: int | None = None
    # Whether the partner was asked to store the card that pays on its page.
    store_payment_method: bool = False
    # Of a subscription's charges: the number of the cycle, 0 where none is known.
    cycle: int = 0

    @property
    def amount(self) -> Money:
        return Money(self.minor_amount, self.currency_code)

    @property
    def unresolved(self) -> bool:
        return self.state in UNRESOLVED

    @property
    def charged(self) -> bool:
        return self.state in CHARGED

    def expected(self, reference: str = "") -> Expected:
        """What an answer about this operation has to say. `reference`: the one that the partner knows, if another."""
        return Expected(
            kind=self.kind,
            amount=self.amount,
            amount_unit=self.amount_unit,
            reference=reference or self.reference,
            partner_merchant_id=self.partner_merchant_id,
            stored_payment_method_id=self.stored_payment_method_id,
            live=self.live,
        )


@dataclass(frozen=True, slots=True)
class Change:
    """What a fact made of an operation. `after` is the operation itself where it changed nothing."""

    before: Operation
    after: Operation
    fact: Fact
    # A definite piece of evidence contradicts what is held.
    disagrees: bool = False

    @property
    def changed(self) -> bool:
        return self.after is not self.before

    @property
    def charged_after_all(self) -> bool:
        return self.before.state in NOTHING_MOVED and self.after.state in CHARGED


DISAGREEMENT = Reading(Verdict.IN_DOUBT, "contradicts what is known", Doubt.EVIDENCE_DISAGREES)


def fact_of_status(operation: Operation, reading: Reading) -> Fact | None:
    """The fact that a reading of a status answer is; None where it proves nothing."""
    fact = _STATUS_FACTS.get(reading.verdict)
    return F.TRY_DECLINED if fact is F.STATUS_DECLINED and operation.action_required else fact


def fact_of_answer(operation: Operation, attempt: int, reading: Reading) -> tuple[Fact, Reading]:
    """The fact that the answer to an attempt is.

    That of an attempt before the last one contradicts that nothing of it was sent: a yes counts, anything else leaves
    doubt.
    """
    if attempt < operation.attempt_count and reading.verdict not in (Verdict.APPROVED, Verdict.PARTIALLY_APPROVED):
        return F.ANSWER_UNCLEAR, DISAGREEMENT
    return _ANSWER_FACTS[reading.verdict], reading


def fact_of_silence(operation: Operation, attempt: int, *, sent: bool) -> tuple[Fact, Reading | None] | None:
    """The fact that an attempt without an answer is; None where it says nothing new."""
    if sent:
        return (F.NO_ANSWER, None) if attempt >= operation.attempt_count else (F.ANSWER_UNCLEAR, DISAGREEMENT)
    if attempt != operation.attempt_count:
        return None
    if operation.hinted and operation.state in (S.SENDING, S.IN_DOUBT):
        return F.ANSWER_UNCLEAR, DISAGREEMENT
    return F.NOT_SENT, None


def may_begin(operation: Operation, now: int) -> bool:
    """Whether an attempt may be granted: it is unsent, in time, and nobody has heard of it."""
    return operation.state is S.PENDING and not operation.hinted and now < operation.send_before


def hint(operation: Operation) -> Operation:
    """The operation after something was heard of it. Its state stays."""
    return operation if operation.hinted else replace(operation, hinted=True)


def change(
    operation: Operation, fact: Fact, now: int, reading: Reading | None = None, *, action_window: int = 0
) -> Change:
    """What the fact makes of the operation. `action_window`: how long the payer has to act, in microseconds."""
    if operation.hinted and fact in (F.EXPIRE, F.CANCEL) and operation.state is S.PENDING:
        # Somebody at the partner knows of it, so it was sent.
        fact, reading = F.ANSWER_UNCLEAR, DISAGREEMENT
    to = TRANSITIONS[operation.state].get(fact)
    if fact is F.NOT_SENT and operation.state is S.IN_DOUBT and operation.doubt is not Doubt.SENDER_SILENT:
        to = None
    if to is S.REQUIRES_ACTION and operation.doubt is Doubt.ACTION_WINDOW_PASSED:
        # The same answer again: its window has passed.
        to = None
    if to is None:
        return Change(operation, operation, fact, _disagrees(operation, fact, reading))
    doubt = None
    if to is S.IN_DOUBT:
        doubt = _doubt(operation, fact, reading)
        if operation.state is S.IN_DOUBT and doubt is operation.doubt:
            return Change(operation, operation, fact)
    after = replace(operation, state=to, doubt=doubt, decline=None, update_time=now, attend_time=None)
    if to is S.SENDING:
        after = replace(after, attempt_count=operation.attempt_count + 1)
    elif to is S.PENDING:
        after = replace(after, attend_time=operation.send_before, in_flight_until=0)
    elif to is S.IN_DOUBT and fact is F.STORE_RESTORED:
        # It may have been sent by somebody of whom nothing is known any more.
        after = replace(after, in_flight_until=max(now, operation.in_flight_until))
    elif to is S.REQUIRES_ACTION:
        expires = now + action_window
        after = replace(after, action_required=True, redirect_expire_time=expires, attend_time=expires)
    if reading is not None:
        after = _told(after, reading)
    return Change(operation, after, fact)


def _doubt(operation: Operation, fact: Fact, reading: Reading | None) -> Doubt:
    if operation.state in NOTHING_MOVED or (operation.state is S.PENDING and fact is not F.STORE_RESTORED):
        return Doubt.EVIDENCE_DISAGREES
    if operation.state is S.IN_DOUBT and operation.doubt not in (Doubt.SENDER_SILENT, None):
        # A sender that is heard of late says no more than is known; why there is doubt stays.
        return operation.doubt or Doubt.OUTCOME_UNKNOWN
    if reading is not None and reading.doubt is not None:
        return reading.doubt
    return DOUBTS.get(fact, Doubt.OUTCOME_UNKNOWN)


def _disagrees(operation: Operation, fact: Fact, reading: Reading | None) -> bool:
    if _of_another(operation, reading):
        return False
    if operation.charged and reading is not None and fact in _CHARGES:
        said = reading.confirmed_minor_amount
        return said is not None and said != operation.confirmed_minor_amount
    return fact in CONTRADICTIONS.get(operation.state, frozenset())


def _of_another(operation: Operation, reading: Reading | None) -> bool:
    """Whether a reading speaks of another transaction than the one that is confirmed: another try, say."""
    named = reading.partner_transaction_id if reading else ""
    return bool(named and operation.partner_transaction_id and named != operation.partner_transaction_id)


def _told(operation: Operation, reading: Reading) -> Operation:
    """The operation with what a reading tells beside its verdict."""
    if operation.state in CHARGED:
        amount = reading.confirmed_minor_amount
        return replace(
            operation,
            confirmed_minor_amount=operation.minor_amount if amount is None else amount,
            partner_transaction_id=reading.partner_transaction_id or operation.partner_transaction_id,
            partner_reference=reading.partner_reference or operation.partner_reference,
            auth_code=reading.auth_code or operation.auth_code,
        )
    if operation.state is S.DECLINED:
        bound = operation.partner_transaction_id or reading.partner_transaction_id or None
        return replace(operation, decline=reading.decline, partner_transaction_id=bound)
    if operation.state is S.PROCESSING:
        return replace(operation, partner_transaction_id=reading.partner_transaction_id or None)
    return operation
