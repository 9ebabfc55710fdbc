"""Hostile requests on every route: never a 5xx, never a stack trace, no memory kept."""

import base64
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.adapters.inbound.running import API_KEY, NOTIFY_UPDATE, Running

PATHS = [
    NOTIFY_UPDATE,
    NOTIFY_UPDATE.replace("MGW_000001", "%00"),
    "/notifications/d1/v1/issuers/ISSUER0001/cards/card-1/notifications",
    "/notifications/d1/v1/issuers/%00/digitalCards/card-1/notifications",
    "/notifications/d1/v1/issuers/ISSUER0001/cards/card-1/3ds/notifications",
    "/notifications/d1/v2/issuers/ISSUER0001/cards",
    "/notifications/d1/v2/issuers/ISSUER0001/authorisations",
    "/notifications/d1/v2/issuers/ISSUER0001/consumers",
    "/notify-binding-creation",
    "/tsh-cof/notify-binding-update",
    "/notify-token-creation",
    "/notify-token-update",
    "/notify-merchant-update",
    "/oauth2/token",
    "/authz/d1/v1/oauth2/token",
    "/oauth2/revoke",
    "/oauth2/introspect",
    "/.well-known/jwks.json",
    "/.well-known/oauth-authorization-server",
    "/",
]
BASIC = base64.b64encode(b"d1.partner:s3cret").decode()
FIELDS = ["tokenId", "deviceId", "merchantId", "selectedIdvMethod", "updateType", "bindingState", "eventInitiator"]
FIELDS += ["operations", "operationId", "operation", "status", "cardId", "consumerId", "details", "message"]
MAY_GROW = 16 * 1024 * 1024

scalars = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from(["4111111111111111", "\0"])
)
documents = st.dictionaries(
    st.sampled_from([*FIELDS, "tokenState", "scheme", "error"]) | st.text(max_size=5),
    st.recursive(scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3)),
)
bodies = (
    documents.map(lambda value: json.dumps(value).encode())
    | st.binary(max_size=200)
    | st.sampled_from(
        [b"[" * 60_000, b'{"a":' * 12_000, b'"' * 60_000, b"{" + b" " * 65_536, b'{"tokenId":"' + b"t" * 65_000]
    )
    | st.text(max_size=80).map(lambda text: f"grant_type=client_credentials&scope={text}&token=x".encode())
)
values = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=40).map(
    lambda text: text.encode("latin-1")
)
requests = st.tuples(
    st.sampled_from(["POST"] * 8 + ["GET", "HEAD", "PUT", "OPTIONS", "PROPFIND"]),
    st.sampled_from(PATHS) | st.binary(max_size=20).map(lambda text: "/" + base64.b16encode(text).decode()),
    st.sampled_from([b"BEARER", f"APIKEY {API_KEY}".encode(), f"Basic {BASIC}".encode()] * 3) | values,
    st.sampled_from([b"application/json", b"application/x-www-form-urlencoded"] * 3) | values,
    values,
    st.lists(
        st.tuples(st.sampled_from([b"X-A", b"Accept", b"Cookie", b"X-Correlation-Id", b"Authorization"]), values),
        max_size=4,
    ),
    bodies,
    st.booleans(),
)


def encoded(
    gateway: Running, request: tuple[str, str, bytes, bytes, bytes, list[tuple[bytes, bytes]], bytes, bool]
) -> bytes:
    method, path, authorization, content_type, correlation_id, others, body, chunked = request
    if authorization == b"BEARER":
        authorization = f"Bearer {gateway.core.sign()}".encode()
    lines = [
        f"{method} {path} HTTP/1.1".encode(),
        b"Host: localhost",
        b"Connection: close",
        b"Authorization: " + authorization,
        b"Content-Type: " + content_type,
        b"X-Correlation-Id: " + correlation_id,
        *(name + b": " + value for name, value in others),
        b"Transfer-Encoding: chunked" if chunked else b"Content-Length: %d" % len(body),
    ]
    sent = (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + b"0\r\n\r\n" if chunked else body
    return b"\r\n".join(lines) + b"\r\n\r\n" + sent


def check(gateway: Running, sent: bytes) -> None:
    answer = gateway.raw(sent)
    found = re.match(rb"HTTP/1\.1 ([0-9]{3}) ", answer)
    assert found, answer[:200]
    assert found[1] < b"500", (sent[:500], answer[:500])
    assert b"Traceback" not in answer


@given(request=requests)
@settings(max_examples=500)
def hostile(
    gateway: Running, request: tuple[str, str, bytes, bytes, bytes, list[tuple[bytes, bytes]], bytes, bool]
) -> None:
    check(gateway, encoded(gateway, request))
    del gateway.core.records[:]


def test_hostile_requests(gateway: Running) -> None:
    for path in PATHS:
        check(gateway, f"POST {path} HTTP/1.0\r\n\r\n".encode())
    hostile(gateway)
    before = gateway.memory()
    hostile(gateway)
    assert gateway.memory() - before < MAY_GROW


@pytest.mark.parametrize("kind", ["random", "mutated"])
def test_bytes_that_are_hardly_http(gateway: Running, kind: str) -> None:
    good = encoded(gateway, ("POST", "/notify-merchant-update", b"x", b"y", b"z", [], b"{}", True))

    @given(st.integers(0, len(good)), st.binary(max_size=20))
    def changed(place: int, other: bytes) -> None:
        sent = (other if kind == "random" else good[:place] + other + good[place:]) + b"\r\n\r\n"
        with gateway.open() as connection:
            connection.sendall(sent)
            connection.shutdown(1)
            answer = gateway.rest(connection)
        assert not re.match(rb"HTTP/1\.1 5", answer), answer

    changed()
