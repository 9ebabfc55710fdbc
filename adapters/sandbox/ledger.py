"""What the twins sent and what of it was acknowledged: one JSON line per delivery, kept in a file."""

import hashlib
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from adapters.sandbox.notifications import Notification, timestamp

# What became of a delivery. The first three are on their way.
SENDING = "sending"
RETRYING = "retrying"
HELD = "held"
ACKNOWLEDGED = "acknowledged"
# Refused for good: TSH does not send it again.
LOST = "lost"
# The sender's own deadline passed, or the burst was cancelled. It may have arrived.
GIVEN_UP = "given_up"
SETTLED = frozenset({ACKNOWLEDGED, LOST, GIVEN_UP})


@dataclass(slots=True)
class Delivery:
    """One sending of a notification until it is settled; a repeat is a delivery of its own."""

    sequence: int
    notification: Notification
    repeat: int
    burst: str
    begun: datetime
    outcome: str = SENDING
    attempts: int = 0
    # The HTTP status of the last attempt; None where there was no answer.
    status: int | None = None
    error: str = ""
    settled: datetime | None = None

    def document(self) -> dict[str, Any]:
        """The ledger's line."""
        notification = self.notification
        return {
            "sequence": self.sequence,
            "kind": notification.kind,
            "feed": notification.feed,
            "merchantGatewayId": notification.merchant_gateway_id,
            "merchantId": notification.merchant_id,
            "tokenId": notification.token_id,
            "deviceId": notification.device_id,
            "issuerId": notification.issuer_id,
            "cardId": notification.card_id,
            "correlationId": notification.correlation_id,
            "repeat": self.repeat,
            "burst": self.burst,
            "body": notification.body,
            "bodySha256": hashlib.sha256(notification.content).hexdigest(),
            "attempts": self.attempts,
            "status": self.status,
            "error": self.error,
            "outcome": self.outcome,
            "acknowledged": self.outcome == ACKNOWLEDGED,
            "beginTime": timestamp(self.begun),
            "settleTime": timestamp(self.settled) if self.settled else None,
        }


class Ledger:
    """Appends a line when a delivery is settled. Lines of earlier runs stay; numbers go on after them."""

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._now = now
        self._pending: dict[int, Delivery] = {}
        self.totals: Counter[str] = Counter()
        self._next = 1
        size = 0
        for line in self._settled_lines():
            self._next = max(self._next, json.loads(line)["sequence"] + 1)
            size += len(line.encode()) + 1
        self._file = path.open("a", encoding="utf-8", buffering=1)
        # A line that a kill has cut off goes: the next one begins on its own.
        self._file.truncate(size)

    def begin(self, notification: Notification, *, repeat: int = 0, burst: str = "") -> Delivery:
        """A new delivery."""
        delivery = Delivery(self._next, notification, repeat, burst, self._now())
        self._next += 1
        self._pending[delivery.sequence] = delivery
        return delivery

    def settle(self, delivery: Delivery, outcome: str) -> None:
        """The delivery has come to its end; its line is written."""
        delivery.outcome, delivery.settled = outcome, self._now()
        del self._pending[delivery.sequence]
        self.totals[outcome] += 1
        self._file.write(json.dumps(delivery.document(), ensure_ascii=False) + "\n")

    def pending(self) -> list[Delivery]:
        """Deliveries on their way."""
        return list(self._pending.values())

    def lines(self) -> Iterator[str]:
        """All lines, settled ones in the order in which they were settled, then those on their way."""
        yield from self._settled_lines()
        for delivery in self.pending():
            yield json.dumps(delivery.document(), ensure_ascii=False)

    def close(self) -> None:
        """Settles what is on its way as given up, and closes the file."""
        for delivery in self.pending():
            self.settle(delivery, GIVEN_UP)
        self._file.close()

    def _settled_lines(self) -> Iterator[str]:
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8") as lines:
            for line in lines:
                # A line cut off by a kill has no end, and is no line.
                if line.endswith("\n"):
                    yield line.rstrip("\n")
