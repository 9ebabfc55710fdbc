"""Correlation ids are kept, replaced or shortened, and never refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mintmark.v1 import notifications_pb2 as pb

from adapters.inbound import correlation

ODD = pb.NOTIFICATION_FLAG_CORRELATION_ID_ODD
CUT = pb.NOTIFICATION_FLAG_CARD_NUMBER_CUT


def test_a_documented_one_is_kept_as_it_is() -> None:
    read = correlation.read(b"5b2f0c1e-7d1a-4a52-9f0e-1f6f2a9d3c41")
    assert (read.text, read.given, read.flags) == ("5b2f0c1e-7d1a-4a52-9f0e-1f6f2a9d3c41", True, ())


@pytest.mark.parametrize("value", [b"", b" ", b"\x01\x02"])
def test_a_missing_one_is_made(value: bytes) -> None:
    read = correlation.read(value)
    assert len(read.text) == 36
    assert (read.given, read.flags) == (False, (ODD,))


def test_an_odd_one_is_kept_without_controls() -> None:
    read = correlation.read(b"a.b c\x1b[31m\xc3\xa4")
    assert (read.text, read.given, read.flags) == ("a.b c[31mä", True, (ODD,))
    assert correlation.read(b"a", times=2).flags == (ODD,)


def test_one_that_is_too_long_is_shortened_and_stays_distinct() -> None:
    first, second = correlation.read(b"a" * 300 + b"1"), correlation.read(b"a" * 300 + b"2")
    assert len(first.text) == 256
    assert first.text != second.text
    assert first.given


@pytest.mark.parametrize("value", [b"4111111111111111", b"id 4111111111111111", b"4111-1111-1111-1111"])
def test_a_card_number_is_not_kept(value: bytes) -> None:
    read = correlation.read(value)
    assert b"411111" not in read.text.encode()
    assert (read.given, read.flags) == (False, (ODD, CUT))


@given(st.binary())
def test_anything_gives_an_id_that_can_be_stored(value: bytes) -> None:
    read = correlation.read(value)
    assert 1 <= len(read.text) <= 256
    read.text.encode()
