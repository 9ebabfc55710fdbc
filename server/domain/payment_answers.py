"""What PaymentOptions answers, read leniently and judged strictly: not paid unless proven paid, not failed unless
proven failed.
"""

import re
from dataclasses import dataclass, replace
from enum import StrEnum

from server.domain.money import Money, MoneyInvalid, exponent, parse_decimal
from server.domain.partner_subscriptions import PartnerSubscription
from server.domain.payment_codes import CodeClass, class_of_code
from server.domain.payment_options import AmountUnit, PageLink

TRANSACTION_ID = re.compile(r"[A-Za-z0-9-]{1,64}")


class OperationKind(StrEnum):
    PURCHASE = "PURCHASE"
    AUTHORIZATION = "AUTHORIZATION"
    CAPTURE = "CAPTURE"
    VOID = "VOID"
    REFUND = "REFUND"
    EXTERNAL = "EXTERNAL"
    HOSTED_PURCHASE = "HOSTED_PURCHASE"
    SUBSCRIPTION = "SUBSCRIPTION"
    CYCLE = "CYCLE"


class Doubt(StrEnum):
    OUTCOME_UNKNOWN = "OUTCOME_UNKNOWN"
    ANSWER_UNREADABLE = "ANSWER_UNREADABLE"
    CODE_UNCLEAR = "CODE_UNCLEAR"
    SENDER_SILENT = "SENDER_SILENT"
    ACTION_WINDOW_PASSED = "ACTION_WINDOW_PASSED"
    EVIDENCE_DISAGREES = "EVIDENCE_DISAGREES"
    STORE_RESTORED = "STORE_RESTORED"


class DeclineClass(StrEnum):
    SOFT = "SOFT"
    HARD = "HARD"
    RISK = "RISK"
    REQUEST = "REQUEST"
    UNRECOGNIZED = "UNRECOGNIZED"


class Verdict(StrEnum):
    APPROVED = "APPROVED"
    PARTIALLY_APPROVED = "PARTIALLY_APPROVED"
    DECLINED = "DECLINED"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    PROCESSING = "PROCESSING"
    IN_DOUBT = "IN_DOUBT"
    # Only of a status answer: it does not count.
    NOTHING = "NOTHING"


# The codes that say that it is done, by what was asked for. INFO0000 is a payment's; where something else was asked
# for, the transaction type has to say so.
DONE_CODES = {
    OperationKind.PURCHASE: frozenset({"INFO0000", "INFO0001"}),
    OperationKind.HOSTED_PURCHASE: frozenset({"INFO0000", "INFO0001"}),
    # INFO3000 is the subscription's own; that money moved is said by everything beside it.
    OperationKind.SUBSCRIPTION: frozenset({"INFO0000", "INFO0001", "INFO3000"}),
    OperationKind.CYCLE: frozenset({"INFO0000", "INFO0001"}),
    OperationKind.AUTHORIZATION: frozenset({"INFO0000"}),
    OperationKind.CAPTURE: frozenset({"INFO0001", "INFO0000"}),
    OperationKind.REFUND: frozenset({"INFO0002", "INFO0000"}),
    OperationKind.VOID: frozenset({"INFO0003", "INFO0000"}),
}
TRANSACTION_TYPES = {
    # Purchase pages print PRE_AUTH in their samples.
    OperationKind.PURCHASE: frozenset({"CAPTURE", "PRE_AUTH"}),
    OperationKind.HOSTED_PURCHASE: frozenset({"CAPTURE", "PRE_AUTH"}),
    OperationKind.SUBSCRIPTION: frozenset({"CAPTURE", "PRE_AUTH"}),
    OperationKind.CYCLE: frozenset({"CAPTURE", "PRE_AUTH"}),
    OperationKind.AUTHORIZATION: frozenset({"PRE_AUTH"}),
    OperationKind.CAPTURE: frozenset({"CAPTURE"}),
    OperationKind.REFUND: frozenset({"REFUND"}),
    OperationKind.VOID: frozenset({"VOID"}),
}
FOLLOWING = frozenset({OperationKind.CAPTURE, OperationKind.REFUND, OperationKind.VOID})
# The body says what happened.
READ_STATUSES = frozenset({200, 201})
# Refused before anything happened.
REFUSED_STATUSES = frozenset({400, 401, 404, 406, 412})
_RISK = re.compile(r"ERR3\d{3}")


