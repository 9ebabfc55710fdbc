"""Thales D1 towards a card issuer: operations on cards, digital cards and consumers, 3-D Secure, and authorisations."""

import asyncio
from dataclasses import dataclass

from mintmark.v1 import notifications_pb2 as pb

from adapters import card_numbers
from adapters.inbound import d1_operations as operations
from adapters.inbound.authentication import CHALLENGE_BEARER
from adapters.inbound.correlation import CorrelationId
from adapters.inbound.d1_batch import Batch
from adapters.inbound.issuer_paths import ISSUER, IssuerCallers, IssuerPath
from adapters.inbound.limits import Limits
from adapters.inbound.problems import BATCH_TOO_LONG, Answer, Problem
from adapters.inbound.received import Received, store, store_all
from adapters.inbound.recorder import Recorder
from adapters.inbound.request import Request


@dataclass(frozen=True, slots=True)
class Call:
    """One of D1's calls: its path below the prefix, and what its body is: one operation's words, or a batch."""

    path: str
    content: operations.Words | Batch


CALLS = (
    Call("/v1/issuers/{issuerId}/cards/{cardId}/notifications", operations.CARD),
    Call("/v1/issuers/{issuerId}/digitalCards/{digitalCardId}/notifications", operations.DIGITAL_CARD),
    Call("/v1/issuers/{issuerId}/cards/{cardId}/3ds/notifications", operations.THREE_D_SECURE),
    Call("/v2/issuers/{issuerId}/cards", Batch(operations.CARD)),
    Call("/v2/issuers/{issuerId}/authorisations", Batch(operations.AUTHORISATION)),
    Call("/v2/issuers/{issuerId}/consumers", Batch(operations.CONSUMER, of_consumers=True, may_be_bare=True)),
)


@dataclass(frozen=True, slots=True)
class D1Issuer:
    """The endpoints."""

    callers: IssuerCallers
    recorder: Recorder
    limits: Limits

    async def notify(self, request: Request, call: Call, path: IssuerPath) -> Answer:
        """204 once it is stored, each item of a batch. Raises Problem and NotStored."""
        sender, named = self.callers.known(request, path)
        request.check_content_type(b"application/json")
        record = pb.NotificationRecord(
            sender=sender,
            issuer_id=named[ISSUER],
            card_id=card_numbers.cut_identifier(named.get("cardId", "")),
            digital_card_id=card_numbers.cut_identifier(named.get("digitalCardId", "")),
            correlation_id=request.correlation.text,
            correlation_id_given=request.correlation.given,
        )
        if isinstance(call.content, Batch):
            return await self._batch(request, call.content, record)
        cut = (record.card_id, record.digital_card_id) != (named.get("cardId", ""), named.get("digitalCardId", ""))
        return await self._single(request, call.content, record, cut=cut)

    async def _single(
        self, request: Request, words: operations.Words, record: pb.NotificationRecord, *, cut: bool
    ) -> Answer:
        body = await request.body(self.limits.body)
        received = Received.of(body, request.correlation, self.limits.json_depth)
        record.kind = words.kind
        if cut:
            received.flag(pb.NOTIFICATION_FLAG_CARD_NUMBER_CUT)
        if not received.problem:
            operations.read(received, record, words)
        received.quarantine_cut_identifiers(
            record.card_id, record.digital_card_id, record.consumer_id, record.operation_id
        )
        return await store(self.recorder, record, received, CHALLENGE_BEARER)

    async def _batch(self, request: Request, batch: Batch, record: pb.NotificationRecord) -> Answer:
        body = await request.body(self.limits.batch_body)
        record.kind = batch.words.kind
        taking = (body, request.correlation, batch, record)
        # What is larger than others' bodies may take seconds, in which nobody else would be answered.
        large = len(body) > self.limits.body
        received, records = await asyncio.to_thread(self._take_apart, *taking) if large else self._take_apart(*taking)
        if received.problem:
            return await store(self.recorder, record, received, CHALLENGE_BEARER)
        return await store_all(self.recorder, records, CHALLENGE_BEARER)

    def _take_apart(
        self, body: bytes, correlation_id: CorrelationId, batch: Batch, record: pb.NotificationRecord
    ) -> tuple[Received, list[pb.NotificationRecord]]:
        received = Received.of(body, correlation_id, self.limits.json_depth)
        items = batch.items(received)
        if len(items) > self.limits.batch_items:
            raise Problem(BATCH_TOO_LONG)
        return received, batch.records(received, items, correlation_id, record) if items else []
