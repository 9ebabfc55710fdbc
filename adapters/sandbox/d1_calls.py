"""D1's calls to an issuer that are answered with something: Verify Card, Get Card Credentials (contract, section 3).

What they hold and bring is never logged and never written down.
"""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

import httpx

from adapters.sandbox.d1_key import D1Key, Unreadable, encrypted
from adapters.sandbox.notifications import new_correlation_id
from adapters.sandbox.target import NotConfigured, Sender, word

# D1 waits no longer (assumed; none is published).
CALL_SECONDS = 5.0
BIN_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer: its status, or None and what happened instead; its JSON object, if it has one; our milliseconds."""

    status: int | None
    error: str
    milliseconds: float
    correlation_id: str
    document: dict[str, Any] | None = field(default=None, repr=False)

    def told(self) -> dict[str, Any]:
        """The answer, without what it holds."""
        return {
            "status": self.status,
            "error": self.error,
            "milliseconds": round(self.milliseconds, 1),
            "correlationId": self.correlation_id,
        }


class D1Calls:
    """Makes the calls, with D1's credentials and D1's key."""

    def __init__(self, sender: Sender, key: D1Key) -> None:
        self.key = key
        self._sender = sender
        self._target = sender.target
        # The issuer's public keys, the one to encrypt for first; as given at onboarding, or fetched.
        self._given: dict[str, Any] | None = None
        self._fetched: dict[str, str] | None = None

    def give(self, jwks: dict[str, Any]) -> None:
        """Sets the issuer's keys by hand: nothing is fetched any more."""
        self._given = jwks

    def forget(self) -> None:
        """The issuer's keys are fetched anew: the target has changed."""
        self._fetched = None

    async def verify_card(
        self,
        issuer_id: str,
        card: Mapping[str, Any],
        card_id: str = "",
        card_bin: str | None = None,
        correlation_id: str = "",
    ) -> Answered:
        """POST .../cards/credentials. `card_bin` is the number's first digits where it is not given.

        Raises NotConfigured where there is no key to encrypt for.
        """
        body = {
            "encryptedData": await self._encrypted(json.dumps(card).encode()),
            "cardBin": str(card.get("pan", ""))[:BIN_DIGITS] if card_bin is None else card_bin,
        }
        if card_id:
            body["cardId"] = card_id
        path = f"{self._target.cards_prefix}/issuers/{_part(issuer_id)}/cards/credentials"
        answered = await self.call("POST", path, body=body, correlation_id=correlation_id)
        if answered.status == 400:
            # The issuer may have replaced its keys.
            self.forget()
        return answered

    async def card_credentials(self, issuer_id: str, card_id: str, correlation_id: str = "") -> Answered:
        """GET .../cards/{cardId}/credentials."""
        path = f"{self._target.cards_prefix}/issuers/{_part(issuer_id)}/cards/{_part(card_id)}/credentials"
        return await self.call("GET", path, correlation_id=correlation_id)

    def opened(self, answered: Answered) -> dict[str, Any]:
        """The card data of an answer to Get Card Credentials. Raises Unreadable, NotConfigured."""
        compact = (answered.document or {}).get("encryptedData")
        if not isinstance(compact, str):
            raise Unreadable("the answer has no encryptedData")
        try:
            card = json.loads(self.key.open(compact))
        except ValueError:
            raise Unreadable("it holds no JSON") from None
        if not isinstance(card, dict):
            raise Unreadable("it holds no JSON object")
        return card

    async def call(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Mapping[str, Any] | None = None,
        correlation_id: str = "",
    ) -> Answered:
        """One call below the target's URL with D1's access token for issuers. Never raises for what the network or the
        receiver does; NotConfigured where the twin lacks something."""
        correlation_id = correlation_id or new_correlation_id()
        tokens = self._sender.issuer_tokens
        began = time.perf_counter()
        status: int | None = None
        error, document = "", None
        try:
            async with asyncio.timeout(CALL_SECONDS):
                refused = await tokens.renew()
                if refused is not None:
                    status, error = refused.status, refused.error
                else:
                    headers = {"x-correlation-id": correlation_id, "authorization": f"Bearer {tokens.held.text}"}
                    # The token is fetched once for many calls: it is not part of this one.
                    began = time.perf_counter()
                    answer = await self._sender.http.request(
                        method, self._target.url + path, params=query, json=body, headers=headers
                    )
                    status, document = answer.status_code, _object(answer)
                    error = str((document or {}).get("error", "")) if answer.is_error else ""
        except (httpx.HTTPError, TimeoutError) as failed:
            error = word(failed)
        return Answered(status, error, (time.perf_counter() - began) * 1e3, correlation_id, document)

    async def _encrypted(self, card: bytes) -> str:
        try:
            return encrypted(card, self._given_key() or await self._published())
        except Unreadable as unreadable:
            raise NotConfigured(str(unreadable)) from None

    def _given_key(self) -> dict[str, str] | None:
        return _first(self._given) if self._given else None

    async def _published(self) -> dict[str, str]:
        if self._fetched is None:
            url = self._target.url + self._target.card_keys_path
            try:
                answer = await self._sender.http.get(url)
            except httpx.HTTPError as failed:
                raise NotConfigured(f"the issuer's keys could not be fetched from {url}: {word(failed)}") from None
            document = _object(answer) if answer.status_code == 200 else None
            if document is None:
                raise NotConfigured(f"the issuer's keys could not be fetched: {url} answered {answer.status_code}")
            self._fetched = _first(document)
        return self._fetched


def _first(jwks: Mapping[str, Any]) -> dict[str, str]:
    keys = jwks.get("keys")
    if not isinstance(keys, list) or not keys or not isinstance(keys[0], dict):
        raise NotConfigured("the issuer's keys are no JWK Set with a key")
    return keys[0]


def _object(answer: httpx.Response) -> dict[str, Any] | None:
    try:
        document = answer.json()
    except ValueError:
        return None
    return document if isinstance(document, dict) else None


def _part(identifier: str) -> str:
    return quote(identifier, safe="")
