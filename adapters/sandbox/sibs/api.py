"""The acquirer's API: authentication, the fault of each call, the operation, and the answer."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from adapters.sandbox.payment_options.journal import JournalBroken
from adapters.sandbox.sibs import answers, fields, headers, payloads, routes, wire
from adapters.sandbox.sibs.access_tokens import AccessTokens, GrantRefused, check_grant
from adapters.sandbox.sibs.configs import Configs, Rejected
from adapters.sandbox.sibs.faults import Fault, Faults
from adapters.sandbox.sibs.fields import CallInvalid
from adapters.sandbox.sibs.habits import Habits
from adapters.sandbox.sibs.received import LONGEST, Calls, Received
from adapters.sandbox.sibs.routes import Route
from adapters.sandbox.sibs.transaction import Transaction
from adapters.sandbox.sibs.transactions import Transactions

LONGEST_BODY = 64 * 1024
UNKNOWN = "unknown"

log = structlog.get_logger("mintmark.sandbox")


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is authenticated and has met its fault, if there is one."""

    route: Route
    request: Request
    body: bytes | None
    document: dict[str, Any] = field(default_factory=dict)
    fault: Fault | None = None

    def met(self, fault: str) -> bool:
        """Whether that is its fault."""
        return self.fault is not None and self.fault.fault == fault


class Api:
    """Serves every path below /sibs that is not the control API's."""

    def __init__(
        self,
        configs: Configs,
        access_tokens: AccessTokens,
        transactions: Transactions,
        faults: Faults,
        calls: Calls,
        habits: Callable[[], Habits],
    ) -> None:
        self._configs = configs
        self._access_tokens = access_tokens
        self._transactions = transactions
        self._faults = faults
        self._calls = calls
        self._habits = habits

    async def __call__(self, request: Request) -> Response:
        """Answers one request; what came is written down before anything else."""
        route = routes.find(request.method, request.url.path.removeprefix(routes.PREFIX))
        received = self._calls.begin(request.method, route.call or UNKNOWN)
        try:
            body = await _read(request)
        except ClientDisconnect:
            self._calls.write(received)
            return Response(status_code=400)
        document, broken = _document(route, body)
        _note(received, route, request, document)
        received.authenticated = self._authenticated(route, request)
        self._calls.write(received)
        refused = self._refused(route, request, received)
        if refused:
            more = {"allow": ", ".join(route.allowed)} if refused == 405 else {}
            return self._answer(received, None, refused, answers.in_front(refused), more)
        scripted = self._faults.match(received)
        received.fault = scripted.name if scripted else ""
        call = Call(route, request, body, document, scripted.fault if scripted else None)
        if call.fault is not None and not call.fault.applied:
            return self._answer(received, call.fault, 500, answers.in_front(500))
        try:
            status, answered = await self._operate(call, received, broken)
        except JournalBroken:
            log.error("the acquirer twin's state cannot be written")
            return self._answer(received, None, 500, answers.in_front(500))
        return self._answer(received, call.fault, status, answered)

    async def _operate(self, call: Call, received: Received, broken: str) -> tuple[int, Any]:
        fault = call.fault
        if call.route.call == routes.ACCESS_TOKEN:
            return await self._issue(call)
        if call.route.call in {routes.STATUS, routes.SEARCH}:
            return self._status(call)
        try:
            headers.check(call.request.headers, repeated=self._calls.repeats(received))
            if broken:
                raise CallInvalid(broken)
            if fault is not None and fault.fault == "rejected":
                return 200, answers.rejected(fault.message, fault.code, fault.message)
            if fault is not None and fault.fault == "rejected-with-success":
                return 200, {**answers.accepted(), "transactionStatus": answers.REJECTED}
            answered = self._list(call) if call.route.call == routes.LIST else await self._change(call)
        except CallInvalid as invalid:
            return 400, answers.invalid(str(invalid))
        except Rejected as rejected:
            return 200, answers.rejected(str(rejected))
        if fault is not None and fault.fault == "accepted-with-code":
            answered["returnStatus"] = answers.return_status(fault.code, fault.message, fault.message)
        return 200, answered

    async def _change(self, call: Call) -> dict[str, Any]:
        """Create, update, delete. Raises CallInvalid, Rejected, JournalBroken."""
        query = call.request.query_params
        scope = fields.scope(
            call.route.acquirer_id, call.route.merchant_id, query.get("acceptorId"), query.get("terminalId")
        )
        update = call.request.method == "PUT"
        operation = fields.operation(call.document, update=update)
        wanted = fields.config(call.document, scope, self._habits())
        if operation == fields.DELETE:
            await self._configs.delete(wanted)
        elif update:
            await self._configs.update(wanted)
        else:
            await self._configs.create(wanted)
        return answers.accepted()

    def _list(self, call: Call) -> dict[str, Any]:
        """Raises CallInvalid."""
        habits = self._habits()
        shape: str = habits.list_shape
        if call.fault is not None and call.fault.fault.startswith("shape-"):
            shape = call.fault.fault.removeprefix("shape-")
        return answers.listed(self._configs.listed(fields.list_scope(call.document), habits), habits, shape)

    async def _issue(self, call: Call) -> tuple[int, Any]:
        """An access token."""
        given = call.request.headers
        try:
            check_grant(given.get("authorization", ""), given.get("content-type", ""), call.body)
        except GrantRefused as refused:
            return refused.status, {"error": refused.error}
        text, seconds = await self._access_tokens.issue(self._habits().access_token_seconds)
        return 200, {"access_token": text, "token_type": "Bearer", "expires_in": seconds}

    def _status(self, call: Call) -> tuple[int, Any]:
        """The status inquiry, by the transaction's id or the merchant's."""
        if call.route.call == routes.SEARCH:
            found = self._transactions.by_reference(call.request.query_params.get("merchantTransactionId", ""))
        else:
            found = self._transactions.get(call.route.transaction_id)
        if found is None:
            missing = answers.return_status(answers.INVALID_CODE, "Transaction not found", "Transaction not found")
            return 404, {"returnStatus": missing}
        state = found.states[-2] if call.met("stale") and len(found.states) > 1 else found.state
        return 200, payloads.status(_distorted(found, call), state, self._habits())

    def _authenticated(self, route: Route, request: Request) -> bool:
        return route.call == routes.ACCESS_TOKEN or self._access_tokens.accepts(headers.access_token(request.headers))

    @staticmethod
    def _refused(route: Route, request: Request, received: Received) -> int:
        """The status of what the API's front refuses; 0: it lets the call through."""
        if not route.call:
            return 405 if route.allowed else 404
        if route.call == routes.ACCESS_TOKEN:
            return 0
        if not received.authenticated:
            return 401
        return 0 if headers.is_ours(request.headers) else 403

    def _answer(
        self, received: Received, fault: Fault | None, status: int, document: Any, more: dict[str, str] | None = None
    ) -> Response:
        document = answers.spelled(document, self._habits().spelling)
        received.decided = True
        received.status = status
        if fault is not None and fault.fault in {"status", "redirect"}:
            received.status = fault.http_status
        elif fault is not None and fault.fault in {"reset", "close"}:
            received.status = 0
        if isinstance(document, dict) and "returnStatus" in document:
            received.transaction_status = document.get("transactionStatus", "")
            received.status_code = document["returnStatus"]["statusCode"]
            received.reason = document["returnStatus"].get("statusDescription", "")
        self._calls.write(received)
        told = {**(more or {}), **({wire.REQUEST_ID: received.request_id} if received.request_id else {})}
        return wire.answer(fault, status, document, told, self._faults.released)


