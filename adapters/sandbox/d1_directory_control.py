"""What the control API is told to have D1 ask of an issuer's own system."""

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.sandbox.control import parse
from adapters.sandbox.d1_directory import D1DirectoryCalls, new_value
from adapters.sandbox.d1_issuer import ISSUER


class DeliverOneTimePassword(Struct, rename="camel", forbid_unknown_fields=True):
    """POST /d1-issuer/deliver-otp."""

    issuer_id: str = ISSUER
    consumer_id: str = ""
    card_id: str = ""
    channel: Literal["SMS", "EMAIL"] = "SMS"
    reason: Literal["CARD-DIGITIZATION", "DEVICE-BINDING", "CARDHOLDER-VERIFICATION"] = "CARD-DIGITIZATION"
    # Whether the one-time password is told.
    reveal: bool = False
    correlation_id: str = ""


class ActivateCard(Struct, rename="camel", forbid_unknown_fields=True):
    """POST /d1-issuer/activate-card."""

    card_id: Annotated[str, Meta(min_length=1)]
    issuer_id: str = ISSUER
    correlation_id: str = ""


class D1DirectoryControl:
    """The control calls."""

    def __init__(self, calls: D1DirectoryCalls, now: Callable[[], datetime]) -> None:
        self._calls = calls
        self._now = now

    async def deliver_one_time_password(self, _request: Request, body: bytes) -> Response:
        """POST /d1-issuer/deliver-otp: a new one-time password each time."""
        order = parse(body, DeliverOneTimePassword)
        value = new_value()
        ids = {"issuerId": order.issuer_id, "consumerId": order.consumer_id, "cardId": order.card_id}
        answered = await self._calls.deliver_one_time_password(
            ids, {"value": value, "reason": order.reason}, order.channel, self._now(), order.correlation_id
        )
        return JSONResponse({**answered.told(), "otp": value if order.reveal else "*" * len(value)})

    async def activate_card(self, _request: Request, body: bytes) -> Response:
        """POST /d1-issuer/activate-card: safe to repeat."""
        order = parse(body, ActivateCard)
        answered = await self._calls.activate_card(order.issuer_id, order.card_id, order.correlation_id)
        return JSONResponse(answered.told())
