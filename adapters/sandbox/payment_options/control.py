"""The control API of the twin, below /payment-options/control on the sandbox's address."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from adapters.sandbox.control import ControlInvalid, parse
from adapters.sandbox.guard import Endpoint, error, guarded
from adapters.sandbox.payment_options.calls import Call
from adapters.sandbox.payment_options.faults import KINDS, Fault, Script
from adapters.sandbox.payment_options.fields import CallRefused
from adapters.sandbox.payment_options.outcomes import METHOD_PREFIX, TABLE
from adapters.sandbox.payment_options.webhooks import Rule, Rules

if TYPE_CHECKING:
    from adapters.sandbox.payment_options.twin import PaymentOptionsTwin

PREFIX = "/payment-options/control"
# A campaign's script may be long.
LONGEST_SCRIPT = 4 * 1024 * 1024


class SetListener(msgspec.Struct, forbid_unknown_fields=True):
    """PUT /listener."""

    open: bool


class Control:
    """What can be asked of the twin, and how it is told to fail."""

    def __init__(self, twin: "PaymentOptionsTwin") -> None:
        self._twin = twin

    def routes(self) -> list[BaseRoute]:
        """Each call and its path."""
        calls: tuple[tuple[str, str, Endpoint], ...] = (
            ("GET", "/state", self.state),
            ("GET", "/ledger", self.ledger),
            ("GET", "/transactions", self.transactions),
            ("GET", "/transactions/{id}", self.transaction),
            ("GET", "/requests", self.requests),
            ("GET", "/methods", self.methods),
            ("GET", "/outcomes", self.outcomes),
            ("GET", "/faults", self.get_faults),
            ("PUT", "/faults", self.replace_faults),
            ("POST", "/faults", self.add_fault),
            ("DELETE", "/faults", self.clear_faults),
            ("POST", "/faults/release", self.release),
            ("GET", "/webhooks", self.webhooks),
            ("GET", "/webhooks/rules", self.get_rules),
            ("PUT", "/webhooks/rules", self.replace_rules),
            ("POST", "/webhooks/rules", self.add_rule),
            ("DELETE", "/webhooks/rules", self.clear_rules),
            ("GET", "/pages", self.pages),
            ("POST", "/three-ds/{id}/{decision}", self.three_ds),
            ("POST", "/hosted/{id}/{decision}", self.hosted),
            ("GET", "/subscriptions", self.subscriptions),
            ("POST", "/subscriptions/{id}/charge", self.charge_subscription),
            ("POST", "/subscriptions/{id}/pause", self.pause_subscription),
            ("PUT", "/listener", self.listener),
        )
        return [
            Route(f"{PREFIX}{path}", guarded(endpoint, LONGEST_SCRIPT), methods=[method])
            for method, path, endpoint in calls
        ]

    async def state(self, _request: Request, _body: bytes) -> Response:
        """GET /state."""
        return JSONResponse(self._twin.document())

    async def ledger(self, _request: Request, _body: bytes) -> Response:
        """GET /ledger: JSON lines, as in the file."""
        return _lines(self._twin.ledger.documents())

    async def transactions(self, _request: Request, _body: bytes) -> Response:
        """GET /transactions: JSON lines."""
        return _lines(self._twin.bank.documents())

    async def transaction(self, request: Request, _body: bytes) -> Response:
        """GET /transactions/{id}."""
        try:
            return JSONResponse(self._twin.bank.document(self._twin.bank.get(request.path_params["id"])))
        except CallRefused as refused:
            return error(refused.status, refused.message)

    async def requests(self, _request: Request, _body: bytes) -> Response:
        """GET /requests: JSON lines."""
        return _lines(self._twin.requests.all())

    async def methods(self, _request: Request, _body: bytes) -> Response:
        """GET /methods: JSON lines."""
        return _lines(self._twin.methods)

    async def outcomes(self, _request: Request, _body: bytes) -> Response:
        """GET /outcomes: the table, and what each fault does."""
        table = [
            {
                "name": outcome.name,
                "amount": str(outcome.number) if outcome.number else "",
                "storedPaymentMethodId": f"{METHOD_PREFIX}{outcome.number:012d}" if outcome.number else "",
                "text": outcome.text,
                "moved": outcome.moved,
                "answer": outcome.answer,
            }
            for outcome in TABLE
        ]
        faults = [{"fault": name, "text": text, "answer": answer} for name, (text, answer) in KINDS.items()]
        return JSONResponse({"outcomes": table, "faults": faults})

    async def get_faults(self, _request: Request, _body: bytes) -> Response:
        """GET /faults."""
        return JSONResponse(self._twin.faults.document())

    async def replace_faults(self, _request: Request, body: bytes) -> Response:
        """PUT /faults: a whole script; everything begins anew."""
        self._twin.faults.replace(parse(body, Script))
        return JSONResponse(self._twin.faults.document())

    async def add_fault(self, _request: Request, body: bytes) -> Response:
        """POST /faults: one more."""
        (added,) = self._twin.faults.add([parse(body, Fault)])
        return JSONResponse(added.document(), 201)

    async def clear_faults(self, _request: Request, _body: bytes) -> Response:
        """DELETE /faults."""
        self._twin.faults.clear()
        return JSONResponse(self._twin.faults.document())

    async def release(self, _request: Request, _body: bytes) -> Response:
        """POST /faults/release: what hangs goes on."""
        self._twin.faults.release()
        return JSONResponse({})

    async def webhooks(self, _request: Request, _body: bytes) -> Response:
        """GET /webhooks: JSON lines, the newest 10,000."""
        return _lines(self._twin.webhooks.documents())

    async def get_rules(self, _request: Request, _body: bytes) -> Response:
        """GET /webhooks/rules."""
        return JSONResponse({"rules": self._twin.webhooks.script()})

    async def replace_rules(self, _request: Request, body: bytes) -> Response:
        """PUT /webhooks/rules: a whole script."""
        self._twin.webhooks.replace(parse(body, Rules).rules)
        return await self.get_rules(_request, body)

    async def add_rule(self, _request: Request, body: bytes) -> Response:
        """POST /webhooks/rules: one more."""
        self._twin.webhooks.add([parse(body, Rule)])
        return await self.get_rules(_request, body)

    async def clear_rules(self, _request: Request, body: bytes) -> Response:
        """DELETE /webhooks/rules: every webhook at once again."""
        self._twin.webhooks.replace([])
        return await self.get_rules(_request, body)

    async def pages(self, _request: Request, _body: bytes) -> Response:
        """GET /pages: JSON lines."""
        return _lines(self._twin.pages.documents())

    async def three_ds(self, request: Request, _body: bytes) -> Response:
        """POST /three-ds/{id}/{approve|decline}: what the payer does; the id is the page's or the reference."""
        page = self._twin.pages.find(request.path_params["id"])
        decision = request.path_params["decision"]
        if page is None or page.page != "three-ds":
            return error(404, "there is no such 3DS page")
        if decision not in {"approve", "decline"}:
            raise ControlInvalid("decide: approve or decline")
        if not self._twin.checkout.open(page):
            return error(409, f"the page is {page.state.lower() if page.state != 'OPEN' else 'expired'}")
        charge = await self._twin.checkout.decide(page, approve=decision == "approve")
        return JSONResponse(self._twin.bank.document(charge))

    async def hosted(self, request: Request, _body: bytes) -> Response:
        """POST /hosted/{id}/{pay|decline}: what the payer does; the id is the page's or the reference."""
        page = self._twin.pages.find(request.path_params["id"])
        decision = request.path_params["decision"]
        if page is None or page.page != "hosted":
            return error(404, "there is no such hosted page")
        if decision not in {"pay", "decline"}:
            raise ControlInvalid("decide: pay or decline")
        if not self._twin.checkout.open(page):
            return error(409, f"the page is {page.state.lower() if page.state != 'OPEN' else 'expired'}")
        charge = await self._twin.checkout.decide_hosted(page, pay=decision == "pay")
        if isinstance(charge, str):
            return error(409, charge)
        return JSONResponse(self._twin.bank.document(charge))

    async def subscriptions(self, _request: Request, _body: bytes) -> Response:
        """GET /subscriptions: JSON lines."""
        return _lines(self._twin.subscriptions.documents())

    async def charge_subscription(self, request: Request, _body: bytes) -> Response:
        """POST /subscriptions/{id}/charge: the next cycle now."""
        try:
            charge = await self._twin.subscriptions.charge_now(request.path_params["id"])
        except CallRefused as refused:
            return error(404 if refused.status == 404 else 409, refused.message)
        return JSONResponse(self._twin.bank.document(charge))

    async def pause_subscription(self, request: Request, _body: bytes) -> Response:
        """POST /subscriptions/{id}/pause: as somebody in the partner's portal does."""
        call = Call("subscription-change", identifier=request.path_params["id"])
        try:
            reply = await self._twin.subscriptions.change(call, "pause")
        except CallRefused as refused:
            return error(404 if refused.status == 404 else 409, refused.message)
        return JSONResponse(reply.document["subscription_details"])

    async def listener(self, _request: Request, body: bytes) -> Response:
        """PUT /listener: open, or closed so that connections are refused."""
        listener = self._twin.listener
        if listener is None:
            return error(409, "the twin has no listener of its own: set MINTMARK_SANDBOX_PAYMENT_OPTIONS_ADDRESS")
        await (listener.open() if parse(body, SetListener).open else listener.close())
        return JSONResponse({"address": listener.address, "open": listener.is_open})


def _lines(documents: Iterable[Any]) -> Response:
    lines = (msgspec.json.encode(document) + b"\n" for document in documents)
    return StreamingResponse(lines, media_type="application/jsonl")
