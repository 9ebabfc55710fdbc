"""Retention: removes, in small steps, what its time is over for, and exports it before."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import structlog
from prometheus_client import Counter, Gauge, Histogram

from server.domain.events import Event, EventKind
from server.domain.notifications import Notification
from server.domain.refusals import CursorOutOfRange
from server.domain.retention import Held, Periods, Pin, RetainedKind, floor_of, removable
from server.ports import LAST_KEY, Clock, Export, Ids, Pins, Store, Transaction, View

# Rows removed in one transaction. Who records waits for one step at most.
STEP = 200
# Seconds between two looks whether something is due.
INTERVAL_S = 300.0
DAY = 24 * 3600 * 1_000_000
# Each subscription is warned of once in this time; the memory of it goes later.
WARNING_INTERVAL = DAY
WARNINGS_KEPT = 30 * DAY
KEY = f"{LAST_KEY}retention"
SECOND = 1_000_000

log = structlog.get_logger("retention")

REMOVED = Counter("mintmark_retention_removed", "Rows removed.", ["kind"])
EXPORTED = Counter("mintmark_retention_exported", "Rows exported before they were removed.", ["kind"])
KEPT_BACK = Counter("mintmark_retention_unexportable", "Notifications kept because their body cannot be opened.")
EXPORT_FAILING = Gauge("mintmark_retention_export_failing", "Whether nothing is removed because exporting fails.")
LAST_PASS = Gauge(
    "mintmark_retention_last_pass_timestamp_seconds",
    "When nothing was due, or everything removed, in seconds since the epoch.",
)
OLDEST = Gauge("mintmark_retention_oldest_age_seconds", "Age of the oldest one kept, in seconds.", ["kind"])
STEP_SECONDS = Histogram("mintmark_retention_step_seconds", "Time of a step with its export, in seconds.", ["kind"])
PINNED_EVENTS = Gauge("mintmark_retention_pinned_events", "Events kept only because a subscription holds them back.")
PINNED_SUBSCRIPTIONS = Gauge("mintmark_retention_pinned_subscriptions", "Subscriptions that hold events back.")
PINNED_AGE = Gauge(
    "mintmark_retention_pinned_age_seconds", "Age of the oldest event that a subscription holds back, in seconds."
)


class SubscriptionPins:
    """Events that a subscription has not acknowledged are held back."""

    def __init__(self, view: View) -> None:
        self._view = view

    def pins(self) -> Sequence[Pin]:
        return [Pin(floor.name, floor.sequence) for floor in self._view.subscription_floors()]


@dataclass(frozen=True, slots=True)
class Overview:
    """What is kept since when, and who holds events back."""

    oldest: dict[RetainedKind, int]
    removed_sequence: int
    held: tuple[Held, ...]
    exports: bool
    export_fails: bool


class Retention:
    """The chore. A pass goes through the kinds, a bounded number of rows a step."""

    name = "retention"
    interval = INTERVAL_S

    def __init__(
        self, store: Store, clock: Clock, ids: Ids, periods: Periods, pins: Pins, export: Export | None = None
    ) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self.periods = periods
        self._pins = pins
        self._export = export
        self._left: list[RetainedKind] = []
        self._failed = False
        # Whether something of this pass, and whether something of the last one, could not be exported.
        self._unexported = self.export_failed = False
        # How far this pass has come among the notifications: what has to stay is not looked at again.
        self._after: dict[RetainedKind, str] = {}
        self._sweeps: dict[RetainedKind, Callable[[int], bool]] = {
            RetainedKind.EVENTS: self._events,
            RetainedKind.NOTIFICATIONS: lambda now: self._notifications(RetainedKind.NOTIFICATIONS, now),
            RetainedKind.QUARANTINED_NOTIFICATIONS: lambda now: self._notifications(
                RetainedKind.QUARANTINED_NOTIFICATIONS, now
            ),
            RetainedKind.REQUESTS: lambda now: self._forget(
                RetainedKind.REQUESTS,
                lambda transaction: transaction.removal.requests(now - self.periods.requests, STEP),
            ),
            RetainedKind.IDENTITIES: lambda now: self._forget(
                RetainedKind.IDENTITIES,
                lambda transaction: transaction.removal.identities(now - self.periods.identities, STEP),
            ),
            RetainedKind.REVOKED_ACCESS_TOKENS: lambda now: self._forget(
                RetainedKind.REVOKED_ACCESS_TOKENS,
                lambda transaction: transaction.removal.revoked_access_tokens(
                    now - self.periods.of(RetainedKind.REVOKED_ACCESS_TOKENS), STEP
                ),
            ),
            RetainedKind.ACQUIRER_TRANSACTIONS: lambda now: self._forget(
                RetainedKind.ACQUIRER_TRANSACTIONS,
                lambda transaction: transaction.removal.acquirer_transactions(
                    now - self.periods.acquirer_transactions, STEP
                ),
            ),
            RetainedKind.UNREADABLE_NOTIFICATIONS: lambda now: self._forget(
                RetainedKind.UNREADABLE_NOTIFICATIONS,
                lambda transaction: transaction.removal.unreadable_notifications(
                    now - self.periods.of(RetainedKind.UNREADABLE_NOTIFICATIONS), STEP
                ),
            ),
            RetainedKind.CARD_DATA_ACCESSES: lambda now: self._forget(
                RetainedKind.CARD_DATA_ACCESSES,
                lambda transaction: transaction.removal.card_accesses(now - self.periods.card_accesses, STEP),
            ),
        }

    def wanted(self) -> bool:
        """Raises StoreUnavailable."""
        if self._left:
            return True
        now = self._clock.now()
        overview = self.overview()
        for kind in RetainedKind:
            OLDEST.labels(kind.lower()).set(max(0, now - overview.oldest.get(kind, now)) / SECOND)
        PINNED_EVENTS.set(max((held.events for held in overview.held), default=0))
        PINNED_SUBSCRIPTIONS.set(len(overview.held))
        PINNED_AGE.set(max((now - held.oldest_time for held in overview.held), default=0) / SECOND)
        if overview.export_fails:
            log.warning("retention_export_unusable")
        wanted = any(self.due(kind, time) for kind, time in overview.oldest.items())
        if not wanted:
            LAST_PASS.set(now / SECOND)
        return wanted

    def due(self, kind: RetainedKind, oldest: int | None) -> bool:
        """Whether the time of the oldest one of a kind is over."""
        return oldest is not None and self._clock.now() - oldest > self.periods.of(kind)

    def step(self) -> bool:
        """Raises StoreUnavailable. Whatever a kind fails with, the pass goes on with the next one."""
        if not self._left:
            self._left, self._failed, self._unexported = list(RetainedKind), False, False
            self._after.clear()
        kind = self._left[0]
        more = False
        try:
            with STEP_SECONDS.labels(kind.lower()).time():
                more = self._sweeps[kind](self._clock.now())
        except OSError as error:
            # Nothing is removed that was not exported. What needs no export goes on.
            self._failed = self._unexported = self.export_failed = True
            EXPORT_FAILING.set(1)
            log.warning("retention_export_failed", kind=kind, error=os.strerror(error.errno or 0))
        except Exception:
            self._failed = True
            raise
        finally:
            if not more:
                self._left.pop(0)
        if not self._left:
            self.export_failed = self._unexported
            EXPORT_FAILING.set(self.export_failed)
        if not self._left and not self._failed:
            LAST_PASS.set(self._clock.now() / SECOND)
        return bool(self._left)

    def overview(self) -> Overview:
        """Raises StoreUnavailable."""
        view = self._store.view
        oldest = view.retained.oldest()
        removed, _ = view.bounds()
        fails = self.export_failed
        if self._export:
            try:
                self._export.check()
            except OSError:
                fails = True
        EXPORT_FAILING.set(fails)
        now = self._clock.now()
        due = self.due(RetainedKind.EVENTS, oldest.get(RetainedKind.EVENTS))
        held = self._held(self._pins.pins(), removed, now) if due else ()
        return Overview(oldest, removed, held, self._export is not None, fails)

    def _held(self, pins: Sequence[Pin], removed: int, now: int) -> tuple[Held, ...]:
        """The pins that hold back events whose time is over."""
        retained = self._store.view.retained
        last = retained.last_event_before(now - self.periods.events)
        found = []
        for pin in pins:
            floor = max(pin.floor_sequence, removed)
            oldest = retained.event_times(floor, 1) if floor < last else []
            if oldest:
                time = oldest[0][1]
                goes = time + self.periods.events + self.periods.pin_limit
                found.append(Held(pin, last - floor, time, goes))
        return tuple(found)

    def _events(self, now: int) -> bool:
        view = self._store.view
        removed, _ = view.bounds()
        oldest = view.retained.event_times(removed, STEP)
        up_to = removable(oldest, floor_of(self._pins.pins()), now, self.periods)
        if up_to and self._export:
            try:
                events = [event for event in view.events(removed, STEP) if event.sequence <= up_to]
            except CursorOutOfRange:
                # Another core has removed them meanwhile.
                return True
            self._export.events(events)
            EXPORTED.labels("events").inc(len(events))
        # Writing files takes its time: who has subscribed meanwhile counts too.
        pins = self._pins.pins()
        up_to = min(up_to, removable(oldest, floor_of(pins), now, self.periods))
        if not up_to:
            self._warn(pins, removed, now)
            return False
        passed = [pin for pin in pins if pin.floor_sequence < up_to]

        def run(transaction: Transaction) -> tuple[int, list[Pin]]:
            told = [pin for pin in passed if transaction.removal.may_warn(f"passed/{pin.name}", now, WARNING_INTERVAL)]
            for pin in told:
                details = {"floor_sequence": str(pin.floor_sequence), "removed_sequence": str(up_to)}
                transaction.append(Event(EventKind.SUBSCRIPTION_PASSED, pin.name, now, details=details))
            return transaction.removal.events(up_to), told

        count, told = self._store.write(KEY, run)
        REMOVED.labels("events").inc(count)
        for pin in told:
            log.warning("subscription_passed", subscription=pin.name, floor=pin.floor_sequence, removed=up_to)
        return True

    def _warn(self, pins: Sequence[Pin], removed: int, now: int) -> None:
        """Tells of each pin that holds events back, once a day."""
        held = self._held(pins, removed, now)

        def run(transaction: Transaction) -> list[Held]:
            removal = transaction.removal
            removal.forget_warnings(now - WARNINGS_KEPT, STEP)
            told = [each for each in held if removal.may_warn(f"pinned/{each.pin.name}", now, WARNING_INTERVAL)]
            for each in told:
                details = {"floor_sequence": str(each.pin.floor_sequence), "events": str(each.events)}
                transaction.append(Event(EventKind.RETENTION_PINNED, each.pin.name, now, details=details))
            return told

        for each in self._store.write(KEY, run) if held else ():
            days = (each.removal_time - now) // DAY
            log.warning("retention_pinned", subscription=each.pin.name, events=each.events, days_left=days)

    def _notifications(self, kind: RetainedKind, now: int) -> bool:
        before = f"notifications/{self._ids.first_notification_id(now - self.periods.of(kind))}"
        quarantined = kind is RetainedKind.QUARANTINED_NOTIFICATIONS
        after = self._after.get(kind, "")
        found = self._store.view.retained.notifications(before, after, STEP, quarantined=quarantined)
        if not found:
            return False
        exported = self._exported(kind, found)
        count = self._store.write(KEY, lambda transaction: transaction.removal.notifications(exported))
        REMOVED.labels(kind.lower()).inc(count)
        self._after[kind] = found[-1].name
        return len(found) == STEP

    def _exported(self, kind: RetainedKind, found: Sequence[Notification]) -> Sequence[Notification]:
        if self._export is None:
            return found
        exported = self._export.notifications(found)
        EXPORTED.labels(kind.lower()).inc(len(exported))
        if len(exported) < len(found):
            KEPT_BACK.inc(len(found) - len(exported))
            log.error("retention_unexportable", notifications=len(found) - len(exported))
        return exported

    def _forget(self, kind: RetainedKind, remove: Callable[[Transaction], int]) -> bool:
        count = self._store.write(KEY, remove)
        REMOVED.labels(kind.lower()).inc(count)
        return count == STEP
