"""The sandbox's HTTP control API, on loopback only, and the role that serves it."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from adapters.sandbox import d1, d1_issuer, tsh
from adapters.sandbox.bursts import Bursts
from adapters.sandbox.clock import TwinClock
from adapters.sandbox.control import Configure, ControlInvalid, SendD1, SendTsh, StartBurst, parse
from adapters.sandbox.d1_calls import D1Calls
from adapters.sandbox.d1_calls_control import D1CallsControl
from adapters.sandbox.d1_consumers import D1ConsumerCalls
from adapters.sandbox.d1_consumers_control import D1ConsumersControl
from adapters.sandbox.d1_directory import D1DirectoryCalls
from adapters.sandbox.d1_directory_control import D1DirectoryControl
from adapters.sandbox.d1_issuer_control import SendD1Issuer
from adapters.sandbox.d1_key import D1Key
from adapters.sandbox.delivery import Deliveries
from adapters.sandbox.feeds import all_feeds
from adapters.sandbox.guard import Endpoint, error, guarded
from adapters.sandbox.ledger import Delivery, Ledger
from adapters.sandbox.notifications import D1, TSH, Notification, malformed, timestamp
from adapters.sandbox.payment_options.twin import PaymentOptionsTwin
from adapters.sandbox.sibs.twin import SibsTwin
from adapters.sandbox.target import NotConfigured, Sender, Target
from adapters.settings import Settings

CALLS = (
    "POST /notifications/d1-token-update, POST /notifications/d1-issuer/{kind}, POST /notifications/tsh/{kind}, "
    "GET /d1-issuer/key, GET /d1-issuer/samples, POST /d1-issuer/verify-card, POST /d1-issuer/get-credentials, "
    "POST /d1-issuer/get-consumer, POST /d1-issuer/deliver-otp, POST /d1-issuer/activate-card, "
    "POST /bursts, GET and DELETE /bursts/{name}, "
    "POST /access-token, POST /feeds/{feed}/resume, POST /configure, GET /state, GET /ledger, "
    "and those of the PaymentOptions twin below /payment-options/control, of the SIBS twin below /sibs/control"
)
OLDER = timedelta(hours=1)


class Sandbox:
    """The twins and what can be asked of those of D1 and TSH."""

    def __init__(self, settings: Settings, wall: Callable[[], float] = time.time) -> None:
        self._wall = wall
        self.clock = TwinClock(settings.sandbox_speed)
        self.target = Target(settings.sandbox_target_url, settings.sandbox_client, settings.sandbox_api_key)
        self.target.issuer_prefix = settings.issuer_notifications_prefix
        self.target.cards_prefix = settings.issuer_cards_prefix
        self.target.consumers_prefix = settings.issuer_consumers_prefix
        self.target.card_keys_path = settings.card_keys_path
        self.target.otp_path = settings.issuer_otp_path
        self.target.token_path = settings.ecom_token_path
        self.target.issuer_token_path = settings.issuer_token_path
        self.sender = Sender(self.target, wall)
        self.d1_calls = D1Calls(self.sender, D1Key(settings.data_dir / "sandbox" / "d1_key.json"))
        self.feeds = all_feeds()
        self.ledger = Ledger(settings.data_dir / "sandbox" / "ledger.jsonl", self.now)
        self.deliveries = Deliveries(self.sender, self.feeds, self.ledger, self.clock, Random(), self.now)
        self.bursts = Bursts(self.deliveries)
        self.payment_options = PaymentOptionsTwin(settings, self.clock, wall, middleware())
        self.sibs = SibsTwin(settings, self.clock, wall)

    def now(self) -> datetime:
        """The time that the twins write into notifications."""
        return datetime.fromtimestamp(self._wall(), UTC)

    async def close(self) -> None:
        """Gives up what is on its way."""
        await self.payment_options.close()
        await self.sibs.close()
        await self.bursts.close()
        self.ledger.close()
        await self.sender.close()

    async def send_d1(self, _request: Request, body: bytes) -> Response:
        """POST /notifications/d1-token-update: answers when every sending is settled."""
        order = parse(body, SendD1)
        self.target.check(D1)
        notification = d1.token_update(
            order.merchant_gateway_id, order.merchant_id, order.token_id, order.update_type, order.correlation_id
        )
        return await self._deliver([notification], order.repeat, order.deadline)

    async def send_d1_issuer(self, request: Request, body: bytes) -> Response:
        """POST /notifications/d1-issuer/{kind}: the same for what D1 tells card issuers."""
        kind = request.path_params["kind"]
        if kind not in d1_issuer.KINDS:
            return error(404, f"D1 sends no {kind} to issuers; it sends {', '.join(d1_issuer.KINDS)}")
        order = parse(body, SendD1Issuer)
        self.target.check(D1)
        return await self._deliver(order.notifications(kind, self.now()), order.repeat, order.deadline)

    async def send_tsh(self, request: Request, body: bytes) -> Response:
        """POST /notifications/tsh/{kind}: the same for TSH."""
        kind = f"tsh-{request.path_params['kind']}"
        if kind not in tsh.PATHS:
            known = ", ".join(name.removeprefix("tsh-") for name in tsh.PATHS)
            return error(404, f"TSH sends no {request.path_params['kind']}; it sends {known}")
        order = parse(body, SendTsh)
        self.target.check(TSH)
        now = self.now()
        first = tsh.notification(kind, now, order.fields, order.correlation_id)
        time_field = tsh.TIME_FIELDS[kind]
        if order.malformed_timestamp and time_field not in order.fields:
            odd = {**first.body, time_field: malformed(timestamp(now))}
            first = tsh.notification(kind, now, odd, first.correlation_id)
        notifications = [first]
        if order.out_of_order:
            older = {**first.body, time_field: timestamp(now - OLDER)}
            notifications.append(tsh.notification(kind, now - OLDER, older))
        return await self._deliver(notifications, order.repeat, order.deadline)

    async def start_burst(self, _request: Request, body: bytes) -> Response:
        """POST /bursts: begins a burst; GET /bursts/{name} tells how far it is."""
        shape = parse(body, StartBurst).shape()
        for feed in (D1, TSH):
            if any(weight and kind.startswith(feed) for kind, weight in shape.kinds.items()):
                self.target.check(feed)
        return JSONResponse(self.bursts.start(shape, self.now()).document(), 202)

    async def get_burst(self, request: Request, _body: bytes) -> Response:
        """GET /bursts/{name}."""
        burst = self.bursts.get(request.path_params["name"])
        return JSONResponse(burst.document()) if burst else error(404, "there is no such burst")

    async def cancel_burst(self, request: Request, _body: bytes) -> Response:
        """DELETE /bursts/{name}."""
        burst = self.bursts.get(request.path_params["name"])
        if burst is None:
            return error(404, "there is no such burst")
        self.bursts.cancel(burst)
        return JSONResponse(burst.document(), 202)

    async def configure(self, _request: Request, body: bytes) -> Response:
        """POST /configure: target, credentials, speed."""
        order = parse(body, Configure)
        if (order.client_id is None) != (order.client_secret is None):
            raise ControlInvalid("clientId and clientSecret go together")
        if order.client_id is not None and order.client_secret is not None:
            self.target.client = (order.client_id, order.client_secret)
        self.target.url = order.target_url or self.target.url
        self.target.api_key = order.api_key or self.target.api_key
        self.target.token_path = order.token_path or self.target.token_path
        self.target.issuer_token_path = order.issuer_token_path or self.target.issuer_token_path
        self.target.issuer_prefix = order.issuer_prefix or self.target.issuer_prefix
        self.target.cards_prefix = order.cards_prefix or self.target.cards_prefix
        self.target.consumers_prefix = order.consumers_prefix or self.target.consumers_prefix
        if order.card_keys is not None:
            self.d1_calls.give(order.card_keys)
        if order.tsh_prefix is not None:
            self.target.tsh_prefix = order.tsh_prefix
        if order.speed is not None:
            self.clock.speed = order.speed
        if any((order.client_id is not None, order.target_url, order.token_path, order.issuer_token_path)):
            self.sender.forget_access_tokens()
            self.d1_calls.forget()
        return JSONResponse(self.document())

    async def fetch_access_token(self, _request: Request, _body: bytes) -> Response:
        """POST /access-token: D1 fetches a new access token now. The token itself is not shown."""
        self.target.check(D1)
        try:
            refused = await self.sender.ecom_tokens.renew(anew=True)
        except (httpx.HTTPError, TimeoutError) as failed:
            return error(502, f"the token endpoint did not answer: {type(failed).__name__}")
        if refused is not None:
            return error(502, refused.error)
        return JSONResponse(self._access_token())

    async def resume(self, request: Request, _body: bytes) -> Response:
        """POST /feeds/{feed}/resume."""
        feed = self.feeds.get(request.path_params["feed"])
        if feed is None:
            return error(404, f"there is no such feed; there are {', '.join(self.feeds)}")
        # Whoever resumes has settled the matter: with new credentials perhaps.
        self.sender.forget_access_tokens()
        return JSONResponse({"resumed": feed.resume(), **feed.document()})

    async def state(self, _request: Request, _body: bytes) -> Response:
        """GET /state."""
        return JSONResponse(self.document())

    async def get_ledger(self, _request: Request, _body: bytes) -> Response:
        """GET /ledger: JSON lines."""
        lines = (line + "\n" for line in self.ledger.lines())
        return StreamingResponse(lines, media_type="application/jsonl")

    def document(self) -> dict[str, Any]:
        """How the twins are."""
        configured = {}
        for feed in self.feeds:
            try:
                self.target.check(feed)
                configured[feed] = ""
            except NotConfigured as missing:
                configured[feed] = str(missing)
        return {
            "targetUrl": self.target.url,
            "speed": self.clock.speed,
            "feeds": {
                name: {"configured": not configured[name], "missing": configured[name], **feed.document()}
                for name, feed in self.feeds.items()
            },
            "accessToken": self._access_token(),
            "ledger": {
                "file": str(self.ledger.path),
                "pending": len(self.ledger.pending()),
                "held": sum(delivery.outcome == "held" for delivery in self.ledger.pending()),
                **dict(sorted(self.ledger.totals.items())),
            },
            "bursts": [burst.document() for burst in self.bursts.all()],
        }

    def _access_token(self) -> dict[str, Any]:
        held = self.sender.ecom_tokens.held
        expires = timestamp(datetime.fromtimestamp(held.expires, UTC)) if held.text else None
        return {"held": bool(held.text), "expireTime": expires, "scope": held.scope, "fetched": held.fetched}

    async def _deliver(self, notifications: list[Notification], repeat: int, deadline: float) -> Response:
        done: list[Delivery] = []
        for notification in notifications:
            for number in range(repeat + 1):
                done.append(await self.deliveries.deliver(notification, repeat=number, deadline=deadline))
        return JSONResponse({"deliveries": [delivery.document() for delivery in done]})


async def _no_such(_request: Request, raised: Exception) -> Response:
    status = raised.status_code if isinstance(raised, HTTPException) else 500
    return error(status, f"there is no such call; there are {CALLS}")


def middleware() -> list[Middleware]:
    """A page in a browser must not reach us under a name of its own."""
    return [Middleware(TrustedHostMiddleware, allowed_hosts=["127.0.0.1", "localhost", "[::1]", "sandbox"])]


def build(sandbox: Sandbox) -> Starlette:
    """The control API of `sandbox`, which is closed with it."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        try:
            await sandbox.payment_options.start()
            await sandbox.sibs.start()
            yield
        finally:
            await sandbox.close()

    def route(method: str, path: str, endpoint: Endpoint) -> Route:
        return Route(path, guarded(endpoint), methods=[method])

    d1_calls = D1CallsControl(sandbox.d1_calls)
    d1_consumers = D1ConsumersControl(D1ConsumerCalls(sandbox.d1_calls, sandbox.target))
    d1_directory = D1DirectoryControl(D1DirectoryCalls(sandbox.d1_calls, sandbox.target), sandbox.now)

    return Starlette(
        routes=[
            route("POST", "/notifications/d1-token-update", sandbox.send_d1),
            route("POST", "/notifications/d1-issuer/{kind}", sandbox.send_d1_issuer),
            route("POST", "/notifications/tsh/{kind}", sandbox.send_tsh),
            route("GET", "/d1-issuer/key", d1_calls.key),
            route("GET", "/d1-issuer/samples", d1_calls.samples),
            route("POST", "/d1-issuer/verify-card", d1_calls.verify_card),
            route("POST", "/d1-issuer/get-credentials", d1_calls.get_credentials),
            route("POST", "/d1-issuer/get-consumer", d1_consumers.get_consumer),
            route("POST", "/d1-issuer/deliver-otp", d1_directory.deliver_one_time_password),
            route("POST", "/d1-issuer/activate-card", d1_directory.activate_card),
            route("POST", "/bursts", sandbox.start_burst),
            route("GET", "/bursts/{name}", sandbox.get_burst),
            route("DELETE", "/bursts/{name}", sandbox.cancel_burst),
            route("POST", "/access-token", sandbox.fetch_access_token),
            route("POST", "/feeds/{feed}/resume", sandbox.resume),
            route("POST", "/configure", sandbox.configure),
            route("GET", "/state", sandbox.state),
            route("GET", "/ledger", sandbox.get_ledger),
            *sandbox.payment_options.routes(),
            *sandbox.payment_options.control.routes(),
            *sandbox.sibs.routes(),
        ],
        middleware=middleware(),
        exception_handlers={HTTPException: _no_such},
        lifespan=lifespan,
    )


def run(settings: Settings) -> None:
    """Runs the sandbox until SIGTERM or SIGINT. Raises AddressUnusable."""
    import asyncio

    from adapters.sandbox.role import serve

    asyncio.run(serve(settings))
