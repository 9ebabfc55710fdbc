"""What PaymentOptions says of subscriptions, whatever comes: of a list only what is ours, and never a card number."""

import json
from typing import Any

import protovalidate
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters import partner_answers
from adapters.partner_subscriptions import MOST_FOUND, read_list

MARK = "[0123abcd_-1]"
NUMBER = "4000000000001091"


def details(own_id: str = "s-1", mark: str = MARK, **fields: Any) -> dict[str, Any]:
    return {
        "id": own_id,
        "status": "ACTIVE",
        "max_cycle_count": 3,
        "completed_payment_cycle": 1,
        "last_payment_status": "SUCCESSFUL",
        "next_payment_date": "2026-12-25T00:00:00Z",
        "next_payment_cycle": 2,
        "subscription_plan_details": {
            "name": "Tea",
            "desc": f"A tin a month {mark}",
            "billing_cycle_type": "MONTHLY",
            "billing_cycle_interval": 1,
            "amount": 1000,
            "ccy": "JPY",
        },
        "subscription_transaction_details": [{"id": "t-1", "cycle": 1, "status": "SUCCESSFUL", "amount": 1000}],
        **fields,
    }


def listing(*entries: Any) -> bytes:
    return json.dumps(list(entries)).encode()


@pytest.mark.parametrize("wrapped", [True, False])
def test_of_a_list_only_ours_is_told(wrapped: bool) -> None:
    entries = [details("s-0", "[somebody_elses]"), details(), {"odd": True}, 7]
    body = listing(*({"subscription_details": each} if wrapped else each for each in entries))
    answer = read_list(body, MARK, 200, whole=True)
    (found,) = answer.subscriptions
    assert answer.readable
    assert answer.listed_count == 4
    assert (found.partner_subscription_id, found.status) == ("s-1", "ACTIVE")
    assert (found.amount, found.currency) == ("1000", "JPY")
    assert found.plan_description == f"A tin a month {MARK}"
    assert [(each.partner_transaction_id, each.cycle) for each in found.transactions] == [("t-1", "1")]
    # Others' subscriptions are nobody's business here.
    assert b"somebody_elses" not in answer.SerializeToString()


def test_every_one_with_our_mark_is_told() -> None:
    answer = read_list(listing(*(details(f"s-{place}") for place in range(20))), MARK, 200, whole=True)
    assert len(answer.subscriptions) == MOST_FOUND
    protovalidate.validate(answer)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b'"text"',
        b"[",
        b"[1,]",
        b'[], "x": []',
        b'[], "list": []',
        b"\xff[]",
        b"[" * 10_000 + b"]" * 10_000,
        listing(details(status={"not": "a text"})),
        listing(details(id="x" * 129)),
    ],
)
def test_what_cannot_be_read_for_sure_is_no_list(body: bytes) -> None:
    answer = read_list(body, MARK, 200, whole=True)
    assert not answer.readable
    assert not answer.subscriptions


def test_a_list_that_goes_on_beyond_what_is_read_is_none() -> None:
    answer = read_list(listing(details()), MARK, 200, whole=False)
    assert answer.cut_off
    assert not answer.readable
    assert not answer.subscriptions


def test_a_card_number_passes_nowhere() -> None:
    entry = details(last_payment_status=f"declined {NUMBER}", card={"number": NUMBER})
    for answer in (
        read_list(listing(entry), MARK, 200, whole=True),
        partner_answers.read(json.dumps({"success": True, "subscription_details": entry}).encode(), 200),
    ):
        assert answer.subscriptions
        assert NUMBER.encode() not in answer.SerializeToString()


@pytest.mark.parametrize("wrapped", [True, False])
def test_details(wrapped: bool) -> None:
    document = {"subscription_details": details()} if wrapped else details()
    answer = partner_answers.read(json.dumps({"success": True, **document}).encode(), 200)
    assert [each.partner_subscription_id for each in answer.subscriptions] == ["s-1"]


def test_odd_details_take_nothing_from_what_the_answer_says_of_money() -> None:
    document = {
        "success": True,
        "transaction_details": {"id": "t-1"},
        "subscription_details": details(status=["odd"]),
    }
    answer = partner_answers.read(json.dumps(document).encode(), 201)
    assert (answer.readable, answer.partner_transaction_id) == (True, "t-1")
    assert not answer.subscriptions


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from([*details(), *details()["subscription_plan_details"], "subscription_details"]), inner
        )
    ),
    max_leaves=20,
)


@given(st.lists(json_values, max_size=5), json_values)
def test_whatever_comes_can_be_told(entries: list[Any], inner: Any) -> None:
    protovalidate.validate(read_list(listing(*entries), MARK, 200, whole=True))
    body = json.dumps({"success": True, "subscription_details": inner}).encode()
    protovalidate.validate(partner_answers.read(body, 200))


@given(st.binary(max_size=200))
def test_any_bytes_are_read(body: bytes) -> None:
    assert not read_list(body, MARK, 200, whole=True).subscriptions
