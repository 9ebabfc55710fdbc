"""Subscriptions, cycle by cycle."""

from pathlib import Path
from typing import Any

from tests.adapters.sandbox.payment_options.merchant import CARD, Merchant, merchant_of
from tests.adapters.sandbox.payment_options.receiver import Receiver
from tests.waiting import eventually

PLAN = {
    "plan_name": "monthly",
    "plan_desc": "every month",
    "cycle_type": "MONTHLY",
    "subscription_end_type": "CYCLE",
    "cycle_interval": 1,
    "max_cycle_count": 3,
    "has_trial_period": False,
    "has_discount": True,
    "discount_percentage": 10,
    "discount_duration": 1,
}


def subscribe(merchant: Merchant, amount: str = "1000", **plan: Any) -> dict[str, Any]:
    answer = merchant.pay(amount, "subscription", "subscription/payment", subscription={**PLAN, **plan})
    assert answer.status_code == 201, answer.text
    document: dict[str, Any] = answer.json()
    return document


def details(merchant: Merchant, identifier: str) -> dict[str, Any]:
    document: dict[str, Any] = merchant.get(f"subscription/{identifier}").json()["subscription_details"]
    return document


def test_its_first_cycle_is_charged_at_once(merchant: Merchant, receiver: Receiver) -> None:
    made = subscribe(merchant)
    subscription = made["subscription_details"]
    assert (made["success"], made["payment_details"]["amount"]) == (True, 900)
    assert (subscription["status"], subscription["completed_payment_cycle"], subscription["next_payment_cycle"]) == (
        *("ACTIVE", 1),
        2,
    )
    (transaction,) = subscription["subscription_transaction_details"]
    assert (transaction["id"], transaction["amount"]) == (made["transaction_details"]["id"], 900)
    assert transaction["event"] == "CAPTURED"
    assert subscription["subscription_plan_details"]["billing_cycle_type"] == "MONTHLY"
    path = f"/subscriptions/{subscription['id']}/charge"
    assert merchant.control("POST", path)["amount"] == "1000"
    assert merchant.control("POST", path)["cycle"] == 3
    assert details(merchant, subscription["id"])["status"] == "EXPIRED"
    assert merchant.client.post(f"/payment-options/control{path}").status_code == 409
    kinds = [(line["kind"], line["amount"], line["cycle"]) for line in merchant.ledger()]
    assert kinds == [("SUBSCRIPTION_CHARGE", amount, cycle) for cycle, amount in ((1, "900"), (2, "1000"), (3, "1000"))]
    eventually(lambda: len(receiver.bodies) == 3)
    listed = merchant.get("subscription/list").json()
    assert [each["subscription_details"]["id"] for each in listed] == [subscription["id"]]


def test_cycles_come_by_the_clock(tmp_path: Path) -> None:
    with merchant_of(tmp_path, speed=200_000) as merchant:
        made = subscribe(merchant, cycle_type="DAYS", max_cycle_count=2, has_discount=False)
        eventually(lambda: len(merchant.ledger()) == 2)
        eventually(lambda: details(merchant, made["subscription_details"]["id"])["status"] == "EXPIRED")


def test_cancel_is_final_and_resume_needs_a_pause(merchant: Merchant) -> None:
    identifier = subscribe(merchant)["subscription_details"]["id"]

    def change(verb: str) -> tuple[int, str]:
        answer = merchant.post(f"subscription/{identifier}/{verb}", {})
        return answer.status_code, details(merchant, identifier)["status"]

    assert change("resume") == (412, "ACTIVE")
    assert change("pause") == (201, "PAUSED")
    assert change("resume") == (201, "ACTIVE")
    assert change("cancel") == (201, "CANCELLED")
    assert change("resume") == change("cancel") == (412, "CANCELLED")
    assert merchant.client.post(f"/payment-options/control/subscriptions/{identifier}/charge").status_code == 409


def test_a_trial_charges_nothing_at_first(merchant: Merchant) -> None:
    made = subscribe(merchant, has_trial_period=True, trial_period_duration=7)
    assert made["gateway_response"]["code"] == "INFO3000"
    assert made["subscription_details"]["subscription_plan_details"]["trial_period_duration_type"] == "DAYS"
    assert merchant.ledger() == []


def test_a_declined_first_cycle_makes_none(merchant: Merchant) -> None:
    made = subscribe(merchant, "70051", has_discount=False)
    assert (made["success"], made["subscription_details"]["status"]) == (False, "CANCELLED")
    assert made["subscription_details"]["last_payment_status"] == "FAILED"
    assert merchant.pay("75500", path="subscription/payment", subscription=PLAN).status_code == 500
    assert merchant.pay("76500", path="subscription/payment", subscription=PLAN).status_code == 500
    assert [line["moved"] for line in merchant.ledger()] == [False, True]


def test_a_plan_is_checked(shared_merchant: Merchant) -> None:
    def status(plan: object) -> int:
        return shared_merchant.pay(path="subscription/payment", subscription=plan).status_code

    assert status(None) == status([]) == 400
    for change in ({"cycle_type": "YEARLY"}, {"max_cycle_count": 0}, {"cycle_interval": "1"}, {"plan_name": None}):
        assert status({**PLAN, **change}) == 406, change


def test_it_outlives_a_restart_and_charges_no_cycle_twice(tmp_path: Path) -> None:
    with merchant_of(tmp_path) as before:
        order = before.order(card=CARD, payment_method={"store_payment_method": True}, subscription=PLAN)
        identifier = before.post("subscription/payment", order).json()["subscription_details"]["id"]
    with merchant_of(tmp_path) as after:
        assert details(after, identifier)["completed_payment_cycle"] == 1
        assert after.control("POST", f"/subscriptions/{identifier}/charge")["cycle"] == 2
        assert after.paid(payment_method={"stored_payment_method_id": after.ledger()[0]["storedPaymentMethodId"]})
