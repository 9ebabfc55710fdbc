"""The control API."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from adapters.sandbox import tsh
from adapters.settings import Settings, SettingsInvalid, load
from tests.adapters.sandbox.gateway import Gateway, settings_for
from tests.adapters.sandbox.running import running
from tests.waiting import eventually


@pytest.fixture
def control(gateway: Gateway, tmp_path: Path) -> Iterator[httpx.Client]:
    with running(settings_for(gateway, tmp_path)) as client:
        yield client


@pytest.fixture(scope="module")
def lone_control(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A sandbox for calls that change nothing."""
    with running(settings_for(None, tmp_path_factory.mktemp("sandbox"))) as client:
        yield client


def lines(control: httpx.Client) -> list[Any]:
    return [json.loads(line) for line in control.get("/ledger").text.splitlines()]


def test_a_d1_update_with_repeats(gateway: Gateway, control: httpx.Client) -> None:
    answer = control.post("/notifications/d1-token-update", json={"tokenId": "a b", "repeat": 2})
    deliveries = answer.json()["deliveries"]
    assert [item["repeat"] for item in deliveries] == [0, 1, 2]
    assert all(item["acknowledged"] and item["status"] == 204 for item in deliveries)
    assert len({item["correlationId"] for item in deliveries}) == 1
    assert {request.path.split("/")[-2] for request in gateway.received} == {"a%20b"}
    assert lines(control) == deliveries


@pytest.mark.parametrize("kind", sorted(tsh.PATHS))
def test_each_tsh_notification(gateway: Gateway, control: httpx.Client, kind: str) -> None:
    fields = {"merchantId": "m-1", "vProvisionedTokenId": None}
    answer = control.post(f"/notifications/tsh/{kind.removeprefix('tsh-')}", json={"fields": fields})
    assert answer.status_code == 200
    (request,) = gateway.received
    assert request.path == f"/notify-{kind.removeprefix('tsh-')}"
    assert request.json["merchantId"] == "m-1"
    assert "vProvisionedTokenId" not in request.json
    assert request.headers["authorization"] == "APIKEY key-1"
    assert len(request.headers["x-correlation-id"]) == 36


def test_out_of_order_and_the_malformed_time(gateway: Gateway, control: httpx.Client) -> None:
    answer = control.post("/notifications/tsh/binding-update", json={"outOfOrder": True, "malformedTimestamp": True})
    assert len(answer.json()["deliveries"]) == 2
    newer, older = (request.json for request in gateway.received)
    assert len(newer["lastUpdateTimestamp"].split(":")[1]) == 3
    assert older["lastUpdateTimestamp"][:13] < newer["lastUpdateTimestamp"][:13]
    assert (older["tokenId"], older["deviceId"]) == (newer["tokenId"], newer["deviceId"])


def test_a_burst_from_start_to_end(gateway: Gateway, control: httpx.Client) -> None:
    order = {"count": 60, "concurrency": 8, "repeats": 0.2, "disorder": 0.2, "unknown": 0.5, "seed": 7}
    started = control.post("/bursts", json=order)
    assert started.status_code == 202
    path = f"/bursts/{started.json()['name']}"
    done = eventually(lambda: (state := control.get(path).json())["state"] == "done" and state)
    assert done["acknowledged"] == done["sendings"] == len(gateway.received) == len(lines(control))
    assert control.delete(path).status_code == 202
    assert control.get("/bursts/x").status_code == control.delete("/bursts/x").status_code == 404


def test_state_tells_of_a_stopped_feed_and_resume_ends_it(gateway: Gateway, control: httpx.Client) -> None:
    gateway.script.notifications.append(401)
    control.post("/notifications/tsh/token-update")
    feed = control.get("/state").json()["feeds"]["tsh"]
    assert feed["stopped"]
    assert "401" in feed["stopReason"]
    assert control.post("/feeds/tsh/resume").json()["resumed"] is True
    assert control.post("/feeds/tsh/resume").json()["resumed"] is False
    assert control.post("/feeds/visa/resume").status_code == 404
    assert not control.get("/state").json()["feeds"]["tsh"]["stopped"]


def test_configure_changes_target_and_credentials(gateway: Gateway, tmp_path: Path) -> None:
    with running(Settings(data_dir=tmp_path, sandbox_target="http://127.0.0.1:9")) as control:
        missing = control.post("/notifications/d1-token-update")
        assert missing.status_code == 409
        assert "sandbox.d1.json" in missing.json()["error"]
        assert control.post("/notifications/tsh/token-update").status_code == 409
        assert control.post("/bursts", json={"count": 1}).status_code == 409
        order = {"targetUrl": gateway.url, "clientId": "c", "clientSecret": "s", "apiKey": "k", "speed": 50}
        state = control.post("/configure", json={**order, "tshPrefix": "/tsh-cof"}).json()
        assert (state["speed"], state["feeds"]["d1"]["configured"], state["feeds"]["tsh"]["configured"]) == (
            50,
            True,
            True,
        )
        assert control.post("/access-token").json()["scope"] == "d1-notify"
        assert control.post("/notifications/tsh/token-update").json()["deliveries"][0]["acknowledged"]
        assert gateway.received[0].path == "/tsh-cof/notify-token-update"
        assert "secret" not in json.dumps(state).lower()


def test_a_refusing_token_endpoint_is_told(gateway: Gateway, control: httpx.Client) -> None:
    gateway.script.tokens.append(401)
    answer = control.post("/access-token")
    assert (answer.status_code, answer.json()["error"]) == (502, "the token endpoint answered 401")


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("POST", "/notifications/d1-token-update", b"{", 400),
        ("POST", "/notifications/d1-token-update", b"[]", 400),
        ("POST", "/notifications/d1-token-update", b'{"tokenid": "x"}', 400),
        ("POST", "/notifications/d1-token-update", b"\xff", 400),
        ("POST", "/notifications/d1-token-update", b"[" * 60_000, 400),
        ("POST", "/notifications/d1-token-update", b" " * 70_000, 413),
        ("POST", "/notifications/d1-token-update", b'{"repeat": -1}', 400),
        ("POST", "/notifications/tsh/nothing", b"{}", 404),
        ("POST", "/bursts", b"{}", 400),
        ("POST", "/bursts", b'{"count": 1, "repeats": 2}', 400),
        ("POST", "/bursts", b'{"count": 1, "kinds": {"visa": 1}}', 400),
        ("POST", "/bursts", b'{"count": 1, "kinds": {"tsh-token-update": 0}}', 400),
        ("POST", "/configure", b'{"clientId": "x"}', 400),
        ("POST", "/configure", b'{"targetUrl": "ftp://x"}', 400),
        ("GET", "/nowhere", b"", 404),
        ("GET", "/bursts", b"", 405),
    ],
)
def test_bad_input_is_refused_with_a_clear_text(
    lone_control: httpx.Client, method: str, path: str, body: bytes, status: int
) -> None:
    answer = lone_control.request(method, path, content=body)
    assert answer.status_code == status
    assert answer.json()["error"]


def test_web_pages_are_kept_out(lone_control: httpx.Client) -> None:
    assert lone_control.get("/state", headers={"origin": "http://evil.example"}).status_code == 403
    assert lone_control.get("/state", headers={"host": "evil.example"}).status_code == 400


def test_the_control_api_is_on_loopback_only() -> None:
    with pytest.raises(SettingsInvalid, match=r"MINTMARK_SANDBOX_ADDRESS: .*loopback"):
        load({"sandbox_address": "0.0.0.0:8090"})
