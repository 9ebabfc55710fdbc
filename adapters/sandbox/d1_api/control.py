"""The control API of the twin, below /d1-api/control on the sandbox's address."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from adapters.sandbox.control import ControlInvalid, parse
from adapters.sandbox.d1_api.api import Habits
from adapters.sandbox.d1_api.assertions import GivenKey
from adapters.sandbox.d1_api.cards import CardChange
from adapters.sandbox.d1_api.faults import Fault
from adapters.sandbox.guard import Endpoint, error, guarded
from adapters.sandbox.payment_options.journal import JournalBroken

if TYPE_CHECKING:
    from adapters.sandbox.d1_api.twin import D1ApiTwin

PREFIX = "/d1-api/control"
PLACE = "/tokens/{gateway}/{merchant}/{token}"


class Change(Struct, rename="camel", forbid_unknown_fields=True):
    """POST .../change-card: the fields that change, a renewal where none is given; and whether D1 says so."""

    fields: CardChange = CardChange()
    notify: bool = True
    update_type: str = ""


class Control:
    """What can be asked of the twin, and how it is told what to do."""

    def __init__(self, twin: "D1ApiTwin") -> None:
        self._twin = twin

    def routes(self) -> list[BaseRoute]:
        """Each call and its path."""
        calls: tuple[tuple[str, str, Endpoint], ...] = (
            ("GET", "/state", self.state),
            ("GET", "/requests", self.requests),
            ("PUT", "/keys", self.give_key),
            ("PATCH", "/habits", self.change_habits),
            ("GET", PLACE, self.card),
            ("POST", f"{PLACE}/change-card", self.change_card),
            ("POST", f"{PLACE}/forget", self.forget),
            ("POST", "/faults", self.add_fault),
            ("DELETE", "/faults", self.clear_faults),
            ("POST", "/access-tokens/revoke", self.revoke),
        )
        return [
            Route(f"{PREFIX}{path}", guarded(_told(endpoint)), methods=[method]) for method, path, endpoint in calls
        ]

    async def state(self, _request: Request, _body: bytes) -> Response:
        """GET /state."""
        return JSONResponse(self._twin.document())

    async def requests(self, _request: Request, _body: bytes) -> Response:
        """GET /requests: JSON lines, the newest 1,000."""
        return _lines(self._twin.api.calls)

    async def give_key(self, _request: Request, body: bytes) -> Response:
        """PUT /keys: a public key, as at onboarding."""
        await self._twin.give_key(parse(body, GivenKey))
        return JSONResponse(self._twin.document())

    async def change_habits(self, _request: Request, body: bytes) -> Response:
        """PATCH /habits: some of them, until the sandbox ends."""
        try:
            given = msgspec.json.decode(body or b"{}", type=dict[str, Any])
            merged = {**msgspec.to_builtins(self._twin.api.habits), **given}
            self._twin.api.habits = msgspec.convert(merged, Habits)
        except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as problem:
            raise ControlInvalid(str(problem)) from None
        return JSONResponse(self._twin.document())

    async def card(self, request: Request, _body: bytes) -> Response:
        """GET /tokens/...: the card behind a token."""
        return JSONResponse(msgspec.to_builtins(self._twin.cards.get(_place(request))))

    async def change_card(self, request: Request, body: bytes) -> Response:
        """POST /tokens/.../change-card: answers when the notification is settled."""
        order = parse(body or b"{}", Change)
        card, deliveries = await self._twin.change_card(
            _place(request), order.fields, notify=order.notify, update_type=order.update_type
        )
        return JSONResponse({"card": msgspec.to_builtins(card), "deliveries": deliveries})

    async def forget(self, request: Request, _body: bytes) -> Response:
        """POST /tokens/.../forget: D1 knows the token no more."""
        return JSONResponse(msgspec.to_builtins(await self._twin.forget(_place(request))))

    async def add_fault(self, _request: Request, body: bytes) -> Response:
        """POST /faults: one more."""
        self._twin.faults.add(parse(body, Fault))
        return JSONResponse({"faults": self._twin.faults.document()}, 201)

    async def clear_faults(self, _request: Request, _body: bytes) -> Response:
        """DELETE /faults: what hangs goes on."""
        self._twin.faults.clear()
        return JSONResponse({"faults": []})

    async def revoke(self, _request: Request, _body: bytes) -> Response:
        """POST /access-tokens/revoke: callers have to fetch new ones."""
        return JSONResponse({"revokedNow": self._twin.api.revoke()})


def _place(request: Request) -> tuple[str, str, str]:
    return request.path_params["gateway"], request.path_params["merchant"], request.path_params["token"]


def _told(endpoint: Endpoint) -> Endpoint:
    """Says it where nothing can be written any more."""

    async def inside(request: Request, body: bytes) -> Response:
        try:
            return await endpoint(request, body)
        except JournalBroken:
            return error(500, "the twin's files cannot be written; start it again when they can")

    return inside


def _lines(documents: Iterable[Any]) -> Response:
    lines = (msgspec.json.encode(document) + b"\n" for document in list(documents))
    return StreamingResponse(lines, media_type="application/jsonl")
