"""A partner's export against what is known: what each row means, what it moves, and to whom it says so."""

from typing import Any

import pytest
from mintmark.v1 import events_pb2 as ev
from mintmark.v1 import payments_pb2 as pb

from tests.server.rpc.exporting import (
    NO,
    OPEN,
    PARTLY,
    copy,
    export_lines,
    finding,
    findings,
    plan,
    reconcile,
    row,
    unknown,
)
from tests.server.rpc.paying import (
    NOT_SENT,
    QUERY,
    SUBMIT,
    UNKNOWN,
    Shop,
    approved,
    declined,
    doubt,
    duration,
    open_shop,
    operation_state,
    redirect,
)
from tests.server.rpc.running import RunningCore, refused, request_id


@pytest.fixture
def shop(moving: RunningCore) -> Shop:
    return open_shop(moving)


def test_a_plan_changes_nothing(shop: Shop) -> None:
    payment, _ = shop.in_doubt()
    head = shop.core.admin.head()
    (told,) = plan(shop, row(payment, line=7))
    assert finding(told) == "SETTLES"
    assert (told.line, told.payment, told.operation) == (7, payment.name, payment.operations[0].name)
    assert (operation_state(told.state_before), operation_state(told.state_after)) == ("IN_DOUBT", "SUCCEEDED")
    assert (told.amount.minor_amount, told.amount.currency_code) == (1000, "JPY")
    assert findings(plan(shop, row())) == ["UNKNOWN_CHARGE"]
    assert shop.get(payment) == payment
    assert export_lines(shop, payment) == []
    assert unknown(shop) == []
    assert shop.core.admin.head() == head


def test_a_charge_settles_what_was_in_doubt(shop: Shop) -> None:
    payment, _ = shop.in_doubt()
    said = row(payment)
    assert findings(reconcile(shop, said)) == ["SETTLES"]
    paid = shop.get(payment)
    assert shop.state(payment) == "CAPTURED"
    assert paid.operations[0].partner_transaction_id == said.partner_transaction_id
    (line,) = export_lines(shop, payment)
    assert line.partner_transaction_id == said.partner_transaction_id
    assert '"outcome_text":"Approved"' in line.redacted_body
    assert line.actor == f"clients/{shop.credentials[0]}"


def test_a_row_that_came_before_changes_nothing(shop: Shop) -> None:
    payment, _ = shop.in_doubt()
    said = row(payment)
    (first, second) = reconcile(shop, said, copy(said, line=3))
    assert (finding(first), first.repeated) == ("SETTLES", False)
    assert (finding(second), second.repeated, second.line) == ("CONFIRMS", True, 3)
    before, head = shop.get(payment), shop.core.admin.head()
    (again,) = reconcile(shop, copy(said, line=99))
    assert (finding(again), again.repeated) == ("CONFIRMS", True)
    assert shop.get(payment) == before
    assert len(export_lines(shop, payment)) == 1
    assert shop.core.admin.head() == head


def test_the_same_request_gets_the_first_answer(shop: Shop) -> None:
    payment, _ = shop.in_doubt()
    request = pb.ReconcilePaymentsRequest(request_id=request_id(), account=shop.account, rows=[row(payment)])
    first = shop.client.payments.ReconcilePayments(request)
    assert shop.client.payments.ReconcilePayments(request) == first
    request.rows[0].line += 1
    with refused("FAILED_PRECONDITION", "REQUEST_ID_REUSED"):
        shop.client.payments.ReconcilePayments(request)


@pytest.mark.parametrize(
    "fields",
    [
        {"amount": "999"},
        {"currency_code": "USD"},
        {"partner_merchant_id": "JP00000999"},
        {"response_code": "51"},
    ],
)
def test_a_row_that_says_something_else_of_ours_moves_nothing_and_is_told(shop: Shop, fields: dict[str, Any]) -> None:
    payment, _ = shop.in_doubt()
    said = row(payment, **fields)
    assert findings(reconcile(shop, said)) == ["DISAGREES"]
    assert shop.state(payment) == "IN_DOUBT"
    assert len(export_lines(shop, payment)) == 1
    assert shop.kinds(payment).count("PAYMENT_EVIDENCE_DISAGREES") == 1
    # The partner is asked for it, and its answer is what counts.
    assert [task.query.partner_transaction_id for task in shop.claim(QUERY, of=payment)] == [
        said.partner_transaction_id
    ]
    (again,) = reconcile(shop, said)
    assert (finding(again), again.repeated) == ("DISAGREES", True)
    assert shop.kinds(payment).count("PAYMENT_EVIDENCE_DISAGREES") == 1


