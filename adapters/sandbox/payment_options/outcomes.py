"""Outcomes on request: which amount, or which stored payment method, brings which outcome."""

from msgspec import Struct

from adapters.sandbox.payment_options.charges import (
    AMBIGUOUS,
    APPROVED,
    CLEAN,
    DECLINED,
    PARTIALLY_APPROVED,
    PENDING,
)

# A stored payment method with this id has the outcome of the amount that its last digits spell.
METHOD_PREFIX = "00000000-0000-4000-8000-"

CODE_BASE = 70_000
CHARGED_CODE_BASE = 72_000
RISK_BASE = 74_000
STATUS_BASE = 75_000
CHARGED_STATUS_BASE = 76_000
THREE_DS_NUMBER = 77_000
HIGHEST_CODE = 1_999

PARTIAL_APPROVAL = 10
APPROVE_LIKE = (8, 85)
SOFT_DECLINES = (1, 2, 5, 19, 51, 61, 65, 79, 82, 83, 91, 92, 96)
HARD_DECLINES = (
    *(4, 7, 14, 15, 34, 41, 43, 54, 57, 59, 62, 577, 586, 587, 588, 589, 605, 606, 608, 972, 973, 975),
    *(3, 12, 13, 30, 58, 836),
)
BUSY = (*range(443, 451), *range(453, 458), 459, 460, 675, 678, 681, 703, 705)
PENDING_CODE = 578
UNCLEAR = (68, 94, 452, 676, 677, 679, 680, 682, 683, *range(694, 703), 704)
RISK_RESPONSE_CODES = {
    **{number: -8000 - (number - 3001) for number in range(3001, 3007)},
    3007: -8007,
    3008: -8008,
    3009: -8009,
    **{number: -8000 - (number - 3000) for number in range(3010, 3016)},
}
REFUSED_STATUSES = (400, 401, 404, 406, 412, 409, 422)
OPEN_STATUSES = (429, 500, 502, 504)
CHARGED_STATUSES = (409, 422, *OPEN_STATUSES)
ISSUER_DECLINE = 5


class Outcome(Struct, rename="camel", frozen=True):
    """What comes of a call. `outcome` is the truth, `responseCode` what the answer tells, true or not."""

    number: int
    name: str
    text: str
    outcome: str
    response_code: int = 0
    gateway_code: str = ""
    # Not 0: the answer is this HTTP status and has no transaction in it.
    http_status: int = 0
    answer: str = CLEAN
    # The payer has to pass the 3DS page first.
    three_ds: bool = False

    @property
    def moved(self) -> bool:
        """Whether money moves at once."""
        return self.outcome in {APPROVED, PARTIALLY_APPROVED}


APPROVAL = Outcome(0, "approved", "any other amount", APPROVED)
# After the payer has said no.
PAYER_DECLINE = Outcome(0, "declined", "declined on the payer's page", DECLINED, ISSUER_DECLINE)
THREE_DS = Outcome(
    *(THREE_DS_NUMBER, "three-ds", "paymentv2, authorizationv2: the payer has to pass the 3DS page", APPROVED),
    three_ds=True,
)


def _coded(code: int, name: str, text: str, outcome: str = DECLINED, answer: str = CLEAN) -> Outcome:
    return Outcome(CODE_BASE + code, name, text, outcome, code, answer=answer)


def _unclear(code: int) -> tuple[Outcome, Outcome]:
    text = "outcome unclear; status tells that it was"
    return (
        _coded(code, f"unclear-{code}", f"{text} declined", answer=AMBIGUOUS),
        Outcome(
            CHARGED_CODE_BASE + code, f"unclear-{code}-charged", f"{text} charged", APPROVED, code, answer=AMBIGUOUS
        ),
    )


def _status(status: int, *, charged: bool) -> Outcome:
    definite = status in REFUSED_STATUSES and not charged
    return Outcome(
        (CHARGED_STATUS_BASE if charged else STATUS_BASE) + status,
        f"http-{status}{'-charged' if charged else ''}",
        f"HTTP {status}, {'and charged all the same' if charged else 'nothing charged'}",
        APPROVED if charged else DECLINED,
        http_status=status,
        answer=CLEAN if definite else AMBIGUOUS,
    )


# The one table. Other amounts from 70001 to 71999 tell response code amount - 70000 and are declined.
TABLE: tuple[Outcome, ...] = (
    APPROVAL,
    _coded(PARTIAL_APPROVAL, "partial-approval", "half of the amount is approved", PARTIALLY_APPROVED),
    *(_coded(code, f"approve-like-{code}", "approved with this code", APPROVED) for code in APPROVE_LIKE),
    *(_coded(code, f"soft-decline-{code}", "declined, may be tried later") for code in SOFT_DECLINES),
    *(_coded(code, f"hard-decline-{code}", "declined, not to be tried again") for code in HARD_DECLINES),
    *(_coded(code, f"busy-{code}", "the system is busy, nothing charged") for code in BUSY),
    Outcome(CODE_BASE - 1, "gateway-error", "response code -1, nothing charged", DECLINED, -1, answer=AMBIGUOUS),
    _coded(PENDING_CODE, "pending-declined", "pending; declined after a minute", PENDING, AMBIGUOUS),
    Outcome(
        CHARGED_CODE_BASE + PENDING_CODE,
        *("pending-charged", "pending; charged after a minute", PENDING, PENDING_CODE),
        answer=AMBIGUOUS,
    ),
    *(outcome for code in UNCLEAR for outcome in _unclear(code)),
    *(
        Outcome(
            RISK_BASE + number - 3000, f"risk-err{number}", "refused by a risk rule", DECLINED, code, f"ERR{number}"
        )
        for number, code in RISK_RESPONSE_CODES.items()
    ),
    *(_status(status, charged=False) for status in (*REFUSED_STATUSES, *OPEN_STATUSES)),
    *(_status(status, charged=True) for status in CHARGED_STATUSES),
    THREE_DS,
)
_BY_NUMBER = {outcome.number: outcome for outcome in TABLE if outcome.number}


def of(amount: str, method_id: str) -> Outcome:
    """What a call with this amount and stored payment method comes to; the method counts first."""
    suffix = method_id.lower().removeprefix(METHOD_PREFIX)
    for text in (suffix, amount):
        if text.isascii() and text.isdigit():
            found = of_number(int(text))
            if found is not None:
                return found
    return APPROVAL


def of_number(number: int) -> Outcome | None:
    """The outcome with this number; None where it is an ordinary one."""
    found = _BY_NUMBER.get(number)
    if found is None and CODE_BASE < number <= CODE_BASE + HIGHEST_CODE:
        code = number - CODE_BASE
        return _coded(code, f"code-{code}", "declined with this code")
    return found


def of_name(name: str) -> Outcome | None:
    """The outcome that the table names so."""
    return next((outcome for outcome in TABLE if outcome.name == name), None)


def settled(pending: Outcome) -> Outcome:
    """What a pending outcome comes to in the end."""
    return APPROVAL if pending.number >= CHARGED_CODE_BASE else PAYER_DECLINE
