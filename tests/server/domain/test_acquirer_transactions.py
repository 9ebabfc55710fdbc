"""A transaction at the acquirer: the whole table of what can be told of it, in every order."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.acquirer_tellings import AcquirerState, AcquirerType, Telling
from server.domain.acquirer_transactions import (
    ASKED_FOR,
    BOOKINGS,
    STANDINGS,
    AcquirerTransaction,
    Booking,
    ReportEffect,
    Standing,
    answer_problem,
    answered,
    contest,
    heard,
    to_be_asked,
)

NOW = 1_800_000_000_000_000
NEW = AcquirerTransaction("acquirerTransactions/a~t", "partnerAccounts/a", "t", "G", "M", NOW, NOW, NOW, revision=0)
WORDS = {
    AcquirerState.SUCCESS: "Success",
    AcquirerState.PENDING: "Pending",
    AcquirerState.IN_PROCESSING: "InProcessing",
    AcquirerState.DECLINED: "Declined",
    AcquirerState.ERROR: "Error",
    AcquirerState.TIMEOUT: "Timeout",
    AcquirerState.EXPIRED: "Expired",
    AcquirerState.PARTIAL: "Partial",
    AcquirerState.UNRECOGNIZED: "Reversed",
}


def told(state: str = "Success", at: int | None = 1, kind: str = "PURS", amount: str = "10.00", **more: str) -> Telling:
    given: dict[str, Any] = {
        "transaction_id": "t",
        "state_text": state,
        "type_text": kind,
        "amount_text": amount,
        "currency_text": "PLN",
        "time_text": "" if at is None else f"2026-03-12T10:00:{at:02}Z",
        **more,
    }
    return Telling(**given)


def after(*tellings: Telling, start: AcquirerTransaction = NEW) -> AcquirerTransaction:
    for each in tellings:
        start, _ = heard(start, each, NOW)
    return start


def test_every_state_has_a_standing() -> None:
    assert set(STANDINGS) == set(AcquirerState) == set(WORDS)


@pytest.mark.parametrize("first", WORDS)
@pytest.mark.parametrize("second", WORDS)
def test_the_whole_table_of_two_states_with_the_later_told_last(first: AcquirerState, second: AcquirerState) -> None:
    found = after(told(WORDS[first], 1), told(WORDS[second], 2))
    one, other = STANDINGS[first], STANDINGS[second]
    if one is Standing.SUCCEEDED:
        # Nothing takes it back; a failure after it is for the acquirer to explain.
        assert (found.state, found.contested) == (AcquirerState.SUCCESS, other is Standing.FAILED)
    elif one is Standing.FAILED and other is Standing.OPEN:
        assert (found.state, found.contested) == (first, False)
    else:
        assert (found.state, found.contested) == (second, False)


@pytest.mark.parametrize("first", WORDS)
@pytest.mark.parametrize("second", WORDS)
def test_the_order_in_which_two_arrive_makes_no_difference(first: AcquirerState, second: AcquirerState) -> None:
    one, other = told(WORDS[first], 1), told(WORDS[second], 2)
    assert after(one, other) == after(other, one)


TELLINGS = st.builds(
    told,
    st.sampled_from(sorted(WORDS.values())),
    st.integers(1, 59),
    st.sampled_from(["PURS", "PREF", "AUTH", "CAPT", "RFND", "WHAT"]),
    st.sampled_from(["10.00", "11.00"]),
)


@given(st.lists(TELLINGS, min_size=1, max_size=5, unique_by=lambda each: each.time_text), st.data())
def test_no_order_of_arrival_makes_a_difference(tellings: list[Telling], data: st.DataObject) -> None:
    first = after(*tellings)
    other = after(*data.draw(st.permutations(tellings)))
    assert (first.state, first.contested, first.booking) == (other.state, other.contested, other.booking)
    assert first.shown == other.shown


@pytest.mark.parametrize("kind", [*AcquirerType])
def test_only_a_purchase_a_paid_reference_or_an_authorization_is_booked(kind: AcquirerType) -> None:
    words = {
        AcquirerType.PURCHASE: "PURS",
        AcquirerType.AUTHORIZATION: "AUTH",
        AcquirerType.PAID_REFERENCE: "PREF",
        AcquirerType.CAPTURE: "CAPT",
        AcquirerType.REFUND: "RFND",
        AcquirerType.CANCELLATION: "CANC",
        AcquirerType.UNRECOGNIZED: "ANNUL",
    }
    assert after(told(kind=words[kind])).booking is BOOKINGS.get(kind, Booking.OTHER)
    assert after(told("Pending", kind=words[kind])).booking is Booking.NONE
    assert after(told("Declined", kind=words[kind])).booking is Booking.NONE


def test_a_success_of_no_told_type_is_no_payment() -> None:
    assert after(told(kind="")).booking is Booking.OTHER


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_annulment_under_the_same_id_does_not_book_what_was_only_pending(order: tuple[int, ...]) -> None:
    tellings = (told("Pending", 1), told("Success", 2, "RFND"))
    found = after(*(tellings[place] for place in order))
    assert (found.booking, found.contested) == (Booking.OTHER, False)


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_an_annulment_does_not_hide_the_payment_and_is_asked_about(order: tuple[int, ...]) -> None:
    tellings = (told("Success", 1), told("Success", 2, "RFND"))
    found = after(*(tellings[place] for place in order))
    assert (found.booking, found.contested) == (Booking.PAID, True)


def test_two_successes_with_different_amounts_are_contested() -> None:
    assert after(told(amount="10.00"), told(at=2, amount="10")).contested is False
    assert after(told(amount="10.00"), told(at=2, amount="10.01")).contested is True


def test_without_times_a_failure_beside_a_success_is_contested() -> None:
    assert after(told("Declined", None), told("Success", None)).contested is True
    assert after(told("Pending", None), told("Success", None)).contested is False


def test_a_time_far_ahead_does_not_order() -> None:
    ahead = told("Pending", amount="1.00", time_text="2099-01-01T00:00:00Z")
    found = after(ahead, told("InProcessing", 1))
    assert found.state is AcquirerState.IN_PROCESSING


def test_what_changes_nothing_that_is_shown_is_stale() -> None:
    _, effect = heard(after(told("Success", 2)), told("Pending", 1), NOW)
    assert effect is ReportEffect.STALE
    _, effect = heard(after(told("Pending", 2)), told("InProcessing", 1), NOW)
    assert effect is ReportEffect.STALE


def test_a_later_failure_counts_whatever_its_type() -> None:
    found = after(told("Declined", 1, "PURS"), told("Timeout", 2, "RFND"))
    assert found.state is AcquirerState.TIMEOUT


def test_a_reused_id_moves_nothing_and_is_asked_about() -> None:
    found = contest(NEW, NOW)
    assert (found.shown, found.booking, found.contested) == (None, Booking.NONE, True)
    paid = contest(after(told()), NOW)
    assert (paid.state, paid.booking, paid.contested) == (AcquirerState.SUCCESS, Booking.PAID, True)


@pytest.mark.parametrize("word", ["Success", "Declined", "Error", "Timeout", "Expired"])
def test_a_final_answer_settles_everything_that_was_told(word: str) -> None:
    contested = contest(after(told("Success", 1), told("Declined", 2), told("Success", 3, amount="99")), NOW)
    found, effect = answered(contested, told(word, 4), NOW)
    assert (found.shown and found.shown.state_text, found.contested, found.confirmed) == (word, False, True)
    assert effect is ReportEffect.APPLIED
    assert answered(found, told(word, 4), NOW) == (found, ReportEffect.KNOWN)


@pytest.mark.parametrize("word", ["Pending", "InProcessing", "Partial"])
def test_an_open_answer_settles_nothing(word: str) -> None:
    paid = after(told("Success", 1), told("Declined", 2))
    found, _ = answered(paid, told(word, 3), NOW)
    assert (found.state, found.contested, found.confirmed) == (AcquirerState.SUCCESS, True, False)
    waiting, _ = answered(after(told("Pending", 1)), told(word, 3), NOW)
    assert waiting.shown is not None
    assert (waiting.shown.state_text, waiting.confirmed) == (word, True)


def test_what_an_answer_does_not_tell_stays_as_it_was_known() -> None:
    bare = Telling(transaction_id="t", state_text="Success")
    found, _ = answered(after(told("Pending", 1)), bare, NOW)
    assert found.booking is Booking.PAID
    assert found.shown is not None
    assert (found.shown.type_text, found.shown.amount_text) == ("PURS", "10.00")


def test_a_notification_after_an_answer_takes_the_confirmation_only_where_it_changes_something() -> None:
    found, _ = answered(after(told("Pending", 1)), told("Success", 2), NOW)
    assert after(told("Pending", 1), start=found).confirmed is True
    late = after(told("Declined", 3), start=found)
    assert (late.confirmed, late.contested) == (False, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"transaction_id": "other"},
        {"transaction_id": ""},
        {"state_text": ""},
        {"state_text": "Reversed"},
        {"amount_text": "1,00"},
        {"currency_text": "XYZ"},
        {"currency_text": ""},
    ],
)
def test_an_answer_that_cannot_be_relied_upon_proves_nothing(changes: dict[str, Any]) -> None:
    assert answer_problem(NEW, told()) == ""
    assert answer_problem(NEW, replace(told(), **changes)) != ""


def test_what_is_open_or_contested_is_asked_for_and_not_for_ever() -> None:
    waiting, paid = after(told("Pending")), after(told())
    assert [to_be_asked(each, NOW) for each in (waiting, paid, contest(paid, NOW))] == [True, False, True]
    assert to_be_asked(waiting, NOW + ASKED_FOR) is False