@dataclass(frozen=True, slots=True)
class PartnerAnswer:
    """An answer as the dispatcher read it: texts as they came, empty where absent."""

    http_status: int
    readable: bool
    body: bytes = b""
    success: str = ""
    redirect_url: str = ""
    transaction_type: str = ""
    is_live: str = ""
    gateway_code: str = ""
    gateway_type: str = ""
    message: str = ""
    response_code: str = ""
    amount: str = ""
    currency: str = ""
    auth_code: str = ""
    scheme: str = ""
    masked_number: str = ""
    card_expiry: str = ""
    partner_merchant_id: str = ""
    reference: str = ""
    partner_transaction_id: str = ""
    partner_reference: str = ""
    stored_payment_method_id: str = ""
    page: PageLink | None = None
    # Of subscriptions; of a list those that name our reference, and how many there are in all.
    subscriptions: tuple[PartnerSubscription, ...] = ()
    listed_count: int = 0
    # Whether the body went on beyond what is read of one.
    cut_off: bool = False


@dataclass(frozen=True, slots=True)
class Decline:
    """A no, in three layers: our class, the partner's code, the issuer's code."""

    decline_class: DeclineClass
    partner_code: str
    response_code: str
    message: str
    http_status: int


@dataclass(frozen=True, slots=True)
class Expected:
    """What an answer has to say to be about an operation of ours."""

    kind: OperationKind
    amount: Money
    amount_unit: AmountUnit
    reference: str
    partner_merchant_id: str
    stored_payment_method_id: str
    live: bool


@dataclass(frozen=True, slots=True)
class Reading:
    """What an answer is judged to say. `why` is for people."""

    verdict: Verdict
    why: str
    doubt: Doubt | None = None
    decline: Decline | None = None
    confirmed_minor_amount: int | None = None
    redirect_url: str = ""
    # A well-formed id that the answer names; not yet a proven one.
    partner_transaction_id: str = ""
    partner_reference: str = ""
    auth_code: str = ""


def amount_said(text: str, currency_code: str, unit: AmountUnit) -> Money | None:
    """The amount that an answer says, exactly; None where it says none that can be read."""
    try:
        if unit is AmountUnit.MAJOR or exponent(currency_code) == 0:
            return parse_decimal(text, currency_code)
        whole, point, fraction = text.partition(".")
        if point and (not fraction or fraction.strip("0")):
            return None
        if not whole.isascii() or not whole.isdigit() or len(whole) > 19:
            return None
        return Money(int(whole), currency_code)
    except MoneyInvalid:
        return None


def is_of(kind: OperationKind, answer: PartnerAnswer) -> bool:
    """Whether an answer's transaction type is one of this kind of operation."""
    return kind in TRANSACTION_TYPES and answer.transaction_type.upper() in TRANSACTION_TYPES[kind]


def judge(expected: Expected, answer: PartnerAnswer) -> Reading:
    """What the answer to an attempt says of it."""
    said = _told(answer)
    status = answer.http_status
    no = class_of_no(answer)
    if status in READ_STATUSES:
        return _judge_body(expected, answer, said)
    if status in REFUSED_STATUSES:
        if answer.readable and (answer.success == "true" or answer.redirect_url or no in _OPEN):
            return _doubt(said, Doubt.ANSWER_UNREADABLE, f"HTTP {status} with a body that says otherwise")
        return _declined(said, answer, no if no in _NOES else CodeClass.REQUEST, f"refused with HTTP {status}")
    # A status that the contract does not list says no only together with a code that it lists.
    listed = no in _NOES and no is not CodeClass.UNRECOGNIZED
    if 400 <= status < 500 and answer.readable and answer.success == "false" and listed:
        if stranger := stranger_of(expected, answer):
            return _doubt(said, Doubt.ANSWER_UNREADABLE, stranger)
        return _declined(said, answer, no, f"refused with HTTP {status} and a code")
    if 500 <= status < 600:
        return _doubt(said, Doubt.OUTCOME_UNKNOWN, f"HTTP {status}")
    return _doubt(said, Doubt.ANSWER_UNREADABLE, f"HTTP {status}, which says nothing about the payment")


