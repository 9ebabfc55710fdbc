"""`mintmark sandbox sibs ...` against a twin that serves."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.cli.conftest import Command
from tests.adapters.sandbox.sibs.caller import KEY, Caller, caller_of
from tests.adapters.sandbox.sibs.receiver import Receiver

TWIN = ("sandbox", "sibs")


@pytest.fixture
def caller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Caller]:
    folder = tmp_path / "twins"
    folder.mkdir()
    with caller_of(folder) as made:
        url = made.client.base_url
        monkeypatch.setenv("MINTMARK_SANDBOX_ADDRESS", f"{url.host}:{url.port}")
        yield made


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    try:
        yield made
    finally:
        made.close()


def test_how_it_is_reached(mintmark: Command, caller: Caller) -> None:
    text = mintmark(*TWIN, "state").out
    for word in (caller.client_id, caller.client_secret, caller.access_token, "/sibs/oauth2/token", "configs 0"):
        assert word in text
    assert mintmark(*TWIN, "state", "--output", "json").lines[0]["clientId"] == caller.client_id
    text = mintmark(*TWIN, "kinds").out
    for word in ("transactions: purchase, ", "fault rejected ", "mode damaged-tag ", "tier 6: up to retry 43, 1600"):
        assert word in text
    assert mintmark(*TWIN, "kinds", "--output", "json").lines[0]["transactions"][0] == "purchase"


def test_transactions_and_their_notifications(mintmark: Command, caller: Caller, receiver: Receiver) -> None:
    caller.create(value=receiver.url)
    options = (
        "--amount",
        "16.20",
        "--currency",
        "PLN",
        "--terminal",
        "5",
        "--reference",
        "order-1",
        "--pending",
        "10s",
    )
    made = mintmark(*TWIN, "transactions", "create", "blik", *options, "--output", "json").lines[0]
    assert (made["amount"], made["paymentStatus"], made["terminalId"]) == ("16.20", "Pending", "5")
    identifier = made["transactionId"]
    assert "at 10 s Success" in mintmark(*TWIN, "transactions", "show", identifier).out
    assert mintmark(*TWIN, "advance", "10s").out == "time 10 s\n"
    shown = mintmark(*TWIN, "transactions", "list").out
    assert shown == f"{identifier} PURS BLIK Success 16.20 PLN 1000000001 5 order-1\n"
    told = mintmark(*TWIN, "notifications", "list", "--output", "json").lines
    assert [each["state"] for each in told] == ["Processed", "Processed"]
    refund = mintmark(*TWIN, "transactions", "create", "refund", "--original", identifier, "--outcome", "Declined")
    assert "RFND BLIK Declined 16.20 PLN" in refund.out
    assert mintmark(*TWIN, "transactions", "create", "refund").code == 1
    declined = mintmark(*TWIN, "transactions", "settle", identifier, "Declined")
    assert " Declined " in declined.out
    assert mintmark(*TWIN, "transactions", "create", "--count", "3").out.count("\n") == 3


def test_notifications_that_go_wrong(mintmark: Command, caller: Caller, receiver: Receiver) -> None:
    caller.create(value=receiver.url)
    added = mintmark(*TWIN, "notifications", "add", "damaged-tag", "--status", "Success", "--tries", "2")
    assert added.out == "damaged-tag Success (0 of 1)\n"
    mintmark(*TWIN, "notifications", "add", "late", "--wait", "1h", "--always")
    assert mintmark(*TWIN, "notifications", "add", "nothing").code == 1
    for _ in range(2):
        mintmark(*TWIN, "transactions", "create")
    mintmark(*TWIN, "advance", "0s")
    lines = mintmark(*TWIN, "notifications", "list", "--requested").out.splitlines()
    assert "(1 tries, 400) damaged-tag  due at 300 s" in lines[0]
    assert "(0 tries, -) late  due at 3600 s" in lines[1]
    assert "late (1 of all)" in mintmark(*TWIN, "notifications", "rules").out
    assert "Requested" in mintmark(*TWIN, "notifications", "redeliver", "1").out
    assert "Processed" in mintmark(*TWIN, "notifications", "redeliver", "1").out
    story = mintmark(*TWIN, "notifications", "show", "1").out
    assert story.count(" HTTP 400") == 2
    assert story.endswith(" 200 acknowledged\n")
    mintmark(*TWIN, "notifications", "clear")
    assert mintmark(*TWIN, "notifications", "rules").out == ""
    assert mintmark(*TWIN, "notifications", "redeliver", "99").code == 1
    assert len(mintmark(*TWIN, "ledger").lines) == len(caller.lines("/ledger"))


def test_drift_and_the_test_button(mintmark: Command, caller: Caller, receiver: Receiver) -> None:
    code = caller.create(value=receiver.url)
    drifted = mintmark(*TWIN, "configs", "drift", code, "--value", "https://elsewhere.example/", "--new-key")
    assert f"{code} 1000000001 CARD,BLIK https://elsewhere.example/ key 1 " in drifted.out
    mintmark(*TWIN, "configs", "drift", code, "--method", "IDEL", "--value", receiver.url)
    assert mintmark(*TWIN, "configs", "drift", code).code == 2
    foreign = mintmark(*TWIN, "configs", "add", "https://foreign.example/", "--merchant", "7", "--terminal", "8")
    assert " 7/8 CARD https://foreign.example/ key 0 " in foreign.out
    receiver.keys.append(caller.listed()[code]["channelTypeNotification"]["security"]["key"])
    assert " PURS Success " in mintmark(*TWIN, "press-test-button", code).out
    mintmark(*TWIN, "advance", "0s")
    assert mintmark(*TWIN, "notifications", "list").out.startswith("1 Processed")
    mintmark(*TWIN, "configs", "remove", code)
    assert mintmark(*TWIN, "configs", "list").out.count("\n") == 1
    listed = mintmark(*TWIN, "configs", "list", "--deleted").out
    assert "DELETED" in listed
    assert KEY not in listed
    assert mintmark(*TWIN, "press-test-button", code).code == 1


def test_calls_that_go_wrong(mintmark: Command, caller: Caller, tmp_path: Path) -> None:
    added = mintmark(*TWIN, "faults", "add", "status", "--status", "429", "--retry-after", "7", "--endpoint", "list")
    assert added.out == "1 status 429 endpoint list (0 of 1)\n"
    mintmark(*TWIN, "faults", "add", "rejected", "--code", "E0001", "--always")
    mintmark(*TWIN, "faults", "add", "reset", "--unapplied", "--nth", "9")
    assert caller.list().headers["retry-after"] == "7"
    assert caller.list().json()["returnStatus"]["statusCode"] == "E0001"
    assert mintmark(*TWIN, "faults", "list").out.splitlines() == [
        "1 status 429 endpoint list (1 of 1)",
        "2 rejected (1 of all)",
        "3 reset unapplied nth 9 (0 of 1)",
    ]
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"seed": 1, "faults": [{"fault": "reset"}]}))
    assert mintmark(*TWIN, "faults", "script", str(script)).out == "1 reset (0 of 1)\n"
    script.write_text("[]")
    assert mintmark(*TWIN, "faults", "script", str(script)).code == 2
    mintmark(*TWIN, "faults", "clear")
    mintmark(*TWIN, "faults", "release")
    assert mintmark(*TWIN, "faults", "list").out == ""
    requests = mintmark(*TWIN, "requests").out.splitlines()
    assert [line.split()[1:3] for line in requests] == [["list", "429"], ["list", "200"]]


def test_access_tokens_and_habits(mintmark: Command, caller: Caller) -> None:
    caller.issue()
    assert mintmark(*TWIN, "access-tokens", "list").out == "issued 1, live 1, revoked 0; the static one is good\n"
    revoked = mintmark(*TWIN, "access-tokens", "revoke", "--static").out
    assert revoked == "issued 1, live 0, revoked 1; the static one is revoked\n"
    assert caller.list().status_code == 401
    mintmark(*TWIN, "access-tokens", "reinstate")
    assert caller.list().status_code == 200
    changed = mintmark(*TWIN, "habits", "listShape=b", "acknowledgement=000", "longestCode=35", "unknownFields=false")
    assert 'listShape="b"\n' in changed.out
    assert mintmark(*TWIN, "habits", "--output", "json").lines[0]["acknowledgement"] == "000"
    for wrong in (("listShape=z", 1), ("longestCode=x", 1), ("listShape", 2)):
        assert mintmark(*TWIN, "habits", wrong[0]).code == wrong[1]
    assert mintmark(*TWIN, "habits", "--output", "json").lines[0]["listShape"] == "b"
