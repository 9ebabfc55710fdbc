"""What callers of D1 reach: the token endpoint (contract, section 8.1), and the details of a token (8.2)."""

import hashlib
import re
import secrets
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from adapters.sandbox.d1_api.answers import INVALID, MISSING, CallRefused
from adapters.sandbox.d1_api.assertions import Assertions
from adapters.sandbox.d1_api.cards import Cards
from adapters.sandbox.d1_api.faults import DETAILS, TOKEN, Faults
from adapters.sandbox.guard import guarded

TOKEN_PATH = "/authz/v1/oauth2/token"
DETAILS_PATH = "/merchant-gateways/{gateway}/merchants/{merchant}/tokens/{token}"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
SCOPE = "d1-s2s:api:merchant-gtw"
CORRELATION_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
MOST_CALLS = 1000


class Habits(Struct, forbid_unknown_fields=True):
    """How it answers: `expires_in` as a number (eCom) or as a text (issuers), and the life of access tokens."""

    expires_in: Literal["number", "text"] = "number"
    access_token_seconds: float = 900.0


class Api:
    """Access tokens live in memory: after a restart callers have to fetch new ones."""

    def __init__(self, assertions: Assertions, cards: Cards, faults: Faults, wall: Callable[[], float]) -> None:
        self._assertions = assertions
        self._cards = cards
        self._faults = faults
        self._wall = wall
        self.habits = Habits()
        # Whose each is and until when, by its hash.
        self._issued: dict[str, tuple[str, float]] = {}
        self.issued_count = 0
        self.calls: deque[dict[str, Any]] = deque(maxlen=MOST_CALLS)

    def routes(self) -> list[BaseRoute]:
        """Each call and its path."""
        return [
            Route(TOKEN_PATH, guarded(self._told(TOKEN, self.token)), methods=["POST"]),
            Route(DETAILS_PATH, guarded(self._told(DETAILS, self.details)), methods=["GET"]),
        ]

    def revoke(self) -> int:
        """Ends all access tokens; how many there were."""
        count = len(self._issued)
        self._issued.clear()
        return count

    async def token(self, request: Request, body: bytes) -> Response:
        """POST /authz/v1/oauth2/token."""
        _correlation_id(request)
        try:
            given = msgspec.json.decode(body, type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise CallRefused(400, INVALID, "the body is not a JSON object") from None
        if request.headers.get("content-type", "").partition(";")[0].strip() != "application/json":
            raise CallRefused(400, INVALID, "Content-Type")
        for name in ("grant_type", "assertion"):
            if not given.get(name):
                raise CallRefused(400, MISSING, name)
        if given["grant_type"] != GRANT or not isinstance(given["assertion"], str):
            raise CallRefused(400, INVALID, "grant_type, or assertion is no text")
        issuer = self._assertions.issuer_of(given["assertion"])
        text, seconds = secrets.token_urlsafe(32), self.habits.access_token_seconds
        self._issued[_digest(text)] = (issuer, self._wall() + seconds)
        self.issued_count += 1
        life: object = round(seconds) if self.habits.expires_in == "number" else str(round(seconds))
        answer = {"access_token": text, "expires_in": life, "token_type": "Bearer", "scope": SCOPE}
        return JSONResponse(answer, headers={"cache-control": "no-store"})

    async def details(self, request: Request, _body: bytes) -> Response:
        """GET .../tokens/{tokenId}."""
        _correlation_id(request)
        scheme, _, text = request.headers.get("authorization", "").partition(" ")
        issuer, until = self._issued.get(_digest(text), ("", 0.0))
        if scheme.lower() != "bearer" or self._wall() >= until:
            raise CallRefused(401, "", "")
        place = (request.path_params["gateway"], request.path_params["merchant"], request.path_params["token"])
        if place[0] != issuer:
            raise CallRefused(403, "FORBIDDEN", "the access token is another gateway's")
        card = self._cards.get(place)
        if card.forgotten:
            raise CallRefused(404, "TOKEN_NOT_FOUND", "there is no such token")
        told = msgspec.to_builtins(card)
        del told["version"], told["forgotten"]
        return JSONResponse({"tokenId": place[2], **told, "laterField": {"of": "D1"}})

    def _told(
        self, call: str, endpoint: Callable[[Request, bytes], Awaitable[Response]]
    ) -> Callable[[Request, bytes], Awaitable[Response]]:
        """Meets faults, puts refusals into D1's shape, and remembers what was answered."""

        async def inside(request: Request, body: bytes) -> Response:
            answer = await self._faults.met(call)
            why = "fault" if answer is not None else ""
            if answer is None:
                try:
                    answer = await endpoint(request, body)
                except CallRefused as refused:
                    answer, why = refused.answer(), refused.text
            self.calls.append(
                {
                    "call": call,
                    "status": answer.status_code,
                    "why": why,
                    "correlationId": request.headers.get("x-correlation-id", ""),
                    **{name: request.path_params[name] for name in request.path_params},
                }
            )
            return answer

        return inside


def _correlation_id(request: Request) -> None:
    given = request.headers.get("x-correlation-id", "")
    if not given:
        raise CallRefused(400, MISSING, "x-correlation-id")
    if not CORRELATION_ID.fullmatch(given):
        raise CallRefused(400, INVALID, "x-correlation-id")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
