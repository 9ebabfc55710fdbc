"""The limits of HTTP, on raw sockets: sizes, counts, time-outs, and what must go on working beside them."""

import socket
import time
from collections.abc import Callable

import pytest

from tests.adapters.inbound.running import API_KEY, NOTIFY_UPDATE, Running
from tests.waiting import eventually

BODY = b'{"merchantId":"m","scheme":"VISA"}'
TSH = "/notify-merchant-update"


def head(
    *headers: str, path: str = TSH, version: str = "1.1", content_type: str = "application/json", method: str = "POST"
) -> bytes:
    lines = [
        f"{method} {path} HTTP/{version}",
        "Host: localhost",
        f"Authorization: APIKEY {API_KEY}",
        f"Content-Type: {content_type}",
        *headers,
    ]
    return "\r\n".join((*lines, "", "")).encode()


def message(*headers: str, body: bytes = BODY, **others: str) -> bytes:
    return head(f"Content-Length: {len(body)}", *headers, **others) + body


CLOSE = "Connection: close"


def statuses(answer: bytes) -> list[int]:
    return [int(line.split()[1]) for line in answer.split(b"\r\n") if line.startswith(b"HTTP/1.1 ")]


def test_a_long_request_line_is_414(gateway: Running) -> None:
    answer = gateway.raw(head(path=TSH + "?" + "a" * 8192))
    assert statuses(answer) == [414]
    assert b'{"error":' in answer
    assert statuses(gateway.raw(b"POST /" + b"a" * 300_000)) == [414]
    assert statuses(gateway.raw(message(CLOSE, path=TSH + "?" + "a" * 8000))) == [204]


def test_a_large_header_is_431(gateway: Running) -> None:
    assert statuses(gateway.raw(message("X: " + "a" * 32768))) == [431]
    assert statuses(gateway.raw(message(*[f"X-{n}: {'a' * 1000}" for n in range(40)]))) == [431]
    assert statuses(gateway.raw(head()[:-2] + b"X: " + b"a" * 1_000_000)) == [431]
    assert statuses(gateway.raw(message("X: " + "a" * 30000, CLOSE))) == [204]


def test_many_headers_are_431(gateway: Running) -> None:
    assert statuses(gateway.raw(message(*[f"X-{n}: a" for n in range(61)]))) == [431]
    assert statuses(gateway.raw(message(CLOSE, *[f"X-{n}: a" for n in range(50)]))) == [204]


def test_a_large_body_is_413_before_it_is_read(gateway: Running) -> None:
    assert statuses(gateway.raw(head("Content-Length: 65537"))) == [413]
    assert statuses(gateway.raw(head("Content-Length: 999999999999999999999"))) in ([413], [400])
    assert statuses(gateway.raw(message(body=b'{"merchantId":"m","scheme":"' + b"a" * 65536 + b'"}'))) == [413]
    chunk = b"1000\r\n" + b"a" * 4096 + b"\r\n"
    assert statuses(gateway.raw(head("Transfer-Encoding: chunked") + chunk * 17)) == [413]
    assert statuses(gateway.raw(head("Transfer-Encoding: chunked") + chunk * 500)) == [413]
    assert gateway.core.records == []


def test_expecting_100_continue(gateway: Running) -> None:
    assert statuses(gateway.raw(head("Content-Length: 65537", "Expect: 100-continue"))) == [413]
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(head(f"Content-Length: {len(BODY)}", "Expect: 100-continue", CLOSE))
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(BODY)
        assert statuses(gateway.rest(connection)) == [204]


@pytest.mark.parametrize("size", [1, 5, 1000])
def test_chunked_bodies_are_read(gateway: Running, size: int) -> None:
    parts = [BODY[at : at + size] for at in range(0, len(BODY), size)]
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    assert statuses(gateway.raw(head("Transfer-Encoding: chunked", CLOSE) + chunks)) == [204]
    assert gateway.core.records[0].body == BODY


def test_trailers_are_not_headers(gateway: Running) -> None:
    chunks = b"%x\r\n%b\r\n0\r\nX-Correlation-Id: late\r\n\r\n" % (len(BODY), BODY)
    assert statuses(gateway.raw(head("Transfer-Encoding: chunked", CLOSE) + chunks)) == [204]
    assert not gateway.core.records[0].correlation_id_given
    endless = b"%x\r\n%b\r\n0\r\nX: %b" % (len(BODY), BODY, b"a" * 1_000_000)
    assert statuses(gateway.raw(head("Transfer-Encoding: chunked", CLOSE) + endless)) in ([413], [431])


def test_http_1_0_pipelining_and_keep_alive(gateway: Running) -> None:
    assert statuses(gateway.raw(message(version="1.0"))) == [204]
    assert statuses(gateway.raw(message() * 3 + message(CLOSE))) == [204] * 4
    assert len(gateway.core.records) == 5


def test_what_is_refused_behind_others_does_not_cost_their_answers(gateway: Running) -> None:
    assert statuses(gateway.raw(message() * 2 + message("X: " + "a" * 40000))) == [204, 204, 431]
    assert statuses(gateway.raw(message() + b"nonsense\r\n\r\n")) == [204, 400]
    broken = head("Transfer-Encoding: chunked") + b"nonsense\r\n"
    assert statuses(gateway.raw(message() + broken)) == [204, 400]
    assert statuses(gateway.raw(broken)) == [400]


def test_what_is_not_http_is_400(gateway: Running) -> None:
    for sent in (b"\x16\x03\x01\x02\x00\x01\x00", b"GET / HTTP/9.9\r\n\r\n", b"FOO BAR\r\n\r\n"):
        answer = gateway.raw(sent)
        assert statuses(answer) == [400]
        assert answer.endswith(b'{"error":"The request is not HTTP"}')
    both = head("Content-Length: 5", "Transfer-Encoding: chunked")
    assert statuses(gateway.raw(both + b"0\r\n\r\n")) == [400]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "OPTIONS", "PATCH"])
