"""`mintmark sandbox deliver-otp` and `activate-card`, against a sandbox that serves and an issuer that answers by
script."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.cli.conftest import Command
from tests.adapters.sandbox.gateway import Gateway, settings_for
from tests.adapters.sandbox.running import running

OTP_PATH = "/banking/d1/v1/issuers/{issuerId}/consumers/{consumerId}/otp"
OTP = "/banking/d1/v1/issuers/ISSUER0002/consumers/c%2F7/otp"
ACTIVATE = "/cms/api/v1/issuers/ISSUER0002/physicalCards/card-7/activate"
ISSUER = ("--issuer", "ISSUER0002")


@pytest.fixture(scope="module")
def issuer() -> Iterator[Gateway]:
    server = Gateway()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("twins")


@pytest.fixture(scope="module")
def address(issuer: Gateway, folder: Path) -> Iterator[str]:
    settings = settings_for(issuer, folder).model_copy(update={"issuer_otp_path": OTP_PATH})
    with running(settings) as control:
        yield f"{control.base_url.host}:{control.base_url.port}"


@pytest.fixture
def twin(address: str, issuer: Gateway, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """The issuer that the running twin asks."""
    monkeypatch.setenv("MINTMARK_SANDBOX_ADDRESS", address)
    yield issuer
    issuer.received.clear()
    issuer.documents.clear()


def test_a_one_time_password_is_delivered(mintmark: Command, twin: Gateway, folder: Path) -> None:
    more = ("--consumer", "c/7", "--card", "card-7", "--channel", "EMAIL", "--reason", "DEVICE-BINDING")
    result = mintmark("sandbox", "deliver-otp", *ISSUER, *more, "--reveal", "--correlation-id", "x-1")
    [call] = twin.received
    assert (call.path, call.headers["x-correlation-id"]) == (f"{OTP}?cardId=card-7", "x-1")
    assert call.headers["authorization"].startswith("Bearer at-")
    otp = call.json["otp"]
    assert (len(otp["value"]), otp["reason"], call.json["deliveryChannel"]) == (6, "DEVICE-BINDING", "EMAIL")
    assert (result.code, result.out) == (0, f"delivered by EMAIL: {otp['value']}\n")
    for file in (path for path in folder.rglob("*") if path.is_file()):
        assert otp["value"] not in file.read_text()


def test_what_is_delivered_is_shown_on_request_only_and_new_each_time(mintmark: Command, twin: Gateway) -> None:
    for _ in range(2):
        result = mintmark("--output", "json", "sandbox", "deliver-otp", *ISSUER, "--consumer", "c/7")
        assert (result.code, json.loads(result.out)["otp"]) == (0, "******")
    first, second = (call.json["otp"]["value"] for call in twin.received)
    assert first != second
    assert {call.path for call in twin.received} == {OTP}


def test_a_card_is_activated(mintmark: Command, twin: Gateway) -> None:
    result = mintmark("sandbox", "activate-card", *ISSUER, "--card", "card-7")
    assert (result.code, result.out) == (0, "active\n")
    assert [call.path for call in twin.received] == [ACTIVATE]


def test_what_is_refused_is_told(mintmark: Command, twin: Gateway) -> None:
    twin.documents = {OTP: (404, {"error": "no such consumer"}), ACTIVATE: (503, {"error": "try again"})}
    result = mintmark("sandbox", "deliver-otp", *ISSUER, "--consumer", "c/7")
    assert result.code == 1
    assert "D1 was answered 404 no such consumer" in result.err
    result = mintmark("sandbox", "activate-card", *ISSUER, "--card", "card-7")
    assert (result.code, "D1 was answered 503 try again" in result.err) == (1, True)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--consumer", "c", "--channel", "PIGEON"), "--channel: one of SMS, EMAIL"),
        (("--consumer", "c", "--reason", "FUN"), "--reason: one of"),
        ((), "give consumerId"),
    ],
)
def test_what_cannot_be_asked(mintmark: Command, twin: Gateway, words: tuple[str, ...], said: str) -> None:
    result = mintmark("sandbox", "deliver-otp", *ISSUER, *words)
    assert result.code != 0
    assert said in result.err
    assert twin.received == []


def test_without_a_path_nothing_is_delivered(
    mintmark: Command, issuer: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(settings_for(issuer, tmp_path)) as control:
        monkeypatch.setenv("MINTMARK_SANDBOX_ADDRESS", f"{control.base_url.host}:{control.base_url.port}")
        result = mintmark("sandbox", "deliver-otp", *ISSUER, "--consumer", "c")
    assert result.code != 0
    assert "MINTMARK_ISSUER_OTP_PATH" in result.err
