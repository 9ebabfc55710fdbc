"""The settings of retention: what is read, and what would lose something and is refused."""

import pytest

from server.domain.retention import Periods
from server.settings import SettingsInvalid, load, span

DAY = 24 * 3600 * 1_000_000


def test_the_periods_by_default() -> None:
    expected = Periods(
        events=90 * DAY,
        pin_limit=30 * DAY,
        notifications=90 * DAY,
        quarantined_notifications=90 * DAY,
        requests=30 * DAY,
        identities=400 * DAY,
        acquirer_transactions=400 * DAY,
        card_accesses=400 * DAY,
    )
    assert load().periods == expected


def test_every_unit_is_read() -> None:
    assert [span(text) for text in ("1s", "2m", "3h", "4d")] == [10**6, 120 * 10**6, 3 * 3600 * 10**6, 4 * DAY]


@pytest.mark.parametrize(
    "text", ["", "90", "d", "90D", "-90d", "9.5d", "90 d", "90w", "\u0669\u0660d", "36501d", "9" * 5000 + "d"]
)
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(SettingsInvalid, match="MINTMARK_RETENTION_PIN_LIMIT"):
        load({"retention_pin_limit": text})


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("retention_events", "6d"),
        ("retention_notifications", "167h"),
        ("retention_quarantined", "90s"),
        ("retention_requests", "23h"),
        ("retention_identities", "59d"),
    ],
)
def test_a_slip_of_the_pen_removes_nothing(setting: str, text: str) -> None:
    with pytest.raises(SettingsInvalid, match=rf"MINTMARK_{setting.upper()}.* at least"):
        load({setting: text})


@pytest.mark.parametrize("setting", ["retention_notifications", "retention_quarantined"])
def test_identities_are_kept_for_as_long_as_notifications(setting: str) -> None:
    load({setting: "400d"})
    with pytest.raises(SettingsInvalid, match="MINTMARK_RETENTION_IDENTITIES"):
        load({setting: "401d"})