def judge_status(expected: Expected, answer: PartnerAnswer, partner_transaction_id: str) -> Reading:
    """What the answer to a status query for a transaction says of an operation. It counts only where it is surely
    about it."""
    if answer.http_status not in READ_STATUSES or not answer.readable:
        return Reading(Verdict.NOTHING, f"HTTP {answer.http_status}: proves nothing")
    if answer.partner_transaction_id != partner_transaction_id:
        return Reading(Verdict.NOTHING, "speaks of another transaction")
    if not answer.reference and not answer.partner_merchant_id:
        return Reading(Verdict.NOTHING, "names neither our reference nor the merchant")
    if answer.transaction_type and answer.transaction_type.upper() not in TRANSACTION_TYPES[expected.kind]:
        return Reading(Verdict.NOTHING, "another transaction type than what was asked for")
    if answer.redirect_url:
        return Reading(Verdict.NOTHING, "a redirect, which is no status")
    reading = _judge_body(expected, answer, _told(answer))
    if reading.verdict is Verdict.IN_DOUBT:
        return Reading(Verdict.NOTHING, reading.why)
    if reading.verdict is Verdict.DECLINED and answer.amount:
        said = amount_said(answer.amount, expected.amount.currency_code, expected.amount_unit)
        if said != expected.amount:
            return Reading(Verdict.NOTHING, "another amount than ours")
    return reading


_NOES = {
    CodeClass.SOFT: DeclineClass.SOFT,
    CodeClass.HARD: DeclineClass.HARD,
    CodeClass.RISK: DeclineClass.RISK,
    CodeClass.REQUEST: DeclineClass.REQUEST,
    CodeClass.UNRECOGNIZED: DeclineClass.UNRECOGNIZED,
}
_OPEN = frozenset({CodeClass.APPROVED, CodeClass.PARTIAL, CodeClass.PENDING, CodeClass.UNCLEAR})


def class_of_no(answer: PartnerAnswer) -> CodeClass:
    """The class of both codes together: the more careful one."""
    of = class_of_code(answer.response_code)
    if of in _OPEN:
        return of
    if _RISK.fullmatch(answer.gateway_code.upper()):
        return CodeClass.RISK
    if of is CodeClass.NONE and answer.gateway_code.upper().startswith("ERR"):
        return CodeClass.UNRECOGNIZED
    return of


def _judge_body(expected: Expected, answer: PartnerAnswer, said: Reading) -> Reading:
    if not answer.readable:
        return _doubt(said, Doubt.ANSWER_UNREADABLE, "not a JSON object")
    # Before `success`, which says true here and means: send the payer there.
    if answer.redirect_url:
        return _judge_redirect(expected, answer, said)
    if stranger := stranger_of(expected, answer):
        return _doubt(said, Doubt.ANSWER_UNREADABLE, stranger)
    code = class_of_code(answer.response_code)
    if code is CodeClass.PENDING:
        if not said.partner_transaction_id:
            return _doubt(said, Doubt.CODE_UNCLEAR, "pending, and no transaction id to ask for")
        return _with(said, Verdict.PROCESSING, "the partner is at it")
    if code is CodeClass.UNCLEAR:
        return _doubt(said, Doubt.CODE_UNCLEAR, f"response code {answer.response_code} leaves it open")
    if answer.success == "true":
        return _judge_success(expected, answer, said, code)
    if answer.success == "false":
        if code in (CodeClass.APPROVED, CodeClass.PARTIAL) or answer.gateway_code.upper().startswith("INFO"):
            return _doubt(said, Doubt.ANSWER_UNREADABLE, "says no, with a code that says yes")
        no = class_of_no(answer)
        return _declined(said, answer, no if no in _NOES else CodeClass.UNRECOGNIZED, "declined")
    return _doubt(said, Doubt.ANSWER_UNREADABLE, "does not say whether it succeeded")


def _judge_redirect(expected: Expected, answer: PartnerAnswer, said: Reading) -> Reading:
    if expected.kind in FOLLOWING:
        return _doubt(said, Doubt.ANSWER_UNREADABLE, "a redirect where no payer is concerned")
    if answer.success == "false" or class_of_code(answer.response_code) not in (CodeClass.NONE, CodeClass.APPROVED):
        return _doubt(said, Doubt.ANSWER_UNREADABLE, "a redirect together with a no")
    if not re.match(r"https?://[^/\s]", answer.redirect_url):
        return _doubt(said, Doubt.ANSWER_UNREADABLE, "a redirect to what is no URL")
    return _with(said, Verdict.REQUIRES_ACTION, "the payer has to act", redirect_url=answer.redirect_url)


