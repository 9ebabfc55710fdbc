"""Killed in the middle of everything, the twin still knows exactly what was charged."""

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.adapters.sandbox.payment_options.merchant import S2S, Merchant
from tests.adapters.sandbox.payment_options.process import TwinProcess
from tests.plain import PLAIN
from tests.waiting import eventually

PAYMENTS = 200
AT_ONCE = 16


@pytest.fixture
def process(tmp_path: Path) -> Iterator[TwinProcess]:
    made = TwinProcess(tmp_path)
    try:
        yield made
    finally:
        made.kill()


def charge(merchant: Merchant, reference: str) -> str | None:
    """The transaction id that was answered; None where nothing was."""
    try:
        answer = httpx.post(
            merchant.client.base_url.join(f"{S2S}/payment"),
            json=merchant.order("1000", reference),
            headers=merchant.headers,
            timeout=20,
            trust_env=False,
            verify=PLAIN,
        )
    except httpx.TransportError:
        return None
    assert answer.status_code == 201
    identifier: str = answer.json()["transaction_details"]["id"]
    return identifier


@pytest.mark.parametrize("at", [20, 90])
def test_killed_in_the_middle_of_charges(process: TwinProcess, at: int) -> None:
    merchant = process.start()
    answered: dict[str, str] = {}
    enough = threading.Event()

    def one(number: int) -> None:
        identifier = charge(merchant, f"r{number}")
        if identifier is not None:
            answered[f"r{number}"] = identifier
            if len(answered) >= at:
                enough.set()

    def kill() -> None:
        enough.wait(60)
        process.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, range(PAYMENTS)))
    killer.join()
    assert at <= len(answered) < PAYMENTS

    merchant = process.start()
    ledger = {line["reference"]: line for line in merchant.ledger()}
    # Everything answered is in it as it was answered, and what else is in it nobody got an answer for.
    assert {reference: ledger[reference]["transactionId"] for reference in answered} == answered
    ambiguous = ledger.keys() - answered.keys()
    assert len(ambiguous) <= AT_ONCE
    assert all(line["moved"] for line in ledger.values())
    # Each of them was received, and the twin tells the truth about all of them.
    received = {each["reference"]: each for each in merchant.lines("/requests")}
    assert ledger.keys() <= received.keys()
    for reference in ambiguous | set(list(answered)[:3]):
        status = merchant.status(ledger[reference]["transactionId"])
        assert (status["success"], status["merchant_details"]["merchant_txn_ref"]) == (True, reference)
    assert charge(merchant, "after") is not None
    assert len(merchant.ledger()) == len(ledger) + 1
    assert process.stop() == 0


def test_a_call_that_hangs_does_not_keep_it_from_ending(process: TwinProcess) -> None:
    merchant = process.start()
    merchant.fault("hang")
    with pytest.raises(httpx.ReadTimeout):
        merchant.client.post(f"{S2S}/payment", json=merchant.order(), headers=merchant.headers, timeout=0.5)
    merchant.fault("hang")
    thread = threading.Thread(target=charge, args=(merchant, "hangs"))
    thread.start()
    try:
        eventually(
            lambda: [each for each in merchant.lines("/requests") if each["reference"] == "hangs" and each["decided"]]
        )
        assert process.stop() == 0
    finally:
        process.kill()
        thread.join()
    assert len(merchant.ledger()) == 2
