"""Answers of PaymentOptions, whatever comes: read where they can be, and never with a card number."""

import json
from pathlib import Path
from typing import Any

import protovalidate
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mintmark.v1 import tasks_pb2 as pb

from adapters.partner_answers import LONGEST_BODY, PLACES, read

EXAMPLES = Path(__file__).resolve().parents[3] / "shared/contracts/examples"
examples = pytest.mark.skipif(not EXAMPLES.exists(), reason="the partners' examples are not beside this checkout")
NUMBER = "4000000000001091"


def answered(document: Any) -> pb.PartnerAnswer:
    return read(json.dumps(document).encode(), 201)


@examples
def test_the_seeds_answer() -> None:
    answer = read((EXAMPLES / "paymentoptions-use-token.response.json").read_bytes(), 201)
    assert NUMBER.encode() not in answer.SerializeToString()
    told = {field.name: value for field, value in answer.ListFields() if field.name != "body"}
    assert told == {
        "http_status": 201,
        "readable": True,
        "success": "true",
        "transaction_type": "CAPTURE",
        "is_live": "false",
        "gateway_code": "INFO0000",
        "gateway_type": "INFO",
        "message": "Payment Successful.",
        "response_code": "0",
        "amount": "1000",
        "currency": "JPY",
        "auth_code": "268004",
        "scheme": "MASTERCARD",
        "masked_number": "400000******1091",
        "card_expiry": "1224",
        "partner_merchant_id": "< Merchant ID >",
        "reference": "qwe",
        "partner_transaction_id": "0db1fac1-e064-4644-a387-08d143960c8f",
        "partner_reference": "74811",
        "stored_payment_method_id": "094db781-fabc-4c6d-8fcd-18bee06a527a",
    }


@examples
@pytest.mark.parametrize("name", ["paymentoptions-status.response", "paymentoptions-webhook-completed.request"])
def test_the_other_examples(name: str) -> None:
    answer = read((EXAMPLES / f"{name}.json").read_bytes(), 200)
    assert answer.readable
    assert (answer.reference, answer.amount, answer.response_code) == ("qwe", "1000", "0")


@examples
def test_the_redirect_of_the_example_stays_as_it_is() -> None:
    body = (EXAMPLES / "paymentoptions-3ds-redirect.response.json").read_bytes()
    assert read(body, 200).redirect_url == json.loads(body)["redirect_url"]


def test_blocks_may_be_missing_and_numbers_be_texts() -> None:
    assert answered({}) == pb.PartnerAnswer(http_status=201, readable=True, body=b"{}")
    answer = answered({"success": "true", "payment_details": {"amount": "10.50", "response_code": "0"}})
    assert (answer.success, answer.amount, answer.response_code) == ("true", "10.50", "0")
    assert answered({"payment_details": None}).readable
    assert answered({"payment_details": {"amount": 1e-7}}).amount == "1e-07"
    assert answered({"error": "no"}).message == answered({"message": "no"}).message == "no"


def test_a_link_to_a_hosted_page_is_read_where_there_is_one() -> None:
    link = {"id": "1", "url": "https://x.example/1", "amount": 1000, "currency": "JPY", "merchant_txn_ref": "r"}
    answer = answered({**link, "merchant_id": "JP1", "merchant_email": "a@example.com"})
    assert (answer.page_url, answer.page_amount, answer.page_currency) == ("https://x.example/1", "1000", "JPY")
    assert (answer.page_reference, answer.page_merchant_id) == ("r", "JP1")
    # Its id is no transaction's, and its amount no payment's.
    assert (answer.partner_transaction_id, answer.amount, answer.reference) == ("", "", "")
    assert answered({**link, "amount": None}).page_amount == ""
    # What stands there without a link is of no interest, whatever it is.
    assert answered({"amount": [1], "currency": {}}).readable
    assert answered({"url": 7}).page_url == ""


