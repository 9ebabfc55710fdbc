"""The partner's API: authentication, the fault of each call, the operation, and the answer."""

import re
from collections.abc import Awaitable, Callable
from typing import Any

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from adapters.sandbox.payment_options import answers, fields, wire
from adapters.sandbox.payment_options.calls import Call, Reply
from adapters.sandbox.payment_options.charges import AMBIGUOUS, AUTHORIZATION, NONE, PURCHASE
from adapters.sandbox.payment_options.credentials import Credentials
from adapters.sandbox.payment_options.faults import Faults
from adapters.sandbox.payment_options.fields import CallRefused
from adapters.sandbox.payment_options.journal import JournalBroken
from adapters.sandbox.payment_options.pages import Pages
from adapters.sandbox.payment_options.payments import Payments, page_url
from adapters.sandbox.payment_options.received import Received, Requests, facts
from adapters.sandbox.payment_options.subscriptions import Subscriptions
from adapters.sandbox.payment_options.webhooks import Rule, Webhooks

PREFIX = "/payment-options"
LONGEST_BODY = 64 * 1024
UNKNOWN = "unknown"

log = structlog.get_logger("mintmark.sandbox")

Operation = Callable[[Call], Awaitable[Reply]]

_S2S = "/api/v1/server-to-server-interface"
# Method, path with one group for an id at most, endpoint.
ROUTES: tuple[tuple[str, re.Pattern[str], str], ...] = tuple(
    (method, re.compile(f"^{path}$"), endpoint)
    for method, path, endpoint in (
        ("POST", rf"{_S2S}/payment", "payment"),
        ("POST", rf"{_S2S}/paymentv2", "paymentv2"),
        ("POST", rf"{_S2S}/authorization", "authorization"),
        ("POST", rf"{_S2S}/authorizationv2", "authorizationv2"),
        ("POST", rf"{_S2S}/capture", "capture"),
        ("POST", rf"{_S2S}/void", "void"),
        ("POST", rf"{_S2S}/refund", "refund"),
        ("GET", rf"{_S2S}/transaction/status/([^/]+)", "status"),
        ("POST", rf"{_S2S}/subscription/payment", "subscription-create"),
        ("GET", rf"{_S2S}/subscription/list", "subscription-list"),
        ("GET", rf"{_S2S}/subscription/([^/]+)", "subscription-details"),
        ("POST", rf"{_S2S}/subscription/([^/]+)/(?:cancel|resume|pause)", "subscription-change"),
        ("POST", rf"(?:{_S2S}|/api/v1)/hpp/generate/link", "hosted-link"),
    )
)


