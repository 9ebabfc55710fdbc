"""What happens when its time has come: changes of transactions, notifications that are due."""

import asyncio

import structlog

from adapters.sandbox.payment_options.background import Background
from adapters.sandbox.payment_options.journal import Journal, JournalBroken
from adapters.sandbox.sibs.calendar import Calendar
from adapters.sandbox.sibs.deliveries import Deliveries
from adapters.sandbox.sibs.transactions import Transactions

log = structlog.get_logger("mintmark.sandbox")


class Agenda:
    """Runs in the background, and by leaps when told to."""

    def __init__(
        self,
        calendar: Calendar,
        ledger: Journal,
        transactions: Transactions,
        deliveries: Deliveries,
        background: Background,
    ) -> None:
        self._calendar = calendar
        self._ledger = ledger
        self._transactions = transactions
        self._deliveries = deliveries
        self._background = background
        self._turn = asyncio.Lock()

    def start(self) -> None:
        """Begins."""
        self._background.start(self._run())

    async def advance(self, seconds: float) -> float:
        """Lets so much of the acquirer's time pass now: whatever is due meanwhile happens, each at its time and after
        what came before it. Returns the time. Raises JournalBroken."""
        target = self._calendar.now + seconds
        await self._settle()
        while (due := self._next()) is not None and due <= target:
            self._calendar.leap_to(due)
            await self._settle()
        self._calendar.leap_to(target)
        await self._ledger.append({"time": target})
        return self._calendar.now

    def _next(self) -> float | None:
        dues = [due for due in (self._transactions.next_due(), self._deliveries.next_due()) if due is not None]
        return min(dues, default=None)

    async def _settle(self) -> None:
        """What is due is done, and answered."""
        await self._move()
        await self._deliveries.idle()

    async def _move(self) -> None:
        async with self._turn:
            await self._transactions.move_on()
            self._deliveries.run_due()

    async def _run(self) -> None:
        while True:
            await self._calendar.wait(self._next())
            try:
                await self._move()
            except JournalBroken:
                log.error("the acquirer twin's ledger cannot be written; nothing changes any more")
                return
