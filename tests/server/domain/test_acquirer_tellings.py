"""What the acquirer says, read: words, exact amounts, and whatever its documentation shows in more than one form."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain import acquirer_tellings, partner_json
from server.domain.acquirer_tellings import AcquirerState, AcquirerType, Telling
from server.domain.money import EXPONENTS, Money, format_decimal
from server.domain.notifications import NotificationFlag


def telling(body: str) -> Telling:
    return acquirer_tellings.read(partner_json.read(body.encode()).fields)


@pytest.mark.parametrize(
    ("value", "currency", "minor"),
    [
        ("2.0", "EUR", 200),
        ("15.9", "EUR", 1590),
        ('"16.20"', "PLN", 1620),
        ("50.5", "PLN", 5050),
        ("0.1", "EUR", 10),
        ("1.5e1", "EUR", 1500),
        ('" 7 "', "pln", 700),
        ("500", "JPY", 500),
        ("1.005", "KWD", 1005),
        ("92233720368547758.07", "EUR", 2**63 - 1),
    ],
)
def test_amounts_are_exact_whether_numbers_or_texts(value: str, currency: str, minor: int) -> None:
    told = telling(f'{{"amount": {{"value": {value}, "currency": "{currency}"}}}}')
    assert acquirer_tellings.money_of(told.amount_text, told.currency_text) == Money(minor, currency.upper())
    assert told.flags == ()


@pytest.mark.parametrize(
    ("value", "currency"),
    [("0.001", '"EUR"'), ("1", '"XYZ"'), ("1", "null"), ("-1", '"EUR"'), ('"1,50"', '"EUR"'), ("1e400", '"EUR"')],
)
def test_an_amount_that_cannot_be_minor_units_is_flagged_and_its_text_kept(value: str, currency: str) -> None:
    told = telling(f'{{"amount": {{"value": {value}, "currency": {currency}}}}}')
    assert acquirer_tellings.money_of(told.amount_text, told.currency_text) is None
    assert told.amount_text == value.strip('"')
    assert told.flags == (NotificationFlag.FIELD_ODD,)


@given(st.integers(0, 2**63 - 1), st.sampled_from(sorted(EXPONENTS)))
def test_no_amount_changes_on_its_way(minor: int, currency: str) -> None:
    money = Money(minor, currency)
    assert acquirer_tellings.money_of(format_decimal(money), currency) == money


def test_a_terminal_is_a_number_or_a_text_and_the_reference_has_several_places() -> None:
    assert telling('{"merchant": {"terminalId": 50994}}').terminal_id == "50994"
    assert telling('{"merchant": {"terminalId": "099978"}}').terminal_id == "099978"
    for body in (
        '{"merchant": {"transactionId": "r1"}}',
        '{"merchant": {"merchantTransactionId": "r1"}}',
        '{"merchantTransactionId": "r1", "merchant": {}}',
    ):
        assert telling(body).merchant_reference == "r1"


@pytest.mark.parametrize(
    ("field", "value"),
    [("merchant", '"x"'), ("amount", "[1]"), ("transactionID", "{}"), ("paymentStatus", "[]"), ("returnStatus", "7")],
)
def test_a_field_of_another_kind_is_odd_and_stops_nothing(field: str, value: str) -> None:
    assert NotificationFlag.FIELD_ODD in telling(f'{{"{field}": {value}}}').flags


@pytest.mark.parametrize(
    ("text", "state"),
    [
        ("Success", AcquirerState.SUCCESS),
        ("InProcessing", AcquirerState.IN_PROCESSING),
        ("PENDING", AcquirerState.PENDING),
        ("Expired", AcquirerState.EXPIRED),
        ("Reversed", AcquirerState.UNRECOGNIZED),
        ("", None),
    ],
)
def test_the_words_of_a_status_are_an_open_list(text: str, state: AcquirerState | None) -> None:
    assert acquirer_tellings.state_of(text) is state


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("PURS", AcquirerType.PURCHASE),
        ("auth", AcquirerType.AUTHORIZATION),
        ("RFND", AcquirerType.REFUND),
        ("WHAT", AcquirerType.UNRECOGNIZED),
        ("", None),
    ],
)
def test_the_words_of_a_type_are_an_open_list(text: str, kind: AcquirerType | None) -> None:
    assert acquirer_tellings.type_of(text) is kind


def test_a_word_that_is_on_no_list_is_flagged() -> None:
    assert telling('{"paymentStatus": "Reversed"}').flags == (NotificationFlag.VALUE_UNRECOGNIZED,)


def test_what_is_too_long_is_cut_short_and_flagged() -> None:
    told = telling(f'{{"paymentMethod": "{"ł" * 200}"}}')
    assert (told.method_text, told.flags) == ("ł" * 64, (NotificationFlag.FIELD_ODD,))


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(max_size=9),
        lambda each: (
            st.lists(each)
            | (
                st.dictionaries(
                    st.sampled_from(["merchant", "amount", "value", "currency", "terminalId", "transactionID"]), each
                )
            )
        ),
        max_leaves=9,
    )
)
def test_no_content_makes_reading_fail(value: Any) -> None:
    fields = value if isinstance(value, dict) else {"transactionID": value, "amount": value, "merchant": value}
    assert isinstance(acquirer_tellings.read(fields), Telling)
