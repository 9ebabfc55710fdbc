"""A partner's body on its way into a record: cut of card numbers, read, and its fields as text."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any, Self

from mintmark.v1 import notifications_pb2 as pb

from adapters import card_numbers, json
from adapters.inbound.correlation import CorrelationId
from adapters.inbound.problems import FORBIDDEN, NO_CONTENT, NOT_FOUND, Answer, error, unauthenticated
from adapters.inbound.recorder import NotStored, Recorder

Flag = pb.NotificationFlag

_CUT = re.compile(r"[0-9]{6}\*{3,9}[0-9]{4}")


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
        if text is None and not self.problem:
            self.problem = f"{name} is missing or not text"
            self.reason = pb.QUARANTINE_REASON_FIELD_INVALID
        return text or ""

    def optional(self, name: str, shortest: int, longest: int, known: Collection[str] = ()) -> str:
        """A field that may be absent or null: then empty. One that is not text is flagged and left out."""
        text = self._text(name, shortest, longest, known)
        if text is None and self.fields.get(name) is not None:
            self.flag(Flag.NOTIFICATION_FLAG_FIELD_ODD)
        return text or ""

    def flag(self, flag: "pb.NotificationFlag.ValueType") -> None:
        """Notes something odd, once."""
        if flag not in self.flags:
            self.flags.append(flag)

    def quarantine_cut_identifiers(self, *identifiers: str) -> None:
        """Notes that an identifier was cut, so that nobody can tell which resource is meant."""
        cut = Flag.NOTIFICATION_FLAG_CARD_NUMBER_CUT in self.flags
        if cut and not self.problem and any(_CUT.search(text) for text in identifiers):
            self.reason = pb.QUARANTINE_REASON_CARD_NUMBER_IN_IDENTIFIER

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
    record.body = received.body
    record.content_digest = received.digest
    record.flags.extend(received.flags)
    record.quarantine_reason = received.reason
    result = await recorder.record(record)
    match result.outcome:
        case pb.RECORD_OUTCOME_STORED | pb.RECORD_OUTCOME_REPEATED:
            return error(400, received.problem) if received.problem else NO_CONTENT
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
