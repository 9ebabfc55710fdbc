"""The dispatcher's tasks for D1, done in this process against its twin, and a core that writes down what is told."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from mintmark.v1 import tasks_pb2 as pb
from prometheus_client import CollectorRegistry

from adapters.breaker import Breaker
from adapters.outbound.access_tokens import AccessTokens
from adapters.outbound.calls import CallBook
from adapters.outbound.d1 import D1
from adapters.outbound.d1_tasks import D1Tasks
from adapters.outbound.leases import Lease
from adapters.outbound.metrics import Metrics
from adapters.outbound.shared_access_tokens import SharedAccessTokens
from adapters.outbound.transport import Transport
from tests.adapters.sandbox.d1_api.caller import GATEWAY, MERCHANT, Caller

ACCOUNT = "partnerAccounts/d1"
PATH = "/merchant-gateways/{merchantGatewayId}/merchants/{merchantId}/tokens/{tokenId}"
NAMES = {
    "state": "tokenState",
    "card_bin": "cardBin",
    "card_last_digits": "cardLastDigits",
    "card_expiry": "cardExpiryDate",
    "token_last_digits": "tokenLastDigits",
    "token_expiry": "tokenExpiryDate",
    "payment_account_reference": "paymentAccountReference",
}
ANSWERED, NOT_SENT, UNKNOWN = pb.CALL_OUTCOME_ANSWERED, pb.CALL_OUTCOME_NOT_SENT, pb.CALL_OUTCOME_UNKNOWN


class ToldCore:
    """Takes everything."""

    def __init__(self) -> None:
        self.told: list[pb.RecordTokenRefreshRequest] = []

    async def record_token_refresh(self, request: pb.RecordTokenRefreshRequest) -> None:
        # As it goes over the wire.
        self.told.append(pb.RecordTokenRefreshRequest.FromString(request.SerializeToString()))


class Reading:
    """What a dispatcher has for D1. `ahead` moves its clock."""

    def __init__(self, shared: SharedAccessTokens | None = None) -> None:
        self.core = ToldCore()
        self.ahead = 0.0
        self.metrics = Metrics(CollectorRegistry())
        self.transport = Transport(32)
        self.breaker = Breaker(self.monotonic)
        book = CallBook(self.metrics, None)
        self.access_tokens = AccessTokens(self.transport, book, shared, self.monotonic)
        d1 = D1(self.transport, self.access_tokens, book, self.breaker)
        core: Any = self.core
        self.tasks = D1Tasks(core, d1, self._tell)

    async def _tell(self, _lease: Lease, tell: Callable[[], Awaitable[object]]) -> None:
        await tell()

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    async def do(self, task: pb.Task, seconds: float = 60.0) -> pb.RecordTokenRefreshRequest:
        """Does a task under a lease of so many seconds; what the core was told."""
        await self.tasks.work[task.kind](Lease(task, time.monotonic() + seconds))
        return self.core.told[-1]

    def counted(self, kind: str, outcome: str) -> float:
        return float(self.metrics.calls.labels(kind, outcome)._value.get())


@contextlib.asynccontextmanager
async def reading(shared: SharedAccessTokens | None = None) -> AsyncIterator[Reading]:
    made = Reading(shared)
    try:
        yield made
    finally:
        await made.access_tokens.aclose()
        await made.transport.aclose()


def run(work: Callable[[Reading], Awaitable[Any]]) -> Any:
    """What `work` makes of a dispatcher of its own."""

    async def whole() -> Any:
        async with reading() as made:
            return await work(made)

    return asyncio.run(whole())


def done(task: pb.Task, seconds: float = 60.0) -> pb.RecordTokenRefreshRequest:
    """What the core is told of a task."""
    told: pb.RecordTokenRefreshRequest = run(lambda dispatcher: dispatcher.do(task, seconds))
    return told


def wish(twin: Caller, token: str = "t-1", **changes: Any) -> pb.Task:  # noqa: S107  a payment token
    """A task as the core hands it out, for the twin."""
    endpoint = {
        "account": ACCOUNT,
        "token_url": f"{twin.base_url}/authz/v1/oauth2/token",
        "assertions": [twin.assertion(), twin.assertion()],
        "revision": "1",
        "base_url": twin.base_url,
        **changes.pop("endpoint", {}),
    }
    wanted = {
        "endpoint": pb.D1Endpoint(**endpoint),
        "token": f"merchantGateways/{GATEWAY}/merchants/{MERCHANT}/tokens/{token}",
        "generation": 3,
        "merchant_gateway_id": GATEWAY,
        "merchant_id": MERCHANT,
        "token_id": token,
        "path_template": PATH,
        "names": pb.D1TokenDetailsNames(**{**NAMES, **changes.pop("names", {})}),
        **changes,
    }
    return pb.Task(
        name="tasks/1",
        kind=pb.TASK_KIND_REFRESH_TOKEN,
        fence=7,
        account=ACCOUNT,
        correlation_id="asked-1",
        token_refresh=pb.TokenRefresh(**wanted),
    )
