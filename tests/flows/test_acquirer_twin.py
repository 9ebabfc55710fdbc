"""The acquirer's twin sends all that it can, on its own schedule: its ledger is what gRPC answers."""

import base64
import json
import os
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from adapters.sandbox.sibs import rules
from tests.adapters.sandbox.sibs.caller import Caller, caller_of
from tests.flows.acquirer_gateway import AcquirerGateway
from tests.flows.gateway_process import gateway_of
from tests.server.rpc.acquiring import Merchant, add_key, booking_of, open_merchant, state_of
from tests.server.rpc.running import running_core
from tests.waiting import eventually

DAY = 86_400.0
# These cannot be acknowledged, whoever receives them.
NEVER = {"lost", "no-notification-id", "not-json"}


@pytest.fixture(scope="module")
def gateway() -> Iterator[AcquirerGateway]:
    with running_core() as core, gateway_of(core, AcquirerGateway) as running:
        yield running


@pytest.fixture
def twin(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    with caller_of(tmp_path_factory.mktemp("twin")) as made:
        yield made


@pytest.fixture
def merchant(gateway: AcquirerGateway) -> Merchant:
    return open_merchant(gateway.core, payments_base_url="https://api.example.com")


def told(key: bytes) -> str:
    return base64.b64encode(key).decode()


def configured(twin: Caller, gateway: AcquirerGateway, merchant: Merchant) -> str:
    """The acquirer's code of a config that sends to ours under its key."""
    return twin.create(value=address(gateway, merchant), key=told(merchant.key))


def address(gateway: AcquirerGateway, merchant: Merchant) -> str:
    return f"{gateway.url}/sibs/notifications/{merchant.config_id}"


def notifications(twin: Caller) -> list[dict[str, Any]]:
    return [dict(each) for each in twin.lines("/notifications")]


def delivered(twin: Caller) -> bool:
    """Whether everything was acknowledged that can be."""
    return all(each["state"] == "Processed" for each in notifications(twin) if each["mode"] not in NEVER)


def let_pass(twin: Caller, days: float) -> None:
    twin.advance(days * DAY)
    eventually(lambda: delivered(twin), 30, "the acknowledgements")


def test_whatever_it_sends_is_answered_so_that_nothing_is_lost_or_applied_twice(
    gateway: AcquirerGateway, twin: Caller, merchant: Merchant
) -> None:
    configured(twin, gateway, merchant)
    made = {}
    for mode in rules.MODES:
        twin.rule(mode, merchantTransactionId=mode, tries=2, times=1)
        made[mode] = twin.transact(merchantTransactionId=mode, amount="16.20", currency="PLN")["transactionId"]
    let_pass(twin, 3)
    answers = {each["status"] for each in notifications(twin) if each["status"]}
    assert answers <= {200, 400}
    for mode in rules.MODES.keys() - NEVER:
        found = merchant.get(made[mode])
        assert (state_of(found), booking_of(found)) == ("SUCCESS", "PAID"), mode
        # Of two contents under one id the one that came first is believed.
        amounts = (1620, 3240) if mode == "other-content" else (1620,)
        assert (found.amount.minor_amount in amounts, found.amount.currency_code) == (True, "PLN"), mode
        assert found.contested is (mode == "other-content"), mode
    kept = [each.resource for each in merchant.kept() if each.resource]
    assert len(set(kept)) == len(rules.MODES) - len(NEVER)
    log = gateway.log.read_text()
    assert rules.CANARY not in log
    assert all(rules.CANARY not in report.redacted_body for report in merchant.reports(made["card-number"]))


def test_its_ledger_is_what_grpc_answers(gateway: AcquirerGateway, twin: Caller, merchant: Merchant) -> None:
    configured(twin, gateway, merchant)
    for mode, chance in (("duplicate", 0.3), ("out-of-order", 0.3), ("damaged-tag", 0.2), ("late", 0.2)):
        twin.rule(mode, times=0, probability=chance, seconds=3600.0)
    for place, kind in enumerate(("purchase", "blik", "authorization", "blik", "reference") * 4):
        outcome = "Declined" if place % 5 == 3 else "Success"
        twin.transact(kind, amount=f"{place + 1}.5", outcome=outcome, paymentMethod="BLIK")
    paid = twin.transact("purchase", amount="9.99", paymentMethod="BLIK")
    twin.transact("refund", originalTransactionId=paid["transactionId"], paymentMethod="BLIK")
    let_pass(twin, 4)
    ledger = notifications(twin)
    assert {each["notificationId"] for each in ledger} == {each.partner_notification_id for each in merchant.kept()}
    assert len(merchant.kept()) == len({each["notificationId"] for each in ledger})
    total = Decimal(0)
    for transaction_id in {each["transactionId"] for each in ledger}:
        truth, found = twin.status(transaction_id).json(), merchant.get(transaction_id)
        assert (found.state_text, found.type_text) == (truth["paymentStatus"], truth["paymentType"])
        assert not found.contested
        booked = truth["paymentStatus"] == "Success" and truth["paymentType"] in ("PURS", "PREF")
        assert (booking_of(found) == "PAID") is booked
        assert Decimal(found.amount.minor_amount) == Decimal(str(truth["amount"]["value"])) * 100
        total += found.amount.minor_amount if booked else 0
    assert total > 0


def test_a_rotation_loses_nothing_that_is_repeated_for_weeks(
    gateway: AcquirerGateway, twin: Caller, merchant: Merchant
) -> None:
    code = configured(twin, gateway, merchant)
    twin.habits(retryKey="first")
    twin.rule("damaged-body", times=0, tries=6)
    waiting = [twin.transact()["transactionId"] for _ in range(5)]
    key = os.urandom(32)
    add_key(merchant, key)
    assert twin.update(code, value=address(gateway, merchant), key=told(key)).status_code == 200
    waiting += [twin.transact()["transactionId"] for _ in range(5)]
    let_pass(twin, 16)
    assert {booking_of(merchant.get(each)) for each in waiting} == {"PAID"}
    assert {each["state"] for each in notifications(twin)} == {"Processed"}
    keys = {attempt["keyNumber"] for each in notifications(twin) for attempt in history(twin, each)}
    assert keys == {0, 1}
    assert all(merchant.effects(each) == ["APPLIED"] for each in waiting)


def history(twin: Caller, notification: dict[str, Any]) -> list[dict[str, Any]]:
    whole = twin.control("GET", f"/notifications/{notification['notificationId']}")
    return list(whole["history"])


def test_the_test_button_books_nothing(gateway: AcquirerGateway, twin: Caller, merchant: Merchant) -> None:
    code = configured(twin, gateway, merchant)
    cursor = gateway.core.admin.head()
    twin.control("POST", f"/configs/{code}/test")
    eventually(lambda: merchant.kinds(cursor) == ["ACQUIRER_TEST_RECEIVED"], what="the test")
    eventually(lambda: delivered(twin), what="its acknowledgement")


@pytest.mark.parametrize("habits", [{"amounts": "string"}, {"times": "absent"}, {"terminalIds": "string"}])
def test_its_status_answers_settle_what_is_contested(
    gateway: AcquirerGateway, twin: Caller, merchant: Merchant, habits: dict[str, str]
) -> None:
    configured(twin, gateway, merchant)
    twin.habits(**habits)
    twin.rule("other-content")
    transaction_id = twin.transact(amount="16.20", currency="PLN", merchantTransactionId="order-9")["transactionId"]
    eventually(lambda: len(notifications(twin)) == 2 and delivered(twin), what="both acknowledgements")
    assert merchant.get(transaction_id).contested
    task = merchant.claim(transaction_id)
    assert task is not None
    answer = twin.status(transaction_id)
    merchant.answer(task, answer.content)
    found = merchant.get(transaction_id)
    assert (found.contested, found.confirmed, booking_of(found)) == (False, True, "PAID")
    assert (found.amount.minor_amount, found.merchant_reference) == (1620, "order-9")
    assert json.loads(merchant.reports(transaction_id)[-1].redacted_body) == answer.json()
