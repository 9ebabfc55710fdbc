"""Subscriptions for those who have them, and what is done with events that were pulled."""

from collections.abc import Collection, Mapping
from dataclasses import replace

from prometheus_client import Counter

from server.domain import subscriptions
from server.domain.callers import Caller
from server.domain.events import Event, EventFilter, EventKind
from server.domain.queries import Page
from server.domain.refusals import ResourceExists, ResourceNotFound, SubscriptionsFull
from server.domain.subscriptions import Standing, Subscription
from server.ports import Store, Transaction
from server.services import events

ACKNOWLEDGED = Counter("mintmark_subscription_acknowledged_events_total", "Events that pullers acknowledged.")
# A cursor that stands for the head.
NOW = "now"


def position(store: Store, cursor: str) -> int:
    """The sequence that a cursor stands for; empty or `now` is the head. Raises CursorInvalid, CursorOutOfRange."""
    if cursor in ("", NOW):
        return store.view.bounds()[1]
    return events.position(store, cursor)


def readable(caller: Caller, held: Subscription | None, name: str) -> Subscription:
    """One that the caller may read and delete: its own, and any for whom nothing limits, who has to see what holds up
    the removal of events and to end it. Raises ResourceNotFound."""
    if held is None or (held.client != caller.client and not caller.reach.everything):
        raise ResourceNotFound(name)
    return held


def own(caller: Caller, held: Subscription | None, name: str) -> Subscription:
    """One of the caller's own. Raises ResourceNotFound."""
    if held is None or held.client != caller.client:
        raise ResourceNotFound(name)
    return held


def get(store: Store, caller: Caller, name: str) -> Standing:
    """Raises ResourceNotFound."""
    found = store.view.standing(name)
    if found is None:
        raise ResourceNotFound(name)
    readable(caller, found.subscription, name)
    return found


def list_page(store: Store, caller: Caller, client: str, page: Page) -> list[Standing]:
    """Those of one client, or all, that the caller may see."""
    if not caller.reach.everything:
        if client and client != caller.client:
            return []
        client = caller.client
    return store.view.standings(client, page)


def create(
    transaction: Transaction,
    caller: Caller,
    subscription_id: str,
    wanted: EventFilter,
    lease_duration: int,
    start: int,
    now: int,
) -> Subscription:
    """Raises ResourceExists, SubscriptionsFull."""
    made = subscriptions.new(caller.client, subscription_id, wanted, lease_duration, start, now)
    if transaction.subscriptions.get(made.name) is not None:
        raise ResourceExists(made.name)
    if transaction.count_subscriptions(caller.client) >= subscriptions.MOST_OF_A_CLIENT:
        raise SubscriptionsFull(caller.client)
    transaction.subscriptions.insert([made])
    transaction.append(_event(EventKind.SUBSCRIPTION_CREATED, made, caller, now))
    return made


def update(
    transaction: Transaction,
    caller: Caller,
    name: str,
    etag: str,
    wanted: EventFilter | None,
    lease_duration: int | None,
    now: int,
) -> Subscription:
    """Sets what is given. Raises ResourceNotFound, EtagMismatch."""
    held = own(caller, transaction.subscriptions.get(name), name)
    subscriptions.check_etag(held, etag)
    after, fields = subscriptions.changed(held, wanted, lease_duration, now)
    if fields:
        transaction.subscriptions.update([after])
        transaction.append(
            replace(
                _event(EventKind.SUBSCRIPTION_UPDATED, after, caller, now), details={"fields": ",".join(sorted(fields))}
            )
        )
    return after


def seek(transaction: Transaction, caller: Caller, name: str, sequence: int, cursor: str, now: int) -> Subscription:
    """Moves a subscription to a sequence, which `cursor` stands for. Raises ResourceNotFound."""
    held = own(caller, transaction.subscriptions.get(name), name)
    after = subscriptions.moved(held, sequence, now)
    transaction.subscriptions.update([after])
    transaction.deliveries.clear(name)
    transaction.append(replace(_event(EventKind.SUBSCRIPTION_UPDATED, after, caller, now), details={"cursor": cursor}))
    return after


def delete(transaction: Transaction, caller: Caller, name: str, etag: str, now: int) -> None:
    """Raises ResourceNotFound, EtagMismatch."""
    held = readable(caller, transaction.subscriptions.get(name), name)
    subscriptions.check_etag(held, etag)
    transaction.deliveries.clear(name)
    transaction.subscriptions.delete([name])
    transaction.append(_event(EventKind.SUBSCRIPTION_DELETED, held, caller, now))


def acknowledge(transaction: Transaction, caller: Caller, name: str, sequences: Collection[int], now: int) -> int:
    """How many were outstanding. Raises ResourceNotFound, EventNotDelivered, EventsMissing."""
    held = own(caller, transaction.subscriptions.get(name), name)
    named = transaction.deliveries.named(name, sequences)
    front = transaction.deliveries.front(name, {each.resource for each in named}, max(sequences), now)
    done = subscriptions.acknowledge(held, sequences, front)
    if done:
        transaction.deliveries.remove(name, done)
        transaction.subscriptions.update([replace(held, last_acknowledge_time=now)])
    return len(done)


def extend_leases(
    transaction: Transaction, caller: Caller, name: str, leases: Mapping[int, int], duration: int | None, now: int
) -> list[int]:
    """Makes leases longer, or ends them (0); None stands for the subscription's own duration. `leases` are delivery
    counts by sequence. Returns those that are lost. Raises ResourceNotFound."""
    held = own(caller, transaction.subscriptions.get(name), name)
    named = transaction.deliveries.named(name, leases)
    front = transaction.deliveries.front(name, {each.resource for each in named}, max(leases), now)
    if duration == 0:
        changed, lost = subscriptions.end_leases(leases, front, now)
    else:
        changed, lost = subscriptions.extend(leases, held.lease_duration if duration is None else duration, front, now)
    transaction.deliveries.update(changed)
    return lost


def _event(kind: EventKind, subscription: Subscription, caller: Caller, now: int) -> Event:
    return Event(
        kind=kind, resource=subscription.name, time=now, correlation_id=caller.correlation_id, actor=caller.client
    )
