"""What PaymentOptions says by itself: webhooks at an address that nobody can guess, one for each payment.

A webhook is a hint: the core keeps it, asks the partner, and moves no state. Nothing about it is refused but an address
that we never made; that is all that authenticates it, so no log, metric or trace holds it.
"""

import re
from dataclasses import dataclass

import grpc
import structlog
from mintmark.v1 import notifications_pb2, payment_webhooks_pb2_grpc, tasks_pb2
from mintmark.v1 import payment_webhooks_pb2 as pb

from adapters import partner_answers
from adapters.core import AioAccessToken, CredentialsMissing
from adapters.inbound.limits import Limits
from adapters.inbound.problems import NOT_FOUND, Answer
from adapters.inbound.recorder import NotStored
from adapters.inbound.request import Request

PATH = re.compile(rb"/payment-options/webhooks/[A-Za-z0-9._~-]{1,256}")
TEMPLATE = "/payment-options/webhooks/{token}"
TIMEOUT = 5.0
OK = Answer(200, ((b"content-length", b"0"),))
STORED = frozenset({notifications_pb2.RECORD_OUTCOME_STORED, notifications_pb2.RECORD_OUTCOME_REPEATED})


@dataclass(frozen=True, slots=True)
class PaymentWebhooks:
    """The endpoint."""

    channel: grpc.aio.Channel
    access_token: AioAccessToken
    limits: Limits

    async def receive(self, request: Request) -> Answer:
        """200 once it is stored, a repeat too; 404 for an address that is not ours. Raises Problem and NotStored."""
        request.check_encoding()
        body = await request.body(self.limits.body)
        record = pb.RecordPaymentWebhookRequest(
            url_token=request.raw_path.rpartition(b"/")[2].decode("ascii"),
            answer=partner_answers.read(body, last_of_twins=True),
            correlation_id=request.correlation.text,
        )
        try:
            outcome = await self._record(record)
        except (grpc.aio.AioRpcError, CredentialsMissing) as error:
            code = error.code().name if isinstance(error, grpc.aio.AioRpcError) else str(error)
            structlog.get_logger().warning("not recorded", code=code, correlation_id=record.correlation_id)
            raise NotStored from None
        if outcome in STORED:
            return OK
        if outcome == notifications_pb2.RECORD_OUTCOME_NOT_OURS:
            return NOT_FOUND
        raise NotStored

    async def _record(self, record: pb.RecordPaymentWebhookRequest) -> "notifications_pb2.RecordOutcome.ValueType":
        try:
            return await self._call(record)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                self.access_token.forget()
            elif error.code() is grpc.StatusCode.INVALID_ARGUMENT and record.answer.readable:
                # What the core cannot take as fields it takes as a body.
                record.answer.CopyFrom(tasks_pb2.PartnerAnswer(body=record.answer.body))
            else:
                raise
        return await self._call(record)

    async def _call(self, record: pb.RecordPaymentWebhookRequest) -> "notifications_pb2.RecordOutcome.ValueType":
        stub = payment_webhooks_pb2_grpc.PaymentWebhooksServiceStub(self.channel)
        metadata = await self.access_token.metadata()
        answer = await stub.RecordPaymentWebhook(record, metadata=metadata, timeout=TIMEOUT)
        return answer.outcome