@pytest.mark.parametrize("wrong", [{"amount": [1]}, {"currency": {"a": 1}}, {"merchant_id": "x" * 129}])
def test_a_link_with_something_odd_is_not_read(wrong: dict[str, object]) -> None:
    assert not answered({"url": "https://x.example/1", **wrong}).readable
    assert not answered({"url": "https://x.example/" + "a" * 8192}).readable


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b"[]",
        b"{",
        b"\xff\xfe{}",
        '{"success": true}'.encode("utf-16"),
        b'{"success": NaN}',
        b'{"a": ' * 100 + b"1" + b"}" * 100,
        b'{"success": true, "success": false}',
        b'{"payment_details": {"amount": 1, "amount": 2}}',
        b'{"payment_details": []}',
        b'{"payment_details": {"amount": {"value": 1}}}',
        b'{"payment_details": {"amount": %s}}' % (b"1" * 65),
        b'{"redirect_url": "http://x/%s"}' % (b"a" * 8192),
        b'{"transaction_details": {"id": "%s"}}' % (b"a" * 129),
    ],
)
def test_what_cannot_be_read_for_sure_is_not_read(body: bytes) -> None:
    """Cut short, or one of two taken, it could look like what we expect."""
    answer = read(body, 201)
    assert answer == pb.PartnerAnswer(http_status=201, body=answer.body)


def test_a_body_that_goes_on_is_not_read() -> None:
    assert not read(b'{"success": true}', 201, whole=False).readable


def test_a_hint_may_say_things_twice() -> None:
    answer = read(b'{"transaction_details": {"id": "a", "id": "b"}}', last_of_twins=True)
    assert (answer.readable, answer.partner_transaction_id) == (True, "b")


@pytest.mark.parametrize("number", [NUMBER, "4012888888881882", "4012 8888 8888 1882", "378282246310005"])
def test_a_card_number_is_cut_whether_its_check_digit_is_right_or_not(number: str) -> None:
    answer = answered({"payment_details": {"card": {"number": number}}, "success": True})
    bare = number.replace(" ", "")
    assert answer.masked_number == f"{bare[:6]}{'*' * (len(bare) - 10)}{bare[-4:]}"
    for canary in (number, bare):
        assert canary.encode() not in answer.SerializeToString()
    escaped = read(b'{"payment_details": {"card": {"number": "\\u0034%s"}}}' % number[1:].encode(), 201)
    assert number[1:].encode() not in escaped.SerializeToString()


def test_a_card_number_is_cut_wherever_it_stands() -> None:
    names = [path for _, _, paths in PLACES for path in paths] + ["message", "error", "risk.rule", "x"]
    for path in names:
        document: Any = f"see {NUMBER}" if path in ("message", "x") else NUMBER
        for name in reversed(path.split(".")):
            document = {name: document}
        assert NUMBER.encode() not in answered(document).SerializeToString(), path
    assert NUMBER.encode() not in read(f"<p>{NUMBER}</p>".encode(), 500).SerializeToString()


def test_ids_that_look_like_card_numbers_by_chance_stay() -> None:
    """Digits of a UUID pass the check in one of ten."""
    for last in range(1000):
        named = f"00000000-0000-4000-8000-{last:012}"
        document = {"transaction_details": {"id": named, "stored_payment_method_id": named, "merchant_txn_ref": named}}
        answer = answered(document)
        assert answer.partner_transaction_id == answer.stored_payment_method_id == answer.reference == named
        assert named.encode() in answer.body


NAMES = st.sampled_from(
    ["success", "payment_details", "card", "number", "amount", "transaction_details", "id", "error"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
DOCUMENTS = st.recursive(LEAVES, lambda inner: st.dictionaries(NAMES, inner)).map(
    lambda value: json.dumps(value).encode()
)


@given(st.binary(max_size=200) | DOCUMENTS)
def test_whatever_comes_the_schema_takes_what_is_read(body: bytes) -> None:
    answer = read(body, 200)
    protovalidate.validate(answer)
    assert len(answer.body) <= LONGEST_BODY
    assert pb.PartnerAnswer.FromString(answer.SerializeToString()) == answer
