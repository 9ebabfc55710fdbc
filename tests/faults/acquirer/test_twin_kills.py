"""Core, gateway and dispatcher killed while the acquirer's twin sends, twice, late, damaged and in any order, until it
hears its acknowledgement: its own ledger is what gRPC answers."""

import os
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import httpx
import pytest
from mintmark.v1 import acquirer_transactions_pb2 as pb
from mintmark.v1.notifications_pb2 import NOTIFICATION_KIND_SIBS_TRANSACTION as SIBS

from adapters.cli.supervisor.acquirer import ACCOUNT
from tests.faults.acquirer.ledger import transactions
from tests.faults.acquirer.test_kills import kill
from tests.faults.reading import Reading
from tests.plain import PLAIN
from tests.stack import Stack
from tests.waiting import eventually

SEED_VARIABLE = "FAULTS_SEED"
SHORT = 20261126
ROLES = ("core", "gateway", "dispatcher")
SENDERS = 8
# Longer than the acquirer's first tier lasts, so that each leap is a retry of everything.
LEAP_S = 3600.0
SETTLING_S = 300.0
KINDS = ("purchase", "blik", "authorization", "reference")


@pytest.fixture
def stack() -> Iterator[Stack]:
    made = Stack(sandbox=True, development=True)
    try:
        yield made.start(60)
    finally:
        made.remove()


class Twin:
    """The acquirer's twin by its control API, which outlives what is killed."""

    def __init__(self, stack: Stack) -> None:
        self._http = httpx.Client(base_url=f"{stack.sandbox_url}/sibs/control", timeout=120, verify=PLAIN)

    def post(self, path: str, document: object) -> Any:
        answer = self._http.post(path, json=document)
        assert answer.is_success, answer.text
        return answer.json()

    def lines(self, path: str) -> list[dict[str, Any]]:
        import json

        return [json.loads(line) for line in self._http.get(path).text.splitlines()]

    def close(self) -> None:
        self._http.close()

    def unacknowledged(self) -> int:
        return sum(each["state"] != "Processed" for each in self.lines("/notifications"))


def configured(stack: Stack) -> None:
    """A config of ours that the acquirer has agreed to: by the command, as an operator does it."""
    eventually(lambda: ACCOUNT in stack.command("accounts", "list").stdout, 60, "the account at the twin")
    file = stack.folder / "webhooks.yaml"
    file.write_text(
        f"account: {ACCOUNT}\nwebhook_configs:\n"
        '  - {webhook_config_id: all, merchant_id: "1000000001", payment_method_codes: [CARD, BLIK]}\n'
    )
    stack.command("webhooks", "apply", str(file))
    eventually(lambda: "APPLIED" in stack.command("webhooks", "list").stdout, 60, "the acquirer's agreement")


def campaign(stack: Stack, seed: int, kills: int, count: int) -> str:
    """So many transactions and kills at once, then time for the acquirer to repeat itself; the books are compared."""
    configured(stack)
    twin = Twin(stack)
    chance = random.Random(seed)
    try:
        for mode, share in (("duplicate", 0.3), ("out-of-order", 0.2), ("damaged-tag", 0.1), ("late", 0.1)):
            twin.post("/notifications/rules", {"mode": mode, "times": 0, "probability": share, "seconds": 60.0})
        with ThreadPoolExecutor(SENDERS) as senders:
            made = [senders.submit(twin.post, "/transactions", _order(seed, number)) for number in range(count)]
            for number in range(kills):
                wanted = len(made) * (number + chance.random()) / kills
                eventually(lambda wanted=wanted: sum(map(_done, made)) >= wanted, SETTLING_S)  # type: ignore[misc]
                kill(stack, ROLES[number % len(ROLES)])
            for each in made:
                each.result()
        eventually(lambda: _settled(twin), SETTLING_S, f"the last acknowledgement (seed {seed})")
        return f"seed {seed}: {compare(twin, stack)}; {kills} kills"
    finally:
        twin.close()


def _done(each: Any) -> bool:
    return bool(each.done())


def _order(seed: int, number: int) -> dict[str, Any]:
    chance = random.Random(f"{seed}/{number}")
    kind = chance.choice(KINDS)
    amount = f"{chance.randrange(1, 900)}.{chance.randrange(100):02}"
    outcome = "Declined" if chance.random() < 0.1 else "Success"
    method = "CARD" if kind in ("purchase", "authorization") else "BLIK"
    return {"kind": kind, "amount": amount, "currency": "PLN", "outcome": outcome, "paymentMethod": method}


def _settled(twin: Twin) -> bool:
    twin.post("/clock/advance", {"seconds": LEAP_S})
    return twin.unacknowledged() == 0


def compare(twin: Twin, stack: Stack) -> str:
    """Holds that what the twin says of itself is what gRPC answers."""
    ledger = twin.lines("/notifications")
    kept = [each for each in Reading(stack.channel, stack.metadata()).notifications() if each.kind == SIBS]
    ids = [each.partner_notification_id for each in kept]
    assert len(ids) == len(set(ids)), "a notification was kept twice"
    assert set(ids) == {each["notificationId"] for each in ledger}, "one was acknowledged and lost, or never sent"
    truth = {each["transactionId"]: each for each in twin.lines("/transactions")}
    found = {each.transaction_id: each for each in transactions(stack.channel, stack.metadata())}
    told = {each["transactionId"] for each in ledger}
    assert told
    assert found.keys() == told
    paid, total = 0, 0
    for transaction_id in told:
        ours, theirs = found[transaction_id], truth[transaction_id]
        assert (ours.state_text, ours.type_text) == (theirs["paymentStatus"], theirs["paymentType"])
        assert Decimal(ours.amount.minor_amount) == Decimal(str(theirs["amount"])) * 100
        booked = theirs["paymentStatus"] == "Success" and theirs["paymentType"] in ("PURS", "PREF")
        assert (ours.booking == pb.ACQUIRER_BOOKING_PAID) is booked
        paid += booked
        total += ours.amount.minor_amount if booked else 0
    tries = sum(len(each["tries"]) if isinstance(each.get("tries"), list) else each["tries"] for each in ledger)
    return (
        f"{len(ledger)} notifications of {len(told)} transactions in {tries} tries, {paid} paid, {total / 100:.2f} PLN"
    )


@pytest.mark.timeout(400)
def test_the_twins_ledger_after_a_few_kills(stack: Stack) -> None:
    assert campaign(stack, SHORT, kills=3, count=60)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_the_twins_ledger_after_20_kills(stack: Stack, figures: Callable[[str], None]) -> None:
    seed = int(os.environ.get(SEED_VARIABLE) or random.SystemRandom().randrange(1_000_000))
    figures(campaign(stack, seed, kills=20, count=2000))
