"""Following events over HTTP while the gateway and the core die: each is heard, in order, and none is skipped."""

import itertools
import os
import signal
import threading
from collections.abc import Iterator

import httpx
import pytest

from tests.plain import PLAIN
from tests.sse import Source
from tests.stack import Stack
from tests.waiting import eventually

BATCHES, BATCH = 30, 20
# Each test has a merchant gateway of its own, and hears of nothing else.
DYING, STOPPED = "G", "H"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    made = Stack(development=True)
    try:
        yield made.start()
    finally:
        made.remove()


class Follower:
    """Reads the stream in a thread, and comes back with Last-Event-ID as browsers do."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self.source = Source()
        self.heard: list[int] = []
        self.connections = 0
        self.over = threading.Event()
        self._thread = threading.Thread(target=self._follow)

    def __enter__(self) -> "Follower":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._thread.join(30)
        assert not self._thread.is_alive()

    def _follow(self) -> None:
        query = {**imported(DYING), "heartbeatInterval": "1s"}
        while not self.over.is_set():
            headers = {"accept": "text/event-stream"}
            if self.source.last_event_id:
                headers["last-event-id"] = self.source.last_event_id
            try:
                url = f"{self._stack.http_url}/v1/events"
                with httpx.stream("GET", url, params=query, headers=headers, timeout=5, verify=PLAIN) as response:
                    if response.status_code != 200:
                        continue
                    self.connections += 1
                    self._read(response.iter_lines())
            except httpx.TransportError:
                continue

    def _read(self, lines: Iterator[str]) -> None:
        def while_wanted() -> Iterator[str]:
            return itertools.takewhile(lambda _: not self.over.is_set(), lines)

        for sent in self.source.read(while_wanted()):
            if sent.event == "problem":
                return
            self.heard.append(int(sent.data["sequence"]))


def imported(merchant_gateway_id: str) -> dict[str, str]:
    """The query for the events of a test."""
    return {"cursor": "0", "filter.kinds": "TOKEN_IMPORTED", "filter.merchantGatewayId": merchant_gateway_id}


def import_tokens(stack: Stack, merchant_gateway_id: str, batch: int) -> bool:
    """Makes a batch of tokens known; safe to repeat until it works."""
    tokens = [
        {
            "merchantGatewayId": merchant_gateway_id,
            "merchantId": "m",
            "tokenId": f"t-{batch}-{number}",
            "provider": "D1_ECOM",
        }
        for number in range(BATCH)
    ]
    headers = {"Idempotency-Key": f"00000000-0000-4000-8000-{ord(merchant_gateway_id):06}{batch:06}"}
    try:
        answer = httpx.post(
            f"{stack.http_url}/v1/tokens:import", json={"tokens": tokens}, headers=headers, timeout=10, verify=PLAIN
        )
    except httpx.TransportError:
        return False
    assert answer.status_code in (200, 409, 503, 504), answer.text
    return answer.status_code == 200


def test_nothing_is_skipped_while_the_gateway_and_the_core_die(stack: Stack) -> None:
    with Follower(stack) as follower:
        for batch in range(BATCHES):
            if batch in (8, 22):
                os.kill(stack.pid("gateway"), signal.SIGKILL)
            if batch == 15:
                os.kill(stack.pid("core"), signal.SIGKILL)
            eventually(lambda batch=batch: import_tokens(stack, DYING, batch), 30)  # type: ignore[misc]  # bound at once
        eventually(lambda: len(set(follower.heard)) == BATCHES * BATCH, 30)
        assert follower.connections >= 3
    eventually(lambda: stack.readiness().status_code == 200, 30)
    told: list[int] = []
    cursor, caught_up = "0", False
    while not caught_up:
        query = {**imported(DYING), "cursor": cursor, "pageSize": "1000"}
        page = stack.http.get("/v1/events", params=query).json()
        told += [int(event["sequence"]) for event in page["events"]]
        cursor, caught_up = page["nextCursor"], page["caughtUp"]
    # Each at the first time that it is heard in order; what was repeated was repeated from the cursor on.
    assert list(dict.fromkeys(follower.heard)) == told


def test_a_stopped_gateway_says_so_and_the_next_one_goes_on(stack: Stack) -> None:
    assert import_tokens(stack, STOPPED, 1)
    source = Source()
    headers = {"accept": "text/event-stream"}
    query = imported(STOPPED)
    with stack.http.stream("GET", "/v1/events", params=query, headers=headers) as response:
        sent = source.read(response.iter_lines())
        heard = [next(sent).data["sequence"] for _ in range(BATCH)]
        os.kill(stack.pid("gateway"), signal.SIGTERM)
        assert next(sent).data["reason"] == "GATEWAY_UNAVAILABLE"
        assert next(sent, None) is None
    eventually(lambda: import_tokens(stack, STOPPED, 2), 30)
    headers["last-event-id"] = source.last_event_id
    with stack.http.stream("GET", "/v1/events", params=query, headers=headers) as response:
        sent = source.read(response.iter_lines())
        heard += [next(sent).data["sequence"] for _ in range(BATCH)]
    assert len(set(heard)) == 2 * BATCH
    assert heard == sorted(heard, key=int)
