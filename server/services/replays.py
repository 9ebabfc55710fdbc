"""Replays of many notifications for those who create and follow them, and the chore that does them."""

import traceback
from dataclasses import dataclass, field, replace

import structlog

from server.domain import names, notification_filters, replays
from server.domain.callers import Caller, Reach
from server.domain.clients import ClientState
from server.domain.events import Event, EventKind
from server.domain.notification_filters import NotificationFilter
from server.domain.notifications import Notification
from server.domain.queries import NotificationQuery, Page, ReplayQuery
from server.domain.refusals import NotReplayable, ResourceNotFound, StoreUnavailable
from server.domain.replays import MOST_RESULTS, Cause, NotificationReplay, Replay, ReplayResult, ReplayState
from server.ports import Clock, ContentRefused, Ids, Store, Transaction
from server.services.notification_replays import Replayer
from server.services.principals import Directory
from server.services.replay_plans import Plan

SCOPE = "notifications.replay"
NAME = "replays"
# A step ends after so many notifications or so much time; the steward's lease is much longer.
PIECE = 100
PIECE_S = 1.0
# More are not counted beforehand.
MOST_COUNTED = 100_000
TRIES = 3

NOWHERE = Reach()

log = structlog.get_logger("replays")


def get(store: Store, caller: Caller, name: str) -> Replay:
    """Raises ResourceNotFound."""
    return _visible(caller, store.view.replay(name), name)


def _visible(caller: Caller, found: Replay | None, name: str) -> Replay:
    if found is None or not replays.visible(caller, found):
        raise ResourceNotFound(name)
    return found


def list_page(store: Store, caller: Caller, page: Page) -> list[Replay]:
    return store.view.replays(ReplayQuery("" if caller.reach.everything else caller.client), page)


def list_results(store: Store, caller: Caller, name: str, page: Page) -> list[ReplayResult]:
    """Raises ResourceNotFound."""
    get(store, caller, name)
    return store.view.replay_results(name, page)


def create(
    transaction: Transaction,
    ids: Ids,
    caller: Caller,
    chosen: NotificationFilter,
    reason: str,
    now: int,
    *,
    dry_run: bool,
) -> Replay:
    """A new replay of what has been stored so far."""
    made = Replay(
        name=names.replay(ids.replay_id(now)),
        client=caller.client,
        reason=reason,
        dry_run=dry_run,
        filter=notification_filters.to_text(chosen),
        create_time=now,
        update_time=now,
    )
    transaction.replays.insert([made])
    details = {"dry_run": str(dry_run).lower(), "reason": reason}
    transaction.append(_event(EventKind.REPLAY_CREATED, made, caller, now, details))
    return made


def cancel(transaction: Transaction, caller: Caller, name: str, now: int) -> Replay:
    """The replay ended where it stands; as it is where it has ended. Raises ResourceNotFound."""
    held = _visible(caller, transaction.replays.get(name), name)
    after = replays.ended(held, ReplayState.CANCELLED, now, f"cancelled by {caller.client}")
    if after is not held:
        _finish(transaction, after, caller, now)
    return after


def _finish(transaction: Transaction, after: Replay, caller: Caller, now: int) -> None:
    transaction.replays.update([after])
    details = {
        "state": after.state,
        "examined": str(after.examined_count),
        "different": str(after.different_count),
        "applied": str(after.applied_count),
        "refused": str(after.refused_count),
    }
    transaction.append(_event(EventKind.REPLAY_FINISHED, after, caller, now, details))


def _event(kind: EventKind, replay: Replay, caller: Caller, now: int, details: dict[str, str]) -> Event:
    return Event(
        kind=kind,
        resource=replay.name,
        time=now,
        correlation_id=caller.correlation_id,
        actor=caller.client,
        details=details,
    )


def _until_created(replay: Replay) -> NotificationFilter:
    """The notifications of a replay: what was received after its creation is none of it."""
    chosen = notification_filters.of_text(replay.filter)
    created = replay.create_time + 1
    return replace(chosen, end_time=created if chosen.end_time is None else min(chosen.end_time, created))


class Creators:
    """Who may replay, by their names: a replay does what its creator may do today."""

    def __init__(self, directory: Directory, development: Caller | None = None) -> None:
        """`development` is the caller that needs no access token, where there is one."""
        self._directory = directory
        self._development = development

    def caller(self, name: str) -> Caller | None:
        """The client as it may call today; None where it may not replay any more."""
        if self._development and name == self._development.client:
            return self._development
        client = self._directory.principals.clients.get(name)
        if client is None or client.state is not ClientState.ACTIVE or SCOPE not in client.scopes:
            return None
        return Caller(client.name, frozenset(client.scopes), client.reach)


class Superseded(Exception):
    """Somebody else has moved the replay on, or ended it."""


@dataclass(slots=True)
class Progress:
    """A replay on its way: what is stored of it, what has been done since, and results that wait to be stored."""

    stored: Replay
    reached: Replay
    results: list[ReplayResult] = field(default_factory=list)

    def add(
        self, name: str, outcome: NotificationReplay | None = None, *, applied: bool = False, cause: str = ""
    ) -> None:
        """One more notification has been looked at."""
        now = self.reached
        differs = outcome is not None and outcome.differs
        kept = (differs or bool(cause)) and now.result_count < MOST_RESULTS
        if kept:
            self.results.append(result(now.name, name, outcome, applied=applied, cause=cause))
        self.reached = replace(
            now,
            position=name,
            examined_count=now.examined_count + 1,
            different_count=now.different_count + differs,
            applied_count=now.applied_count + applied,
            refused_count=now.refused_count + bool(cause),
            result_count=now.result_count + kept,
        )

    def check(self, transaction: Transaction) -> None:
        """Raises Superseded where the replay is not any more what was stored of it."""
        if transaction.replays.get(self.stored.name) != self.stored:
            raise Superseded

    def save(self, transaction: Transaction) -> None:
        transaction.replays.update([self.reached])
        transaction.keep_replay_results(self.results)

    def saved(self) -> "Progress":
        return Progress(self.reached, self.reached)


