"""`mintmark cards`, against a real core and keys that a gateway would have."""

import io
import json
import threading
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.adapters.cli.conftest import Result
from tests.adapters.cli.test_payments import Command
from tests.server.rpc import carding
from tests.server.rpc.card_opening import Keys
from tests.server.rpc.running import RunningCore, running_core

_ISSUERS = count(1)


@pytest.fixture(scope="module")
def running() -> Iterator[RunningCore]:
    with running_core() as core:
        yield core


@pytest.fixture(scope="module")
def keys(running: RunningCore) -> Keys:
    made = Keys("k1", "k2")
    made.publish(running)
    return made


@pytest.fixture
def mintmark(running: RunningCore, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(running, monkeypatch, capfd)


@pytest.fixture
def issuer(running: RunningCore, keys: Keys) -> str:
    made = f"COMMAND{next(_ISSUERS):03}"
    carding.account(running, made, store_security_codes=True)
    return made


def stdin(monkeypatch: pytest.MonkeyPatch, **card: str) -> None:
    text = json.dumps({"pan": carding.number(), "exp": "1239", **card})
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def register(mintmark: Command, issuer: str, card: str, *more: str) -> Result:
    return mintmark("--output", "json", "cards", "register", issuer, card, "--consumer", "u-1", *more)


def shown(result: Result) -> Any:
    """The card that was printed; the core in this process logs beside."""
    (line,) = [line for line in result.out.splitlines() if line.startswith('{"')]
    return json.loads(line)


def test_a_card_is_registered_with_its_data_encrypted(
    mintmark: Command, running: RunningCore, keys: Keys, issuer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin(monkeypatch, cvv="987", name="Zoë")
    own = "3f2b7c1e-0000-4000-8000-000000000001"
    result = register(mintmark, issuer, "c-1", "--account", "a-1", "--request-id", own)
    card = shown(result)
    assert (card["state"], card["accountId"], card["cardKeyId"]) == ("CARD_STATE_PENDING", "a-1", "k1")
    (seen,) = keys.look(running)
    assert (seen["cvv"], seen["name"]) == ("987", "Zoë")
    assert seen["pan"] not in result.out + result.err
    assert "state: ACTIVE" in mintmark("cards", "show", card["name"]).out
    listed = mintmark("cards", "list", "--issuer", issuer, "--state", "active", "--consumer", "u-1").out
    (line,) = [line for line in listed.splitlines() if card["name"] in line]
    assert f"{seen['pan'][:8]}...{seen['pan'][-4:]}" in line
    assert seen["pan"] not in line
    assert mintmark.json("cards", "list", "--issuer", issuer, "--last-digits", "9999") == []


def test_its_life(
    mintmark: Command, running: RunningCore, keys: Keys, issuer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = carding.active(running, issuer, "c-1").name
    (card,) = mintmark.json("cards", "suspend", name, "--reason", "fraud-suspected", "--text", "odd places")
    assert (card["suspensionReason"], card["suspensionText"]) == (
        "CARD_SUSPENSION_REASON_FRAUD_SUSPECTED",
        "odd places",
    )
    assert "SUSPENDED FRAUD_SUSPECTED" in mintmark("cards", "list", "--issuer", issuer).out
    assert mintmark("cards", "suspend", name, "--reason", "bored").code == 2
    (card,) = mintmark.json("cards", "resume", name)
    assert card["state"] == "CARD_STATE_ACTIVE"
    assert mintmark.json("cards", "reset-attempts", name)
    stdin(monkeypatch)
    (card,) = mintmark.json("cards", "replace", name)
    assert card["replacementPending"]
    assert "pending" in mintmark("cards", "list", "--issuer", issuer).out
    (card,) = mintmark.json("cards", "delete", name)
    assert card["state"] == "CARD_STATE_DELETED"
    refused = mintmark("cards", "resume", name)
    assert (refused.code, "CARD_STATE_UNFIT" in refused.err) == (1, True)


def test_waiting_ends_when_a_gateway_has_looked(
    mintmark: Command, running: RunningCore, keys: Keys, issuer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = threading.Event()

    def look() -> None:
        while not ended.is_set():
            for task in carding.claim(running, *keys.keys, wait=0.2):
                card = keys.opened(task.encrypted_card)
                told = carding.fingerprint(task.issuer_id, card["pan"], expiry=card["exp"])
                carding.record(running, task.card, task.generation, fingerprint=told)

    gateway = threading.Thread(target=look)
    gateway.start()
    try:
        number = carding.number()
        stdin(monkeypatch, pan=number)
        card = shown(register(mintmark, issuer, "c-1", "--wait"))
        assert card["state"] == "CARD_STATE_ACTIVE"
        stdin(monkeypatch, pan=number)
        taken = register(mintmark, issuer, "c-2", "--wait")
        assert (taken.code, "CARD_NUMBER_TAKEN" in taken.err, number in taken.err) == (1, True, False)
        assert shown(taken)["state"] == "CARD_STATE_REJECTED"
        stdin(monkeypatch, exp="0140")
        (replaced,) = mintmark.json("cards", "replace", card["name"], "--wait")
        assert replaced["expiry"] == "0140"
        stdin(monkeypatch)
        other = shown(register(mintmark, issuer, "c-3", "--wait"))
        # The first card has another number by now.
        taken_number = carding.number()
        stdin(monkeypatch, pan=taken_number)
        assert register(mintmark, issuer, "c-4", "--wait").code == 0
        stdin(monkeypatch, pan=taken_number)
        refused = mintmark("cards", "replace", other["name"], "--wait")
        assert (refused.code, "CARD_NUMBER_TAKEN" in refused.err) == (1, True)
        assert "CARD_NUMBER_TAKEN" in mintmark("cards", "list", "--issuer", issuer).out
    finally:
        ended.set()
        gateway.join()


def test_keys_and_accesses(mintmark: Command, running: RunningCore, keys: Keys, issuer: str) -> None:
    assert [(key["kid"], key.get("current", False)) for key in mintmark.json("cards", "keys")] == [
        ("k1", True),
        ("k2", False),
    ]
    assert "yes" in mintmark("cards", "keys").out
    name = carding.active(running, issuer, "c-1").name
    carding.register(running.admin, issuer, "c-2", kid="k1")
    carding.claim(running, "k1")
    listed = mintmark.json("cards", "accesses", "--issuer", issuer, "--purpose", "fingerprint")
    assert {each["purpose"] for each in listed} == {"CARD_DATA_PURPOSE_FINGERPRINT"}
    assert f"issuers/{issuer}/cards/c-2" in mintmark("cards", "accesses", "--issuer", issuer).out
    assert mintmark.json("cards", "accesses", "--card", name, "--result", "rejected") == []
    assert mintmark("cards", "accesses", "--purpose", "curiosity").code == 2


def test_without_a_published_key_nothing_is_sent(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with running_core() as core:
        mintmark = Command(core, monkeypatch, capfd)
        stdin(monkeypatch)
        refused = register(mintmark, "NOKEYS0001", "c-1")
        assert (refused.code, "no gateway has published a key" in refused.err) == (1, True)
        assert mintmark.json("cards", "list") == []


def test_wrong_card_data_is_refused_before_anything_is_sent(
    mintmark: Command, issuer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    stdin(monkeypatch, pan="4111 1111", cvv="987")
    refused = register(mintmark, issuer, "c-1")
    assert (refused.code, "pan: must have 10 to 19 digits" in refused.err) == (1, True)
    assert "4111" not in refused.err
    assert mintmark.json("cards", "list", "--issuer", issuer) == []
