"""Basic credentials in every shape that OAuth clients send."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.inbound.basic import pairs


def encoded(text: str, encoding: str = "utf-8") -> str:
    return base64.b64encode(text.encode(encoding)).decode()


@pytest.mark.parametrize(
    ("credentials", "first"),
    [
        ("aXNfdGJhbmswMToxMjM=", ("is_tbank01", "123")),
        ("aXNfdGJhbmswMToxMjM", ("is_tbank01", "123")),
        (base64.urlsafe_b64encode(b"a:???>>>").decode(), ("a", "???>>>")),
        (encoded("a:???>>>"), ("a", "???>>>")),
        (encoded("a:b:c"), ("a", "b:c")),
        (encoded("a:"), ("a", "")),
        (encoded("ä:ö"), ("ä", "ö")),
        (encoded("ä:ö", "latin-1"), ("ä", "ö")),
    ],
)
def test_the_likeliest_reading_comes_first(credentials: str, first: tuple[str, str]) -> None:
    assert pairs(credentials)[0] == first


def test_form_decoded_halves_come_after_the_raw_ones() -> None:
    assert pairs(encoded("is%5Ftbank01:a%41+b")) == [("is%5Ftbank01", "a%41+b"), ("is_tbank01", "aA b")]
    assert ("ä", "x") in pairs(encoded("%E4:x"))
    assert ("ä", "x") in pairs(encoded("%C3%A4:x"))


@pytest.mark.parametrize("credentials", ["", "=", "a", "a b", "é", "YWJj", "YTpi====", "\0"])
def test_what_is_no_pair_gives_none(credentials: str) -> None:
    assert pairs(credentials) == []


@given(st.text(st.characters(codec="utf-8", exclude_characters=":")), st.text(st.characters(codec="utf-8")))
def test_every_pair_is_among_its_readings(name: str, secret: str) -> None:
    assert (name, secret) in pairs(encoded(f"{name}:{secret}"))


@given(st.text())
def test_nothing_raises(credentials: str) -> None:
    assert len(pairs(credentials)) <= 4