def test_a_transaction_that_is_bound_counts_more_than_the_reference(shop: Shop) -> None:
    paid, (doubtful, _) = shop.pay(), shop.in_doubt()
    mixed = row(doubtful, partner_transaction_id=paid.operations[0].partner_transaction_id)
    (told,) = reconcile(shop, mixed)
    assert (finding(told), told.payment) == ("DISAGREES", paid.name)
    assert shop.state(doubtful) == "IN_DOUBT"
    # By the transaction alone, without a reference.
    bare = row(paid, reference="", partner_transaction_id=paid.operations[0].partner_transaction_id)
    assert findings(reconcile(shop, bare)) == ["CONFIRMS"]


def test_amounts_are_in_the_unit_that_the_account_says(shop: Shop) -> None:
    for code, text, other in (("EUR", "12.50", "1250"), ("USD", "1250", "12.50")):
        payment = shop.create(1250, code)
        shop.record(shop.granted(payment).attempt, outcome=UNKNOWN, trouble="reset")
        assert findings(reconcile(shop, row(payment, amount=other))) == ["DISAGREES"]
        assert findings(reconcile(shop, row(payment, amount=text))) == ["SETTLES"]
        assert shop.get(payment).captured_amount.minor_amount == 1250


def test_a_partial_approval_settles_with_its_amount(shop: Shop) -> None:
    payment, _ = shop.in_doubt()
    assert findings(reconcile(shop, row(payment, amount="400", outcome=PARTLY))) == ["SETTLES"]
    assert shop.state(payment) == "PARTIALLY_APPROVED"
    assert shop.get(payment).captured_amount.minor_amount == 400


@pytest.mark.parametrize("how", ["DECLINED", "EXPIRED", "NOT_CHARGED", "CANCELLED"])
def test_what_counted_as_not_charged_becomes_charged_with_an_alert(moving: RunningCore, how: str) -> None:
    shop = open_shop(moving)
    payment = shop.create(send_within=duration(30))
    if how == "CANCELLED":
        shop.cancel(payment)
    elif how == "EXPIRED":
        (task,) = shop.claim(SUBMIT, of=payment)
        grant = shop.begin(task)
        shop.advance(31)
        shop.record(grant.attempt, outcome=NOT_SENT, trouble="connect_timeout")
    else:
        grant = shop.granted(payment)
        if how == "DECLINED":
            shop.record(grant.attempt, declined(grant))
        else:
            shop.record(grant.attempt, outcome=UNKNOWN, trouble="reset")
            shop.advance(1000)
            shop.resolve(payment)
    assert shop.state(payment) == how
    assert findings(reconcile(shop, row(payment))) == ["CHARGED_AFTER_ALL"]
    assert shop.state(payment) == "CAPTURED"
    assert shop.kinds(payment)[-1] == "PAYMENT_CHARGED_AFTER_ALL"


def test_a_second_transaction_for_what_is_confirmed_is_a_duplicate_charge(shop: Shop) -> None:
    payment = shop.pay()
    first = row(payment, partner_transaction_id=payment.operations[0].partner_transaction_id)
    second = row(payment, line=3)
    assert findings(reconcile(shop, second, first)) == ["DUPLICATE_CHARGE", "CONFIRMS"]
    charged = shop.get(payment)
    assert charged.duplicate_charge
    assert [each.kind for each in charged.operations][1:] == [pb.PAYMENT_OPERATION_KIND_EXTERNAL]
    assert charged.operations[1].partner_transaction_id == second.partner_transaction_id
    assert charged.captured_amount.minor_amount == 2000
    (again,) = reconcile(shop, second)
    assert (finding(again), again.repeated) == ("DUPLICATE_CHARGE", True)
    # The same charge in other words is not a third one.
    assert findings(reconcile(shop, copy(second, outcome_text="Settled"))) == ["DUPLICATE_CHARGE"]
    assert len(shop.get(payment).operations) == 2


