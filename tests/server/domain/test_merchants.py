"""Merchants: one registration a scheme, each in an order of its own."""

import pytest

from server.domain import merchants
from server.domain.merchants import Merchant
from server.domain.notifications import TshMerchant

NOW = 1_700_000_000_000_000
EARLY, MIDDLE, LATE = (f"2020-01-0{day}T00:00:00Z" for day in (1, 2, 3))


def held() -> Merchant:
    told = TshMerchant("VISA", token_requestor_id="1", last_update_timestamp=MIDDLE)
    return merchants.report(merchants.first_seen("g", "m", NOW), told, "x", NOW).merchant


@pytest.mark.parametrize(("time", "stale"), [(EARLY, True), (MIDDLE, False), (LATE, False), ("", False), ("?", False)])
def test_a_report_on_the_same_scheme_is_ordered(time: str, stale: bool) -> None:
    told = TshMerchant("VISA", token_requestor_id="2", last_update_timestamp=time)
    outcome = merchants.report(held(), told, "y", NOW)
    assert outcome.stale is stale
    (visa,) = outcome.merchant.scheme_registrations
    assert visa.token_requestor_id == ("1" if stale else "2")
    assert outcome.merchant.delivery_count == 2


def test_a_report_on_another_scheme_is_not() -> None:
    outcome = merchants.report(held(), TshMerchant("MASTERCARD", last_update_timestamp=EARLY), "y", NOW)
    assert not outcome.stale
    assert [each.scheme_text for each in outcome.merchant.scheme_registrations] == ["MASTERCARD", "VISA"]


def test_an_error_belongs_to_its_report_alone() -> None:
    failed = merchants.report(
        held(), TshMerchant("VISA", error_code="E", last_update_timestamp=LATE), "y", NOW
    ).merchant
    assert (failed.scheme_registrations[0].error_code, failed.scheme_registrations[0].token_requestor_id) == ("E", "1")
    works = merchants.report(failed, TshMerchant("VISA", last_update_timestamp=LATE), "z", NOW).merchant
    assert works.scheme_registrations[0].error_code == ""


def test_a_scheme_that_was_not_reported_has_an_empty_registration() -> None:
    assert merchants.registration(held(), "X").last_content == ""
    assert merchants.registration(held(), "VISA").last_content == "x"
