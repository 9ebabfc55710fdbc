"""Every code of the contract in its class, and every way in which an answer may not be what it looks like."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.money import Money
from server.domain.payment_answers import (
    DeclineClass,
    Doubt,
    Expected,
    OperationKind,
    PartnerAnswer,
    Verdict,
    amount_said,
    judge,
    judge_status,
)
from server.domain.payment_codes import CodeClass, class_of_code
from server.domain.payment_options import AmountUnit

# The contract's tables (section 7.2), as printed.
CONTRACT = {
    CodeClass.APPROVED: "0 8 85",
    CodeClass.PARTIAL: "10",
    CodeClass.SOFT: "1 2 5 19 51 61 65 82 83 91 92 96 443 444 445 446 447 448 449 450 453 454 455 "
    "456 457 459 460 675 678 "
    "681 703 705",
    CodeClass.HARD: "4 7 14 15 34 41 43 54 57 59 62 577 586 587 588 589 605 606 608 972 973 975",
    CodeClass.UNCLEAR: "676 677 679 680 682 683 694 695 696 697 698 699 700 701 702 704 68 452 79 94 -1",
    CodeClass.PENDING: "578",
    CodeClass.REQUEST: "3 12 13 30 58 590 597 604 622 650 674 836",
    CodeClass.RISK: "-8000 -8001 -8002 -8003 -8004 -8005 -8007 -8008 -8009 -8010 -8011 -8012 -8013 -8014 -8015",
    CodeClass.UNRECOGNIZED: "828 835 837 900 937 1044 1051 1198 1201 6 99 12345 -7 x",
}
CODES = [(code, of) for of, codes in CONTRACT.items() for code in codes.split()]

OURS = Expected(
    kind=OperationKind.PURCHASE,
    amount=Money(1000, "JPY"),
    amount_unit=AmountUnit.NONE,
    reference="ref-1",
    partner_merchant_id="JP00000328",
    stored_payment_method_id="method-1",
    live=False,
)
YES = PartnerAnswer(
    http_status=201,
    readable=True,
    success="true",
    transaction_type="CAPTURE",
    is_live="false",
    gateway_code="INFO0000",
    gateway_type="INFO",
    response_code="0",
    amount="1000",
    currency="JPY",
    auth_code="268004",
    partner_merchant_id="JP00000328",
    reference="ref-1",
    partner_transaction_id="0db1fac1-e064-4644-a387-08d143960c8f",
    partner_reference="74811",
    stored_payment_method_id="method-1",
)
NO = replace(YES, success="false", gateway_code="", response_code="51", gateway_type="ERR")


def verdict(answer: PartnerAnswer, expected: Expected = OURS) -> tuple[Verdict, Doubt | None]:
    reading = judge(expected, answer)
    return reading.verdict, reading.doubt


@pytest.mark.parametrize(("code", "of"), CODES)
def test_every_code_of_the_contract_has_its_class(code: str, of: CodeClass) -> None:
    assert class_of_code(code) is of


def test_no_code_is_no_class() -> None:
    assert class_of_code("") is CodeClass.NONE


@pytest.mark.parametrize(("code", "of"), CODES)
def test_what_a_code_makes_of_a_no(code: str, of: CodeClass) -> None:
    """A no with a code that says yes, or leaves it open, is no decline."""
    reading = judge(OURS, replace(NO, response_code=code))
    if of in (CodeClass.APPROVED, CodeClass.PARTIAL):
        assert (reading.verdict, reading.doubt) == (Verdict.IN_DOUBT, Doubt.ANSWER_UNREADABLE)
    elif of is CodeClass.UNCLEAR:
        assert (reading.verdict, reading.doubt) == (Verdict.IN_DOUBT, Doubt.CODE_UNCLEAR)
    elif of is CodeClass.PENDING:
        assert reading.verdict is Verdict.PROCESSING
    else:
        assert reading.verdict is Verdict.DECLINED
        assert reading.decline is not None
        assert reading.decline.decline_class is DeclineClass(of.value)


@pytest.mark.parametrize(("code", "of"), CODES)
def test_what_a_code_makes_of_a_yes(code: str, of: CodeClass) -> None:
    """Paid only with a code of those that approve."""
    paid = verdict(replace(YES, response_code=code))[0] in (Verdict.APPROVED, Verdict.PARTIALLY_APPROVED)
    assert paid == (of in (CodeClass.APPROVED, CodeClass.PARTIAL))


@pytest.mark.parametrize("code", [f"ERR30{n:02}" for n in range(1, 16)] + ["Err3001", "err3004"])
def test_risk_codes_are_told_as_risk(code: str) -> None:
    reading = judge(OURS, replace(NO, gateway_code=code, response_code="-8003"))
    assert reading.decline is not None
    assert (reading.decline.decline_class, reading.decline.partner_code) == (DeclineClass.RISK, code)


def test_an_unknown_error_code_is_a_no_and_told_as_such() -> None:
    reading = judge(OURS, replace(NO, gateway_code="ERR4711", response_code=""))
    assert reading.decline is not None
    assert reading.decline.decline_class is DeclineClass.UNRECOGNIZED


def test_the_contracts_own_answer_is_paid() -> None:
    reading = judge(OURS, YES)
    assert (reading.verdict, reading.confirmed_minor_amount) == (Verdict.APPROVED, 1000)
    assert (reading.auth_code, reading.partner_reference) == ("268004", "74811")


BREAKS: dict[str, dict[str, Any]] = {
    "no success": {"success": ""},
    "odd success": {"success": "1"},
    "no code": {"gateway_code": ""},
    "an error code": {"gateway_code": "ERR3001"},
    "a code of subscriptions": {"gateway_code": "INFO3000"},
    "no response code": {"response_code": ""},
    "another amount": {"amount": "1001"},
    "less, not partial": {"amount": "999"},
    "an exponent": {"amount": "1e3"},
    "no amount": {"amount": ""},
    "a negative amount": {"amount": "-1000"},
    "another currency": {"currency": "EUR"},
    "no currency": {"currency": ""},
    "another reference": {"reference": "ref-2"},
    "another merchant": {"partner_merchant_id": "JP1"},
    "another method": {"stored_payment_method_id": "other"},
    "live": {"is_live": "true"},
    "a refund": {"transaction_type": "REFUND"},
    "no transaction": {"partner_transaction_id": ""},
    "an odd transaction": {"partner_transaction_id": "a/../b"},
    "not readable": {"readable": False},
    "more than asked, partial": {"response_code": "10", "amount": "1001"},
    "nothing, partial": {"response_code": "10", "amount": "0"},
}


@pytest.mark.parametrize("broken", BREAKS)
def test_not_paid_unless_everything_says_so_and_the_same_as_we(broken: str) -> None:
    assert verdict(replace(YES, **BREAKS[broken])) == (Verdict.IN_DOUBT, Doubt.ANSWER_UNREADABLE)


@pytest.mark.parametrize("absent", ["reference", "partner_merchant_id", "stored_payment_method_id", "is_live"])
def test_what_is_absent_does_not_stop_an_answer_to_our_own_call(absent: str) -> None:
    fields: dict[str, Any] = {absent: ""}
    assert verdict(replace(YES, **fields))[0] is Verdict.APPROVED


def test_a_partial_approval_has_its_amount() -> None:
    reading = judge(OURS, replace(YES, response_code="10", amount="600"))
    assert (reading.verdict, reading.confirmed_minor_amount) == (Verdict.PARTIALLY_APPROVED, 600)
    assert verdict(replace(YES, response_code="10"))[0] is Verdict.APPROVED


@pytest.mark.parametrize("success", ["true", ""])
def test_a_redirect_comes_before_success(success: str) -> None:
    told = PartnerAnswer(http_status=200, readable=True, success=success, redirect_url="https://checkout.example/3ds")
    assert verdict(told)[0] is Verdict.REQUIRES_ACTION
    assert verdict(replace(YES, redirect_url="https://checkout.example/3ds"))[0] is Verdict.REQUIRES_ACTION


@pytest.mark.parametrize(
    "odd",
    [{"redirect_url": "javascript:alert(1)"}, {"success": "false"}, {"response_code": "51"}, {"http_status": 500}],
)
def test_an_odd_redirect_leaves_doubt(odd: dict[str, Any]) -> None:
    told = PartnerAnswer(http_status=200, readable=True, success="true", redirect_url="https://checkout.example/3ds")
    assert verdict(replace(told, **odd))[0] is Verdict.IN_DOUBT


@pytest.mark.parametrize("status", [400, 401, 404, 406, 412])
def test_what_was_refused_before_anything_happened_is_declined(status: int) -> None:
    for body in (PartnerAnswer(status, readable=False), PartnerAnswer(status, readable=True)):
        reading = judge(OURS, body)
        assert reading.verdict is Verdict.DECLINED
        assert reading.decline is not None
        assert reading.decline.decline_class is DeclineClass.REQUEST
    assert verdict(replace(YES, http_status=status)) == (Verdict.IN_DOUBT, Doubt.ANSWER_UNREADABLE)
    assert verdict(replace(NO, http_status=status, response_code="676"))[0] is Verdict.IN_DOUBT


@pytest.mark.parametrize("status", [409, 422, 429, 403, 418])
def test_other_refusals_need_a_body_that_says_so(status: int) -> None:
    assert verdict(PartnerAnswer(status, readable=False))[0] is Verdict.IN_DOUBT
    assert verdict(PartnerAnswer(status, readable=True))[0] is Verdict.IN_DOUBT
    assert verdict(replace(NO, http_status=status))[0] is Verdict.DECLINED
    assert verdict(replace(YES, http_status=status))[0] is Verdict.IN_DOUBT
    # Neither the status nor the code is one that the contract knows.
    unknown = PartnerAnswer(status, readable=True, success="false", gateway_code=f"ERR0{status}")
    assert verdict(unknown)[0] is Verdict.IN_DOUBT
    assert verdict(replace(unknown, response_code="4711"))[0] is Verdict.IN_DOUBT


@pytest.mark.parametrize("status", [500, 502, 503, 504, 599])
def test_an_error_of_the_partners_server_leaves_doubt_whatever_its_body_says(status: int) -> None:
    for body in (
        PartnerAnswer(status, readable=False),
        replace(YES, http_status=status),
        replace(NO, http_status=status),
    ):
        assert verdict(body) == (Verdict.IN_DOUBT, Doubt.OUTCOME_UNKNOWN)


@pytest.mark.parametrize("status", [100, 202, 204, 301, 302, 307, 600, 0])
def test_any_other_status_leaves_doubt(status: int) -> None:
    assert verdict(replace(YES, http_status=status))[0] is Verdict.IN_DOUBT
    assert verdict(replace(NO, http_status=status))[0] is Verdict.IN_DOUBT


def test_pending_without_a_transaction_to_ask_for_leaves_doubt() -> None:
    pending = replace(NO, response_code="578")
    assert verdict(pending)[0] is Verdict.PROCESSING
    assert verdict(replace(pending, partner_transaction_id="")) == (Verdict.IN_DOUBT, Doubt.CODE_UNCLEAR)


FOLLOWING = {
    OperationKind.CAPTURE: ("CAPTURE", "INFO0001"),
    OperationKind.REFUND: ("REFUND", "INFO0002"),
    OperationKind.VOID: ("VOID", "INFO0003"),
}


@pytest.mark.parametrize("kind", FOLLOWING)
def test_what_follows_a_payment_has_its_own_codes(kind: OperationKind) -> None:
    expected = replace(OURS, kind=kind, stored_payment_method_id="")
    own_type, code = FOLLOWING[kind]
    yes = replace(YES, transaction_type=own_type, gateway_code=code)
    assert verdict(yes, expected)[0] is Verdict.APPROVED
    assert verdict(replace(yes, gateway_code="INFO0000"), expected)[0] is Verdict.APPROVED
    assert verdict(replace(yes, gateway_code="INFO0000", transaction_type=""), expected)[0] is Verdict.IN_DOUBT
    for other_type, other in FOLLOWING.values():
        if other != code:
            assert verdict(replace(yes, gateway_code=other), expected)[0] is Verdict.IN_DOUBT
            assert verdict(replace(yes, transaction_type=other_type), expected)[0] is Verdict.IN_DOUBT
    assert verdict(replace(yes, redirect_url="https://x.example"), expected)[0] is Verdict.IN_DOUBT


def test_an_authorization_that_captured_leaves_doubt() -> None:
    expected = replace(OURS, kind=OperationKind.AUTHORIZATION)
    assert verdict(YES, expected)[0] is Verdict.IN_DOUBT
    assert verdict(replace(YES, transaction_type="PRE_AUTH"), expected)[0] is Verdict.APPROVED


@pytest.mark.parametrize(
    ("text", "code", "unit", "minor"),
    [
        ("1000", "JPY", AmountUnit.NONE, 1000),
        ("1000.0", "JPY", AmountUnit.NONE, 1000),
        ("12.5", "EUR", AmountUnit.MAJOR, 1250),
        ("12.50", "EUR", AmountUnit.MAJOR, 1250),
        ("1250", "EUR", AmountUnit.MINOR, 1250),
        ("1250.00", "EUR", AmountUnit.MINOR, 1250),
        ("12.505", "EUR", AmountUnit.MAJOR, None),
        ("1250.5", "EUR", AmountUnit.MINOR, None),
        ("1250.", "EUR", AmountUnit.MINOR, None),
        ("-5", "EUR", AmountUnit.MINOR, None),
        ("٣", "EUR", AmountUnit.MINOR, None),
        ("9" * 30, "EUR", AmountUnit.MINOR, None),
        ("1e3", "JPY", AmountUnit.NONE, None),
    ],
)
def test_amounts_are_read_exactly_in_the_accounts_unit(
    text: str, code: str, unit: AmountUnit, minor: int | None
) -> None:
    said = amount_said(text, code, unit)
    assert (said.minor_amount if said else None) == minor


def test_a_status_that_is_not_sure_to_be_ours_settles_nothing() -> None:
    named = YES.partner_transaction_id
    yes = replace(YES, http_status=200)
    assert judge_status(OURS, yes, named).verdict is Verdict.APPROVED
    assert judge_status(OURS, replace(yes, reference=""), named).verdict is Verdict.APPROVED
    assert judge_status(OURS, replace(yes, partner_merchant_id=""), named).verdict is Verdict.APPROVED
    broken = [
        *BREAKS.values(),
        {"reference": "", "partner_merchant_id": ""},
        {"partner_transaction_id": "another"},
        {"redirect_url": "https://x.example"},
        *({"http_status": status} for status in (204, 400, 401, 404, 406, 412, 500, 503)),
    ]
    for fields in broken:
        assert judge_status(OURS, replace(yes, **fields), named).verdict is Verdict.NOTHING, fields
    no = replace(NO, http_status=200)
    assert judge_status(OURS, no, named).verdict is Verdict.DECLINED
    assert judge_status(OURS, replace(no, amount="5"), named).verdict is Verdict.NOTHING
    assert judge_status(OURS, replace(no, http_status=404), named).verdict is Verdict.NOTHING


TEXTS = st.sampled_from(
    ["", "true", "false", "0", "10", "51", "578", "676", "INFO0000", "ERR3001", "1000", "999", "JPY"]
)
ANSWERS = st.builds(
    replace,
    st.just(YES),
    **{
        name: st.one_of(st.just(getattr(YES, name)), TEXTS)
        for name in ("success", "gateway_code", "response_code", "amount", "currency", "reference", "redirect_url")
    },
    http_status=st.sampled_from([200, 201, 202, 302, 400, 404, 409, 429, 500, 504]),
    readable=st.booleans(),
)


@given(ANSWERS)
def test_paid_means_that_everything_says_so(answer: PartnerAnswer) -> None:
    reading = judge(OURS, answer)
    if reading.verdict in (Verdict.APPROVED, Verdict.PARTIALLY_APPROVED):
        assert (answer.http_status in (200, 201), answer.readable, answer.success) == (True, True, "true")
        assert answer.redirect_url == ""
        assert answer.currency == "JPY"
        assert answer.reference in ("", "ref-1")
        assert reading.confirmed_minor_amount == int(answer.amount)
        assert answer.amount == "1000" or answer.response_code == "10"
    if reading.verdict is Verdict.DECLINED and answer.readable:
        assert answer.success != "true"
        assert answer.http_status < 500
        assert class_of_code(answer.response_code) not in (CodeClass.UNCLEAR, CodeClass.PENDING, CodeClass.APPROVED)
