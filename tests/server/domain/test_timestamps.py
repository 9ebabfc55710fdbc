from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.timestamps import LONGEST, UNREADABLE, Parsed, parse
from tests.vectors import vector_json

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def micros(*fields: int, offset: int = 0) -> int:
    """Microseconds since the epoch of year, month, day, hour, ... at an offset in minutes."""
    year, month, day, hour, minute, second, micro = (*fields, *[0] * (7 - len(fields)))
    zone = timezone(timedelta(minutes=offset))
    return (datetime(year, month, day, hour, minute, second, micro, zone) - EPOCH) // timedelta(microseconds=1)


STRICT = {
    "2017-11-10T09:08:24.479Z": micros(2017, 11, 10, 9, 8, 24, 479_000),
    "1970-01-01T00:00:00Z": 0,
    "1969-12-31T23:59:59.999999Z": -1,
    "2017-11-10t09:08:24z": micros(2017, 11, 10, 9, 8, 24),
    "2017-11-10T09:08:24.4Z": micros(2017, 11, 10, 9, 8, 24, 400_000),
    "2017-11-10T09:08:24.123456789Z": micros(2017, 11, 10, 9, 8, 24, 123_456),
    "2017-11-10T09:08:24+05:30": micros(2017, 11, 10, 9, 8, 24, offset=330),
    "2017-11-10T09:08:24.000-08:00": micros(2017, 11, 10, 9, 8, 24, offset=-480),
    "2017-11-10T09:08:24-00:00": micros(2017, 11, 10, 9, 8, 24),
    "1998-12-31T23:59:60Z": micros(1999, 1, 1),
    "1998-12-31T15:59:60.5-08:00": micros(1999, 1, 1, 0, 0, 0, 500_000),
    "2024-02-29T00:00:00Z": micros(2024, 2, 29),
    "0001-01-01T00:00:00Z": micros(1, 1, 1),
    "9999-12-31T23:59:59.999999999Z": micros(9999, 12, 31, 23, 59, 59, 999_999),
}

LENIENT = {
    "2017-11-13T11:012:41.165Z": micros(2017, 11, 13, 11, 12, 41, 165_000),
    "02017-011-0013T0011:12:041Z": micros(2017, 11, 13, 11, 12, 41),
    "2017-11-13 11:12:41Z": micros(2017, 11, 13, 11, 12, 41),
    "2017-11-13 11:12:41 +01:00": micros(2017, 11, 13, 11, 12, 41, offset=60),
    "2017-11-13T11:12:41,165Z": micros(2017, 11, 13, 11, 12, 41, 165_000),
    "2017-11-13T11:12:41+0130": micros(2017, 11, 13, 11, 12, 41, offset=90),
    "2017-11-13T11:12:41-01": micros(2017, 11, 13, 11, 12, 41, offset=-60),
    "2017-11-13T11:12:41": micros(2017, 11, 13, 11, 12, 41),
    "2017-11-13T11:12:41.165": micros(2017, 11, 13, 11, 12, 41, 165_000),
    "2017-11-13T11:12Z": micros(2017, 11, 13, 11, 12),
    "2017-11-13": micros(2017, 11, 13),
    "2017-1-3T1:2:4Z": micros(2017, 1, 3, 1, 2, 4),
    " 2017-11-13T11:12:41Z\r\n": micros(2017, 11, 13, 11, 12, 41),
    "2017-11-13T11:12:60Z": micros(2017, 11, 13, 11, 13),
    "1998-12-31T23:59:60-08:00": micros(1999, 1, 1, 8),
}

IMPOSSIBLE = [
    "",
    " ",
    "Z",
    "yesterday",
    "1510571561165",
    "2017-11-13T",
    "2017-11-13T11",
    "2017-11-13Z",
    "2017-02-29T00:00:00Z",
    "2017-13-01T00:00:00Z",
    "2017-00-01T00:00:00Z",
    "2017-01-00T00:00:00Z",
    "2017-11-31",
    "2017-11-13T24:00:00Z",
    "2017-11-13T11:60:00Z",
    "2017-11-13T11:12:61Z",
    "2017-11-13T11:12:41.Z",
    "2017-11-13T11:12:41+24:00",
    "2017-11-13T11:12:41+01:60",
    "2017-11-13T11:12:41+01:00Z",
    "2017-11-13T11:12:41+1",
    "2017-11-13T-1:12:41Z",
    "0000-01-01T00:00:00Z",
    "12017-11-13T11:12:41Z",
    "-2017-11-13T11:12:41Z",
    "0001-01-01T00:00:00+00:01",
    "9999-12-31T23:59:59-00:01",
    "9999-12-31T23:59:60Z",
    "2017-11-1\u09eaT00:00:00Z",
    "\uff12\uff10\uff11\uff17-11-13T11:12:41Z",
    "2017-11-13T11:12:41\u221201:00",
    "2017-11-13\u00a011:12:41Z",
    "2017-11-13T11:12:41Z\0",
    "2017-11-13T11:12:41\ud800",
    "2017-11-13T11:12:41." + "0" * LONGEST + "Z",
    " " * LONGEST + "2017-11-13",
]


