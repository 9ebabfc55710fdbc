"""Handing out events of a subscription: look without a lock, take under one, wait where there is nothing."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from prometheus_client import Counter

from server.domain import subscriptions
from server.domain.callers import Caller
from server.domain.events import Event
from server.domain.refusals import CursorOutOfRange, ResourceNotFound
from server.domain.subscriptions import Delivery, Handed, Offer, Subscription
from server.ports import Clock, PullState, Store, Transaction
from server.services.events import EventFeed, cursor, shown
from server.services.subscriptions import own

# Events read at once, at first and later; a few more than are asked for, since some are left out.
FIRST_READ = 100
NEXT_READS = 1_000
# Candidates beyond those that are asked for: some have to wait for an earlier event of their resource.
SPARE = 50
# A pull that does not wait looks at so many steps: a filter must not make one call read for minutes.
LONGEST_SCAN = 20
# How soon a waiting pull notices what other cores give back, that a lease has ended, or that its caller was revoked.
CHECK_S = 1.0
SHORTEST_WAIT_S = 0.01
# After every sequence that there can be.
NOTHING_NEW = 2**63 - 1
MICROS = 1_000_000

DELIVERED = Counter("mintmark_subscription_delivered_events_total", "Events handed out for the first time.")
REDELIVERED = Counter("mintmark_subscription_redelivered_events_total", "Events handed out again.")


@dataclass(frozen=True, slots=True)
class Ask:
    """What a puller asks for. `until` is on the monotonic clock, as is `deadline`; `size` is the bytes that an event
    takes of `room` in the answer. `over` says that nobody waits for it any more; `check` is who calls as of now."""

    name: str
    limit: int
    until: float
    deadline: float
    room: int
    size: Callable[[Event], int]
    over: Callable[[], bool]
    check: Callable[[], Caller]


@dataclass(frozen=True, slots=True)
class Pulled:
    """What is leased, in the order of the sequences; whether everything up to the head was looked at; and for how many
    seconds the puller had waited when the leases began, rather too few."""

    deliveries: list[Delivery]
    lease_duration: int
    caught_up: bool
    waited: float


class Waiters:
    """Those of this process who wait for a subscription to have something to hand out."""

    def __init__(self, wake: Callable[[], None]) -> None:
        self._wake = wake
        self._lock = threading.Lock()
        self._flags: dict[str, list[threading.Event]] = {}

    @contextmanager
    def of(self, name: str) -> Iterator[threading.Event]:
        """A flag that is set when something may have become free."""
        flag = threading.Event()
        with self._lock:
            self._flags.setdefault(name, []).append(flag)
        try:
            yield flag
        finally:
            with self._lock:
                self._flags[name].remove(flag)
                if not self._flags[name]:
                    del self._flags[name]

    def tell(self, name: str) -> None:
        """Something may have become free."""
        with self._lock:
            flags = list(self._flags.get(name, ()))
        for flag in flags:
            flag.set()
        if flags:
            self._wake()


class Pulls:
    """Hands out events.

    Leases are judged on the core's wall clock: cores that share a database share the time to within a part of a lease,
    and one that is ahead only hands out again early, which at-least-once delivery allows.
    """

    def __init__(self, store: Store, feed: EventFeed, clock: Clock) -> None:
        self._store = store
        self._feed = feed
        self._now = clock.now
        self._monotonic = clock.monotonic
        self.waiters = Waiters(feed.wake)

    def pull(self, caller: Caller, ask: Ask) -> Pulled:
        """Raises ResourceNotFound, CursorOutOfRange, StoreUnavailable, and what `ask.check` refuses with."""
        steps = 0
        began = self._monotonic()
        with self.waiters.of(ask.name) as freed:
            while True:
                freed.clear()
                state = self._state(caller, ask)
                found = self._look(state, caller, ask, NEXT_READS if steps else max(FIRST_READ, ask.limit))
                waited = self._monotonic() - began
                handed = None if ask.over() else self._take(state.subscription, found, caller, ask)
                caught_up = handed is not None and found.complete and handed.scanned_sequence >= found.end
                if handed and handed.leased:
                    return Pulled(_counted(handed), state.subscription.lease_duration, caught_up, waited)
                steps += 1
                full = state.outstanding_count >= subscriptions.MOST_OUTSTANDING
                now = self._monotonic()
                more = not caught_up and not full and not ask.over() and now < ask.deadline
                if more and (now < ask.until or steps < LONGEST_SCAN):
                    continue
                if ask.over() or now >= ask.until:
                    return Pulled([], state.subscription.lease_duration, caught_up, waited)
                self._wait(state, NOTHING_NEW if full else found.end, caller, ask, freed)
                caller = ask.check()

    def _state(self, caller: Caller, ask: Ask) -> PullState:
        state = self._store.view.pull_state(ask.name, ask.limit, self._now())
        if state is None:
            raise ResourceNotFound(ask.name)
        own(caller, state.subscription, ask.name)
        if state.floor < state.removed:
            raise CursorOutOfRange(
                "retention has passed what was not acknowledged",
                cursor(self._store.generation, state.removed),
                cursor(self._store.generation, state.head),
            )
        return state

    def _look(self, state: PullState, caller: Caller, ask: Ask, size: int) -> Offer:
        """What could be handed out: first what nobody has any more, then what is new, as much as an answer holds."""
        wanted = state.subscription.filter
        room = ask.room
        again: list[int] = []
        passed: list[int] = []
        for event in self._store.view.events_at([each.sequence for each in state.free]) if state.free else ():
            if not shown((event,), caller, wanted):
                passed.append(event.sequence)
                continue
            room -= ask.size(event)
            if again and room < 0:
                break
            again.append(event.sequence)
        new: list[tuple[int, str]] = []
        end, complete = state.subscription.scanned_sequence, False
        left = ask.limit - len(again)
        if left > 0 and room > 0 and state.outstanding_count < subscriptions.MOST_OUTSTANDING:
            # What was committed before the call must be found: the feed may be a moment behind.
            read = self._feed.events if self._feed.head >= state.head else self._store.view.events
            batch = read(end, size)
            # Where some were passed over, there may be more that nobody has.
            complete = len(batch) < size and len(state.free) < ask.limit
            for event in batch:
                if shown((event,), caller, wanted):
                    room -= ask.size(event)
                    if ((again or new) and room < 0) or len(new) == left + SPARE:
                        complete = False
                        break
                    new.append((event.sequence, event.resource))
                end = event.sequence
        return Offer(
            revision=state.subscription.revision,
            limit=ask.limit,
            again=tuple(again),
            passed=tuple(passed),
            new=tuple(new),
            end=end,
            complete=complete,
        )

    def _take(self, seen: Subscription, offer: Offer, caller: Caller, ask: Ask) -> Handed | None:
        """Leases what can be had of an offer; None where the subscription was changed since: look again."""
        if not (offer.again or offer.new or offer.passed):
            idle = Handed(offer.end)
            if not subscriptions.worth_recording(seen, offer, idle, self._now()):
                return idle

        def unit(transaction: Transaction) -> Handed | None:
            now = self._now()
            held = own(caller, transaction.subscriptions.get(ask.name), ask.name)
            if held.revision != offer.revision:
                return None
            known = transaction.deliveries.named(ask.name, (*offer.again, *offer.passed))
            resources = {each.resource for each in known} | {resource for _, resource in offer.new}
            queues = transaction.deliveries.queues(ask.name, resources)
            outstanding = transaction.deliveries.count(ask.name)
            handed = subscriptions.hand_out(held, offer, known, queues, outstanding, now)
            if not subscriptions.worth_recording(held, offer, handed, now):
                return handed
            transaction.deliveries.update(handed.again)
            transaction.deliveries.insert([*handed.new, *handed.waiting])
            transaction.deliveries.remove(ask.name, handed.passed)
            if handed.scanned_sequence > held.scanned_sequence:
                moved = replace(held, scanned_sequence=handed.scanned_sequence, scan_time=now)
                transaction.subscriptions.update([moved])
            return handed

        return self._store.write(ask.name, unit, deadline=ask.deadline)

    def _wait(self, state: PullState, seen: int, caller: Caller, ask: Ask, freed: threading.Event) -> None:
        """Until there is something new to show after `seen`, something has become free, or it is time to look again."""
        began = self._monotonic()
        until = min(began + CHECK_S, ask.until)
        if state.lease_end is not None:
            until = min(until, began + max(0, state.lease_end - self._now()) / MICROS + SHORTEST_WAIT_S)
        while not ask.over() and not freed.is_set() and (left := until - self._monotonic()) > 0:
            if self._feed.wait(seen, left, lambda: ask.over() or freed.is_set()):
                batch = self._feed.events(seen, NEXT_READS)
                if shown(batch, caller, state.subscription.filter):
                    return
                seen = batch[-1].sequence if batch else seen


def _counted(handed: Handed) -> list[Delivery]:
    again = sum(each.delivery_count > 1 for each in handed.leased)
    DELIVERED.inc(len(handed.leased) - again)
    REDELIVERED.inc(again)
    return sorted(handed.leased, key=lambda each: each.sequence)
