"""Hands notifications to the core in batches: whatever waits when the batch before returns goes into the next one."""

import asyncio
import contextlib
import contextvars
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from mintmark.v1 import notifications_pb2, notifications_pb2_grpc
from opentelemetry.trace import SpanContext

from adapters.core import AioAccessToken, CredentialsMissing
from adapters.inbound import spans
from adapters.inbound.metrics import Metrics

MOST_RECORDS = 512
MOST_BYTES = 1024 * 1024
TIMEOUT = 5.0
# So many correlation ids are named in a log line; of the others it tells how many there are.
MOST_NAMED = 5


class NotStored(Exception):
    """The notification is not known to be stored. Recording it again is safe."""


@dataclass(slots=True)
class _Waiting:
    record: notifications_pb2.NotificationRecord
    size: int
    done: asyncio.Future[notifications_pb2.RecordResult]
    since: float
    # The request that it came with, where that is traced.
    span: SpanContext | None = None


class Recorder:
    """One batch is in flight at a time. It closes at 512 records or 1 MiB of bodies; a larger body travels alone."""

    def __init__(
        self, channel: grpc.aio.Channel, access_token: AioAccessToken, metrics: Metrics, *, traced: bool = False
    ) -> None:
        self._stub = notifications_pb2_grpc.NotificationRecordsServiceStub(channel)
        self._access_token = access_token
        self._metrics = metrics
        self._traced = traced
        self._waiting: deque[_Waiting] = deque()
        self._worker: asyncio.Task[None] | None = None
        metrics.oldest.set_function(self._oldest)

    async def record(self, record: notifications_pb2.NotificationRecord) -> notifications_pb2.RecordResult:
        """Returns when the core has stored it or says that it will not. Raises NotStored, within TIMEOUT."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[notifications_pb2.RecordResult] = loop.create_future()
        waiting = _Waiting(record, len(record.body), done, loop.time())
        if self._traced:
            waiting.span = spans.current()
            record.trace_context = spans.traceparent()
        self._waiting.append(waiting)
        self._metrics.waiting.set(len(self._waiting))
        if self._worker is None:
            # In a context of its own: it works for whoever comes, not for this request.
            self._worker = asyncio.create_task(self._work(), context=contextvars.Context())
        # Behind a batch that the core does not answer, waiting for the next one would take as long again.
        overdue = loop.call_later(TIMEOUT, _settle, waiting, None)
        try:
            return await done
        except NotStored:
            self._metrics.not_stored.inc()
            raise
        finally:
            overdue.cancel()

    async def close(self) -> None:
        """Gives up what is still waiting."""
        worker = self._worker
        if worker is not None:
            worker.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await worker

    def _oldest(self) -> float:
        """The age of the oldest waiting record in seconds."""
        return asyncio.get_running_loop().time() - self._waiting[0].since if self._waiting else 0.0

    async def _work(self) -> None:
        try:
            while self._waiting:
                batch = self._take()
                self._metrics.waiting.set(len(self._waiting))
                if batch:
                    self._metrics.batch.observe(len(batch))
                    await self._send(batch)
        finally:
            self._worker = None
            while self._waiting:
                _settle(self._waiting.popleft(), None)

    def _take(self) -> list[_Waiting]:
        batch: list[_Waiting] = []
        size = 0
        while self._waiting and len(batch) < MOST_RECORDS:
            if self._waiting[0].done.done():
                # Nobody waits for it any more.
                self._waiting.popleft()
                continue
            size += self._waiting[0].size
            if batch and size > MOST_BYTES:
                break
            batch.append(self._waiting.popleft())
        return batch

    async def _send(self, batch: list[_Waiting]) -> None:
        """Records a batch; one that the core cannot read as a whole is halved, so that the others are stored."""
        try:
            results = await self._call(batch)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.INVALID_ARGUMENT and len(batch) > 1:
                middle = len(batch) // 2
                await self._send(batch[:middle])
                await self._send(batch[middle:])
                return
            structlog.get_logger().warning("not recorded", code=error.code().name, **_concerned(batch))
            results = []
        except CredentialsMissing as missing:
            structlog.get_logger().warning("not recorded", why=str(missing), **_concerned(batch))
            results = []
        except BaseException:
            for each in batch:
                _settle(each, None)
            raise
        if len(results) != len(batch):
            results = []
        for place, each in enumerate(batch):
            _settle(each, results[place] if results else None)

    async def _call(self, batch: list[_Waiting]) -> list[notifications_pb2.RecordResult]:
        request = notifications_pb2.RecordNotificationsRequest(records=[each.record for each in batch])
        for attempt in (1, 2):
            metadata = await self._access_token.metadata()
            try:
                with self._metrics.batch_seconds.time(), self._made_for(batch):
                    answer = await self._stub.RecordNotifications(request, metadata=metadata, timeout=TIMEOUT)
            except grpc.aio.AioRpcError as error:
                if attempt == 2 or error.code() is not grpc.StatusCode.UNAUTHENTICATED:
                    raise
                self._access_token.forget()
            else:
                return list(answer.results)
        return []

    def _made_for(self, batch: Sequence[_Waiting]) -> contextlib.AbstractContextManager[None]:
        if not self._traced:
            return contextlib.nullcontext()
        return spans.made_for([each.span for each in batch if each.span])


def _concerned(batch: Sequence[_Waiting]) -> dict[str, Any]:
    """Whom a batch concerns, for a log line of bounded length."""
    return {
        "records": len(batch),
        "correlation_ids": [each.record.correlation_id for each in batch[:MOST_NAMED]],
    }


def _settle(waiting: _Waiting, result: notifications_pb2.RecordResult | None) -> None:
    if waiting.done.done():
        return
    if result is None:
        waiting.done.set_exception(NotStored())
    else:
        waiting.done.set_result(result)
