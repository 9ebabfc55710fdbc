"""`mintmark sandbox ...` against a sandbox that serves."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.adapters.cli.conftest import Command
from tests.adapters.sandbox.gateway import Gateway, settings_for
from tests.adapters.sandbox.running import running


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    server = Gateway()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def twins(gateway: Gateway, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """The gateway that a running sandbox sends to."""
    folder = tmp_path / "twins"
    folder.mkdir()
    with running(settings_for(gateway, folder)) as control:
        monkeypatch.setenv("MINTMARK_SANDBOX_ADDRESS", f"{control.base_url.host}:{control.base_url.port}")
        yield gateway


def test_send_a_d1_update(mintmark: Command, twins: Gateway) -> None:
    arguments = ("--merchant-gateway", "MGW_000002", "--merchant", "m", "--token", "t", "--update-type", "X")
    result = mintmark("sandbox", "send", "d1-token-update", *arguments, "--repeat", "1", "--output", "json")
    assert (result.code, [line["acknowledged"] for line in result.lines]) == (0, [True, True])
    assert twins.received[0].path == "/merchant-gateways/MGW_000002/merchants/m/tokens/t/notify-update"
    assert twins.received[0].json == {"updateType": "X"}


def test_send_tsh(mintmark: Command, twins: Gateway) -> None:
    arguments = ("--token", "t", "--field", "bindingState=NEW", "--field", "appType", "--out-of-order")
    result = mintmark("sandbox", "send", "tsh-binding-update", *arguments)
    assert (result.code, len(result.out.splitlines())) == (0, 2)
    first = twins.received[0].json
    assert (first["tokenId"], first["bindingState"], "appType" in first) == ("t", "NEW", False)
    assert mintmark("sandbox", "send", "tsh-nothing").code == 2


def test_send_to_an_issuer(mintmark: Command, twins: Gateway) -> None:
    single = ("--issuer", "ISSUER0002", "--card", "c", "--field", "status=FAILED", "--field", "startTime")
    result = mintmark("sandbox", "send-issuer", "card-operation", *single)
    assert (result.code, "ISSUER0002/c" in result.out) == (0, True)
    assert twins.received[0].path == "/notifications/d1/v1/issuers/ISSUER0002/cards/c/notifications"
    assert (twins.received[0].json["status"], "startTime" in twins.received[0].json) == ("FAILED", False)
    batch = ("--count", "2", "--bad", "1", "--regroup", "--repeat", "1", "--output", "json")
    result = mintmark("sandbox", "send-issuer", "card-authorisations", *batch)
    assert (result.code, len(result.lines)) == (0, 4)
    assert [len(request.json["operations"]) for request in twins.received[1:]] == [3, 3, 4, 4]
    assert mintmark("sandbox", "send-issuer", "nothing").code == 2
    twins.script.notifications.append(500)
    assert mintmark("sandbox", "send-issuer", "card-operation").code == 1


def test_what_is_not_acknowledged_is_exit_code_1_and_the_feed_can_be_resumed(mintmark: Command, twins: Gateway) -> None:
    twins.script.notifications.append(401)
    assert mintmark("sandbox", "send", "tsh-token-update").code == 1
    assert "STOPPED" in mintmark("sandbox", "state").out
    assert mintmark("sandbox", "state", "--output", "json").lines[0]["feeds"]["tsh"]["stopped"]
    assert "tsh: resumed\n" in mintmark("sandbox", "resume", "tsh").out
    assert mintmark("sandbox", "resume", "tsh").out == "tsh: was not stopped\n"
    assert mintmark("sandbox", "resume", "visa").code == 1
    assert mintmark("sandbox", "send", "tsh-token-update").code == 0
    assert [line["outcome"] for line in mintmark("sandbox", "ledger", "--output", "json").lines] == [
        "lost",
        "acknowledged",
    ]
    assert mintmark("sandbox", "ledger", "--pending").out == ""


def test_a_burst(mintmark: Command, twins: Gateway) -> None:
    arguments = ("--count", "40", "--concurrency", "8", "--repeats", "0.1", "--disorder", "0.1", "--seed", "7")
    (document,) = mintmark("sandbox", "burst", *arguments, "--output", "json").lines
    assert (document["state"], document["count"]) == ("done", 40)
    assert document["acknowledged"] == document["sendings"] == len(twins.received)
    text = mintmark("sandbox", "burst", "--count", "3", "--kind", "tsh-token-update=2").out
    assert "3 notifications in 3 sendings; 3 acknowledged, 0 lost, 0 given up" in text
    assert mintmark("sandbox", "burst", "--count", "3", "--kind", "visa").code == 1
    assert mintmark("sandbox", "burst", "--count", "3", "--kind", "tsh-token-update=much").code == 2


def test_configure_reads_secrets_from_files(mintmark: Command, twins: Gateway, tmp_path: Path) -> None:
    key, client = tmp_path / "key.json", tmp_path / "client.json"
    key.write_text(json.dumps({"api_key": "other-key"}))
    client.write_text(json.dumps({"client_id": "other", "client_secret": "secret"}))
    arguments = ("--api-key", str(key), "--client", str(client), "--speed", "5", "--tsh-prefix", "/tsh-cof")
    (state,) = mintmark("sandbox", "configure", *arguments, "--output", "json").lines
    assert state["speed"] == 5
    mintmark("sandbox", "send", "tsh-token-update")
    assert twins.received[0].headers["authorization"] == "APIKEY other-key"
    assert twins.received[0].path == "/tsh-cof/notify-token-update"
    assert mintmark("sandbox", "configure", "--client", str(key)).code == 2
