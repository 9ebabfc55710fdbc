"""How the twins deliver: until it is acknowledged, as the contract's retry rules say (section 5)."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from random import Random

from adapters.sandbox.clock import TwinClock
from adapters.sandbox.feeds import Feed
from adapters.sandbox.ledger import ACKNOWLEDGED, GIVEN_UP, HELD, LOST, RETRYING, SENDING, Delivery, Ledger
from adapters.sandbox.notifications import Notification
from adapters.sandbox.target import Sender

# The steps are not published: exponential, in the partner's seconds.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 300.0


class Deliveries:
    """Delivers notifications, each on its own: Thales promises no order."""

    def __init__(
        self,
        sender: Sender,
        feeds: dict[str, Feed],
        ledger: Ledger,
        clock: TwinClock,
        random: Random,
        now: Callable[[], datetime],
    ) -> None:
        self.feeds = feeds
        self._sender = sender
        self._ledger = ledger
        self._clock = clock
        self._random = random
        self._now = now

    async def deliver(
        self, notification: Notification, *, repeat: int = 0, burst: str = "", deadline: float | None = None
    ) -> Delivery:
        """Sends until it is acknowledged, lost, or `deadline` seconds (ours, not the partner's) have passed.

        A stopped feed holds it back until the resume. Safe to cancel: the ledger says given up.
        """
        delivery = self._ledger.begin(notification, repeat=repeat, burst=burst)
        outcome = GIVEN_UP
        try:
            async with asyncio.timeout(deadline):
                outcome = await self._until_settled(delivery, self.feeds[notification.feed])
        except TimeoutError:
            delivery.error = delivery.error or "the deadline passed"
        finally:
            self._ledger.settle(delivery, outcome)
        return delivery

    async def _until_settled(self, delivery: Delivery, feed: Feed) -> str:
        failures = 0
        while True:
            if feed.stopped:
                delivery.outcome, failures = HELD, 0
                await feed.running()
            delivery.outcome = SENDING
            answer = await self._sender.send(delivery.notification)
            delivery.attempts += 1
            delivery.status, delivery.error = answer.status, answer.error
            feed.counts["sent"] += 1
            if answer.acknowledged:
                feed.counts["acknowledged"] += 1
                return ACKNOWLEDGED
            if feed.retries_after(answer):
                feed.counts["retried"] += 1
                delivery.outcome = RETRYING
                failures += 1
                await self._clock.sleep(self._pause(failures))
                continue
            feed.counts["refused"] += 1
            why = answer.error or f"the gateway answered {answer.status}"
            if feed.stops:
                feed.stop(f"{why} to {delivery.notification.kind}", self._now())
            if feed.loses_refused:
                return LOST

    def _pause(self, failures: int) -> float:
        longest = min(LONGEST_PAUSE, FIRST_PAUSE * 2.0 ** min(failures - 1, 16))
        return longest * self._random.uniform(0.5, 1.0)