@pytest.mark.parametrize("path", [TSH, NOTIFY_UPDATE, "/oauth2/token"])
def test_other_methods_are_405(gateway: Running, method: str, path: str) -> None:
    answer = gateway.client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert list(answer.json()) == ["error"]


def test_head_is_405_without_a_body(gateway: Running) -> None:
    answer = gateway.raw(head(CLOSE, method="HEAD"))
    assert statuses(answer) == [405]
    assert answer.endswith(b"\r\n\r\n")


@pytest.mark.parametrize(
    "path", ["/", "/v2", "/notify-binding-creation/", "/tsh-cof", "//notify-binding-update", "/%00"]
)
def test_unknown_paths_are_404(gateway: Running, path: str) -> None:
    answer = gateway.client.post(f"http://127.0.0.1:{gateway.port}{path}")
    assert (answer.status_code, answer.json()) == (404, {"error": "Resource not found"})


def test_upgrades_are_not_taken_and_cost_nothing(gateway: Running) -> None:
    h2c = ("Connection: Upgrade, HTTP2-Settings", "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQAAP__")
    assert statuses(gateway.raw(message(*h2c) * 2 + message(CLOSE))) == [204] * 3
    assert statuses(gateway.raw(message("Connection: upgrade, close", "Upgrade: websocket"))) == [204]
    assert [record.body for record in gateway.core.records] == [BODY] * 4
    assert statuses(gateway.raw(message(*h2c) * 1000))[-1] == 400
    assert statuses(gateway.raw(b"CONNECT a:1 HTTP/1.1\r\n\r\n")) == [400]


def test_time_outs(start: Callable[..., Running]) -> None:
    gateway = start(
        MINTMARK_HTTP_HEADER_TIMEOUT="0.4", MINTMARK_HTTP_BODY_TIMEOUT="0.6", MINTMARK_HTTP_KEEP_ALIVE_TIMEOUT="1"
    )
    began = time.monotonic()
    for sent in (b"", b"POST", head()[:-2], b"\r\n"):
        assert gateway.raw(sent) == b""
    assert statuses(gateway.raw(message() + b"\r\n")) == [204]
    assert statuses(gateway.raw(message() + head()[:-2])) == [204]
    slow = gateway.raw(head("Content-Length: 50") + b"{")
    assert statuses(slow) == [408]
    assert b'{"error":' in slow
    assert statuses(gateway.raw(message())) == [204]
    assert time.monotonic() - began < 10


def test_a_slow_body_does_not_go_on_for_ever(start: Callable[..., Running]) -> None:
    gateway = start(MINTMARK_HTTP_BODY_TIMEOUT="0.5")
    with socket.create_connection(("127.0.0.1", gateway.port), timeout=5) as connection:
        connection.sendall(head("Content-Length: 500"))
        connection.setblocking(False)

        def answered() -> bytes:
            try:
                found = connection.recv(1000)
            except BlockingIOError:
                connection.send(b" ")
                return b""
            return found

        assert statuses(eventually(answered)) == [408]


def test_requests_in_flight(start: Callable[..., Running]) -> None:
    gateway = start(MINTMARK_HTTP_REQUEST_LIMIT="2")
    gateway.core.free.clear()
    connections = [socket.create_connection(("127.0.0.1", gateway.port), timeout=10) for _ in range(2)]
    for connection in connections:
        connection.sendall(message(CLOSE))
    eventually(lambda: "mintmark_http_requests_in_flight 2.0" in gateway.admin("/metrics").text)
    refused = gateway.client.post(TSH)
    assert (refused.status_code, refused.headers["retry-after"]) == (429, "1")
    assert gateway.client.post(NOTIFY_UPDATE).status_code == 503
    grant = {"grant_type": "client_credentials"}
    assert gateway.client.post("/oauth2/token", auth=("d1.partner", "s3cret"), data=grant).status_code == 200
    gateway.core.free.set()
    for connection in connections:
        assert statuses(gateway.rest(connection)) == [204]
        connection.close()


def test_connections(start: Callable[..., Running]) -> None:
    gateway = start(MINTMARK_HTTP_CONNECTION_LIMIT="3")
    idle = [socket.create_connection(("127.0.0.1", gateway.port), timeout=10) for _ in range(3)]
    crowded = eventually(lambda: found if statuses(found := gateway.raw(message())) == [429] else b"")
    assert b"retry-after: 1" in crowded
    assert statuses(gateway.raw(message(path=NOTIFY_UPDATE))) == [503]
    more = [socket.create_connection(("127.0.0.1", gateway.port), timeout=10) for _ in range(4)]
    assert more[-1].recv(10) == b""
    for connection in (*idle, *more):
        connection.close()
    eventually(lambda: statuses(gateway.raw(message(CLOSE))) == [204])


def test_the_host_is_looked_at_in_development(start: Callable[..., Running]) -> None:
    gateway = start(MINTMARK_DEVELOPMENT="1", MINTMARK_PUBLIC_URL="http://dev.example:8080")
    for host in ("localhost", "127.0.0.1:8080", "[::1]:80", "DEV.example"):
        assert gateway.client.get("/.well-known/jwks.json", headers={"host": host}).status_code == 200
    answer = gateway.client.get("/.well-known/jwks.json", headers={"host": "evil.example"})
    assert answer.status_code == 421
    grant = {"grant_type": "client_credentials"}
    partner = gateway.client.post("/oauth2/token", data=grant, headers={"host": "gateway.example"})
    assert partner.status_code == 401, "partners are authenticated, whatever they call us"
