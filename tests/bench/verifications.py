"""Verify Card as D1 calls it: cards in use, an account that allows it, and calls that each bring a JWE of their own."""

import itertools
import json
import uuid
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

from google.protobuf import json_format
from mintmark.v1 import card_keys_pb2

from adapters.jose.encryption import Recipient
from tests.bench import load
from tests.bench.load import Sample
from tests.stack import Stack
from tests.waiting import eventually

ISSUER = "BENCH_0001"
EXPIRY, CODE = "1249", "123"
CARDS, JWES_A_CARD = 100, 4
ACCOUNT = {
    **{"accountId": "bench-issuer", "provider": "D1_ISSUER", "issuerId": ISSUER},
    "d1Issuer": {"cardVerification": "WITH_SECURITY_CODE", "storeSecurityCodes": True},
}


def number(place: int) -> str:
    """The card number at this place, with its check digit."""
    digits = f"4000{place:011d}"
    doubled = [int(digit) * (2 - at % 2) for at, digit in enumerate(reversed(digits))]
    return f"{digits}{-sum(value - 9 * (value > 9) for value in doubled) % 10}"


def paced(rate: float) -> Callable[[Stack], Callable[[float], Sample]]:
    """So many calls a second, whatever the answers take; the right code each time."""

    def prepare(running: Stack) -> Callable[[float], Sample]:
        address, requests = ready(running)
        return lambda seconds: load.paced(rate, seconds, address, requests)

    return prepare


def connected(callers: int) -> Callable[[Stack], Callable[[float], Sample]]:
    """As many as can be, over so many connections."""

    def prepare(running: Stack) -> Callable[[float], Sample]:
        address, requests = ready(running)
        return lambda seconds: load.connections(callers, seconds, address, requests)

    return prepare


def ready(running: Stack) -> tuple[tuple[str, int], Iterator[bytes]]:
    """The gateway's address, and calls for ever: cards in turn."""
    url = urlsplit(running.http_url)
    assert url.hostname is not None
    assert url.port is not None
    _apply(running)
    authorization = f"Bearer {_access_token(running)}"
    recipient = _recipient(running)
    cards = [{"pan": number(place), "exp": EXPIRY, "cvv": CODE} for place in range(CARDS)]
    _register(running, recipient, cards)
    calls = [_call(authorization, recipient, card) for _ in range(JWES_A_CARD) for card in cards]
    return (url.hostname, url.port), itertools.cycle(calls)


def _apply(running: Stack) -> None:
    body, headers = {"accounts": [ACCOUNT]}, {"Idempotency-Key": str(uuid.uuid4())}
    running.http.post("/v1/partnerAccounts:apply", json=body, headers=headers).raise_for_status()


def _access_token(running: Stack) -> str:
    (made,) = running.lines("clients", "create", f"bench-{uuid.uuid4()}", "--scope", "d1-notify", "--issuer", ISSUER)
    credentials = (made["client_id"], made["client_secret"])
    form = {"grant_type": "client_credentials"}
    token: str = running.http.post("/authz/d1/v1/oauth2/token", auth=credentials, data=form).json()["access_token"]
    return token


def _recipient(running: Stack) -> Recipient:
    keys = eventually(lambda: running.http.get("/v1/cardKeys").json().get("cardKeys"), 30, "the gateway's keys")
    key = json_format.ParseDict(keys[0], card_keys_pb2.CardKey())
    return Recipient.from_jwk(key.jwk_json, key.kid)


def _register(running: Stack, recipient: Recipient, cards: list[dict[str, str]]) -> None:
    """Registers what is not there yet, and waits until the gateway has looked at all."""
    for place, card in enumerate(cards):
        body = {
            **{"issuerId": ISSUER, "cardId": f"card-{place}", "consumerId": "u"},
            "encryptedCard": recipient.encrypt(json.dumps(card).encode()),
        }
        answer = running.http.post("/v1/cards", json=body, headers={"Idempotency-Key": str(uuid.uuid4())})
        assert answer.is_success or answer.json()["reason"] == "RESOURCE_EXISTS", answer.text

    def looked() -> bool:
        query: dict[str, Any] = {"issuerId": ISSUER, "states": "ACTIVE", "pageSize": CARDS}
        return len(running.http.get("/v1/cards", params=query).json().get("cards", ())) == len(cards)

    eventually(looked, 60, "the gateway's look at all cards")


def _call(authorization: str, recipient: Recipient, card: dict[str, str]) -> bytes:
    document = {"encryptedData": recipient.encrypt(json.dumps(card).encode()), "cardBin": card["pan"][:6]}
    body = json.dumps(document).encode()
    return (
        f"POST /cms/api/v1/issuers/{ISSUER}/cards/credentials HTTP/1.1\r\nhost: localhost\r\n"
        f"authorization: {authorization}\r\nx-correlation-id: bench\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\n\r\n"
    ).encode() + body
