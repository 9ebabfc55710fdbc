"""Webhooks of PaymentOptions on their way in: the twin calls a real gateway, which hands them to a real core."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from mintmark.v1 import notifications_pb2

from adapters.cli.supervisor.probe import get
from tests.adapters.outbound.running import PayingHouse, paying_house
from tests.plain import PLAIN
from tests.stack import free_ports
from tests.waiting import eventually

CANARY = "4012888888881881"
PATH = "/payment-options/webhooks/"


@contextmanager
def gateway_of(house: PayingHouse, url: str) -> Iterator[Path]:
    """A gateway process at `url`. Returns its log."""
    log, admin = house.core.folder / "gateway.log", house.core.folder / "gateway.sock"
    environment = {
        "PATH": os.environ["PATH"],
        "MINTMARK_DATA_DIR": str(house.core.folder / "data"),
        "MINTMARK_HTTP_ADDRESS": url.removeprefix("http://"),
        "MINTMARK_INTERNAL_ADDRESS": house.core.settings.internal_listener,
        "MINTMARK_GRPC_ADDRESS": house.core.settings.grpc_address,
        "MINTMARK_ADMIN_ADDRESS": f"unix:{admin}",
    }
    with log.open("ab") as file:
        process = subprocess.Popen([sys.executable, "-m", "adapters", "gateway"], env=environment, stderr=file)
    try:
        eventually(lambda: get(f"unix:{admin}", "/readyz", 5)[0] == 200, 60, "the start of the gateway")
        yield log
    finally:
        process.kill()
        process.wait(10)


class Flow:
    """A house whose webhooks arrive."""

    def __init__(self, house: PayingHouse, url: str, log: Path) -> None:
        self.house = house
        self.url = url
        self.log = log

    def token(self, payment: str) -> str:
        return self.house.core.core.payments.webhook_token(payment)

    def post(self, token: str, body: bytes = b"{}", **headers: str) -> httpx.Response:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        return httpx.post(
            f"{self.url}{PATH}{token}", content=body, headers=sent, trust_env=False, timeout=20, verify=PLAIN
        )

    def rule(self, mode: str, reference: str = "", **more: object) -> None:
        self.house.twin.control("POST", "/webhooks/rules", {"mode": mode, "reference": reference, **more})

    def kept(self, resource: str) -> list[notifications_pb2.Notification]:
        request = notifications_pb2.ListNotificationsRequest(page_size=1000)
        found = self.house.core.admin.notifications.ListNotifications(request).notifications
        return [each for each in found if each.resource == resource]


@pytest.fixture(scope="module")
def flow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Flow]:
    url = f"http://127.0.0.1:{free_ports(1)[0]}"
    with paying_house(tmp_path_factory.mktemp("webhooks"), public_url=url) as house, gateway_of(house, url) as log:
        house.dispatcher.start()
        yield Flow(house, url, log)


@pytest.fixture(autouse=True)
def _as_it_was(flow: Flow) -> Iterator[None]:
    yield
    flow.house.twin.control("DELETE", "/webhooks/rules")
    flow.house.twin.control("DELETE", "/faults")


def test_a_charge_whose_answer_was_lost_is_learned_of_by_its_webhook(flow: Flow) -> None:
    payment = flow.house.pay(700_001, "reset")
    flow.house.becomes(payment, "CAPTURED")
    kinds = [line.summary for line in flow.house.shop.evidence(payment)]
    assert any("a webhook: a hint" in each for each in kinds)
    assert flow.house.sent(payment) == 1
    flow.house.check_books(payment)


@pytest.mark.parametrize("mode", ["late", "duplicate", "before-answer", "tampered-amount", "card-number"])
def test_however_the_webhook_comes_the_partners_own_status_settles(flow: Flow, mode: str) -> None:
    amount = 710_000 + len(mode)
    flow.rule(mode, times=0)
    payment = flow.house.pay(amount, "reset")
    flow.house.becomes(payment, "CAPTURED", 60)
    assert flow.house.shop.get(payment).captured_amount.minor_amount == amount
    assert flow.house.sent(payment) == 1


def test_a_webhook_that_is_lost_leaves_doubt(flow: Flow) -> None:
    flow.rule("lost", times=0)
    payment = flow.house.pay(720_001, "reset")
    flow.house.becomes(payment, "IN_DOUBT")
    assert flow.kept(payment.name) == []
    assert flow.house.moved(payment) == 1


def test_a_webhook_that_lies_moves_nothing(flow: Flow) -> None:
    flow.rule("lost", times=0)
    payment = flow.house.pay(730_001, "reset", charged=False)
    flow.house.becomes(payment, "IN_DOUBT")
    token = flow.token(payment.name)
    lie = (
        '{"success": true, "gateway_response": {"code": "INFO0000"}, "transaction_details": {"id": "made-up"},'
        '"payment_details": {"response_code": 0, "amount": 730001, "currency": "JPY"}}'
    )
    answer = flow.post(token, lie.encode(), content_type="application/json")
    assert (answer.status_code, answer.content) == (200, b"")
    eventually(lambda: [each for each in flow.house.twin.lines("/requests") if each["aboutTransactionId"] == "made-up"])
    assert flow.house.shop.state(payment) == "IN_DOUBT"


def test_a_repeat_gets_the_same_answer_and_is_counted(flow: Flow) -> None:
    payment = flow.house.pay(740_001)
    flow.house.becomes(payment, "CAPTURED")
    eventually(lambda: flow.kept(payment.name))
    before = len(flow.kept(payment.name))
    for _ in range(3):
        answer = flow.post(flow.token(payment.name), b"any <form> of body", content_type="text/plain")
        assert (answer.status_code, answer.content) == (200, b"")
    kept = flow.kept(payment.name)
    assert len(kept) == before + 1
    assert max(each.delivery_count for each in kept) == 3


def test_what_was_never_ours_is_not_found_and_not_kept(flow: Flow) -> None:
    payment = flow.house.pay(750_001)
    token = flow.token(payment.name)
    for wrong in ("x", f"{token}0", token[:-1], token.upper(), "%2e", "a" * 300, f"{token}/x", ""):
        assert flow.post(wrong).status_code == 404, wrong
    assert httpx.get(f"{flow.url}{PATH}{token}", trust_env=False, verify=PLAIN).status_code == 405


def test_a_payment_that_is_gone_is_kept_for_people(flow: Flow) -> None:
    gone = "payments/0123456789abcdef0123456789"
    assert flow.post(flow.token(gone), b'{"success": true}').status_code == 200
    (kept,) = flow.kept(gone)
    assert kept.state == notifications_pb2.NOTIFICATION_STATE_QUARANTINED


def test_the_limits_of_partners_hold(flow: Flow) -> None:
    token = flow.token(flow.house.pay(760_001).name)
    assert flow.post(token, b"x" * 65_537).status_code == 413
    assert flow.post(token, b"x", content_encoding="gzip").status_code == 415


def test_no_log_holds_an_address_or_a_card_number(flow: Flow) -> None:
    payment = flow.house.pay(770_001)
    token = flow.token(payment.name)
    body = f'{{"payment_details": {{"card": {{"number": "{CANARY}"}}}}, "message": "{CANARY}"}}'.encode()
    assert flow.post(token, body).status_code == 200
    assert flow.post(token[:-1] + "x", body).status_code == 404
    mac = token.partition(".")[2]
    kept = [path for path in flow.house.core.folder.rglob("*") if path.is_file()]
    assert flow.log in kept
    for path in (*kept, flow.house.dispatcher.log):
        content = path.read_bytes()
        assert CANARY.encode() not in content, path
        assert mac.encode() not in content, path
    assert '"/payment-options/webhooks/{token}"' in flow.log.read_text()
