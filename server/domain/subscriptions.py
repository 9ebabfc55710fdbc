"""Subscriptions: what is handed out under a lease, and again until it is acknowledged.

Of each resource the outstanding events (`Delivery`) are a queue in the order of their sequences. Those that are leased
are always its first ones, all of one puller: an event is handed out only where none of its resource is leased, an
extension reaches from the queue's beginning, and a lease that is ended takes the later ones along. So nobody gets a
later event of a resource while an earlier one is with somebody else.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from server.domain import names
from server.domain.events import EventFilter, EventKind
from server.domain.refusals import EtagMismatch, EventNotDelivered, EventsMissing

MICROS = 1_000_000
DEFAULT_LEASE = 30 * MICROS
# What a client may have: each one holds up the removal of events, and has a place in the metrics.
MOST_OF_A_CLIENT = 100
# Events that are out, or wait behind one that is. Nothing new is handed out past it.
MOST_OUTSTANDING = 10_000
# How long what was merely passed over may stay unrecorded: an empty pull is to write nothing as a rule.
UNRECORDED = 60 * MICROS


@dataclass(frozen=True, slots=True)
class Subscription:
    """A named place in the stream. Times and spans are microseconds.

    Every event up to `scanned_sequence` is acknowledged, was passed over, or is outstanding as a `Delivery`.
    """

    name: str
    client: str
    subscription_id: str
    kinds: tuple[EventKind, ...]
    merchant_gateway_id: str
    merchant_id: str
    resource: str
    lease_duration: int
    scanned_sequence: int
    # When that was last moved.
    scan_time: int
    create_time: int
    update_time: int
    last_acknowledge_time: int | None = None
    revision: int = 1
    issuer_id: str = ""
    card_id: str = ""

    @property
    def filter(self) -> EventFilter:
        kinds = frozenset(self.kinds)
        return EventFilter(
            kinds, self.merchant_gateway_id, self.merchant_id, self.resource, self.issuer_id, self.card_id
        )


@dataclass(frozen=True, slots=True)
class Delivery:
    """An outstanding event: handed out `delivery_count` times, or waiting for an earlier one of its resource."""

    subscription: str
    sequence: int
    resource: str
    lease_expire_time: int | None = None
    delivery_count: int = 0

    def leased(self, now: int) -> bool:
        return self.lease_expire_time is not None and now < self.lease_expire_time


@dataclass(frozen=True, slots=True)
class Standing:
    """A subscription with how far it is: events up to `floor` are done with, and `head` is the newest.

    `oldest_time` is when the first event after `floor` was recorded; None where there is none.
    """

    subscription: Subscription
    floor: int
    outstanding_count: int
    head: int
    oldest_time: int | None

    @property
    def name(self) -> str:
        return self.subscription.name


@dataclass(frozen=True, slots=True)
class Floor:
    """What retention must not pass for one subscription: it still needs every event after `sequence`."""

    name: str
    sequence: int
    update_time: int
    last_acknowledge_time: int | None


@dataclass(frozen=True, slots=True)
class Queue:
    """The outstanding events of one resource: how many, and the end of the latest lease."""

    count: int
    lease_expire_time: int | None

    def leased(self, now: int) -> bool:
        return self.lease_expire_time is not None and now < self.lease_expire_time


@dataclass(frozen=True, slots=True)
class Offer:
    """What a puller has found to be handed out, before anything is locked.

    `again` and `passed` are sequences of outstanding events that nobody had; `new` are events after the scan position,
    each with its resource, up to `end`. `complete` says that nothing newer was there.
    """

    limit: int
    again: tuple[int, ...] = ()
    passed: tuple[int, ...] = ()
    new: tuple[tuple[int, str], ...] = ()
    end: int = 0
    complete: bool = True


@dataclass(slots=True)
class Handed:
    """What an offer comes to: `again` and `new` are leased, `waiting` are behind others, `passed` are done with."""

    scanned_sequence: int
    again: list[Delivery] = field(default_factory=list)
    new: list[Delivery] = field(default_factory=list)
    waiting: list[Delivery] = field(default_factory=list)
    passed: list[int] = field(default_factory=list)

    @property
    def leased(self) -> list[Delivery]:
        return [*self.again, *self.new]


def new(
    client: str, subscription_id: str, wanted: EventFilter, lease_duration: int, start: int, now: int
) -> Subscription:
    return Subscription(
        name=names.subscription(client, subscription_id),
        client=client,
        subscription_id=subscription_id,
        kinds=tuple(sorted(wanted.kinds)),
        merchant_gateway_id=wanted.merchant_gateway_id,
        merchant_id=wanted.merchant_id,
        resource=wanted.resource,
        issuer_id=wanted.issuer_id,
        card_id=wanted.card_id,
        lease_duration=lease_duration,
        scanned_sequence=start,
        scan_time=now,
        create_time=now,
        update_time=now,
    )


def check_etag(subscription: Subscription, etag: str) -> None:
    if etag and etag != str(subscription.revision):
        raise EtagMismatch(subscription.name)


def changed(
    held: Subscription, wanted: EventFilter | None, lease_duration: int | None, now: int
) -> tuple[Subscription, list[str]]:
    """The subscription with another filter or lease (None: as it is), and the names of the fields that changed."""
    after, fields = held, []
    if wanted is not None and wanted != held.filter:
        fields.append("filter")
        after = replace(
            after,
            kinds=tuple(sorted(wanted.kinds)),
            merchant_gateway_id=wanted.merchant_gateway_id,
            merchant_id=wanted.merchant_id,
            resource=wanted.resource,
            issuer_id=wanted.issuer_id,
            card_id=wanted.card_id,
        )
    if lease_duration is not None and lease_duration != held.lease_duration:
        fields.append("lease_duration")
        after = replace(after, lease_duration=lease_duration)
    if fields:
        after = replace(after, update_time=now, revision=held.revision + 1)
    return after, fields


def moved(held: Subscription, sequence: int, now: int) -> Subscription:
    return replace(held, scanned_sequence=sequence, scan_time=now, update_time=now, revision=held.revision + 1)


def hand_out(
    held: Subscription, offer: Offer, known: Sequence[Delivery], queues: Mapping[str, Queue], outstanding: int, now: int
) -> Handed:
    """What of an offer can be handed out now.

    `known` are those of the offer's outstanding events that still are; `queues` those of the resources concerned.
    """
    handed = Handed(held.scanned_sequence)
    gone: dict[str, int] = {}
    expire_time = now + held.lease_duration
    passed = set(offer.passed)
    for delivery in sorted(known, key=lambda each: each.sequence):
        if queues[delivery.resource].leased(now):
            # Somebody else was faster.
            continue
        if delivery.sequence in passed:
            handed.passed.append(delivery.sequence)
        elif len(handed.again) < offer.limit:
            handed.again.append(
                replace(delivery, lease_expire_time=expire_time, delivery_count=delivery.delivery_count + 1)
            )
        else:
            continue
        gone[delivery.resource] = gone.get(delivery.resource, 0) + 1
    # Behind an outstanding event that is not handed out right now, everything of its resource has to wait.
    blocked = {resource for resource, queue in queues.items() if gone.get(resource, 0) < queue.count}
    room = MOST_OUTSTANDING - outstanding + len(handed.passed)
    for sequence, resource in offer.new:
        if sequence <= held.scanned_sequence:
            # Another puller has looked at it meanwhile.
            continue
        if room == 0 or len(handed.again) + len(handed.new) == offer.limit:
            handed.scanned_sequence = max(held.scanned_sequence, sequence - 1)
            return handed
        room -= 1
        if resource in blocked:
            handed.waiting.append(Delivery(held.name, sequence, resource))
        else:
            handed.new.append(Delivery(held.name, sequence, resource, expire_time, 1))
    handed.scanned_sequence = max(held.scanned_sequence, offer.end)
    return handed


def worth_recording(held: Subscription, offer: Offer, handed: Handed, now: int) -> bool:
    """Whether what a pull came to has to be written: what was merely passed over or waits can be found out again."""
    if handed.again or handed.new or handed.passed:
        return True
    progress = handed.scanned_sequence > held.scanned_sequence
    return progress and (not offer.complete or now - held.scan_time >= UNRECORDED)


def acknowledge(held: Subscription, sequences: Collection[int], front: Sequence[Delivery]) -> list[int]:
    """Those of the sequences that are outstanding, which from now on they are not.

    `front` holds every outstanding event of the resources concerned up to the last one named. Raises EventNotDelivered,
    EventsMissing.
    """
    named = set(sequences)
    for sequence in sorted(named):
        if sequence > held.scanned_sequence:
            raise EventNotDelivered(str(sequence))
    last: dict[str, int] = {}
    for delivery in sorted(front, key=lambda each: each.sequence):
        if delivery.sequence in named:
            if delivery.delivery_count == 0:
                raise EventNotDelivered(str(delivery.sequence))
            last[delivery.resource] = delivery.sequence
    for delivery in sorted(front, key=lambda each: each.sequence):
        if delivery.sequence < last.get(delivery.resource, 0) and delivery.sequence not in named:
            raise EventsMissing(str(delivery.sequence), delivery.resource)
    return sorted(delivery.sequence for delivery in front if delivery.sequence in named)


def extend(
    leases: Mapping[int, int], duration: int, front: Sequence[Delivery], now: int
) -> tuple[list[Delivery], list[int]]:
    """The deliveries whose leases become longer, and the sequences of the leases that are lost.

    `leases` are delivery counts by sequence; `front` is as for `acknowledge`.
    """
    extended: list[Delivery] = []
    broken: set[str] = set()
    for delivery in sorted(front, key=lambda each: each.sequence):
        named = delivery.delivery_count > 0 and leases.get(delivery.sequence) == delivery.delivery_count
        if not named or delivery.resource in broken:
            broken.add(delivery.resource)
            continue
        expire_time = max(delivery.lease_expire_time or 0, now + duration)
        extended.append(replace(delivery, lease_expire_time=expire_time))
    kept = {delivery.sequence for delivery in extended}
    return extended, sorted(set(leases) - kept)


def end_leases(leases: Mapping[int, int], front: Sequence[Delivery], now: int) -> tuple[list[Delivery], list[int]]:
    """The deliveries whose leases end, later ones of the same resources included, and the leases that are lost.

    `front` holds also every leased event of the resources concerned.
    """
    ended: list[Delivery] = []
    from_here: set[str] = set()
    own: set[int] = set()
    for delivery in sorted(front, key=lambda each: each.sequence):
        if delivery.delivery_count > 0 and leases.get(delivery.sequence) == delivery.delivery_count:
            own.add(delivery.sequence)
            from_here.add(delivery.resource)
        if delivery.resource in from_here and delivery.leased(now):
            ended.append(replace(delivery, lease_expire_time=None))
    return ended, sorted(set(leases) - own)
