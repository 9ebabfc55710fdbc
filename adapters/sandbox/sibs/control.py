"""The control API of the twin, below /sibs/control on the sandbox's address."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import BaseRoute, Route

from adapters.sandbox.control import ControlInvalid, parse
from adapters.sandbox.guard import Endpoint, error, guarded
from adapters.sandbox.payment_options.journal import JournalBroken
from adapters.sandbox.sibs import faults, rules, schedule
from adapters.sandbox.sibs.config import Config
from adapters.sandbox.sibs.configs import Drift, Foreign
from adapters.sandbox.sibs.faults import Fault, Script
from adapters.sandbox.sibs.fields import URL_CHANNEL
from adapters.sandbox.sibs.orders import Order
from adapters.sandbox.sibs.routes import PREFIX as ROOT
from adapters.sandbox.sibs.rules import Rule, RuleScript
from adapters.sandbox.sibs.transaction import KINDS, Step

if TYPE_CHECKING:
    from adapters.sandbox.sibs.twin import SibsTwin

PREFIX = f"{ROOT}/control"
# A campaign's script may be long.
LONGEST_SCRIPT = 4 * 1024 * 1024


class Advance(Struct, forbid_unknown_fields=True):
    """POST /clock/advance."""

    seconds: Annotated[float, Meta(ge=0, le=366 * 86_400)]


class Revoke(Struct, forbid_unknown_fields=True):
    """POST /access-tokens/revoke: those that were issued, and the static one too if told so."""

    static: bool = False


class Control:
    """What can be asked of the twin, and how it is told what to do."""

    def __init__(self, twin: "SibsTwin") -> None:
        self._twin = twin

    def routes(self) -> list[BaseRoute]:
        """Each call and its path."""
        calls: tuple[tuple[str, str, Endpoint], ...] = (
            ("GET", "/state", self.state),
            ("GET", "/kinds", self.kinds),
            ("GET", "/habits", self.habits),
            ("PATCH", "/habits", self.change_habits),
            ("POST", "/clock/advance", self.advance),
            ("GET", "/ledger", self.ledger),
            ("GET", "/requests", self.requests),
            ("GET", "/configs", self.configs),
            ("POST", "/configs", self.add_config),
            ("GET", "/configs/{code}", self.config),
            ("PATCH", "/configs/{code}", self.drift),
            ("DELETE", "/configs/{code}", self.remove_config),
            ("POST", "/configs/{code}/test", self.press_test_button),
            ("GET", "/transactions", self.transactions),
            ("POST", "/transactions", self.create_transactions),
            ("GET", "/transactions/{id}", self.transaction),
            ("POST", "/transactions/{id}/settle", self.settle),
            ("GET", "/notifications", self.notifications),
            ("GET", "/notifications/batches", self.batches),
            ("GET", "/notifications/rules", self.get_rules),
            ("PUT", "/notifications/rules", self.replace_rules),
            ("POST", "/notifications/rules", self.add_rule),
            ("DELETE", "/notifications/rules", self.clear_rules),
            ("GET", "/notifications/{id}", self.notification),
            ("POST", "/notifications/{id}/redeliver", self.redeliver),
            ("GET", "/faults", self.get_faults),
            ("PUT", "/faults", self.replace_faults),
            ("POST", "/faults", self.add_fault),
            ("DELETE", "/faults", self.clear_faults),
            ("POST", "/faults/release", self.release),
            ("GET", "/access-tokens", self.access_tokens),
            ("POST", "/access-tokens/revoke", self.revoke),
            ("POST", "/access-tokens/reinstate", self.reinstate),
        )
        return [
            Route(f"{PREFIX}{path}", guarded(_told(endpoint), LONGEST_SCRIPT), methods=[method])
            for method, path, endpoint in calls
        ]

    async def state(self, _request: Request, _body: bytes) -> Response:
        """GET /state."""
        return JSONResponse(self._twin.document())

    async def kinds(self, _request: Request, _body: bytes) -> Response:
        """GET /kinds: what can be made, and what can go wrong."""
        modes = [{"mode": mode, "text": text} for mode, text in rules.MODES.items()]
        known = [{"fault": name, "text": text} for name, text in faults.KINDS.items()]
        return JSONResponse(
            {"transactions": list(KINDS), "faults": known, "modes": modes, "tiers": list(schedule.table())}
        )

    async def habits(self, _request: Request, _body: bytes) -> Response:
        """GET /habits."""
        return JSONResponse(msgspec.to_builtins(self._twin.habits))

    async def change_habits(self, request: Request, body: bytes) -> Response:
        """PATCH /habits: some of them."""
        try:
            changes = msgspec.json.decode(body or b"{}", type=dict[str, Any])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as problem:
            raise ControlInvalid(str(problem)) from None
        await self._twin.change_habits(changes)
        return await self.habits(request, body)

    async def advance(self, _request: Request, body: bytes) -> Response:
        """POST /clock/advance: answers when everything that was due meanwhile has happened."""
        return JSONResponse({"time": await self._twin.agenda.advance(parse(body, Advance).seconds)})

    async def ledger(self, _request: Request, _body: bytes) -> Response:
        """GET /ledger: JSON lines, as in the file."""
        return _lines(self._twin.ledger.documents())

    async def requests(self, _request: Request, _body: bytes) -> Response:
        """GET /requests: JSON lines."""
        return _lines(self._twin.calls.all())

    async def configs(self, _request: Request, _body: bytes) -> Response:
        """GET /configs: JSON lines; those that were deleted too, keys never."""
        return _lines(config.document() for config in self._twin.configs.all())

    async def add_config(self, _request: Request, body: bytes) -> Response:
        """POST /configs: somebody else makes one."""
        return JSONResponse((await self._twin.configs.add(parse(body, Foreign))).document(), 201)

    async def config(self, request: Request, _body: bytes) -> Response:
        """GET /configs/{code}."""
        return _config(self._twin.configs.find(request.path_params["code"]))

    async def drift(self, request: Request, body: bytes) -> Response:
        """PATCH /configs/{code}: somebody else changes it."""
        return _config(await self._twin.configs.drift(request.path_params["code"], parse(body, Drift)))

    async def remove_config(self, request: Request, _body: bytes) -> Response:
        """DELETE /configs/{code}: somebody else deletes it."""
        return _config(await self._twin.configs.remove(request.path_params["code"]))

    async def press_test_button(self, request: Request, _body: bytes) -> Response:
        """POST /configs/{code}/test: the Backoffice's test button, for type URL only."""
        config = self._twin.configs.find(request.path_params["code"])
        if config is None:
            return _config(None)
        if config.channel != URL_CHANNEL:
            return error(409, "the test button is for type URL only")
        return JSONResponse((await self._twin.transactions.test(config)).document(), 201)

    async def transactions(self, _request: Request, _body: bytes) -> Response:
        """GET /transactions: JSON lines."""
        return _lines(each.document() for each in self._twin.transactions.all())

    async def create_transactions(self, _request: Request, body: bytes) -> Response:
        """POST /transactions."""
        made = await self._twin.transactions.create(parse(body, Order))
        return JSONResponse({"transactions": [each.document() for each in made]}, 201)

    async def transaction(self, request: Request, _body: bytes) -> Response:
        """GET /transactions/{id}."""
        found = self._twin.transactions.get(request.path_params["id"])
        return JSONResponse(found.document()) if found else error(404, "there is no such transaction")

    async def settle(self, request: Request, body: bytes) -> Response:
        """POST /transactions/{id}/settle: another state now."""
        step = parse(body, Step)
        found = self._twin.transactions.get(request.path_params["id"])
        if found is None:
            return error(404, "there is no such transaction")
        return JSONResponse((await self._twin.transactions.settle(found, step)).document())

    async def notifications(self, _request: Request, _body: bytes) -> Response:
        """GET /notifications: JSON lines."""
        return _lines(each.document() for each in self._twin.notifications.all())

    async def batches(self, _request: Request, _body: bytes) -> Response:
        """GET /notifications/batches: JSON lines, the newest 1,000 runs of the batch jobs."""
        return _lines(self._twin.deliveries.batches())

    async def notification(self, request: Request, _body: bytes) -> Response:
        """GET /notifications/{id}: by number or notification id, with plaintext and tries."""
        found = self._twin.notifications.find(request.path_params["id"])
        if found is None:
            return error(404, "there is no such notification")
        return JSONResponse(msgspec.to_builtins(found.document(whole=True)))

    async def redeliver(self, request: Request, _body: bytes) -> Response:
        """POST /notifications/{id}/redeliver: once more now; answers when that is settled."""
        found = self._twin.notifications.find(request.path_params["id"])
        if found is None:
            return error(404, "there is no such notification")
        await self._twin.deliveries.redeliver(found)
        return JSONResponse(found.document())

    async def get_rules(self, _request: Request, _body: bytes) -> Response:
        """GET /notifications/rules."""
        return JSONResponse(self._twin.rules.document())

    async def replace_rules(self, request: Request, body: bytes) -> Response:
        """PUT /notifications/rules: a whole script."""
        self._twin.rules.replace(parse(body, RuleScript))
        return await self.get_rules(request, body)

    async def add_rule(self, request: Request, body: bytes) -> Response:
        """POST /notifications/rules: one more."""
        self._twin.rules.add([parse(body, Rule)])
        return await self.get_rules(request, body)

    async def clear_rules(self, request: Request, body: bytes) -> Response:
        """DELETE /notifications/rules: each at once, once and whole again."""
        self._twin.rules.replace(RuleScript())
        return await self.get_rules(request, body)

    async def get_faults(self, _request: Request, _body: bytes) -> Response:
        """GET /faults."""
        return JSONResponse(self._twin.faults.document())

    async def replace_faults(self, request: Request, body: bytes) -> Response:
        """PUT /faults: a whole script; everything begins anew."""
        self._twin.faults.replace(parse(body, Script))
        return await self.get_faults(request, body)

    async def add_fault(self, _request: Request, body: bytes) -> Response:
        """POST /faults: one more."""
        (added,) = self._twin.faults.add([parse(body, Fault)])
        return JSONResponse(added.document(), 201)

    async def clear_faults(self, request: Request, body: bytes) -> Response:
        """DELETE /faults."""
        self._twin.faults.clear()
        return await self.get_faults(request, body)

    async def release(self, _request: Request, _body: bytes) -> Response:
        """POST /faults/release: what hangs goes on."""
        self._twin.faults.release()
        return JSONResponse({})

    async def access_tokens(self, _request: Request, _body: bytes) -> Response:
        """GET /access-tokens: counts."""
        return JSONResponse(self._twin.access_tokens.document())

    async def revoke(self, _request: Request, body: bytes) -> Response:
        """POST /access-tokens/revoke."""
        revoked = await self._twin.access_tokens.revoke(static=parse(body, Revoke).static)
        return JSONResponse({"revokedNow": revoked, **self._twin.access_tokens.document()})

    async def reinstate(self, request: Request, body: bytes) -> Response:
        """POST /access-tokens/reinstate: the static one is good again."""
        await self._twin.access_tokens.reinstate()
        return await self.access_tokens(request, body)


def _told(endpoint: Endpoint) -> Endpoint:
    """Says it where nothing can be written any more."""

    async def inside(request: Request, body: bytes) -> Response:
        try:
            return await endpoint(request, body)
        except JournalBroken:
            return error(500, "the twin's files cannot be written; start it again when they can")

    return inside


def _config(found: Config | None) -> Response:
    return JSONResponse(found.document()) if found else error(404, "there is no such config")


def _lines(documents: Iterable[Any]) -> Response:
    lines = (msgspec.json.encode(document) + b"\n" for document in documents)
    return StreamingResponse(lines, media_type="application/jsonl")