def test_two_charges_for_what_is_in_doubt_are_one_too_many(shop: Shop) -> None:
    payment, _ = shop.in_doubt()
    assert findings(reconcile(shop, row(payment), row(payment))) == ["SETTLES", "DUPLICATE_CHARGE"]
    assert shop.get(payment).captured_amount.minor_amount == 2000


def test_a_no_settles_doubt_unless_it_could_be_about_something_else(moving: RunningCore) -> None:
    shop = open_shop(moving)
    payment, _ = shop.in_doubt()
    early = row(payment, outcome=NO, response_code="51")
    # The attempt could still be on its way: a reader of last minute's export has seen the one before.
    assert findings(reconcile(shop, early)) == ["PROVES_NOTHING"]
    assert shop.state(payment) == "IN_DOUBT"
    shop.advance(120)
    assert findings(reconcile(shop, early)) == ["SETTLES"]
    assert shop.state(payment) == "DECLINED"
    assert shop.get(payment).decline.response_code == "51"
    several = shop.create()
    shop.record(shop.granted(several).attempt, outcome=NOT_SENT, trouble="connect_timeout")
    shop.advance(5)
    shop.record(shop.granted(several).attempt, outcome=UNKNOWN, trouble="reset")
    shop.advance(120)
    assert findings(reconcile(shop, row(several, outcome=NO))) == ["PROVES_NOTHING"]
    assert shop.state(several) == "IN_DOUBT"


def test_a_no_beside_a_charge_is_another_trys(moving: RunningCore) -> None:
    shop = open_shop(moving)
    payment, _ = shop.in_doubt()
    shop.advance(120)
    results = reconcile(shop, row(payment, outcome=NO), row(payment))
    assert findings(results) == ["PROVES_NOTHING", "SETTLES"]
    assert shop.state(payment) == "CAPTURED"
    assert {"PAYMENT_CHARGED_AFTER_ALL", "PAYMENT_EVIDENCE_DISAGREES"}.isdisjoint(shop.kinds(payment))


def test_a_no_to_a_charge_that_is_confirmed_is_told_and_the_charge_stays(shop: Shop) -> None:
    payment = shop.pay()
    no = row(payment, outcome=NO, partner_transaction_id=payment.operations[0].partner_transaction_id)
    assert findings(reconcile(shop, no)) == ["DISAGREES"]
    assert shop.state(payment) == "CAPTURED"
    assert shop.kinds(payment)[-1] == "PAYMENT_EVIDENCE_DISAGREES"


def test_one_declined_try_does_not_close_what_the_payer_has_to_do(moving: RunningCore) -> None:
    shop = open_shop(moving)
    payment = shop.create()
    grant = shop.granted(payment)
    shop.record(grant.attempt, redirect())
    shop.advance(120)
    assert findings(reconcile(shop, row(payment, outcome=NO))) == ["PROVES_NOTHING"]
    assert shop.state(payment) == "REQUIRES_ACTION"


def test_what_was_open_when_the_export_was_made_makes_us_ask(shop: Shop) -> None:
    payment, _ = shop.in_doubt()
    said = row(payment, outcome=OPEN)
    assert findings(reconcile(shop, said)) == ["PROVES_NOTHING"]
    assert (shop.state(payment), doubt(shop.get(payment))) == ("IN_DOUBT", "OUTCOME_UNKNOWN")
    assert [task.query.partner_transaction_id for task in shop.claim(QUERY, of=payment)] == [
        said.partner_transaction_id
    ]
    assert "PAYMENT_EVIDENCE_DISAGREES" not in shop.kinds(payment)


def test_what_the_partner_knows_of_is_not_sent(shop: Shop) -> None:
    payment = shop.create()
    assert findings(reconcile(shop, row(payment, outcome=OPEN))) == ["PROVES_NOTHING"]
    (task,) = shop.claim(SUBMIT, of=payment)
    with refused("ABORTED", "ATTEMPT_REFUSED"):
        shop.begin(task)


