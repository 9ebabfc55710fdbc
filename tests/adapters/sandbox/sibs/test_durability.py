"""What the twin has said stays true after a restart, a kill and a disk that fails."""

import os
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest

from tests.adapters.sandbox.payment_options.process import TwinProcess
from tests.adapters.sandbox.sibs.caller import KEY, Caller, a_key, caller_of
from tests.adapters.sandbox.sibs.receiver import Receiver
from tests.plain import PLAIN
from tests.waiting import eventually

TRANSACTIONS = 120
AT_ONCE = 8


def test_a_restart_changes_nothing(tmp_path: Path, receiver: Receiver) -> None:
    receiver.refuse()
    receiver.keys = [a_key("a"), a_key("b")]
    with caller_of(tmp_path) as caller:
        code = caller.create(value=receiver.url, key=a_key("a"), query={"terminalId": "5"})
        gone = caller.create()
        caller.delete(gone)
        caller.habits(amounts="string", listShape="a")
        caller.transact(terminalId="5")
        pending = caller.transact("blik", terminalId="5")["transactionId"]
        caller.rule("damaged-tag", tries=3)
        caller.transact(terminalId="5")
        caller.rule("late", seconds=3000)
        caller.transact(terminalId="5")
        caller.advance(0)
        caller.update(code, value=receiver.url, key=a_key("b"), query={"terminalId": "5"})
        used = caller.headers()
        assert caller.list(headers=used).status_code == 200
        before = everything(caller)
    with caller_of(tmp_path) as caller:
        assert everything(caller) == before
        # No try has been made again, and a TPP-Request-ID is still used up.
        assert caller.list(headers=used).status_code == 400
        caller.advance(300)
        assert caller.status(pending).json()["paymentStatus"] == "Success"
        assert caller.status(pending).json()["amount"]["value"] == "10.00"
        tries = caller.told("mode", "tries")
        assert tries == [("", 2), ("", 2), ("damaged-tag", 2), ("late", 0), ("", 2)]
        history = caller.control("GET", "/notifications/1")["history"]
        assert [each["keyNumber"] for each in history] == [0, 0]
        receiver.accept()
        caller.advance(7200)
        assert caller.told("state") == [("Processed",)] * 5
        # The key of the first try: the old one for those that were tried before the change.
        numbers = [caller.control("GET", f"/notifications/{each}")["history"][-1]["keyNumber"] for each in range(1, 6)]
        assert numbers == [0, 0, 0, 1, 1]
        folder = tmp_path / "sandbox" / "sibs"
        for key in (a_key("a"), a_key("b"), KEY):
            assert key not in (folder / "ledger.jsonl").read_text()
            assert key not in (folder / "requests.jsonl").read_text()
        assert (folder / "state.jsonl").stat().st_mode & 0o777 == 0o600
    with caller_of(tmp_path) as caller:
        assert [each["code"] for each in caller.lines("/configs") if each["deleted"]] == [gone]
        assert caller.control("GET", "/state")["time"] >= 7500


def everything(caller: Caller) -> object:
    """All that it tells, but for the time that goes on."""
    state = {**caller.control("GET", "/state"), "time": 0, "rules": 0}
    ledger = [line for line in caller.lines("/ledger") if "time" not in line]
    paths = ("/configs", "/transactions", "/notifications")
    return state, ledger, [caller.lines(path) for path in paths], caller.listed(terminalId="5")


@pytest.fixture
def process(tmp_path: Path) -> Iterator[TwinProcess]:
    made = TwinProcess(tmp_path)
    try:
        yield made
    finally:
        made.kill()


def test_killed_in_the_middle_of_everything(process: TwinProcess, tmp_path: Path, receiver: Receiver) -> None:
    caller = Caller(process.start().client, tmp_path)
    caller.create(value=receiver.url)
    caller.rule("duplicate", times=0, probability=0.3)
    url = caller.client.base_url.join("/sibs/control/transactions")
    answered: set[str] = set()
    enough = threading.Event()

    def one(number: int) -> None:
        try:
            answer = httpx.post(
                url, json={"merchantTransactionId": f"r{number}"}, timeout=20, trust_env=False, verify=PLAIN
            )
        except httpx.TransportError:
            return
        answered.add(answer.json()["transactions"][0]["transactionId"])
        if len(answered) >= TRANSACTIONS // 3:
            enough.set()

    def kill() -> None:
        enough.wait(60)
        process.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, range(TRANSACTIONS)))
    killer.join()
    assert TRANSACTIONS // 3 <= len(answered) < TRANSACTIONS

    caller = Caller(process.start().client, tmp_path)
    known = {each["transactionId"] for each in caller.lines("/transactions")}
    assert answered <= known
    assert len(known - answered) <= AT_ONCE
    # Each of them was told, and nothing that is not known.
    caller.advance(3600)
    eventually(lambda: {state for (state,) in caller.told("state")} == {"Processed"}, 30)
    told = Counter(message.json()["transactionID"] for message in receiver.messages)
    assert set(told) == known
    # An acknowledgement that was not written down any more is asked for again.
    made = Counter(transaction for (transaction,) in caller.told("transactionId"))
    assert all(told[transaction] >= made[transaction] for transaction in known)


class Disk:
    """Holds every sync until it is let go, or fails it."""

    def __init__(self) -> None:
        self.held = threading.Event()
        self.go_on = threading.Event()
        self.broken = False
        self.sync = os.fdatasync

    def __call__(self, descriptor: int) -> None:
        if self.broken:
            raise OSError
        self.held.set()
        self.go_on.wait(20)
        self.sync(descriptor)


@pytest.fixture
def disk(caller: Caller, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    caller.create(value=receiver.url)
    made = Disk()
    monkeypatch.setattr(os, "fdatasync", made)
    yield made
    made.go_on.set()


@pytest.mark.parametrize("what", ["config", "transaction"])
def test_nobody_hears_of_it_before_the_sync(caller: Caller, receiver: Receiver, disk: Disk, what: str) -> None:
    answered = threading.Event()

    def call() -> None:
        _ = caller.create() if what == "config" else caller.transact()
        answered.set()

    thread = threading.Thread(target=call)
    thread.start()
    assert disk.held.wait(20)
    assert len(caller.listed()) == 1
    assert (receiver.messages, caller.lines("/transactions"), answered.is_set()) == ([], [], False)
    disk.go_on.set()
    thread.join()
    assert answered.is_set()


def test_a_disk_that_fails_ends_it(caller: Caller, receiver: Receiver, disk: Disk) -> None:
    disk.go_on.set()
    caller.transact()
    eventually(lambda: caller.told("state") == [("Processed",)])
    disk.broken = True
    answer = caller.send(caller.body())
    assert (answer.status_code, answer.json()["httpCode"]) == (500, "500")
    assert caller.client.post("/sibs/control/transactions", json={}).status_code == 500
    disk.broken = False
    # What the files hold is unknown now: they must be read anew first.
    assert caller.send(caller.body()).status_code == 500
    assert len(caller.listed()) == 1
    assert len(receiver.messages) == 1