def result(
    replay: str, notification: str, outcome: NotificationReplay | None, *, applied: bool, cause: str
) -> ReplayResult:
    if outcome is None:
        return ReplayResult(notification, replay, cause=cause)
    return ReplayResult(notification, replay, (outcome.before,), (outcome.after,), outcome.differences, applied, cause)


class Replaying:
    """The chore that does replays, some notifications of one at a time.

    What a notification's replay changes and the progress past it are one commit, so that after a kill it goes on
    behind the last one that was changed.
    """

    name = NAME
    interval = 1.0

    def __init__(
        self,
        store: Store,
        replayer: Replayer,
        creators: Creators,
        clock: Clock,
    ) -> None:
        self._store = store
        self._replayer = replayer
        self._creators = creators
        self._clock = clock

    def wanted(self) -> bool:
        return bool(self._store.view.running_replays())

    def step(self) -> bool:
        running = self._store.view.running_replays()
        if not running:
            return False
        # In turn, so that a long one does not keep a short one waiting.
        replay = min(running, key=lambda each: (each.update_time, each.name))
        try:
            self._go_on(replay)
        except Superseded:
            log.info("replay_superseded", replay=replay.name)
        return True

    def _go_on(self, replay: Replay) -> None:
        caller = self._creators.caller(replay.client)
        if caller is None:
            self._end(Progress(replay, replay), ReplayState.CANCELLED, f"{replay.client} may not replay any more")
            return
        query = NotificationQuery(caller.reach, _until_created(replay), oldest_first=True)
        progress = Progress(replay, replay)
        if not replay.position and replay.total_count is None:
            progress.reached = replace(replay, total_count=self._count(query))
        found = self._store.view.notifications(query, Page(replay.position, PIECE))
        until = self._clock.monotonic() + PIECE_S
        done = 0
        for kept in found:
            progress = self._look_at(progress, caller, kept)
            done += 1
            if self._clock.monotonic() > until:
                break
        if done == len(found) < PIECE:
            self._end(progress, ReplayState.DONE)
        else:
            self._commit(progress)

    def _count(self, query: NotificationQuery) -> int | None:
        try:
            count = self._store.view.count_notifications(query, MOST_COUNTED + 1)
        except StoreUnavailable:
            # It took too long: a total is good to have, and no more.
            return None
        return count if count <= MOST_COUNTED else None

    def _look_at(self, progress: Progress, caller: Caller, kept: Notification) -> Progress:
        for left in reversed(range(TRIES)):
            try:
                return self._replay(progress, caller, kept.name)
            except NotReplayable as refusal:
                cause = refusal.metadata["cause"]
                if cause == Cause.RESOURCE_CHANGED and left:
                    continue
                progress.add(kept.name, cause=cause)
            except ResourceNotFound:
                # Retention was faster.
                progress.add(kept.name)
            except ContentRefused:
                progress.add(kept.name, cause=Cause.STORE_REFUSED)
            except (StoreUnavailable, Superseded):
                raise
            except Exception as error:
                # One that brings out a fault of ours must not stop the others for ever.
                where = "".join(traceback.format_tb(error.__traceback__))
                log.error("fault", replay=progress.stored.name, error=type(error).__name__, at=where)
                progress.add(kept.name, cause=Cause.FAULT)
            return progress
        return progress

    def _replay(self, progress: Progress, caller: Caller, name: str) -> Progress:
        plan = self._replayer.plan(caller.reach, name)
        if not plan.replay.differs or progress.stored.dry_run:
            progress.add(name, plan.replay)
            return progress
        return self._carry_out(progress, caller, plan)

    def _carry_out(self, progress: Progress, caller: Caller, plan: Plan) -> Progress:
        now = self._clock.now()
        after = Progress(progress.stored, replace(progress.reached, update_time=now), list(progress.results))
        after.add(plan.kept.name, plan.replay, applied=True)

        def run(transaction: Transaction) -> None:
            # The resource is locked first, as everywhere.
            self._replayer.check(transaction, plan)
            after.check(transaction)
            self._replayer.carry_out(transaction, plan, caller, now, replay=progress.stored.name)
            after.save(transaction)

        self._store.write(plan.resource or plan.kept.name, run)
        return after.saved()

    def _commit(self, progress: Progress) -> None:
        reached = replace(progress.reached, update_time=self._clock.now())
        after = Progress(progress.stored, reached, progress.results)

        def run(transaction: Transaction) -> None:
            after.check(transaction)
            after.save(transaction)

        self._store.write(progress.stored.name, run)

    def _end(self, progress: Progress, state: ReplayState, reason: str = "") -> None:
        now = self._clock.now()
        after = Progress(progress.stored, replays.ended(progress.reached, state, now, reason), progress.results)

        def run(transaction: Transaction) -> None:
            after.check(transaction)
            transaction.keep_replay_results(after.results)
            _finish(transaction, after.reached, Caller(after.stored.client, frozenset(), NOWHERE), now)

        self._store.write(progress.stored.name, run)
