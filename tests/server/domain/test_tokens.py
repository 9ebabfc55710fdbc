"""Tokens: what each report makes of each state, and what we decide ourselves."""

from dataclasses import replace

import pytest

from server.domain import tokens
from server.domain.notifications import D1TokenUpdate, NotificationFlag, TshToken
from server.domain.refusals import EtagMismatch
from server.domain.tokens import CardParts, Token, TokenProvider, TokenState, card_of, completed, first_seen

NOW = 1_700_000_000_000_000
EARLY, MIDDLE, LATE = (f"2020-01-0{day}T00:00:00Z" for day in (1, 2, 3))
DAY = 24 * 3600 * 1_000_000
MIDDLE_MICROS = 1_577_923_200_000_000
STATES = {"ACTIVE": TokenState.ACTIVE, "SUSPENDED": TokenState.SUSPENDED, "DELETED": TokenState.DELETED}


def new() -> Token:
    return tokens.first_seen("g", "m", "t", TokenProvider.TSH, NOW)


def held(text: str) -> Token:
    """A token whose state was reported at MIDDLE."""
    return tokens.report(
        new(), TshToken(token_state=text, last_update_timestamp=MIDDLE), "x", NOW, creation=False
    ).token


@pytest.mark.parametrize("before", [*STATES, "MELTED"])
@pytest.mark.parametrize("text", [*STATES, "MELTED", "active", ""])
@pytest.mark.parametrize(("time", "stale"), [(EARLY, True), (MIDDLE, False), (LATE, False), ("", False), ("?", False)])
def test_every_update_of_every_state(before: str, text: str, time: str, stale: bool) -> None:
    token = held(before)
    outcome = tokens.report(token, TshToken(token_state=text, last_update_timestamp=time), "y", NOW, creation=False)
    assert outcome.stale is stale
    if stale:
        assert outcome.token == replace(token, delivery_count=2)
    else:
        shown = text or before
        assert (outcome.token.state_text, outcome.token.state) == (
            shown,
            STATES.get(shown, TokenState.UNRECOGNIZED),
        )
        assert outcome.token.partner_order_time is not None
        assert outcome.token.partner_order_time >= MIDDLE_MICROS
        assert (outcome.token.delivery_count, outcome.token.revision) == (2, token.revision + 1)
        unrecognized = NotificationFlag.VALUE_UNRECOGNIZED in outcome.flags
        assert unrecognized is (text in ("MELTED", "active"))


@pytest.mark.parametrize(("time", "stale"), [(EARLY, True), (MIDDLE, True), (LATE, False), ("", False)])
def test_every_creation_after_an_update(time: str, stale: bool) -> None:
    outcome = tokens.report(held("DELETED"), TshToken(creation_timestamp=time), "y", NOW, creation=True)
    assert outcome.stale is stale
    assert outcome.token.state is (TokenState.DELETED if stale else TokenState.CREATED)


def test_a_first_report_makes_the_token() -> None:
    created = tokens.report(new(), TshToken(creation_timestamp=MIDDLE), "x", NOW, creation=True).token
    assert (created.state, created.state_text, created.revision) == (TokenState.CREATED, "", 1)
    assert (created.partner_order_time, created.partner_create_time_text) == (MIDDLE_MICROS, MIDDLE)


def test_details_that_are_not_told_stay() -> None:
    fields = ("card_bin", "card_last_digits", "card_expiry", "token_last_digits", "token_expiry")
    more = ("payment_account_reference", "visa_provisioned_token_id")
    full = TshToken(**dict.fromkeys((*fields, *more), "1"))
    token = tokens.report(new(), full, "x", NOW, creation=True).token
    again = tokens.report(token, TshToken(card_expiry="2"), "y", NOW, creation=False).token
    assert [getattr(again, name) for name in (*fields, *more)] == ["1", "1", "2", "1", "1", "1", "1"]


@pytest.mark.parametrize(("ahead", "orders"), [(DAY, True), (DAY + 1_000_000, False)])
def test_how_far_ahead_a_time_may_be(ahead: int, orders: bool) -> None:
    seconds = (NOW + ahead) // 1_000_000
    days, rest = divmod(seconds - 1_700_000_000, 86_400)
    assert days == 1
    time = f"2023-11-15T22:13:{20 + rest:02}Z"
    outcome = tokens.report(new(), TshToken(last_update_timestamp=time), "x", NOW, creation=False)
    assert (outcome.token.partner_order_time is not None) is orders
    assert (NotificationFlag.TIMESTAMP_AHEAD in outcome.flags) is not orders


def test_every_refresh_request_counts() -> None:
    token = tokens.request_refresh(tokens.request_refresh(new(), D1TokenUpdate("A"), NOW), D1TokenUpdate("B"), NOW + 1)
    assert (token.refresh_generation, token.refreshed_generation, token.delivery_count) == (2, 0, 2)
    assert (token.last_update_type, token.update_time) == ("B", NOW + 1)


def test_disabling_and_enabling() -> None:
    token = held("ACTIVE")
    assert tokens.enable(token, "", NOW) is token
    disabled = tokens.disable(token, "lost", str(token.revision), NOW + 5)
    assert (disabled.disable_time, disabled.disable_reason) == (NOW + 5, "lost")
    assert disabled.state is TokenState.ACTIVE
    assert tokens.disable(disabled, "other", "", NOW + 6) is disabled
    enabled = tokens.enable(disabled, "", NOW + 7)
    assert (enabled.disable_time, enabled.disable_reason) == (None, "")
    with pytest.raises(EtagMismatch):
        tokens.disable(enabled, "x", "0", NOW)
    with pytest.raises(EtagMismatch):
        tokens.enable(disabled, "0", NOW)


def test_only_what_was_not_known_of_the_same_card_is_completed() -> None:
    token = replace(first_seen("G", "m", "t", TokenProvider.PAYMENT_OPTIONS, NOW), card_last_digits="1005")
    told = completed(token, card_of("520000******1005", "1234"), NOW + 1)
    assert (told.card_bin, told.card_last_digits, told.card_expiry) == ("520000", "1005", "1234")
    assert (told.update_time, told.revision) == (NOW + 1, token.revision + 1)
    # Known already, another card, or nothing that can be read.
    assert completed(told, card_of("520000******1005", "0135"), NOW) is told
    assert completed(token, card_of("520000******1091", "1234"), NOW) is token
    assert completed(replace(token, card_bin="41111100"), card_of("520000******1005", "1234"), NOW).card_expiry == ""
    assert completed(token, card_of("", ""), NOW) is token


@pytest.mark.parametrize("number", ["", "1005", "5200001005", "52000*1005", "520000******", "4012888888881881"])
def test_what_is_no_masked_number_tells_no_digits(number: str) -> None:
    assert card_of(number, "1334") == CardParts()
