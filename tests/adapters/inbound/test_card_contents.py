"""Card data in the clear: what is taken of D1's question and what of an issuer's registration."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mintmark.v1 import card_fingerprints_pb2 as pb

from adapters.inbound.card_contents import CardContent, asked, could_be_a_number, holds_more, kept, registered
from tests.vectors import contract_example

NUMBER = "4111111111111111"
CARD: dict[str, Any] = {"pan": NUMBER, "exp": "1230"}
FIELDS_INVALID = pb.CARD_FINGERPRINT_REFUSAL_FIELDS_INVALID
NUMBER_INVALID = pb.CARD_FINGERPRINT_REFUSAL_CARD_NUMBER_INVALID


def written(**members: Any) -> bytes:
    """Card data with members set, or left out by `...`."""
    return json.dumps({name: value for name, value in (CARD | members).items() if value is not ...}).encode()


def test_the_example_of_the_contract_is_a_question() -> None:
    content = asked(contract_example("d1-issuer-verify-card.plaintext.json").read_bytes())
    assert content == CardContent("1234567891234567", "1223")
    assert could_be_a_number("1234567891234567") is False


@pytest.mark.parametrize(
    ("members", "content"),
    [
        ({}, CardContent(NUMBER, "1230")),
        ({"exp": ...}, CardContent(NUMBER)),
        ({"exp": None, "cvv": None, "name": None}, CardContent(NUMBER)),
        ({"exp": " ", "cvv": ""}, CardContent(NUMBER)),
        ({"exp": "9999"}, CardContent(NUMBER, "9999")),
        ({"pan": "1"}, CardContent("1", "1230")),
        ({"pan": "1" * 19}, CardContent("1" * 19, "1230")),
        ({"cvv": "123", "name": "n" * 500}, CardContent(NUMBER, "1230", "n" * 500, "123")),
        ({"cvv": "0000", "loyalty": {"x": [1]}}, CardContent(NUMBER, "1230", "", "0000")),
    ],
)
def test_what_d1_sends_is_read_mildly(members: dict[str, Any], content: CardContent) -> None:
    assert asked(written(**members)) == content


@pytest.mark.parametrize(
    "plaintext",
    [
        b"",
        b"\xff",
        b"[]",
        b"null",
        b"{",
        b'{"pan": "4111111111111111", "pan": "4111111111111111"}',
        b'{"pan": 4111111111111111}',
        b"[" * 5000,
        written(pan=...),
        written(pan=""),
        written(pan="1" * 20),
        written(pan="4111 1111 1111 1111"),
        written(pan="\uff14111111111111111"),
        written(exp="123"),
        written(exp="12/30"),
        written(exp=1230),
        written(cvv="12"),
        written(cvv="12345"),
        written(cvv="12a"),
        written(cvv=123),
        written(name=["x"]),
        written(name="\0"),
        written(name="\ud800"),
    ],
)
def test_what_has_not_the_contracts_form_is_no_question(plaintext: bytes) -> None:
    assert asked(plaintext) is None


@pytest.mark.parametrize(
    ("members", "refusal"),
    [
        ({"pan": ...}, FIELDS_INVALID),
        ({"pan": 4111111111111111}, FIELDS_INVALID),
        ({"pan": "4111111111111112"}, NUMBER_INVALID),
        ({"pan": "411111111"}, NUMBER_INVALID),
        ({"pan": "0" * 9}, NUMBER_INVALID),
        ({"pan": "0" * 20}, NUMBER_INVALID),
        ({"pan": "4111-1111-1111-1111"}, NUMBER_INVALID),
        ({"exp": ...}, FIELDS_INVALID),
        ({"exp": "0030"}, FIELDS_INVALID),
        ({"exp": "1330"}, FIELDS_INVALID),
        ({"exp": "12/30"}, FIELDS_INVALID),
        ({"name": "n" * 129}, FIELDS_INVALID),
        ({"name": "a\tb"}, FIELDS_INVALID),
        ({"cvv": "12"}, FIELDS_INVALID),
        ({"cvv": 123}, FIELDS_INVALID),
        ({"auxiliaryPan": NUMBER}, FIELDS_INVALID),
        ({"auxiliaryExp": "1230"}, FIELDS_INVALID),
        ({"auxiliaryPan": "4111111111111112", "auxiliaryExp": "1230"}, FIELDS_INVALID),
        ({"auxiliaryPan": NUMBER, "auxiliaryExp": "1330"}, FIELDS_INVALID),
    ],
)
def test_what_is_registered_is_read_strictly(members: dict[str, Any], refusal: int) -> None:
    assert registered(written(**members)) == refusal
    assert kept(written(**members)) is None


@pytest.mark.parametrize("text", [b"", b"[]", b'{"pan": "4111111111111111", "exp": "1230", "exp": "1231"}'])
def test_what_is_no_object_is_refused(text: bytes) -> None:
    assert registered(text) == FIELDS_INVALID


def test_all_that_the_contract_knows_is_kept_and_nothing_else() -> None:
    whole = {"name": "Ana  Müller", "cvv": "0123", "auxiliaryPan": "5500000000000004", "auxiliaryExp": "0131"}
    content = registered(written(**whole))
    assert content == CardContent(NUMBER, "1230", "Ana  Müller", "0123", "5500000000000004", "0131")
    assert isinstance(content, CardContent)
    assert json.loads(content.written()) == CARD | whole
    assert kept(content.written()) == content
    assert not holds_more(content.written())
    more = written(**whole, pin="1234", note=None)
    assert holds_more(more)
    assert registered(more) == content
    assert json.loads(CardContent(NUMBER, "1230").written()) == CARD


@pytest.mark.parametrize(
    ("number", "first"), [("0000000000", "000000"), ("411111111111114", "411111"), ("4111111111111111", "41111111")]
)
def test_the_bin_has_eight_digits_from_sixteen_on(number: str, first: str) -> None:
    content = CardContent(number, "1230")
    assert (content.bin, content.last_digits) == (first, number[-4:])


@given(
    st.binary()
    | st.text().map(str.encode)
    | st.dictionaries(st.sampled_from(["pan", "exp"]), st.text()).map(json.dumps).map(str.encode)
)
def test_nothing_raises(plaintext: bytes) -> None:
    for read in (asked, registered):
        content = read(plaintext)
        if isinstance(content, CardContent):
            assert content.number.isdigit()


def test_nothing_shows_what_is_on_a_card() -> None:
    shown = repr(CardContent(NUMBER, "1230", "Ana", "123", NUMBER, "1230"))
    assert shown == "CardContent()"
