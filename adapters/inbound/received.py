"""A partner's body on its way into a record: cut of card numbers, read, and its fields as text."""

import asyncio
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from mintmark.v1 import notifications_pb2 as pb

from adapters import card_numbers, json
from adapters.inbound.correlation import CorrelationId
from adapters.inbound.problems import FORBIDDEN, NO_CONTENT, NOT_FOUND, Answer, error, unauthenticated
from adapters.inbound.recorder import NotStored, Recorder

Flag = pb.NotificationFlag

CUT = re.compile(r"[0-9]{6}\*{3,9}[0-9]{4}")


@dataclass(slots=True)
class Received:
    """What came: the body to store, its digest, the fields (none where it could not be read), and what was odd."""

    body: bytes
    digest: bytes
    fields: dict[str, Any]
    flags: list["pb.NotificationFlag.ValueType"]
    # Why it cannot be taken, for the partner's eyes; empty where it can.
    problem: str = ""
    reason: "pb.QuarantineReason.ValueType" = field(default=pb.QUARANTINE_REASON_UNSPECIFIED)

    @classmethod
    def of(cls, body: bytes, correlation_id: CorrelationId, depth_limit: int) -> Self:
        stored = card_numbers.cut_json(body)
        flags = list(correlation_id.flags)
        if stored != body:
            flags.append(Flag.NOTIFICATION_FLAG_CARD_NUMBER_CUT)
        try:
            document = json.parse(stored, depth_limit)
        except json.Unreadable as unreadable:
            reason = pb.QUARANTINE_REASON_BODY_UNREADABLE
            return cls(stored, json.raw_digest(stored), {}, flags, str(unreadable), reason)
        if document.duplicate_key:
            flags.append(Flag.NOTIFICATION_FLAG_DUPLICATE_KEY)
        if document.nul:
            flags.append(Flag.NOTIFICATION_FLAG_NUL)
        if document.lone_surrogate:
            flags.append(Flag.NOTIFICATION_FLAG_LONE_SURROGATE)
        return cls(stored, json.digest(document), document.fields, flags)

    def mandatory(self, name: str, shortest: int, longest: int, known: Collection[str] = ()) -> str:
        """A field that must be there as text; a number is read as its text. Lengths and values only raise flags."""
        text = self._text(name, shortest, longest, known)
        if text is None:
            self.reject(f"{name} is missing or not text")
        return text or ""

    def optional(self, name: str, shortest: int, longest: int, known: Collection[str] = ()) -> str:
        """A field that may be absent or null: then empty. One that is not text is flagged and left out."""
        text = self._text(name, shortest, longest, known)
        if text is None and self.fields.get(name) is not None:
            self.flag(Flag.NOTIFICATION_FLAG_FIELD_ODD)
        return text or ""

    def reject(self, problem: str) -> None:
        """Notes that a field keeps it from being taken; the first problem counts."""
        if not self.problem:
            self.problem, self.reason = problem, pb.QUARANTINE_REASON_FIELD_INVALID

    def flag(self, flag: "pb.NotificationFlag.ValueType") -> None:
        """Notes something odd, once."""
        if flag not in self.flags:
            self.flags.append(flag)

    def quarantine_cut_identifiers(self, *identifiers: str) -> None:
        """Notes that an identifier was cut, so that nobody can tell which resource is meant."""
        if not self.problem and any(map(self.is_cut, identifiers)):
            self.reason = pb.QUARANTINE_REASON_CARD_NUMBER_IN_IDENTIFIER

    def is_cut(self, identifier: str) -> bool:
        """Whether the identifier looked like a card number."""
        return Flag.NOTIFICATION_FLAG_CARD_NUMBER_CUT in self.flags and bool(CUT.search(identifier))

    def complete(self, record: pb.NotificationRecord) -> None:
        """Puts the body, and what was found out about it, into its record."""
        record.body = self.body
        record.content_digest = self.digest
        record.flags.extend(self.flags)
        record.quarantine_reason = self.reason

    def _text(self, name: str, shortest: int, longest: int, known: Collection[str]) -> str | None:
        value = self.fields.get(name)
        if isinstance(value, json.Number):
            self.flag(Flag.NOTIFICATION_FLAG_NUMBER_AS_TEXT)
            value = value.text
        if not isinstance(value, str):
            return None
        if not shortest <= len(value) <= longest:
            self.flag(Flag.NOTIFICATION_FLAG_FIELD_ODD)
        if known and value not in known:
            self.flag(Flag.NOTIFICATION_FLAG_VALUE_UNRECOGNIZED)
        return json.storable(value)


async def store(recorder: Recorder, record: pb.NotificationRecord, received: Received, challenge: str) -> Answer:
    """Records it and returns the partner's answer: 204, or 400 where `received` has a problem. Raises NotStored."""
    received.complete(record)
    result = await recorder.record(record)
    answer = _answer(result.outcome, challenge)
    return error(400, received.problem) if answer is NO_CONTENT and received.problem else answer


async def store_all(recorder: Recorder, records: Sequence[pb.NotificationRecord], challenge: str) -> Answer:
    """Records the items of one call side by side, and returns the answer to all: 204, or what the core says of their
    sender. Raises NotStored where one of them is not stored: to record all of them again is safe."""
    results = await asyncio.gather(*map(recorder.record, records), return_exceptions=True)
    refusals: list[Answer] = []
    failures: list[BaseException] = []
    for result in results:
        if isinstance(result, BaseException):
            failures.append(result)
            continue
        try:
            answer = _answer(result.outcome, challenge)
        except NotStored as not_stored:
            failures.append(not_stored)
        else:
            refusals += [] if answer is NO_CONTENT else [answer]
    if refusals:
        return refusals[0]
    if failures:
        raise failures[0]
    return NO_CONTENT


def _answer(outcome: "pb.RecordOutcome.ValueType", challenge: str) -> Answer:
    match outcome:
        case pb.RECORD_OUTCOME_STORED | pb.RECORD_OUTCOME_REPEATED:
            return NO_CONTENT
        case pb.RECORD_OUTCOME_UNAUTHENTICATED:
            return unauthenticated(challenge)
        case pb.RECORD_OUTCOME_FORBIDDEN:
            return FORBIDDEN
        case pb.RECORD_OUTCOME_NOT_OURS:
            return NOT_FOUND
        case pb.RECORD_OUTCOME_NOT_STORED:
            raise NotStored
        case unknown:
            raise RuntimeError(f"the core answered with outcome {unknown}")
