"""Server-sent events in front of a fake core: what is sent, what is held back, and how a stream ends."""

import json
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx
import pytest

from adapters.inbound.rest.event_stream import wanted
from tests.adapters.inbound.fake_events import FakeEvents
from tests.adapters.inbound.rest.asking import Headed
from tests.adapters.inbound.running import Running
from tests.rest import ROUTES
from tests.sse import Sent, Source
from tests.waiting import eventually

STREAM = {"accept": "text/event-stream", "authorization": "Bearer the caller's own"}
MEGABYTE = 1024 * 1024


@pytest.fixture
def events(gateway: Running) -> Iterator[FakeEvents]:
    """The fake core's events as they are at first."""
    gateway.core.events.__init__()  # type: ignore[misc]  # the gateway and its core are shared
    yield gateway.core.events
    gateway.core.events.go_on.set()


@contextmanager
def streaming(
    gateway: Running, query: str = "", **headers: str
) -> Iterator[tuple[httpx.Response, Iterator[Sent], Source]]:
    source = Source()
    with gateway.client.stream("GET", f"/v1/events{query}", headers={**STREAM, **headers}) as response:
        yield response, source.read(response.iter_lines()), source


def test_what_a_stream_says(gateway: Running, events: FakeEvents) -> None:
    headers = {"x-correlation-id": "order-7", "Last-Event-ID": "g.41"}
    query = "?cursor=g.1&filter.kinds=TOKEN_CREATED&heartbeatInterval=5s"
    with streaming(gateway, query, **headers) as (response, sent, source):
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-correlation-id"] == "order-7"
        heard = [next(sent) for _ in range(3)]
        assert [each.last_event_id for each in heard] == ["g.42", "g.43", "g.44"]
        assert {each.event for each in heard} == {"EVENT_KIND_TOKEN_CREATED"}
        assert heard[0].data["cursor"] == "g.42"
        assert source.retry == 1000
    # A browser that comes back repeats the query, and knows better; the caller's own token goes on, no other.
    asked = events.asked[0]
    assert (asked.cursor, list(asked.filter.kinds), asked.heartbeat_interval.seconds) == ("g.41", [1], 5)
    assert events.metadata[0]["authorization"] == "Bearer the caller's own"
    assert events.metadata[0]["x-correlation-id"] == "order-7"


def test_a_heartbeat_moves_the_last_event_id_and_nobody_hears_of_it(gateway: Running, events: FakeEvents) -> None:
    events.count, events.end = 0, "error"
    with streaming(gateway) as (_, sent, source):
        events.go_on.set()
        assert next(sent).event == "problem"
        assert (source.last_event_id, source.comments) == ("g.1", 1)


def test_what_is_wrong_from_the_start_is_an_answer(gateway: Running, events: FakeEvents) -> None:
    answer = gateway.client.get("/v1/events?cursor=refused", headers=STREAM)
    assert (answer.status_code, answer.json()["reason"]) == (410, "CURSOR_OUT_OF_RANGE")
    assert answer.json()["metadata"] == {"oldest_cursor": "g.7"}
    for query, status in (("?pageSize=1", 400), ("?heartbeatInterval=x", 400)):
        assert gateway.client.get(f"/v1/events{query}", headers=STREAM).status_code == status
    assert events.open == 0


def test_what_goes_wrong_later_is_told_in_the_stream(gateway: Running, events: FakeEvents) -> None:
    events.end = "error"
    with streaming(gateway) as (_, sent, source):
        assert [next(sent).event for _ in range(3)] == ["EVENT_KIND_TOKEN_CREATED"] * 3
        events.go_on.set()
        problem = next(sent)
        assert (problem.event, problem.data["reason"], problem.data["status"]) == ("problem", "SHUTTING_DOWN", 503)
        assert next(sent, None) is None
        assert source.last_event_id == "g.4"


def test_a_stream_that_the_core_ends_is_told_as_broken(gateway: Running, events: FakeEvents) -> None:
    events.count, events.end = 0, "end"
    with streaming(gateway) as (_, sent, _source):
        assert [each.data["reason"] for each in sent] == ["CORE_UNAVAILABLE"]