@pytest.mark.parametrize("text", STRICT)
def test_rfc_3339_is_read_and_well_formed(text: str) -> None:
    assert parse(text) == Parsed(STRICT[text], malformed=False)


@pytest.mark.parametrize("text", LENIENT)
def test_what_is_near_it_is_read_and_flagged(text: str) -> None:
    assert parse(text) == Parsed(LENIENT[text], malformed=True)


@pytest.mark.parametrize("text", IMPOSSIBLE)
def test_what_is_no_time_is_unreadable(text: str) -> None:
    assert parse(text) == UNREADABLE


def test_64_characters_are_read_and_65_are_not() -> None:
    text = "2017-11-13T11:12:41."
    longest = text + "9" * (LONGEST - len(text) - 1) + "Z"
    assert parse(longest) == Parsed(micros(2017, 11, 13, 11, 12, 41, 999_999), malformed=False)
    assert parse(longest.replace("Z", "9Z")) == UNREADABLE
    assert parse("9" * 1_000_000) == UNREADABLE


@given(text=st.text(max_size=80) | st.text("0123456789-:.,+TtZz \u0664", max_size=70))
def test_no_text_raises(text: str) -> None:
    parsed = parse(text)
    assert parsed.malformed or parsed.micros is not None


@given(
    text=st.from_regex(
        r"[0-9]{1,5}-[0-9]{1,3}-[0-9]{1,3}[T ][0-9]{1,3}:[0-9]{1,3}:[0-9]{1,3}(Z|[+-][0-9]{2}:?[0-9]{2})"
    )
)
def test_no_text_of_about_the_form_raises(text: str) -> None:
    parsed = parse(text)
    assert parsed.malformed or parsed.micros is not None


ZONES = st.integers(-(23 * 60 + 59), 23 * 60 + 59).map(lambda minutes: timezone(timedelta(minutes=minutes)))
# Away from both ends, where a zone leads out of what a Timestamp holds.
TIMES = st.datetimes(timezones=ZONES).filter(lambda time: 1 < time.year < 9999)


@given(time=TIMES, separator=st.sampled_from("Tt"))
def test_every_time_is_read_as_the_standard_library_reads_it(time: datetime, separator: str) -> None:
    expected = (time - EPOCH) // timedelta(microseconds=1)
    assert parse(time.isoformat(separator)) == Parsed(expected, malformed=False)
    assert parse(time.isoformat(" ")) == Parsed(expected, malformed=True)


@given(
    time=TIMES,
    zeros=st.lists(st.integers(0, 3), min_size=6, max_size=6),
)
def test_leading_zeros_too_many_change_nothing(time: datetime, zeros: list[int]) -> None:
    fields = zip("YmdHMS", zeros, strict=True)
    year, month, day, hour, minute, second = ("0" * more + time.strftime(f"%{field}") for field, more in fields)
    text = f"{year:0>4}-{month}-{day}T{hour}:{minute}:{second}Z"
    expected = (time.replace(microsecond=0, tzinfo=UTC) - EPOCH) // timedelta(microseconds=1)
    assert parse(text) == Parsed(expected, malformed=any(zeros))


def test_json_schemas_verdicts() -> None:
    cases = [case for group in vector_json("json-schema-formats/date-time.json") for case in group["tests"]]
    texts = [case for case in cases if isinstance(case["data"], str)]
    assert len(texts) >= 25
    for case in texts:
        parsed = parse(case["data"])
        assert (not parsed.malformed) == case["valid"], case["description"]
        if case["valid"]:
            assert parsed.micros is not None, case["description"]