class Api:
    """Serves every path below /payment-options/api."""

    def __init__(
        self,
        credentials: Credentials,
        payments: Payments,
        pages: Pages,
        subscriptions: Subscriptions,
        webhooks: Webhooks,
        faults: Faults,
        requests: Requests,
    ) -> None:
        self._credentials = credentials
        self._payments = payments
        self._pages = pages
        self._subscriptions = subscriptions
        self._webhooks = webhooks
        self._faults = faults
        self._requests = requests
        self._operations: dict[str, Operation] = {
            "payment": lambda call: payments.pay(call, PURCHASE, three_ds=False),
            "paymentv2": lambda call: payments.pay(call, PURCHASE, three_ds=True),
            "authorization": lambda call: payments.pay(call, AUTHORIZATION, three_ds=False),
            "authorizationv2": lambda call: payments.pay(call, AUTHORIZATION, three_ds=True),
            "capture": payments.capture,
            "void": payments.void,
            "refund": payments.refund,
            "status": payments.status,
            "subscription-create": subscriptions.create,
            "subscription-list": subscriptions.all,
            "subscription-details": subscriptions.details,
            "hosted-link": self._hosted_link,
        }

    async def __call__(self, request: Request) -> Response:
        """Answers one request; what came is written down before anything else."""
        path = request.url.path.removeprefix(PREFIX)
        endpoint, identifier, verb = _route(request.method, path)
        received = self._requests.begin(request.method, endpoint)
        try:
            body = await _read(request)
        except ClientDisconnect:
            self._requests.write(received)
            return Response(status_code=400)
        document: Any = None
        refused: CallRefused | None = None
        try:
            document = _document(request, endpoint, body)
        except CallRefused as found:
            refused = found
        for name, value in facts(document or {}).items():
            setattr(received, name, value)
        received.about_transaction_id = received.about_transaction_id or identifier[:64]
        received.authenticated = self._authenticated(request)
        self._requests.write(received)
        if not received.authenticated:
            return self._answer(received, None, Reply(401, answers.refused(401)))
        if endpoint == UNKNOWN:
            return self._answer(received, None, Reply(404, answers.refused(404)))
        scripted = self._faults.match(endpoint, self._reference(received), received.amount)
        url = f"{request.url.scheme}://{request.url.netloc}{PREFIX}"
        call = Call(endpoint, document or {}, identifier, url, scripted)
        received.fault = call.fault_name
        if call.fault is not None and not call.fault.charged:
            return self._answer(received, call, Reply(500, answers.refused(500), call.answer("clean")))
        return await self._operate(received, call, verb, refused)

    async def _operate(self, received: Received, call: Call, verb: str, refused: CallRefused | None) -> Response:
        rule: Rule | None = None
        try:
            if refused is not None:
                raise refused
            merchant_id = fields.text_at(call.document, "merchant_id")
            if merchant_id is not None and merchant_id != self._credentials.merchant_id:
                raise CallRefused(412, "Unknown merchant_id")
            reply = await (self._subscriptions.change(call, verb) if verb else self._operations[call.endpoint](call))
        except CallRefused as found:
            reply = Reply(found.status, answers.refused(found.status, found.message), call.answer("clean"))
        except JournalBroken:
            log.error("the ledger cannot be written")
            return self._answer(received, None, Reply(500, answers.refused(500), AMBIGUOUS))
        if reply.charge is not None:
            rule = await self._webhooks.before(reply.charge)
        answer = self._answer(received, call, reply)
        if reply.charge is not None and rule is not None:
            self._webhooks.announce(reply.charge, rule)
        return answer

    def _answer(self, received: Received, call: Call | None, reply: Reply) -> Response:
        fault = call.fault if call else None
        received.decided = True
        received.answer = reply.answer
        received.status = 0 if reply.answer == NONE else reply.status
        if fault is not None and fault.fault in {"status", "redirect"}:
            received.status = fault.http_status
        if reply.charge is not None:
            received.transaction_id = reply.charge.transaction_id
            received.moved = reply.charge.moved
        self._requests.write(received)
        return wire.answer(fault, reply.status, reply.document, self._faults.released)

    def _authenticated(self, request: Request) -> bool:
        header = request.headers.get
        return self._credentials.fit(header("authorization", ""), header("x-api-key", ""))

    def _reference(self, received: Received) -> str:
        """The merchant's reference; for a call about a transaction that one's."""
        charge = self._payments.bank.transactions.get(received.about_transaction_id.lower())
        return received.reference or (charge.reference if charge else "")

    async def _hosted_link(self, call: Call) -> Reply:
        """A link to a page where the payer enters a card. Raises CallRefused."""
        order = fields.hosted(call.document)
        page = await self._pages.open("hosted", PURCHASE, order, call.fault_name)
        document = answers.hosted_page(page.page_id, page_url(call.url, page), call.document)
        return Reply(201, document, call.answer("clean"))


def _route(method: str, path: str) -> tuple[str, str, str]:
    """The endpoint, the id in the path and the verb on a subscription."""
    for known, pattern, endpoint in ROUTES:
        found = pattern.match(path)
        if found and method == known:
            identifier = found[1] if pattern.groups else ""
            return endpoint, identifier, path.rpartition("/")[2] if endpoint == "subscription-change" else ""
    return UNKNOWN, "", ""


async def _read(request: Request) -> bytes | None:
    """The body; None where it is too long, whose rest is read and dropped."""
    body = bytearray()
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size <= LONGEST_BODY:
            body += piece
    return bytes(body) if size <= LONGEST_BODY else None


def _document(request: Request, endpoint: str, body: bytes | None) -> dict[str, Any]:
    if request.method != "POST" or endpoint in {UNKNOWN, "subscription-change"}:
        return {}
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise CallRefused(406, "Content-Type must be application/json")
    if body is None:
        raise CallRefused(400, "The body is too long")
    return fields.parse(body)
