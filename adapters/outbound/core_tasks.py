"""The core's TasksService as the dispatcher calls it: with its access token, and a new one where the old is refused."""

from collections.abc import Callable, Collection
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import cache_keys_pb2, cache_keys_pb2_grpc, tasks_pb2_grpc
from mintmark.v1 import tasks_pb2 as pb

from adapters.core import AioAccessToken

CALL_S = 5.0
CLAIM_WAIT_S = 5.0
MOST_TASKS = 64
# The core may have done it or not: what is naturally repeatable is worth repeating.
PASSING = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAUTHENTICATED,
        grpc.StatusCode.PERMISSION_DENIED,
    }
)


class CoreTasks:
    """`channel` for calls, `waiting` for the long poll. Calls raise grpc.aio.AioRpcError and CredentialsMissing."""

    def __init__(self, channel: grpc.aio.Channel, waiting: grpc.aio.Channel, access_token: AioAccessToken) -> None:
        self._stub = tasks_pb2_grpc.TasksServiceStub(channel)
        self._waiting = tasks_pb2_grpc.TasksServiceStub(waiting)
        self._cache_keys = cache_keys_pb2_grpc.CacheKeysServiceStub(channel)
        self._access_token = access_token

    async def claim(
        self, kinds: Collection["pb.TaskKind.ValueType"], most: int, paused: Collection[str], wait: float
    ) -> list[pb.Task]:
        """Due tasks, as soon as there are any; none after `wait` seconds, CLAIM_WAIT_S at most."""
        waited = Duration()
        waited.FromMicroseconds(int(min(wait, CLAIM_WAIT_S) * 1_000_000))
        request = pb.ClaimTasksRequest(
            kinds=kinds, max_tasks=min(most, MOST_TASKS), wait=waited, paused_accounts=paused
        )
        answer = await self._call(self._waiting.ClaimTasks, request, CLAIM_WAIT_S + CALL_S)
        return list(answer.tasks)

    async def renew(self, leases: Collection[pb.TaskLease]) -> pb.RenewTasksResponse:
        """The leases that go on, and for how long."""
        request = pb.RenewTasksRequest(leases=leases)
        answer: pb.RenewTasksResponse = await self._call(self._stub.RenewTasks, request, CALL_S)
        return answer

    async def begin(self, request: pb.BeginAttemptRequest, timeout: float) -> pb.BeginAttemptResponse:
        """A grant to send."""
        answer: pb.BeginAttemptResponse = await self._call(self._stub.BeginAttempt, request, min(timeout, CALL_S))
        return answer

    async def record_attempt(self, request: pb.RecordAttemptRequest) -> pb.RecordAttemptResponse:
        """Tells what became of an attempt."""
        answer: pb.RecordAttemptResponse = await self._call(self._stub.RecordAttempt, request, CALL_S)
        return answer

    async def record_status(self, request: pb.RecordStatusRequest) -> pb.RecordStatusResponse:
        """Tells what the partner says of a transaction."""
        answer: pb.RecordStatusResponse = await self._call(self._stub.RecordStatus, request, CALL_S)
        return answer

    async def record_webhook_config_call(
        self, request: pb.RecordWebhookConfigCallRequest
    ) -> pb.RecordWebhookConfigCallResponse:
        """Tells what became of a webhook config that was to be applied."""
        answer: pb.RecordWebhookConfigCallResponse = await self._call(
            self._stub.RecordWebhookConfigCall, request, CALL_S
        )
        return answer

    async def record_webhook_config_list(
        self, request: pb.RecordWebhookConfigListRequest
    ) -> pb.RecordWebhookConfigListResponse:
        """Tells which webhook configs the acquirer has."""
        answer: pb.RecordWebhookConfigListResponse = await self._call(
            self._stub.RecordWebhookConfigList, request, CALL_S
        )
        return answer

    async def record_acquirer_status(self, request: pb.RecordAcquirerStatusRequest) -> pb.RecordAcquirerStatusResponse:
        """Tells what the acquirer says of a transaction."""
        answer: pb.RecordAcquirerStatusResponse = await self._call(self._stub.RecordAcquirerStatus, request, CALL_S)
        return answer

    async def record_token_refresh(self, request: pb.RecordTokenRefreshRequest) -> pb.RecordTokenRefreshResponse:
        """Tells what a token was read as, or why it could not be."""
        answer: pb.RecordTokenRefreshResponse = await self._call(self._stub.RecordTokenRefresh, request, CALL_S)
        return answer

    async def access_token_key(self) -> bytes:
        """The key that access tokens of partners are sealed with in Redis."""
        answer: cache_keys_pb2.GetCacheKeyResponse = await self._call(
            self._cache_keys.GetCacheKey, cache_keys_pb2.GetCacheKeyRequest(), CALL_S
        )
        return answer.access_token_key

    async def record_subscription(self, request: pb.RecordSubscriptionRequest) -> pb.RecordSubscriptionResponse:
        """Tells what became of a call about a subscription."""
        answer: pb.RecordSubscriptionResponse = await self._call(self._stub.RecordSubscription, request, CALL_S)
        return answer

    async def _call(self, method: Callable[..., Any], request: Any, timeout: float) -> Any:
        metadata = await self._access_token.metadata()
        try:
            return await method(request, metadata=metadata, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAUTHENTICATED:
                raise
            self._access_token.forget()
        return await method(request, metadata=await self._access_token.metadata(), timeout=timeout)