def _judge_success(expected: Expected, answer: PartnerAnswer, said: Reading, code: CodeClass) -> Reading:
    """Done only where everything says so and says the same as we do."""
    kind, ours = expected.kind, expected.amount
    done = answer.gateway_code.upper()
    if code not in (CodeClass.APPROVED, CodeClass.PARTIAL):
        return _doubt(said, Doubt.ANSWER_UNREADABLE, "says yes, without a response code that says yes")
    if done not in DONE_CODES[kind] or (kind in FOLLOWING and done == "INFO0000" and not answer.transaction_type):
        return _doubt(said, Doubt.ANSWER_UNREADABLE, "says yes, without a code that says so of this call")
    if answer.transaction_type and answer.transaction_type.upper() not in TRANSACTION_TYPES[kind]:
        return _doubt(said, Doubt.ANSWER_UNREADABLE, "another transaction type than what was asked for")
    if not said.partner_transaction_id:
        return _doubt(said, Doubt.ANSWER_UNREADABLE, "says yes, without a transaction id")
    if kind is OperationKind.VOID and not answer.amount:
        return _with(said, Verdict.APPROVED, "done", confirmed_minor_amount=ours.minor_amount)
    amount = amount_said(answer.amount, ours.currency_code, expected.amount_unit)
    if amount is None or not answer.currency:
        return _doubt(said, Doubt.ANSWER_UNREADABLE, "says yes, without a readable amount and currency")
    if amount == ours:
        return _with(said, Verdict.APPROVED, "done", confirmed_minor_amount=ours.minor_amount)
    partial = code is CodeClass.PARTIAL and 0 < amount.minor_amount < ours.minor_amount
    if partial and kind not in FOLLOWING:
        return _with(said, Verdict.PARTIALLY_APPROVED, "done for a part", confirmed_minor_amount=amount.minor_amount)
    return _doubt(said, Doubt.ANSWER_UNREADABLE, "another amount than ours")


def stranger_of(expected: Expected, answer: PartnerAnswer) -> str:
    """Why an answer is not about ours; empty where nothing says so."""
    if answer.reference and answer.reference != expected.reference:
        return "another reference than ours"
    if answer.partner_merchant_id and answer.partner_merchant_id != expected.partner_merchant_id:
        return "another merchant than ours"
    if answer.currency and answer.currency.upper() != expected.amount.currency_code:
        return "another currency than ours"
    if answer.is_live and answer.is_live != ("true" if expected.live else "false"):
        return "another environment (live or test) than ours"
    stored = expected.stored_payment_method_id
    if stored and answer.stored_payment_method_id and answer.stored_payment_method_id != stored:
        return "another stored payment method than ours"
    return ""


def _told(answer: PartnerAnswer) -> Reading:
    named = answer.partner_transaction_id
    return Reading(
        Verdict.IN_DOUBT,
        "",
        partner_transaction_id=named if TRANSACTION_ID.fullmatch(named) else "",
        partner_reference=answer.partner_reference,
        auth_code=answer.auth_code,
    )


def _with(
    said: Reading, verdict: Verdict, why: str, *, confirmed_minor_amount: int | None = None, redirect_url: str = ""
) -> Reading:
    return Reading(
        verdict,
        why,
        confirmed_minor_amount=confirmed_minor_amount,
        redirect_url=redirect_url,
        partner_transaction_id=said.partner_transaction_id,
        partner_reference=said.partner_reference,
        auth_code=said.auth_code,
    )


def _doubt(said: Reading, doubt: Doubt, why: str) -> Reading:
    return replace(said, why=why, doubt=doubt)


def _declined(said: Reading, answer: PartnerAnswer, no: CodeClass, why: str) -> Reading:
    decline = Decline(_NOES[no], answer.gateway_code, answer.response_code, answer.message, answer.http_status)
    return Reading(Verdict.DECLINED, why, decline=decline, partner_transaction_id=said.partner_transaction_id)