def test_what_is_not_in_an_export_proves_nothing(shop: Shop) -> None:
    payment, _ = shop.in_doubt()
    reconcile(shop, row(shop.pay()))
    assert shop.get(payment) == payment


def test_a_charge_of_which_nothing_is_known_is_listed_and_told_once(shop: Shop) -> None:
    said = row(line=12, reference="lost-in-a-restore")
    cursor = shop.core.admin.head()
    assert findings(reconcile(shop, said, copy(said, line=13))) == ["UNKNOWN_CHARGE", "UNKNOWN_CHARGE"]
    assert findings(reconcile(shop, said)) == ["UNKNOWN_CHARGE"]
    (kept,) = unknown(shop)
    assert kept.name == f"{shop.account}/unknownCharges/{said.partner_transaction_id}"
    assert (kept.account, kept.merchant_gateway_id, kept.row) == (shop.account, shop.gateway, said)
    events = shop.client.events_after(cursor)
    (told,) = [each for each in events if each.kind == ev.EVENT_KIND_PAYMENT_UNKNOWN_CHARGE]
    assert told.resource == kept.name
    assert dict(told.details)["reference"] == "lost-in-a-restore"


def test_what_is_not_about_us_is_not_listed(shop: Shop) -> None:
    rows = (row(outcome=NO), row(outcome=OPEN), row(partner_merchant_id="JP00000999"))
    assert findings(reconcile(shop, *rows)) == ["NOT_OURS"] * 3
    assert unknown(shop) == []


def test_an_unknown_charge_that_turns_out_to_be_ours_leaves_the_list(shop: Shop) -> None:
    payment, _ = shop.in_doubt()
    mistaken = row(reference="read from the wrong column")
    reconcile(shop, mistaken)
    assert len(unknown(shop)) == 1
    right = row(payment, partner_transaction_id=mistaken.partner_transaction_id)
    assert findings(plan(shop, right)) == ["SETTLES"]
    assert len(unknown(shop)) == 1
    reconcile(shop, right)
    assert unknown(shop) == []


def test_a_refund_is_matched_by_its_transaction_and_never_by_what_it_follows(shop: Shop) -> None:
    payment = shop.pay()
    shop.refund(payment, 400)
    grant = shop.granted(payment)
    shop.record(grant.attempt, outcome=UNKNOWN, trouble="reset")
    # The partner's export has a refund under the reference of the purchase.
    said = row(payment, transaction_type="REFUND", amount="400")
    (told,) = reconcile(shop, said)
    assert (finding(told), told.operation) == ("PROVES_NOTHING", shop.get(payment).operations[1].name)
    assert operation_state(shop.get(payment).operations[1].state) == "IN_DOUBT"
    assert [task.query.partner_transaction_id for task in shop.claim(QUERY, of=payment)] == [
        said.partner_transaction_id
    ]
    shop.record(grant.attempt, approved(grant, partner_transaction_id=said.partner_transaction_id))
    # Once its id is bound, the row is about the refund, whatever reference it has.
    assert findings(reconcile(shop, copy(said, outcome_text="Settled"))) == ["CONFIRMS"]
    assert shop.state(payment) == "PARTIALLY_REFUNDED"
    # Another one, which nobody here asked for.
    assert findings(reconcile(shop, row(payment, transaction_type="REFUND", amount="400"))) == ["UNKNOWN_CHARGE"]
    assert len(unknown(shop)) == 1
    assert shop.get(payment).refunded_amount.minor_amount == 400


def test_a_refund_by_its_own_reference_is_settled(shop: Shop) -> None:
    payment = shop.pay()
    refund = shop.refund(payment, 400)
    shop.record(shop.granted(payment).attempt, outcome=UNKNOWN, trouble="reset")
    assert findings(reconcile(shop, row(refund, 1, transaction_type="CAPTURE"))) == ["DISAGREES"]
    assert findings(reconcile(shop, row(refund, 1, transaction_type="REFUND"))) == ["SETTLES"]
    assert shop.state(payment) == "PARTIALLY_REFUNDED"
