"""Payment subscriptions in the domain: what a cycle costs, when the partner is called, and what its word makes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.money import Money
from server.domain.partner_subscriptions import PartnerSubscription, PartnerTransaction
from server.domain.payment_answers import OperationKind
from server.domain.payment_operations import Operation, OperationState
from server.domain.payment_options import AmountUnit
from server.domain.payment_subscription_answers import listed_by, strange
from server.domain.payment_subscription_calls import FRESH, MARGIN, CallKind, next_call, next_look
from server.domain.payment_subscriptions import (
    DAY,
    FINAL,
    LIVE,
    CycleUnit,
    Listed,
    PaymentSubscription,
    Plan,
    SubscriptionState,
    Wish,
    check_plan,
    derive,
    observe,
)
from server.domain.refusals import FieldInvalid

NOW = 1_000 * DAY
PLAN = Plan("Tea", "A tin", CycleUnit.MONTHLY, 1, 12)
HELD = PaymentSubscription(
    name="paymentSubscriptions/1",
    merchant_subscription_id="contract-1",
    payment="payments/1",
    token="t",
    account="partnerAccounts/a",
    merchant_gateway_id="g",
    merchant_id="m",
    currency_code="JPY",
    minor_amount=1000,
    plan=PLAN,
    reference="0123456789012345678-1",
    create_time=NOW,
    update_time=NOW,
)
FIRST = Operation(
    name="payments/1/operations/1",
    payment="payments/1",
    account="partnerAccounts/a",
    number=1,
    kind=OperationKind.SUBSCRIPTION,
    state=OperationState.SUCCEEDED,
    minor_amount=1000,
    currency_code="JPY",
    amount_unit=AmountUnit.NONE,
    reference=HELD.reference,
    partner_merchant_id="JP1",
    stored_payment_method_id="method",
    live=False,
    send_before=NOW,
    create_time=NOW,
    update_time=NOW,
    cycle=1,
)
BOUND = replace(HELD, partner_subscription_id="s-1", state_text="ACTIVE", state=SubscriptionState.ACTIVE)


def in_state(state: OperationState) -> Operation:
    return replace(FIRST, state=state)


@given(st.integers(1, 10**9), st.integers(1, 99), st.integers(1, 12), st.integers(1, 24))
def test_a_discount_is_taken_exactly_or_refused(amount: int, percentage: int, cycles: int, cycle: int) -> None:
    plan = replace(PLAN, discount_percentage=percentage, discount_cycle_count=cycles)
    try:
        check_plan(plan, Money(amount, "JPY"))
    except FieldInvalid:
        assert amount * (100 - percentage) % 100
        return
    cost = plan.cost(amount, cycle)
    assert cost * 100 == (amount * (100 - percentage) if cycle <= cycles else amount * 100)
    assert plan.costs(amount, cycle)[0] == cost


@pytest.mark.parametrize(("percentage", "cycles"), [(10, 0), (0, 1)])
def test_a_discount_is_whole_or_none(percentage: int, cycles: int) -> None:
    with pytest.raises(FieldInvalid):
        check_plan(replace(PLAN, discount_percentage=percentage, discount_cycle_count=cycles), Money(1000, "JPY"))


def test_the_mark_holds_no_run_that_looks_like_a_card_number() -> None:
    assert HELD.mark == "[01234567_89012345_678-1]"
    assert HELD.sent_description == f"A tin {HELD.mark}"


@given(
    st.sampled_from(OperationState),
    st.sampled_from(["", "ACTIVE", "PAUSED", "CANCELLED", "EXPIRED", "SLEEPING"]),
    st.none() | st.integers(NOW - 9 * DAY, NOW + 9 * DAY),
    st.booleans(),
)
def test_what_may_charge_is_never_called_over(state: OperationState, word: str, due: int | None, late: bool) -> None:
    held = replace(HELD, state_text=word, next_payment_time=due, due_cycle=2, overdue=late)
    made = derive(held, [in_state(state)], NOW, overdue_after=DAY)
    if word in ("ACTIVE", "PAUSED", "SLEEPING"):
        assert made.state in LIVE or state is OperationState.PENDING
    if state is OperationState.IN_DOUBT:
        assert made.state is SubscriptionState.IN_DOUBT
    if made.overdue:
        assert due is not None
        assert due <= NOW
    # Once it is derived nothing changes by deriving it again.
    assert derive(made, [in_state(state)], NOW, overdue_after=DAY) == made


def test_a_due_cycle_stays_due_until_there_is_evidence() -> None:
    due = replace(BOUND, next_payment_time=NOW - DAY, due_cycle=2)
    said = PartnerSubscription("s-1", status="ACTIVE", next_payment_date="2030-01-01", next_payment_cycle="3")
    assert observe(due, said, [FIRST], NOW, NOW).next_payment_time == NOW - DAY
    done = replace(FIRST, kind=OperationKind.CYCLE, number=2, cycle=2)
    moved = observe(due, said, [FIRST, done], NOW, NOW)
    assert moved.due_cycle == 3
    assert moved.next_payment_time is not None
    assert moved.next_payment_time > NOW


def test_without_a_date_the_plan_tells_when_a_cycle_is_due() -> None:
    said = PartnerSubscription("s-1", status="ACTIVE", completed_cycle_count="1")
    assert observe(BOUND, said, [FIRST], NOW, NOW).next_payment_time == NOW + 31 * DAY
    last = PartnerSubscription("s-1", status="ACTIVE", completed_cycle_count="12")
    assert observe(BOUND, last, [FIRST], NOW, NOW).next_payment_time is None


@pytest.mark.parametrize(
    ("held", "change_time", "age", "stopped", "wanted"),
    [
        (HELD, 0, 0, False, CallKind.LIST),
        (BOUND, 0, 0, False, CallKind.DETAILS),
        (replace(BOUND, wish=Wish.CANCEL), 0, 0, False, CallKind.CANCEL),
        (replace(BOUND, wish=Wish.CANCEL), 0, 0, True, CallKind.CANCEL),
        (replace(BOUND, wish=Wish.CANCEL), NOW, 0, False, CallKind.DETAILS),
        (replace(BOUND, wish=Wish.CANCEL, state_text="CANCELLED"), 0, 0, False, CallKind.DETAILS),
        (replace(BOUND, wish=Wish.RESUME, state_text="PAUSED"), 0, 1, False, CallKind.RESUME),
        (replace(BOUND, wish=Wish.RESUME, state_text="PAUSED"), 0, FRESH + 1, False, CallKind.DETAILS),
        (replace(BOUND, wish=Wish.RESUME, state_text="PAUSED"), 0, 1, True, CallKind.DETAILS),
        (replace(BOUND, wish=Wish.RESUME, state_text="PAUSED"), NOW, 1, False, CallKind.DETAILS),
        (replace(BOUND, wish=Wish.RESUME), 0, 1, False, CallKind.DETAILS),
    ],
)
def test_what_the_partner_is_called_for(
    held: PaymentSubscription, change_time: int, age: int, stopped: bool, wanted: CallKind
) -> None:
    looked = replace(held, look_time=NOW - age, look_begin_time=NOW - age)
    assert next_call(looked, change_time, NOW, held=stopped) is wanted


def test_when_the_partner_is_called() -> None:
    unsent = (OperationState.PENDING, OperationState.CANCELLED, OperationState.EXPIRED_UNSENT, OperationState.SENDING)
    for state in unsent:
        assert next_look(HELD, in_state(state), 0, NOW) is None
    # What is in doubt is looked for, for ever; what is said not to be there for a while.
    assert next_look(HELD, in_state(OperationState.IN_DOUBT), 99, NOW) is not None
    assert next_look(HELD, in_state(OperationState.NOT_CHARGED), 0, NOW) is not None
    assert next_look(HELD, in_state(OperationState.NOT_CHARGED), 99, NOW) is None
    soon = replace(BOUND, next_payment_time=NOW + 60_000_000)
    assert next_look(soon, FIRST, 0, NOW) == NOW + 60_000_000 + MARGIN
    # At least daily while it may charge.
    assert next_look(replace(BOUND, next_payment_time=NOW + 9 * DAY), FIRST, 0, NOW) == NOW + DAY
    assert next_look(replace(BOUND, next_payment_time=NOW - DAY), FIRST, 99, NOW) == NOW + 3600_000_000
    assert next_look(replace(BOUND, state_text="CANCELLED", wish=None), FIRST, 99, NOW) is None
    assert next_look(replace(BOUND, wish=Wish.CANCEL), FIRST, 99, NOW) == NOW + 600_000_000


def test_what_is_final_stays_final() -> None:
    over = replace(BOUND, state_text="CANCELLED")
    for word in ("ACTIVE", "PAUSED", "", "SLEEPING"):
        assert observe(over, PartnerSubscription("s-1", status=word), [FIRST], NOW, NOW).observed in FINAL


def test_listed_transactions_are_told_once_and_only_with_ids_that_can_be() -> None:
    listed = [("t-1", "2"), ("t-1", "3"), ("", "4"), ("../t", "5"), ("t-2", "x")]
    said = PartnerSubscription("s-1", transactions=tuple(PartnerTransaction(*each) for each in listed))
    assert listed_by(said) == (Listed("t-1", 2), Listed("t-2", 0))


@pytest.mark.parametrize("own_id", ["", "a/b", "x" * 65, "s 1"])
def test_an_id_that_cannot_be_is_not_ours(own_id: str) -> None:
    assert strange(HELD, AmountUnit.NONE, PartnerSubscription(own_id), whole=False)
