"""Whatever comes, the twin goes on, and charges nothing that was not asked for rightly."""

import json
import socket
from typing import Any

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.adapters.sandbox.payment_options.merchant import S2S, Merchant

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=60),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=6,
)
FIELDS = st.sampled_from(
    [
        *("amount", "currency", "payment_method", "card", "merchant_txn_ref", "customer_ip", "merchant_id"),
        *("return_url", "billing_address", "shipping_address", "time_zone", "subscription", "transactionId", "notes"),
    ]
)
PATHS = st.sampled_from(
    [
        *("payment", "paymentv2", "authorization", "authorizationv2", "capture", "void", "refund"),
        *("subscription/payment", "subscription/x/cancel", "hpp/generate/link"),
    ]
)
RAW = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET\r\n\r\n",
    b"POST /payment-options/api/v1/x HTTP/1.1\r\nhost: localhost\r\ncontent-length: 10\r\n\r\nabc",
    b"POST /payment-options/api/v1/x HTTP/1.1\r\nhost: localhost\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
    b"GET /payment-options/api/%ff%00/../.. HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nhost: localhost\r\n\r\n",
    b"GET /payment-options/integration/3ds?_token=%ff HTTP/1.1\r\nhost: localhost\r\nupgrade: h2c\r\n\r\n",
)


def as_json(value: Any) -> bytes:
    return json.dumps(value).encode("utf-8", "surrogatepass")


def test_bodies_of_every_kind(shared_merchant: Merchant) -> None:
    before = shared_merchant.ledger()

    @settings(max_examples=100)
    @given(path=PATHS, changes=st.dictionaries(FIELDS, VALUES, max_size=3), wrong=VALUES)
    def send(path: str, changes: dict[str, Any], wrong: Any) -> None:
        # A reference that is none, so that nothing can be charged by accident.
        document = {**shared_merchant.order(subscription={}), **changes, "merchant_txn_ref": [wrong]}
        answer = shared_merchant.client.post(
            f"{S2S}/{path}", content=as_json(document), headers=shared_merchant.headers
        )
        assert 400 <= answer.status_code < 500, answer.text

    send()
    assert shared_merchant.ledger() == before


def test_one_field_of_every_kind(shared_merchant: Merchant) -> None:
    @settings(max_examples=100)
    @given(path=PATHS, name=FIELDS, value=VALUES)
    def send(path: str, name: str, value: Any) -> None:
        document = {**shared_merchant.order(), "merchant_email": "a@b.example", name: value}
        answer = shared_merchant.client.post(
            f"{S2S}/{path}", content=as_json(document), headers=shared_merchant.headers
        )
        assert answer.status_code < 500, answer.text

    send()


def test_bytes_that_are_no_request(shared_merchant: Merchant) -> None:
    address = httpx.URL(str(shared_merchant.client.base_url))
    for raw in RAW:
        with socket.create_connection((address.host, address.port), 5) as connection:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass
    assert shared_merchant.paid()


def test_a_header_that_is_no_text(shared_merchant: Merchant) -> None:
    for name in ("authorization", "x-api-key", "content-type"):
        headers = {key.encode(): value.encode() for key, value in shared_merchant.headers.items()}
        headers[name.encode()] = b"\xff\xfe"
        answer = shared_merchant.client.post(f"{S2S}/payment", json=shared_merchant.order(), headers=headers)
        assert answer.status_code in {401, 406}
