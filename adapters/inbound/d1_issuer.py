"""Thales D1 towards a card issuer: operations on cards, digital cards and consumers, 3-D Secure, and authorisations."""

import asyncio
import re
from dataclasses import dataclass

from mintmark.v1 import notifications_pb2 as pb

from adapters import card_numbers
from adapters.inbound import d1_operations as operations
from adapters.inbound.authentication import CHALLENGE_BEARER, Authentication
from adapters.inbound.correlation import CorrelationId
from adapters.inbound.d1_batch import Batch
from adapters.inbound.limits import Limits
from adapters.inbound.principals import Client, Principals
from adapters.inbound.problems import (
    BATCH_TOO_LONG,
    FORBIDDEN,
    NOT_FOUND,
    PATH_INVALID,
    Answer,
    Problem,
)
from adapters.inbound.received import Received, store, store_all
from adapters.inbound.recorder import Recorder
from adapters.inbound.request import Request, decoded

_FORMS = {
    "issuerId": re.compile(r"[A-Za-z0-9_-]{10}"),
    "cardId": operations.CARD_ID,
    "digitalCardId": re.compile(r"[A-Za-z0-9_-]{1,64}"),
}
_PLACEHOLDER = re.compile(r"\\\{[A-Za-z]+\\\}")


@dataclass(frozen=True, slots=True)
class Call:
    """One of D1's calls: its path below the prefix, and what its body is: one operation's words, or a batch."""

    path: str
    content: operations.Words | Batch

    @property
    def names(self) -> list[str]:
        """The names of the path's ids; the issuer's is the first."""
        return re.findall(r"\{([A-Za-z]+)\}", self.path)


CALLS = (
    Call("/v1/issuers/{issuerId}/cards/{cardId}/notifications", operations.CARD),
    Call("/v1/issuers/{issuerId}/digitalCards/{digitalCardId}/notifications", operations.DIGITAL_CARD),
    Call("/v1/issuers/{issuerId}/cards/{cardId}/3ds/notifications", operations.THREE_D_SECURE),
    Call("/v2/issuers/{issuerId}/cards", Batch(operations.CARD)),
    Call("/v2/issuers/{issuerId}/authorisations", Batch(operations.AUTHORISATION)),
    Call("/v2/issuers/{issuerId}/consumers", Batch(operations.CONSUMER, of_consumers=True, may_be_bare=True)),
)


def form(template: str) -> re.Pattern[bytes]:
    """What paths of this template look like before percent-decoding, with a group for each id."""
    return re.compile(_PLACEHOLDER.sub("([^/]*)", re.escape(template)).encode())


@dataclass(frozen=True, slots=True)
class D1Issuer:
    """The endpoints."""

    authentication: Authentication
    principals: Principals
    recorder: Recorder
    limits: Limits

    async def notify(self, request: Request, call: Call, form: re.Pattern[bytes]) -> Answer:
        """204 once it is stored, each item of a batch. Raises Problem and NotStored."""
        found = form.fullmatch(request.raw_path)
        ids = decoded(found.groups()) if found else None
        accounts = self.principals.issuer_certificate_accounts(ids[0] if ids else "")
        sender = self.authentication.d1(request, accounts)
        request.authenticated()
        named = dict(zip(call.names, ids or (), strict=False))
        if ids is None or not all(_FORMS[name].fullmatch(text) for name, text in named.items()):
            raise Problem(PATH_INVALID)
        self._check_binding(sender, named["issuerId"])
        request.check_content_type(b"application/json")
        record = pb.NotificationRecord(
            sender=sender if isinstance(sender, str) else sender.name,
            issuer_id=named["issuerId"],
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

    def _check_binding(self, sender: Client | str, issuer: str) -> None:
        if issuer not in self.principals.issuer_ids:
            raise Problem(NOT_FOUND)
        if isinstance(sender, Client) and not sender.speaks_for_issuer(issuer):
            raise Problem(FORBIDDEN)
