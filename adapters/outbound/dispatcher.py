"""The dispatcher's loop: claims tasks, calls partners under a grant, and tells the core what it learned.

What moves money is sent only under a grant that this process got, once, and before its time is over. What came of it
goes to disk before the core is told, and is told until the core knows it.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum

import structlog
from mintmark.v1 import tasks_pb2 as pb

from adapters.breaker import Breaker
from adapters.logs import fault
from adapters.outbound import reports
from adapters.outbound.access_tokens import AccessTokens
from adapters.outbound.acquirer import Acquirer
from adapters.outbound.acquirer_tasks import AcquirerTasks, Work
from adapters.outbound.calls import CallBook
from adapters.outbound.core_tasks import CLAIM_WAIT_S, MOST_TASKS, CoreTasks
from adapters.outbound.core_trouble import CORE_TROUBLE, LONGEST_PAUSE_S, away, passes, pause, why
from adapters.outbound.d1 import D1
from adapters.outbound.d1_tasks import D1Tasks
from adapters.outbound.leases import Lease, duration
from adapters.outbound.metrics import Metrics
from adapters.outbound.outcomes import Answered, Result, ours
from adapters.outbound.payment_options import STATUS, SUBSCRIPTION_CALLS, PaymentOptions
from adapters.outbound.spool import Entry, Spool
from adapters.outbound.transport import Transport

RENEW_EVERY_S = 10.0
REPLAY_EVERY_S = 1.0
QUERY_TOTAL_S = 15.0
# What is left of the time to stop for telling the core, or the spool alone.
RECORD_S = 2.0
SUBMIT = pb.TASK_KIND_SUBMIT_PAYMENT_OPERATION
QUERY = pb.TASK_KIND_QUERY_TRANSACTION
ATTEND = pb.TASK_KIND_ATTEND_SUBSCRIPTION

log = structlog.get_logger("mintmark.dispatcher")


class Told(Enum):
    """How the core takes what it is told."""

    YES = "yes"
    LATER = "later"
    # Nobody is there to be told anything.
    AWAY = "away"
    NEVER = "never"


UNTOLD = frozenset({Told.LATER, Told.AWAY})


class Dispatcher:
    """`concurrency` is how many tasks are worked on at once; no more are claimed than can begin at once."""

    def __init__(
        self,
        core: CoreTasks,
        transport: Transport,
        access_tokens: AccessTokens,
        d1_transport: Transport,
        d1_access_tokens: AccessTokens,
        spool: Spool,
        book: CallBook,
        metrics: Metrics,
        concurrency: int,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._core = core
        self._transports = (transport, d1_transport)
        self._partner = PaymentOptions(transport)
        self._spool = spool
        self._book = book
        self._metrics = metrics
        self._concurrency = concurrency
        self._monotonic = monotonic
        self._breaker = Breaker(monotonic)
        self._running: set[asyncio.Task[None]] = set()
        self._leases: dict[str, Lease] = {}
        self._telling: set[str] = set()
        self._spool_works = True
        self._hurried = False
        acquirer = Acquirer(transport, access_tokens, book, self._breaker, monotonic)
        tasks = AcquirerTasks(core, acquirer, lambda: self._hurried, monotonic)
        d1 = D1(d1_transport, d1_access_tokens, book, self._breaker, monotonic)
        refreshes = D1Tasks(core, d1, self._tell_of_task)
        payments = {SUBMIT: self._submit, QUERY: self._query, ATTEND: self._attend}
        self._work: Mapping[pb.TaskKind.ValueType, Work] = {**payments, **tasks.work, **refreshes.work}
        metrics.in_flight.set_function(lambda: len(self._running))
        metrics.breakers.set_function(lambda: self._breaker.open)

    @property
    def trouble(self) -> str:
        """Why nothing is claimed; empty where there is no reason."""
        return "" if self._spool_works else "the spool in the data folder cannot be written"

    async def work(self, stop: asyncio.Event, seconds_to_stop: float) -> None:
        """Works until `stop`; then finishes what is in flight in about `seconds_to_stop`."""
        beside = [asyncio.create_task(self._replay_for_ever()), asyncio.create_task(self._renew_for_ever())]
        try:
            await self._claim_until(stop)
            await self._finish(seconds_to_stop)
        finally:
            for task in (*beside, *self._running):
                task.cancel()
            await asyncio.gather(*beside, *self._running, return_exceptions=True)

    # Claiming.

    async def _claim_until(self, stop: asyncio.Event) -> None:
        stopped = asyncio.create_task(stop.wait())
        failures = 0
        try:
            while not stop.is_set():
                room = min(self._concurrency - len(self._running), MOST_TASKS)
                if room <= 0:
                    await asyncio.wait({stopped, *self._running}, return_when=asyncio.FIRST_COMPLETED)
                    continue
                if not self._spool_works and not await self._try_spool():
                    await asyncio.wait({stopped}, timeout=LONGEST_PAUSE_S)
                    continue
                failures = 0 if await self._claim(room, stopped) else failures + 1
                if failures:
                    await asyncio.wait({stopped}, timeout=pause(failures))
        finally:
            stopped.cancel()

    async def _claim(self, room: int, stopped: asyncio.Task[bool]) -> bool:
        """Claims once and begins what it got. Whether the core has answered."""
        asked = self._monotonic()
        most = 1 if self._breaker.probing else room
        call = self._core.claim(sorted(self._work), most, self._breaker.paused(), self._breaker.wait(CLAIM_WAIT_S))
        claiming = asyncio.create_task(call)
        await asyncio.wait({stopped, claiming}, return_when=asyncio.FIRST_COMPLETED)
        if not claiming.done():
            claiming.cancel()
            await asyncio.gather(claiming, return_exceptions=True)
            return True
        try:
            tasks = claiming.result()
        except CORE_TROUBLE as error:
            log.warning("nothing could be claimed", **why(error))
            return False
        for task in tasks:
            lease = Lease(task, asked + task.lease.ToMicroseconds() / 1e6)
            self._leases[task.name] = lease
            self._breaker.claimed(task.account)
            running = asyncio.create_task(self._do(lease))
            self._running.add(running)
            running.add_done_callback(self._running.discard)
        return True

    async def _do(self, lease: Lease) -> None:
        try:
            with self._book.working(lease.task):
                await self._work[lease.task.kind](lease)
        except Exception as wrong:
            # What was granted and not told of is in doubt before long: the core sees to that.
            log.error("a fault of ours", alert=True, task=lease.task.name, **fault(wrong))
        finally:
            self._leases.pop(lease.task.name, None)
            self._breaker.unused(lease.task.account)

    async def _renew_for_ever(self) -> None:
        while True:
            await asyncio.sleep(RENEW_EVERY_S)
            held = list(self._leases.values())
            for first in range(0, len(held), MOST_TASKS):
                some = held[first : first + MOST_TASKS]
                asked = self._monotonic()
                try:
                    answer = await self._core.renew([lease.to_proto() for lease in some])
                except CORE_TROUBLE as error:
                    log.warning("leases could not be renewed", leases=len(some), **why(error))
                    continue
                until = asked + answer.lease.ToMicroseconds() / 1e6
                for lease in some:
                    if lease.task.name in answer.renewed:
                        lease.until = until

    # What moves money.

    async def _submit(self, lease: Lease) -> None:
        begun = await self._begin(lease)
        if begun is None:
            return
        grant, asked = begun
        task = lease.task
        with self._book.calling(
            "submit", task.account, "POST", grant.submission.path, task.correlation_id, task=task.name
        ) as made:
            result = await self._partner.submit(
                grant.submission,
                total=grant.call_timeout.ToMicroseconds() / 1e6,
                send_by=asked + grant.send_by.ToMicroseconds() / 1e6,
            )
            made.ended(reports.word(result), result, attempt=grant.attempt)
        self._notice(task.account, result)
        await self._record(reports.report(grant.attempt, result))

    async def _begin(self, lease: Lease) -> tuple[pb.BeginAttemptResponse, float] | None:
        """A grant, and since when its time runs. The same id until the core has answered: it is one grant."""
        request = pb.BeginAttemptRequest(request_id=str(uuid.uuid4()), lease=lease.to_proto())
        tries = 0
        while (left := lease.until - (asked := self._monotonic())) > 0 and not self._hurried:
            try:
                return await self._core.begin(request, left), asked
            except CORE_TROUBLE as error:
                if not passes(error):
                    log.info("no grant", task=lease.task.name, **why(error))
                    return None
                log.warning("no answer to the request for a grant", task=lease.task.name, **why(error))
            tries += 1
            await asyncio.sleep(pause(tries))
        return None

    async def _record(self, report: pb.RecordAttemptRequest) -> None:
        """Returns when it is on disk or the core has it."""
        self._telling.add(report.attempt)
        try:
            entry: Entry | None = await asyncio.to_thread(self._spool.keep, report)
        except OSError as error:
            self._spool_works, entry = False, None
            log.error("an answer cannot be kept on disk; it is told at once", alert=True, **fault(error))
        try:
            tries = 0
            # Without a file there is nothing but this process that knows of it.
            while (told := await self._tell(report)) in UNTOLD and entry is None and not self._hurried:
                tries += 1
                await asyncio.sleep(pause(tries))
            if entry is not None:
                await self._settle(entry, told)
        finally:
            self._telling.discard(report.attempt)

    async def _tell(self, report: pb.RecordAttemptRequest) -> Told:
        try:
            await self._core.record_attempt(report)
        except CORE_TROUBLE as error:
            if passes(error):
                log.warning("the core could not be told of an attempt", attempt=report.attempt, **why(error))
                return Told.AWAY if away(error) else Told.LATER
            log.error("the core does not take an answer", alert=True, attempt=report.attempt, **why(error))
            if report.answer.readable:
                return await self._tell(reports.unread(report))
            return Told.NEVER
        return Told.YES

    async def _settle(self, entry: Entry, told: Told) -> None:
        if told is Told.YES:
            await asyncio.to_thread(self._spool.forget, entry)
        elif told is Told.NEVER:
            await asyncio.to_thread(self._spool.set_aside, entry.path)

    async def _replay_for_ever(self) -> None:
        while True:
            try:
                await self._replay()
            except OSError as error:
                log.error("the spool cannot be read", alert=True, **fault(error))
            await asyncio.sleep(REPLAY_EVERY_S)

    async def _replay(self) -> None:
        """Tells the core what an earlier process, or an outage, has left on disk."""
        aside = await asyncio.to_thread(lambda: len(list(self._spool.aside.iterdir())))
        entries = await asyncio.to_thread(lambda: list(self._spool.entries()))
        waiting = [entry for entry in entries if entry.report.attempt not in self._telling]
        self._metrics.set_aside.set(aside)
        self._metrics.spooled.set(len(waiting))
        for entry in waiting:
            told = await self._tell(entry.report)
            if told is Told.AWAY:
                return
            await self._settle(entry, told)
            log.info("told the core of an attempt from disk", attempt=entry.report.attempt, told=told.value)

    async def _try_spool(self) -> bool:
        try:
            await asyncio.to_thread(self._spool.try_out)
        except OSError as error:
            log.error("nothing is claimed: no answer could be kept on disk", alert=True, **fault(error))
            return False
        self._spool_works = True
        return True

    # What moves none.

    async def _query(self, lease: Lease) -> None:
        left = lease.until - self._monotonic()
        if left <= 0:
            return
        task = lease.task
        with self._book.calling(
            "query", task.account, "GET", f"{STATUS}{{transaction}}", task.correlation_id, task=task.name
        ) as made:
            result = await self._partner.query(task.query, total=min(QUERY_TOTAL_S, left))
            made.ended(reports.word(result), result)
        self._notice(task.account, result)
        request = pb.RecordStatusRequest(task=lease.task.name, fence=lease.task.fence, outcome=reports.outcome(result))
        if isinstance(result, Answered):
            request.answer.CopyFrom(reports.answer(result))
            request.retry_after.CopyFrom(duration(result.retry_after))
        await self._tell_of_task(lease, lambda: self._core.record_status(request))

    async def _attend(self, lease: Lease) -> None:
        left = lease.until - self._monotonic()
        task, call = lease.task, lease.task.subscription_call
        if left <= 0 or not call.kind:
            return
        verb, template = SUBSCRIPTION_CALLS[call.kind]
        kind = pb.SubscriptionCallKind.Name(call.kind).removeprefix("SUBSCRIPTION_CALL_KIND_").lower()
        named = template.format("{subscription}")
        with self._book.calling(
            f"subscription_{kind}", task.account, verb, named, task.correlation_id, task=task.name
        ) as made:
            # Past the lease somebody else may be at it.
            result = await self._partner.call(call, total=min(QUERY_TOTAL_S, left), send_by=lease.until)
            made.ended(reports.word(result), result)
        self._notice(task.account, result)
        request = reports.of_call(task, result)
        await self._tell_of_task(lease, lambda: self._core.record_subscription(request))

    async def _tell_of_task(self, lease: Lease, tell: Callable[[], Awaitable[object]]) -> None:
        """Tells the core while the lease lasts; after it somebody else asks again."""
        tries = 0
        while self._monotonic() < lease.until and not self._hurried:
            try:
                await tell()
            except CORE_TROUBLE as error:
                log.warning("an answer could not be told", task=lease.task.name, **why(error))
                if not passes(error):
                    return
            else:
                return
            tries += 1
            await asyncio.sleep(pause(tries))

    # Both.

    def _notice(self, account: str, result: Result) -> None:
        """What a call says about how the partner is."""
        if isinstance(result, Answered):
            (self._breaker.failed if result.http_status >= 500 else self._breaker.succeeded)(account)
        elif not ours(result):
            self._breaker.failed(account)

    async def _finish(self, seconds: float) -> None:
        """No new claims: what is in flight ends by itself, or is cut off and its outcome unknown."""
        if self._running:
            await asyncio.wait(set(self._running), timeout=max(0.0, seconds - RECORD_S))
        if self._running:
            self._hurried = True
            for transport in self._transports:
                transport.hurry()
            await asyncio.wait(set(self._running), timeout=RECORD_S)
        with contextlib.suppress(OSError, TimeoutError):
            async with asyncio.timeout(RECORD_S):
                await self._replay()
