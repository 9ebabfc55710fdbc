"""What the control API is told to have D1 ask of a consumer, and what it tells of the answer."""

from typing import Annotated, Any

from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.sandbox.control import parse
from adapters.sandbox.d1_consumers import D1ConsumerCalls, unread
from adapters.sandbox.d1_issuer import ISSUER
from adapters.sandbox.guard import error


class GetConsumer(Struct, rename="camel", forbid_unknown_fields=True):
    """POST /d1-issuer/get-consumer."""

    consumer_id: Annotated[str, Meta(min_length=1)]
    issuer_id: str = ISSUER
    # The card that D1 asks because of.
    card_id: str = ""
    # Whether what is told of the person is shown: else only what of it there is.
    reveal: bool = False
    correlation_id: str = ""


class D1ConsumersControl:
    """The control call."""

    def __init__(self, calls: D1ConsumerCalls) -> None:
        self._calls = calls

    async def get_consumer(self, _request: Request, body: bytes) -> Response:
        """POST /d1-issuer/get-consumer: answers with what D1 was answered."""
        order = parse(body, GetConsumer)
        answered = await self._calls.consumer(order.issuer_id, order.consumer_id, order.card_id, order.correlation_id)
        if answered.status != 200:
            return JSONResponse({**answered.told(), "consumer": None})
        if answered.document is None:
            return error(502, "D1 cannot read the answer: it is no JSON object")
        if odd := unread(answered.document):
            return error(502, f"D1 cannot read the answer: {', '.join(odd)}")
        consumer = answered.document if order.reveal else _veiled(answered.document)
        return JSONResponse({**answered.told(), "consumer": consumer})


def _veiled(told: dict[str, Any]) -> dict[str, Any]:
    """Stars in place of every text."""
    return {name: _veiled(value) if isinstance(value, dict) else "*" for name, value in told.items()}
