"""What is read of D1's answers: names are settings, anything else may be there, nothing breaks."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mintmark.v1 import tasks_pb2 as pb
from protovalidate import validate

from adapters.outbound import d1_answers
from adapters.outbound.outcomes import Answered
from tests.adapters.outbound.d1_reading import NAMES

CARD = "4111111111111111"


def read(document: Any, **names: str) -> pb.TokenDetails | None:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return d1_answers.details(Answered(200, body), pb.D1TokenDetailsNames(**{**NAMES, **names}))


def test_names_can_lie_in_one_another() -> None:
    found = read({"card": {"bin": 453421, "exp": "04/31"}}, card_bin="card.bin", card_expiry="card.exp")
    assert found == pb.TokenDetails(card_bin="453421", card_expiry="0431")
    assert read({"card": 7}, card_bin="card.bin") is None


@pytest.mark.parametrize(
    ("given", "bin_", "end"),
    [
        ("453421", "453421", "4"),
        ("45342199", "45342199", "99"),
        ("4534", "", "4534"),
        (CARD, "411111", "1111"),
        ("4111 1111 1111 1111", "411111", "1111"),
        ("4111-1111-1111-1111", "411111", "1111"),
        ("411111******1111", "411111", "1111"),
        ("**** **** **** 1111", "", "1111"),
        ("x", "", ""),
        ("٤١١١١١", "", ""),
        (None, "", ""),
        ([1], "", ""),
        (True, "", ""),
        ("9" * 300, "", ""),
    ],
)
def test_digits_are_cut_whatever_form_they_have(given: Any, bin_: str, end: str) -> None:
    found = read({"cardBin": given, "cardLastDigits": given, "tokenState": "ACTIVE"})
    assert found is not None
    assert found.card_bin == bin_
    if len(end) == 4 or not end:
        assert found.card_last_digits == end


@pytest.mark.parametrize("between", ["", " ", "-", "_", ".", "/", "  ", "\u00a0", "\u2011", "x"])
@pytest.mark.parametrize("digits", [CARD, CARD.translate(str.maketrans("14", "\uff11\uff14"))], ids=["ascii", "wide"])
def test_no_card_number_is_a_state_or_an_error(digits: str, between: str) -> None:
    groups = between.join(digits[place : place + 4] for place in range(0, 16, 4))
    for text in (groups, f"PAN_{groups}", f"{groups}_IS_LOST"):
        found = read({"tokenState": text, "cardBin": "453421"})
        told = d1_answers.error_code(Answered(400, json.dumps({"error": text}).encode()))
        assert found is not None
        for left in (found.state_text, told):
            assert sum(map(str.isdigit, left)) <= 10


@pytest.mark.parametrize("given", ["1331", "0031", "431", "2031-04", "", 431, None])
def test_a_date_that_is_none_is_left_out(given: Any) -> None:
    found = read({"cardExpiryDate": given, "tokenState": "ACTIVE"})
    assert found is not None
    assert found.card_expiry == ""


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b'{"a":1,"a":2}', b"\xff", b"[" * 99_999, b"{}"])
def test_what_says_nothing_is_nothing(body: bytes) -> None:
    assert read(body) is None


def test_an_answer_that_goes_on_is_not_read() -> None:
    cut_off = Answered(200, b'{"tokenState": "ACTIVE"}', whole=False)
    assert d1_answers.details(cut_off, pb.D1TokenDetailsNames(**NAMES)) is None


@pytest.mark.parametrize(
    ("document", "code"),
    [
        ({"error": "INVALID_FIELD"}, "INVALID_FIELD"),
        ({"error": "INVALID_FIELD: exp"}, "INVALID_FIELD"),
        ({"errorCode": "A1", "error": ""}, "A1"),
        ({"error": "invalid_grant"}, "INVALID_GRANT"),
        ({"error": {"code": "X"}}, ""),
        ({"error": f"A{CARD}"}, "A411111"),
        ({"error": "7 wrong"}, ""),
        ([], ""),
    ],
)
def test_d1s_word_for_an_error_is_told(document: Any, code: str) -> None:
    assert d1_answers.error_code(Answered(400, json.dumps(document).encode())) == code


VALUES = st.recursive(
    st.none() | st.booleans() | st.text(max_size=30) | st.integers() | st.sampled_from([CARD, f"card {CARD}"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b"]), inner, max_size=2),
    max_leaves=6,
)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from([*NAMES.values(), "other"]), VALUES))
def test_whatever_comes_is_told_so_that_the_core_takes_it(document: dict[str, Any]) -> None:
    found = read(document)
    if found is not None:
        validate(found)
        assert CARD not in str(found)
    code = d1_answers.error_code(Answered(400, json.dumps(document).encode()))
    validate(
        pb.RecordTokenRefreshRequest(
            task="t", token="t", generation=1, outcome=pb.CALL_OUTCOME_ANSWERED, error_code=code
        )
    )
