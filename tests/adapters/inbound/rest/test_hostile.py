"""Hostile REST requests in front of a real core: refused, never a 5xx, and one id stays one id."""

import json
import re
import socket
from urllib.parse import urlsplit

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from adapters.inbound.rest.routes import TABLE
from tests.flows.rest_cases import key
from tests.stack import Stack

SEGMENTS = [
    "%2F",
    "%2f..%2f",
    "..",
    ".",
    "%2e%2e",
    "%00",
    "%25",
    "%",
    "%zz",
    "%ff",
    "%c0%ae",
    "a:b",
    ":",
    "-",
    "*",
    "{x}",
    "~",
    "%F0%9F%92%A9",
]
BODIES = [
    b"",
    b"{}",
    b"[]",
    b"[" * 60_000,
    b'{"a":' * 12_000,
    b'{"client":' * 33 + b"{}" + b"}" * 33,
    b'{"reason":1' + b"0" * 5000 + b"}",
    b'{"reason":"\\u0000"}',
    b'{"reason":"\\udfff"}',
    b'{"reason":"a","reason":"b"}',
    b'{"reason":NaN}',
    b"\xff\xfe{\x00}\x00",
    b'{"oldSecretLifetime":"99999999999999999999s"}',
    b'{"oldSecretLifetime":"-1s"}',
    b'{"client":{"createTime":"9999-99-99T00:00:00Z"},"updateMask":"a.b.c,..,"}',
    b'{"tokens":[{"merchantGatewayId":"4111111111111111","merchantId":"m","tokenId":"t","provider":1}]}',
    b'{"accounts":[{"accountId":"a","provider":99}]}',
]
VALUES = [
    "",
    "0",
    "-1",
    "9" * 5000,
    "1e999999999",
    "%00",
    "%ff",
    "%ED%A0%80",
    "true",
    "\x01",
    "a" * 2000,
    "EVENT_KIND_",
    "a.b",
    "&&==&",
]
NAMES = [
    "pageSize",
    "pageToken",
    "cursor",
    "filter.kinds",
    "filter",
    "filter.filter.filter",
    "parent",
    "states",
    "updateMask",
    "x" * 500,
    "%6Eame",
    "__class__",
]
KEYS = ["", "x", '"', "é", "0" * 5000, key(), f'"{key()}"']

requests = st.tuples(
    st.sampled_from([(route.method, path) for route in TABLE for path in route.paths]),
    # The route's own method, or another.
    st.sampled_from(["", "", "", "", "", "", "GET", "POST", "PATCH", "DELETE", "PUT", "TRACE", "HEAD"]),
    st.sampled_from(SEGMENTS),
    st.lists(st.tuples(st.sampled_from(NAMES), st.sampled_from(VALUES)), max_size=4),
    st.sampled_from(KEYS),
    st.sampled_from([*KEYS, '"1"', "*"]),
    st.sampled_from(BODIES) | st.binary(max_size=60),
)


def ask(stack: Stack, head: bytes, body: bytes = b"") -> bytes:
    place = urlsplit(stack.http_url)
    with socket.create_connection((place.hostname, place.port), timeout=20) as connection:
        connection.sendall(head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        found = b""
        while more := connection.recv(65536):
            found += more
    return found


@given(requests)
@settings(max_examples=400)
def hostile(stack: Stack, request: tuple[tuple[str, str], str, str, list[tuple[str, str]], str, str, bytes]) -> None:
    (method, path), other, segment, query, idempotency_key, if_match, body = request
    path = re.sub(r"\{[a-z.]+=([^}]*)\}", r"\1", path).replace("*", segment)
    asked = "&".join(f"{name}={value}" for name, value in query)
    head = [
        f"{other or method} {path}?{asked} HTTP/1.1",
        "Host: localhost",
        "Connection: close",
        "Content-Type: application/json",
    ]
    head += [f"Idempotency-Key: {idempotency_key}", f"If-Match: {if_match}", f"Last-Event-ID: {if_match}"]
    answer = ask(stack, "\r\n".join(head).encode(), body)
    status = re.match(rb"HTTP/1\.1 ([0-9]{3}) ", answer)
    assert status, answer[:200]
    assert status[1] < b"500", (head, body[:200], answer)
    assert b"Traceback" not in answer


def test_hostile_requests(running_stack: Stack) -> None:
    hostile(running_stack)


def test_a_hundred_thousand_parameters(running_stack: Stack) -> None:
    query = "&".join(f"a{number}=1" for number in range(100_000))
    answer = ask(running_stack, f"GET /v1/tokens?{query} HTTP/1.1\r\nHost: localhost\r\nConnection: close".encode())
    assert answer.startswith(b"HTTP/1.1 414 ")
    few = "&".join(["a"] * 3_000)
    answer = ask(running_stack, f"GET /v1/tokens?{few} HTTP/1.1\r\nHost: localhost\r\nConnection: close".encode())
    assert answer.startswith(b"HTTP/1.1 400 ")


@pytest.mark.parametrize("token_id", ["a/b", "../x", "..", "%2F", "a:disable", "ü 1", "-", "%2e%2e", "?", "#"])
def test_an_id_is_one_segment_whatever_is_in_it(running_stack: Stack, token_id: str) -> None:
    """Read back by the name that the core gives, over a connection that changes nothing about the path."""
    client = running_stack.http
    entry = {"merchantGatewayId": "HOSTILE", "merchantId": "m", "tokenId": token_id, "provider": "D1_ECOM"}
    client.post("/v1/tokens:import", json={"tokens": [entry]}, headers={"Idempotency-Key": key()}).raise_for_status()
    listed = client.get("/v1/merchantGateways/HOSTILE/merchants/m/tokens?pageSize=1000").json()["tokens"]
    (name,) = [each["name"] for each in listed if each["tokenId"] == token_id]
    head = f"GET /v1/{name} HTTP/1.1\r\nHost: localhost\r\nConnection: close".encode()
    answer = ask(running_stack, head)
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["token"]["tokenId"] == token_id