def test_who_goes_ends_the_call(gateway: Running, events: FakeEvents) -> None:
    with streaming(gateway) as (_, sent, _source):
        next(sent)
        assert events.open == 1
    eventually(lambda: events.open == 0)
    metrics = eventually(lambda: "mintmark_http_event_streams 0.0" in gateway.admin("/metrics").text)
    assert metrics


def connected(gateway: Running, buffer: int) -> socket.socket:
    """A reader with a small buffer that has asked, and reads nothing."""
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    reader.connect(("127.0.0.1", gateway.port))
    reader.sendall(b"GET /v1/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n")
    return reader


def test_a_slow_reader_holds_the_core_back_and_misses_nothing(gateway: Running, events: FakeEvents) -> None:
    events.count, events.size, events.end = 4_000, 20_000, "end"
    before = gateway.memory()

    def held_back() -> bool:
        sent = events.sent
        for _ in range(30):
            assert gateway.client.get("/v1/accessTokens:nothing").status_code == 404
        return 0 < sent == events.sent

    with connected(gateway, 8192) as reader:
        eventually(held_back, 40)
        assert events.sent * events.size < 40 * MEGABYTE
        assert gateway.memory() - before < 48 * MEGABYTE
        text = read_all(reader)
    ids = [int(line[6:]) for line in text.splitlines() if line.startswith("id: g.")]
    assert [number for number in ids if number <= 4_000][::2] == list(range(1, 4_001))


def read_all(reader: socket.socket) -> str:
    """Everything up to the end of the chunked body, in small bites."""
    found = bytearray()
    while not found.endswith(b"0\r\n\r\n"):
        found += reader.recv(65536)
    return found.decode("ascii", "replace")


def test_who_reads_nothing_any_more_is_cut_off(start: Callable[..., Running]) -> None:
    gateway = start(MINTMARK_HTTP_STREAM_TIMEOUT="0.3")
    events = gateway.core.events
    events.count, events.size = 4_000, 20_000
    with connected(gateway, 8192):
        eventually(lambda: events.sent > 0)
        eventually(lambda: events.open == 0, 30)
    assert events.sent < 4_000


def test_streams_have_a_limit_of_their_own(start: Callable[..., Running]) -> None:
    gateway = start(MINTMARK_HTTP_STREAM_LIMIT="2", MINTMARK_HTTP_REQUEST_LIMIT="2")
    with streaming(gateway) as (_, first, _source), streaming(gateway) as (_, second, _other):
        next(first)
        next(second)
        refused = gateway.client.get("/v1/events", headers=STREAM)
        assert (refused.status_code, refused.json()["reason"]) == (503, "STREAMS_FULL")
        assert refused.headers["retry-after"] == "1"
        # They are no requests in flight.
        assert gateway.d1().status_code == 204
    eventually(lambda: gateway.core.events.open == 0)
    with streaming(gateway) as (response, third, _source):
        assert response.status_code == 200
        next(third)


def test_streams_end_at_once_when_the_gateway_stops(start: Callable[..., Running]) -> None:
    gateway = start()
    with streaming(gateway) as (_, sent, _source):
        for _ in range(3):
            next(sent)
        began = time.monotonic()
        gateway.terminate()
        last = next(sent)
        assert (last.event, last.data["reason"]) == ("problem", "GATEWAY_UNAVAILABLE")
        assert next(sent, None) is None
        assert gateway.exit_code() == 0
        assert time.monotonic() - began < 10
    assert not [line for line in gateway.logged() if line.get("level") == "error"], json.dumps(gateway.logged()[-3:])


@pytest.mark.parametrize(
    ("accept", "stream"),
    [
        ("text/event-stream", True),
        ("Text/Event-Stream; charset=utf-8", True),
        ("text/event-stream, application/json;q=0.5", True),
        ("application/json, text/event-stream;q=0.5", False),
        ("text/event-stream;q=0", False),
        ("text/event-stream;q=nonsense", True),
        ("*/*", False),
        ("application/json", False),
        ("", False),
        (";;,,;q=", False),
    ],
)
def test_who_gets_a_stream(accept: str, stream: bool) -> None:
    route = ROUTES["EventsService.ListEvents"]
    assert wanted(Headed(route, "/v1/events", "", {"Accept": accept}).request()) is stream
