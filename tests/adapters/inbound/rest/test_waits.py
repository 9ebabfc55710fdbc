"""Calls that wait, in front of a fake core: the core waits no longer than somebody waits for its answer."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.adapters.inbound.running import Running
from tests.waiting import eventually

PULL = "/v1/clients/c/subscriptions/s:pull"
ROUTE = "/v1/clients/*/subscriptions/*:pull"
BODY = b'{"wait": "20s"}'
HEAD = (
    f"POST {PULL} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer mine\r\nConnection: close\r\n"
    f"Content-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
).encode()


def requests(gateway: Running) -> list[dict[str, Any]]:
    return [line for line in gateway.logged() if line.get("route") == ROUTE]


@pytest.mark.parametrize("traces", ["none", "file"])
def test_who_goes_ends_the_wait(start: Callable[..., Running], traces: str, tmp_path: Path) -> None:
    gateway = start(MINTMARK_TRACES=traces, MINTMARK_TRACES_FILE=str(tmp_path / "traces.jsonl"))
    pulls = gateway.core.pulls
    with gateway.open() as going, gateway.open() as staying:
        staying.sendall(HEAD + BODY)
        eventually(lambda: pulls.open == 1)
        going.sendall(HEAD + BODY)
        eventually(lambda: pulls.open == 2)
        going.close()
        eventually(lambda: pulls.open == 1, 5, "the end of the wait that nobody waits for")
        assert pulls.left == 1
        pulls.go_on.set()
        assert b'"caughtUp":true' in gateway.rest(staying)
    eventually(lambda: "mintmark_http_requests_in_flight 0.0" in gateway.admin("/metrics").text)
    assert sorted(line["status"] for line in requests(gateway)) == [200, 499]
    assert not [line for line in gateway.logged() if line.get("level") == "error"]


def test_waits_end_at_once_when_the_gateway_stops(start: Callable[..., Running]) -> None:
    gateway = start(MINTMARK_SHUTDOWN_TIMEOUT="30")
    pulls = gateway.core.pulls
    with gateway.open(20) as waiting:
        waiting.sendall(HEAD + BODY)
        eventually(lambda: pulls.open == 1)
        gateway.terminate()
        head, _, body = gateway.rest(waiting).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 503 ")
    assert b"\r\nretry-after: 1\r\n" in head + b"\r\n"
    assert json.loads(body)["reason"] == "GATEWAY_UNAVAILABLE"
    eventually(lambda: pulls.open == 0, 5)
    assert gateway.exit_code() == 0


def test_a_wait_is_traced_into_the_core(start: Callable[..., Running], tmp_path: Path) -> None:
    gateway = start(MINTMARK_TRACES="file", MINTMARK_TRACES_FILE=str(tmp_path / "traces.jsonl"))
    gateway.core.pulls.go_on.set()
    answer = gateway.client.post(PULL, content=BODY, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    (line,) = eventually(lambda: requests(gateway))
    assert gateway.core.pulls.metadata[0]["traceparent"].split("-")[1] == line["trace_id"]


def test_a_stream_is_traced_into_the_core(start: Callable[..., Running], tmp_path: Path) -> None:
    gateway = start(MINTMARK_TRACES="file", MINTMARK_TRACES_FILE=str(tmp_path / "traces.jsonl"))
    gateway.core.events.end = "end"
    assert gateway.client.get("/v1/events", headers={"accept": "text/event-stream"}).status_code == 200
    (line,) = eventually(lambda: [each for each in gateway.logged() if each.get("route") == "/v1/events"])
    assert gateway.core.events.metadata[0]["traceparent"].split("-")[1] == line["trace_id"]
