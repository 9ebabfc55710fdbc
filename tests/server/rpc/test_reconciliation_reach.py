"""A partner's export in the hands of those who see little: others' payments look unknown and stay as they are."""

from typing import Any

import pytest
from mintmark.v1 import payments_pb2 as pb

from tests.server.rpc.exporting import (
    finding,
    findings,
    plan,
    reconcile,
    row,
    unknown,
)
from tests.server.rpc.paying import MERCHANT, SCOPES, Shop, open_shop
from tests.server.rpc.running import RunningCore, Session, refused


@pytest.fixture
def shop(moving: RunningCore) -> Shop:
    return open_shop(moving)


def narrow(shop: Shop, merchant: str = "", gateway: str = "") -> Session:
    made = shop.core.create(SCOPES, [gateway or shop.gateway], [merchant] if merchant else [])
    return shop.core.session(made.client.client_id, made.client_secret)


def test_others_payments_look_unknown_and_stay_as_they_are(shop: Shop) -> None:
    """Somebody else's payment, and nobody's: the same answer, and no trace for those who could compare."""
    payment, _ = shop.in_doubt()
    stranger = narrow(shop, "another-shop")
    ours, nobodys = row(payment), row()
    results = reconcile(shop, ours, nobodys, by=stranger)
    for told in results:
        told.ClearField("line")
    assert results[0] == results[1]
    assert finding(results[0]) == "UNKNOWN_CHARGE"
    assert shop.get(payment) == payment
    assert unknown(shop, by=stranger) == []
    assert stranger.events_after("0") == []
    # What really is nobody's is told to those who see the whole gateway.
    assert [each.row.partner_transaction_id for each in unknown(shop)] == [nobodys.partner_transaction_id]
    paid = shop.pay()
    bound = row(reference="x", partner_transaction_id=paid.operations[0].partner_transaction_id)
    assert findings(reconcile(shop, bound, by=stranger)) == ["UNKNOWN_CHARGE"]
    assert len(unknown(shop)) == 1
    own = narrow(shop, MERCHANT)
    assert findings(reconcile(shop, ours, by=own)) == ["SETTLES"]


def test_an_account_of_anothers_gateway_is_not_there(shop: Shop) -> None:
    stranger = narrow(shop, gateway="ELSEWHERE")
    request = pb.PlanReconciliationRequest(account=shop.account, rows=[row()])
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        stranger.payments.PlanReconciliation(request)
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        reconcile(shop, row(), by=stranger)
    absent = pb.PlanReconciliationRequest(account="partnerAccounts/none", rows=[row()])
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        shop.client.payments.PlanReconciliation(absent)
    assert unknown(shop, by=stranger) == []


def test_another_accounts_references_are_not_ours(moving: RunningCore) -> None:
    """Transaction ids and references are an account's own."""
    one, other = open_shop(moving), open_shop(moving)
    payment, _ = one.in_doubt()
    assert findings(reconcile(other, row(payment))) == ["UNKNOWN_CHARGE"]
    assert one.state(payment) == "IN_DOUBT"


def test_whoever_may_only_pay_settles_nothing(shop: Shop) -> None:
    made = shop.core.create(["payments.write", "payments.read"], [shop.gateway])
    payer = shop.core.session(made.client.client_id, made.client_secret)
    with refused("PERMISSION_DENIED", "SCOPE_MISSING"):
        plan(shop, row(), by=payer)


@pytest.mark.parametrize(
    "fields",
    [
        {"partner_transaction_id": "../x"},
        {"partner_transaction_id": ""},
        {"amount": "1e3"},
        {"amount": "-5"},
        {"currency_code": "yen"},
        {"transaction_type": "SALE"},
        {"outcome": 0},
        {"partner_merchant_id": ""},
        {"reference": "4111111111111111"},
        {"outcome_text": "card 4111 1111 1111 1111"},
        {"time_text": "a\0b"},
    ],
)
def test_rows_that_cannot_be_one_are_refused_whole(shop: Shop, fields: dict[str, Any]) -> None:
    payment, _ = shop.in_doubt()
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        reconcile(shop, row(payment), row(**fields))
    assert shop.get(payment) == payment


def test_unknown_charges_come_in_pages(shop: Shop) -> None:
    rows = [row(line=number) for number in range(1, 6)]
    reconcile(shop, *rows)
    found: list[pb.UnknownCharge] = []
    request = pb.ListUnknownChargesRequest(account=shop.account, page_size=2)
    while True:
        answer = shop.client.payments.ListUnknownCharges(request)
        found += answer.unknown_charges
        if not answer.next_page_token:
            break
        request.page_token = answer.next_page_token
    assert sorted(each.row.line for each in found) == [1, 2, 3, 4, 5]