def _distorted(transaction: Transaction, call: Call) -> Transaction:
    if call.met("wrong-amount"):
        return msgspec.structs.replace(transaction, amount=payloads.doubled(transaction.amount))
    if call.met("wrong-id"):
        return msgspec.structs.replace(transaction, transaction_id=transaction.transaction_id[::-1])
    return transaction


def _document(route: Route, body: bytes | None) -> tuple[dict[str, Any], str]:
    """The body of a call of the configuration API, or what is wrong with it."""
    if route.call not in {routes.CONFIG, routes.LIST}:
        return {}, ""
    try:
        return fields.parse(body), ""
    except CallInvalid as invalid:
        return {}, str(invalid)


def _note(received: Received, route: Route, request: Request, document: dict[str, Any]) -> None:
    """What of the call may be written down: keys and values never."""

    def told(value: Any) -> str:
        return value[:LONGEST].encode("utf-8", "replace").decode() if isinstance(value, str) else ""

    given, query = request.headers, request.query_params
    if route.call == routes.CONFIG:
        received.endpoint = "create" if request.method == "POST" else "update"
        if request.method == "PUT" and document.get("requestOperationType") == fields.DELETE:
            received.endpoint = "delete"
    elif route.call == routes.SEARCH:
        received.endpoint = routes.STATUS
    if headers.UUID.match(given.get(headers.REQUEST_ID, "")):
        received.request_id = given[headers.REQUEST_ID].lower()
    received.user_id = told(given.get(headers.USER_ID))
    received.organization_id = told(given.get(headers.ORGANIZATION_ID))
    listing = route.call == routes.LIST
    received.acquirer_id = told(document.get("acquirerId") if listing else route.acquirer_id)
    received.merchant_id = told(document.get("merchantId") if listing else route.merchant_id)
    received.acceptor_id = told(document.get("acceptorId") if listing else query.get("acceptorId"))
    received.terminal_id = told(document.get("terminalId") if listing else query.get("terminalId"))
    received.code = told(document.get("notificationConfigurationCode"))
    received.transaction_id = told(route.transaction_id)


async def _read(request: Request) -> bytes | None:
    """The body; None where it is too long, whose rest is read and dropped."""
    body = bytearray()
    size = 0
    async for piece in request.stream():
        size += len(piece)
        if size <= LONGEST_BODY:
            body += piece
    return bytes(body) if size <= LONGEST_BODY else None
