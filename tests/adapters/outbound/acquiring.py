"""The dispatcher's tasks for the acquirer, done in this process against its twin, and a core that writes down what is
told."""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from mintmark.v1 import tasks_pb2 as pb
from mintmark.v1 import webhook_configs_pb2 as configs
from prometheus_client import CollectorRegistry

from adapters.breaker import Breaker
from adapters.outbound.access_tokens import AccessTokens
from adapters.outbound.acquirer import Acquirer
from adapters.outbound.acquirer_tasks import AcquirerTasks
from adapters.outbound.calls import CallBook
from adapters.outbound.leases import Lease
from adapters.outbound.metrics import Metrics
from adapters.outbound.shared_access_tokens import SharedAccessTokens
from adapters.outbound.transport import Transport
from tests.adapters.sandbox.sibs.caller import ACQUIRER, KEY, MERCHANT, Caller

ACCOUNT = "partnerAccounts/sibs"
CONFIG = "webhookConfigs/one"
OWN = "https://gateway.example/sibs/notifications/one"
SECRET = "sandbox-client-secret-not-secret"
STATIC = "sandbox-static-access-token-not-secret"
ABSENT, PRESENT = configs.WEBHOOK_PRESENCE_ABSENT, configs.WEBHOOK_PRESENCE_PRESENT
NOBODY_KNOWS = configs.WEBHOOK_PRESENCE_UNSPECIFIED


def outcome(call: configs.AcquirerCall) -> str:
    return configs.AcquirerCallOutcome.Name(call.outcome).removeprefix("ACQUIRER_CALL_OUTCOME_")


def operation(call: configs.AcquirerCall) -> str:
    return configs.AcquirerOperation.Name(call.operation).removeprefix("ACQUIRER_OPERATION_")


class ToldCore:
    """Takes everything. `failures` are raised first, one for each call."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.failures: list[Exception] = []

    async def record(self, request: Any) -> None:
        if self.failures:
            raise self.failures.pop(0)
        # As it goes over the wire, where texts that are none would not.
        self.told.append(type(request).FromString(request.SerializeToString()))

    record_webhook_config_call = record_webhook_config_list = record_acquirer_status = record


class Dispatching:
    """What a dispatcher has for the acquirer. `clock` can be moved."""

    def __init__(self, shared: SharedAccessTokens | None = None) -> None:
        self.core = ToldCore()
        self.ahead = 0.0
        self.metrics = Metrics(CollectorRegistry())
        self.transport = Transport(32)
        self.breaker = Breaker(self.monotonic)
        book = CallBook(self.metrics, None)
        self.access_tokens = AccessTokens(self.transport, book, shared, self.monotonic)
        acquirer = Acquirer(self.transport, self.access_tokens, book, self.breaker)
        core: Any = self.core
        self.hurried = False
        self.tasks = AcquirerTasks(core, acquirer, lambda: self.hurried)

    def monotonic(self) -> float:
        return time.monotonic() + self.ahead

    async def do(self, task: pb.Task, seconds: float = 60.0) -> Any:
        """Does a task under a lease of so many seconds; the last thing that the core was told."""
        before = len(self.core.told)
        await self.tasks.work[task.kind](Lease(task, time.monotonic() + seconds))
        return self.core.told[-1] if len(self.core.told) > before else None

    def counted(self, kind: str, outcome: str) -> float:
        return float(self.metrics.calls.labels(kind, outcome)._value.get())


@contextlib.asynccontextmanager
async def dispatching(shared: SharedAccessTokens | None = None) -> AsyncIterator[Dispatching]:
    made = Dispatching(shared)
    try:
        yield made
    finally:
        await made.access_tokens.aclose()
        await made.transport.aclose()


def run(work: Callable[[Dispatching], Awaitable[Any]], shared: SharedAccessTokens | None = None) -> Any:
    """What `work` makes of a dispatcher of its own."""

    async def whole() -> Any:
        async with dispatching(shared) as made:
            return await work(made)

    return asyncio.run(whole())


def done(task: pb.Task, seconds: float = 60.0) -> Any:
    """What the core is told of a task."""
    return run(lambda dispatcher: dispatcher.do(task, seconds))


class Wishes:
    """Tasks as the core hands them out, for a twin."""

    def __init__(self, twin: Caller) -> None:
        self.base_url = str(twin.client.base_url).rstrip("/")

    def endpoint(self, **changes: Any) -> pb.AcquirerEndpoint:
        given = {
            "account": ACCOUNT,
            "base_url": self.base_url,
            "path_prefix": "/sibs",
            "version_id": "v1",
            "acquirer_id": ACQUIRER,
            "client_id": "sandbox-client-id",
            "token_source": pb.AcquirerTokenSource(access_token=STATIC),
            "user_id": "clients/ops",
            "user_organization_id": "Example Ltd",
            "field_names": pb.AcquirerFieldNames(value="value", key="key", algorithm="algorithm"),
            **changes,
        }
        return pb.AcquirerEndpoint(**given)

    def fetched(self, **changes: Any) -> pb.AcquirerEndpoint:
        """With client credentials."""
        source = {
            "token_url": f"{self.base_url}/sibs/oauth2/token",
            "client_id": "sandbox-client-id",
            "client_secret": SECRET,
            "scope": "webhooks",
            "revision": "1",
            **changes,
        }
        return self.endpoint(token_source=pb.AcquirerTokenSource(**source))

    def application(self, **changes: Any) -> pb.Task:
        endpoint = changes.pop("endpoint", None) or self.endpoint()
        given = {
            "webhook_config": CONFIG,
            "generation": 3,
            "presence": ABSENT,
            "notification_configuration_code": str(uuid.uuid4()),
            "merchant_id": MERCHANT,
            "channel": configs.NOTIFICATION_CHANNEL_URL,
            "value": OWN,
            "payment_method_codes": ["CARD", "BLIK"],
            "key": KEY,
            "support_email": "ops@gateway.example",
            "algorithm": "AES-256-GCM",
            **changes,
        }
        wanted = pb.WebhookConfigApplication(endpoint=endpoint, **given)
        return self._task(pb.TASK_KIND_APPLY_WEBHOOK_CONFIG, application=wanted)

    def listing(self, endpoint: pb.AcquirerEndpoint | None = None, merchant: str = MERCHANT, **scope: str) -> pb.Task:
        asked = pb.WebhookConfigListing(endpoint=endpoint or self.endpoint(), merchant_id=merchant, **scope)
        return self._task(pb.TASK_KIND_LIST_WEBHOOK_CONFIGS, listing=asked)

    def inquiry(self, transaction_id: str, endpoint: pb.AcquirerEndpoint | None = None) -> pb.Task:
        where = endpoint or self.endpoint(path_prefix="/sibs/api/v1/payments")
        asked = pb.AcquirerTransactionQuery(
            endpoint=where, acquirer_transaction="acquirerTransactions/sibs~1", transaction_id=transaction_id
        )
        return self._task(pb.TASK_KIND_QUERY_ACQUIRER_TRANSACTION, acquirer_query=asked)

    @staticmethod
    def _task(kind: "pb.TaskKind.ValueType", **more: Any) -> pb.Task:
        return pb.Task(name="tasks/1", kind=kind, fence=7, account=ACCOUNT, correlation_id="asked-1", **more)
