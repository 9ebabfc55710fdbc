"""JSON that nobody has read before us: lenient, exact, and without card numbers."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain import partner_json
from server.domain.notifications import NotificationFlag
from server.domain.partner_json import DEPTH, Number, Unreadable

CARD = "4111111111111111"
CUT = "411111******1111"
TEXTS = st.text(st.characters(codec="utf-8"), max_size=20)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-999, 999) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(TEXTS, VALUES, max_size=5))
def test_what_holds_no_card_number_comes_back_as_it_was(fields: dict[str, object]) -> None:
    document = partner_json.read(json.dumps(fields).encode())
    assert json.loads(partner_json.encode(document.fields)) == fields
    turned = dict(reversed(fields.items()))
    again = partner_json.read(json.dumps(turned, indent=3, ensure_ascii=False).encode())
    assert partner_json.canonical(again.fields) == partner_json.canonical(document.fields)


@given(st.binary(max_size=60))
def test_any_bytes_are_read_or_refused_in_one_way(body: bytes) -> None:
    try:
        partner_json.read(body)
    except Unreadable:
        assert "\0" not in partner_json.without_card_numbers(body).decode()


@pytest.mark.parametrize("text", ["2.0", "15.90", "16.20e1", "-0.0", "9" * 200, "1E400", "0.1000000000000000055"])
def test_numbers_keep_every_digit(text: str) -> None:
    document = partner_json.read(f'{{"value": {text}}}'.encode())
    assert document.fields == {"value": Number(text)}
    assert partner_json.encode(document.fields) == f'{{"value":{text}}}'.encode()


@pytest.mark.parametrize(
    "body",
    [
        f'{{"a": "{CARD}"}}',
        f'{{"a": {CARD}}}',
        '{"a": 4.111111111111111e15}',
        '{"a": "x 4111 1111 1111 1111 y"}',
        '{"a": "\\u0034111111111111111"}',
        f'{{"a": [[{{"b": "{CARD}"}}]]}}',
        f'{{"{CARD}": 1}}',
    ],
)
def test_a_card_number_is_cut_wherever_it_stands(body: str) -> None:
    document = partner_json.read(body.encode())
    kept = partner_json.encode(document.fields).decode()
    assert (CARD in kept, CUT in kept) == (False, True)
    assert document.flags == (NotificationFlag.CARD_NUMBER_CUT,)


@pytest.mark.parametrize("body", [f"{CARD}", f'{{"a": "{CARD}', '["\\u0034111111111111111"', f"\xff{CARD}"])
def test_what_is_no_json_is_kept_without_card_numbers(body: str) -> None:
    for raw in (body.encode("latin-1"), body.encode("utf-16")):
        kept = partner_json.without_card_numbers(raw)
        assert CARD.encode() not in kept.replace(b"\\u0000", b"")
        assert b"411111******1111" in kept


@pytest.mark.parametrize(
    ("body", "flags"),
    [
        ('{"a": 1, "a": 2}', {NotificationFlag.DUPLICATE_KEY}),
        ('{"a": "\\u0000"}', {NotificationFlag.NUL}),
        ('{"a": "\\ud800"}', {NotificationFlag.LONE_SURROGATE}),
        ('{"\\udfff\\u0000": 1}', {NotificationFlag.NUL, NotificationFlag.LONE_SURROGATE}),
    ],
)
def test_what_is_odd_is_flagged_and_can_be_stored(body: str, flags: set[NotificationFlag]) -> None:
    document = partner_json.read(body.encode())
    assert set(document.flags) == flags
    kept = partner_json.encode(document.fields)
    assert b"\0" not in kept
    assert json.loads(kept) == json.loads(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[1]",
        b"{",
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": "\xff"}',
        "{}".encode("utf-16"),
        b'{"a": ' + b"[" * (DEPTH + 1) + b"]" * (DEPTH + 1) + b"}",
        b"[" * 100_000,
    ],
)
def test_anything_but_an_object_of_bounded_depth_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        partner_json.read(body)


def test_the_depth_counts_brackets_and_not_what_is_in_texts() -> None:
    deep = b'{"a": ' + b"[" * (DEPTH - 1) + b"]" * (DEPTH - 1) + b', "b": "' + b"{[" * 100 + b'"}'
    assert partner_json.read(deep).fields["b"] == "{[" * 100
