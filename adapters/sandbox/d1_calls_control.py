"""What the control API is told to have D1 ask a card issuer, and what it tells of the answers."""

from typing import Annotated, Any

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.sandbox.control import ControlInvalid, parse
from adapters.sandbox.d1_calls import D1Calls
from adapters.sandbox.d1_issuer import ISSUER
from adapters.sandbox.d1_key import Unreadable
from adapters.sandbox.guard import error
from adapters.sandbox.sample_cards import SAMPLES

SHOWN_DIGITS = 4


class VerifyCard(Struct, rename="camel", forbid_unknown_fields=True):
    """POST /d1-issuer/verify-card."""

    issuer_id: str = ISSUER
    # The card id that D1 proposes.
    card_id: str = ""
    # The first digits of the card number where not given.
    card_bin: Annotated[str, Meta(max_length=19)] | None = None
    # The name of a sample, or the card data itself.
    sample: str = ""
    card: dict[str, Any] | None = None
    # Members of the card data; null leaves one out.
    fields: dict[str, Any] = {}
    correlation_id: str = ""

    def card_data(self) -> dict[str, Any]:
        """What D1 encrypts. Raises ControlInvalid."""
        if bool(self.sample) == (self.card is not None):
            raise ControlInvalid("give either sample or card")
        if self.card is None and self.sample not in SAMPLES:
            raise ControlInvalid(f"sample: there are {', '.join(SAMPLES)}")
        made = {**(SAMPLES[self.sample] if self.card is None else self.card), **self.fields}
        return {name: value for name, value in made.items() if value is not None}


class GetCardCredentials(Struct, rename="camel", forbid_unknown_fields=True):
    """POST /d1-issuer/get-credentials."""

    card_id: Annotated[str, Meta(min_length=1)]
    issuer_id: str = ISSUER
    # Whether the card data is shown as it is: else only last digits, and that there is a security code.
    reveal: bool = False
    correlation_id: str = ""


class D1CallsControl:
    """The control calls."""

    def __init__(self, calls: D1Calls) -> None:
        self._calls = calls

    async def key(self, _request: Request, _body: bytes) -> Response:
        """GET /d1-issuer/key: D1's public key and its thumbprint, for the issuer's account."""
        return JSONResponse({"jwk": self._calls.key.public(), "thumbprint": self._calls.key.thumbprint()})

    async def samples(self, _request: Request, _body: bytes) -> Response:
        """GET /d1-issuer/samples: cards to try with."""
        return JSONResponse({name: dict(card) for name, card in SAMPLES.items()})

    async def verify_card(self, _request: Request, body: bytes) -> Response:
        """POST /d1-issuer/verify-card: answers with what D1 was answered."""
        order = parse(body, VerifyCard)
        answered = await self._calls.verify_card(
            order.issuer_id, order.card_data(), order.card_id, order.card_bin, order.correlation_id
        )
        return JSONResponse({**answered.told(), "answer": answered.document})

    async def get_credentials(self, _request: Request, body: bytes) -> Response:
        """POST /d1-issuer/get-credentials: answers with what D1 found in the JWE that it was answered."""
        order = parse(body, GetCardCredentials)
        answered = await self._calls.card_credentials(order.issuer_id, order.card_id, order.correlation_id)
        if answered.status != 200:
            return JSONResponse({**answered.told(), "card": None})
        try:
            card = self._calls.opened(answered)
        except Unreadable as unreadable:
            return error(502, f"D1 cannot read the answer: {unreadable}")
        return JSONResponse({**answered.told(), "card": card if order.reveal else _veiled(card)})


def _veiled(card: dict[str, Any]) -> dict[str, Any]:
    """Numbers by their last digits, everything else as stars."""
    return {name: _veil(name, str(value)) for name, value in card.items()}


def _veil(name: str, value: str) -> str:
    if name in ("exp", "auxiliaryExp"):
        return value
    return f"*{value[-SHOWN_DIGITS:]}" if name in ("pan", "auxiliaryPan") else "*"
