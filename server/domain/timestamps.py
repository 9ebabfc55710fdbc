"""Timestamps in partners' messages. They are data, not gates: read what can be read, never refuse.

Read are RFC 3339 and the ISO 8601 forms around it: `T` or a blank, any number of fraction digits behind a point or a
comma, seconds left out, zone as `Z`, `+hh:mm`, `+hhmm`, `+hh` or none (then UTC), a date alone, leap seconds, single
digits, and leading zeros too many: a partner's documentation prints `2017-11-13T11:012:41.165Z` for 11:12:41.165.
"""

import re
from dataclasses import dataclass
from datetime import date

LONGEST = 64

_MICROS = 1_000_000
_DAY = 24 * 3600 * _MICROS
_EPOCH_DAY = date(1970, 1, 1).toordinal()
# What a protobuf Timestamp and a database can hold: the years 1 to 9999 in UTC.
_EARLIEST = (date.min.toordinal() - _EPOCH_DAY) * _DAY
_LATEST = (date.max.toordinal() - _EPOCH_DAY + 1) * _DAY - 1

_LENIENT = re.compile(
    r"(?P<year>[0-9]{4,})-(?P<month>[0-9]+)-(?P<day>[0-9]+)"
    r"(?:(?:[Tt]|[ \t]+)(?P<hour>[0-9]+):(?P<minute>[0-9]+)(?::(?P<second>[0-9]+)(?:[.,](?P<fraction>[0-9]+))?)?"
    r"[ \t]*(?:[Zz]|(?P<sign>[+-])(?P<zone_hour>[0-9]{2})(?::?(?P<zone_minute>[0-9]{2}))?)?)?"
)
# RFC 3339 section 5.6, `date-time`.
_STRICT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


@dataclass(frozen=True, slots=True)
class Parsed:
    """A timestamp as it was read.

    `micros` counts microseconds since the epoch UTC, further digits cut off; None where it cannot be read. `malformed`
    is False exactly for a valid RFC 3339 date-time.
    """

    micros: int | None
    malformed: bool


UNREADABLE = Parsed(micros=None, malformed=True)


def parse(text: str) -> Parsed:
    """Reads any text; never raises. Unreadable: over 64 characters, impossible dates and times, years beyond 1 to 9999.

    A leap second is read as the second after it. In another minute than 23:59 UTC it is malformed (RFC 3339
    section 5.7).
    """
    if len(text) > LONGEST:
        return UNREADABLE
    found = _LENIENT.fullmatch(text.strip(" \t\r\n"))
    if found is None:
        return UNREADABLE
    year, month, day, hour, minute, second, zone_hour, zone_minute = (
        int(found[name] or 0)
        for name in ("year", "month", "day", "hour", "minute", "second", "zone_hour", "zone_minute")
    )
    if hour > 23 or minute > 59 or second > 60 or zone_hour > 23 or zone_minute > 59:
        return UNREADABLE
    try:
        days = date(year, month, day).toordinal() - _EPOCH_DAY
    except (ValueError, OverflowError):
        return UNREADABLE
    offset = (zone_hour * 60 + zone_minute) * (-1 if found["sign"] == "-" else 1)
    minutes = hour * 60 + minute - offset
    fraction = int((found["fraction"] or "")[:6].ljust(6, "0"))
    micros = days * _DAY + (minutes * 60 + second) * _MICROS + fraction
    if not _EARLIEST <= micros <= _LATEST:
        return UNREADABLE
    stray_leap_second = second == 60 and minutes % (24 * 60) != 24 * 60 - 1
    return Parsed(micros, malformed=stray_leap_second or _STRICT.fullmatch(text) is None)
