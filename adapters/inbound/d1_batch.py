"""A batch of D1 operations, taken apart: each item becomes a notification of its own."""

import re
from dataclasses import dataclass
from typing import Any

from mintmark.v1 import notifications_pb2 as pb

from adapters import json
from adapters.inbound.correlation import CorrelationId
from adapters.inbound.d1_operations import CARD_ID, ID, Words, identifier, read
from adapters.inbound.received import CUT, Received

OPERATIONS = "operations"
# Other members of the envelope up to this size are kept with each item, larger ones with the first alone: else a body
# could grow as many times as it has items.
LONGEST_ENVELOPE = 1024

_SIGNS = {
    pb.NOTIFICATION_FLAG_CARD_NUMBER_CUT: CUT,
    pb.NOTIFICATION_FLAG_NUL: re.compile("\0"),
    pb.NOTIFICATION_FLAG_LONE_SURROGATE: re.compile("[\ud800-\udfff]"),
}


@dataclass(frozen=True, slots=True)
class Batch:
    """What a batch is about: its words, whether its items name a consumer in place of a card, and whether an object
    without a list of operations is one item."""

    words: Words
    of_consumers: bool = False
    may_be_bare: bool = False

    def items(self, received: Received) -> list[Any]:
        """The items. Without a list of them `received` has a problem and there are none."""
        items = received.fields.get(OPERATIONS)
        if isinstance(items, list):
            return items
        if self.may_be_bare and not received.problem:
            return [received.fields]
        received.reject(f"{OPERATIONS} is missing or not a list")
        return []

    def records(
        self, received: Received, items: list[Any], correlation_id: CorrelationId, sent: pb.NotificationRecord
    ) -> list[pb.NotificationRecord]:
        """The items as records, each with what `sent` says of the whole call."""
        records = []
        for part in _parts(received, items, correlation_id):
            record = pb.NotificationRecord()
            record.CopyFrom(sent)
            self._read(part, record)
            if part.problem:
                part.reason = pb.QUARANTINE_REASON_BATCH_ITEM_INVALID
            part.quarantine_cut_identifiers(record.operation_id, record.card_id, record.consumer_id)
            part.complete(record)
            records.append(record)
        return records

    def _read(self, part: Received, record: pb.NotificationRecord) -> None:
        if self.of_consumers:
            record.consumer_id = identifier(part, "consumerId", 64, ID)
        else:
            record.card_id = identifier(part, "cardId", 48, CARD_ID)
            if not CARD_ID.fullmatch(record.card_id) and not part.is_cut(record.card_id):
                part.reject("cardId is not in the documented format")
        read(part, record, self.words)


def _parts(received: Received, items: list[Any], correlation_id: CorrelationId) -> list[Received]:
    """What came of each item: the envelope with this item alone, and the digest of the item alone, so that it is
    known again in another batch."""
    bare = not isinstance(received.fields.get(OPERATIONS), list)
    others = {} if bare else {name: value for name, value in received.fields.items() if name != OPERATIONS}
    everywhere = len(json.written(others).encode()) <= LONGEST_ENVELOPE
    parts = []
    for place, item in enumerate(items):
        kept = others if everywhere or place == 0 else {}
        body = received.body if bare else json.written({**kept, OPERATIONS: [item]}).encode()
        flags = list(correlation_id.flags)
        # Which object had the key twice is not known any more.
        if pb.NOTIFICATION_FLAG_DUPLICATE_KEY in received.flags:
            flags.append(pb.NOTIFICATION_FLAG_DUPLICATE_KEY)
        for flag, form in _SIGNS.items():
            if flag in received.flags and flag not in flags and json.holds([kept, item], form):
                flags.append(flag)
        parts.append(Received(body, json.value_digest(item), item if isinstance(item, dict) else {}, flags))
    return parts
