"""What the gateway compares, and what it says of it."""

import pytest
from mintmark.v1 import card_verifications_pb2 as pb

from adapters.inbound.card_contents import CardContent
from adapters.inbound.card_verifications import equal, findings

NUMBER = "4111111111111111"
NOT_GIVEN, EQUAL = pb.CARD_FIELD_COMPARISON_NOT_GIVEN, pb.CARD_FIELD_COMPARISON_EQUAL
DIFFERENT, NOT_COMPARED = pb.CARD_FIELD_COMPARISON_DIFFERENT, pb.CARD_FIELD_COMPARISON_NOT_COMPARED


def card(expiry: str = "", code: str = "") -> CardContent:
    return CardContent(NUMBER, expiry, security_code=code)


@pytest.mark.parametrize(
    ("given", "held", "leave_out", "expiry", "code"),
    [
        (card(), card("1230", "123"), False, NOT_GIVEN, NOT_GIVEN),
        (card(), card("1230", "123"), True, NOT_GIVEN, NOT_GIVEN),
        (card("1230"), card("1230", "123"), False, EQUAL, NOT_GIVEN),
        (card("1231"), card("1230", "123"), False, DIFFERENT, NOT_GIVEN),
        (card("1230", "123"), card("1230", "123"), False, EQUAL, EQUAL),
        (card("1230", "124"), card("1230", "123"), False, EQUAL, DIFFERENT),
        (card("1230", "1234"), card("1230", "123"), False, EQUAL, DIFFERENT),
        (card("1231", "124"), card("1230", "123"), False, DIFFERENT, DIFFERENT),
        # Not to be compared, or nothing to compare with: neither right nor wrong.
        (card("1230", "123"), card("1230", "123"), True, EQUAL, NOT_COMPARED),
        (card("1230", "124"), card("1230", "123"), True, EQUAL, NOT_COMPARED),
        (card("1230", "123"), card("1230", ""), False, EQUAL, NOT_COMPARED),
    ],
)
def test_a_comparison(given: CardContent, held: CardContent, leave_out: bool, expiry: int, code: int) -> None:
    found = findings(given, held, leave_out_security_code=leave_out)
    assert (found.expiry, found.security_code) == (expiry, code)


def test_equal_texts() -> None:
    assert equal("é", "é")
    assert not equal("12", "123")
    assert not equal("", "1")
