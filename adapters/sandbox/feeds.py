"""The feeds of Thales into us, and what stops one."""

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from adapters.sandbox.answer import Answer
from adapters.sandbox.notifications import D1, D1_ISSUER, D1_ISSUER_BATCHES, TSH, timestamp

log = structlog.get_logger("mintmark.sandbox")


@dataclass(slots=True)
class Feed:
    """One feed. D1 keeps what was refused until somebody has settled the matter; TSH loses it (contract, section 5)."""

    name: str
    loses_refused: bool
    # The statuses after which it is sent again; None: whatever may be gone the next time.
    retries: frozenset[int] | None = None
    # Whether it is sent again where no answer came.
    retries_unanswered: bool = True
    # Whether a refusal stops it.
    stops: bool = True
    counts: Counter[str] = field(default_factory=Counter)
    stop_reason: str = ""
    stop_time: datetime | None = None
    _running: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._running.set()

    @property
    def stopped(self) -> bool:
        """Whether it waits for `resume`."""
        return not self._running.is_set()

    def retries_after(self, answer: Answer) -> bool:
        """Whether what was answered so is sent again by itself."""
        if answer.status is None:
            return self.retries_unanswered
        return answer.retryable if self.retries is None else answer.status in self.retries

    def stop(self, reason: str, now: datetime) -> None:
        """Stops the feed, and says so loudly. A feed that is stopped keeps its first reason."""
        if self.stopped:
            return
        self.stop_reason, self.stop_time = reason, now
        self._running.clear()
        self.counts["stops"] += 1
        log.error(
            "feed stopped",
            feed=self.name,
            reason=reason,
            refused="lost" if self.loses_refused else "kept, sent again after the resume",
            resume=f"POST /feeds/{self.name}/resume, or mintmark sandbox resume {self.name}",
        )

    def resume(self) -> bool:
        """Lets the feed go on. Returns whether it was stopped."""
        was_stopped = self.stopped
        self.stop_reason, self.stop_time = "", None
        self._running.set()
        if was_stopped:
            log.warning("feed resumed", feed=self.name)
        return was_stopped

    async def running(self) -> None:
        """Waits until the feed is not stopped."""
        await self._running.wait()

    def document(self) -> dict[str, Any]:
        """How it is."""
        return {
            "stopped": self.stopped,
            "stopReason": self.stop_reason,
            "stopTime": timestamp(self.stop_time) if self.stop_time else None,
            **{name: self.counts[name] for name in ("sent", "acknowledged", "retried", "refused", "stops")},
        }


def all_feeds() -> dict[str, Feed]:
    """The feeds by name."""
    return {
        D1: Feed(D1, loses_refused=False),
        TSH: Feed(TSH, loses_refused=True),
        D1_ISSUER: Feed(D1_ISSUER, loses_refused=True, retries=frozenset(), retries_unanswered=False, stops=False),
        D1_ISSUER_BATCHES: Feed(D1_ISSUER_BATCHES, loses_refused=False, retries=frozenset({500, 503})),
    }
