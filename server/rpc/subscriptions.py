"""SubscriptionsService."""

import time

from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import events_pb2
from mintmark.v1 import subscriptions_pb2 as pb

from server.domain import names
from server.domain.events import Event, EventFilter
from server.domain.subscriptions import DEFAULT_LEASE, Delivery, Standing
from server.ports import Store, Transaction
from server.rpc import events
from server.rpc.calls import Call, Calls
from server.rpc.events import KINDS, MESSAGE_BYTES, filter_of
from server.rpc.pages import PageTokens
from server.rpc.words import MICROS, timestamp
from server.services import subscriptions
from server.services.events import EventFeed, cursor
from server.services.subscription_pulls import Ask, Pulls

DEFAULT_EVENTS = 100
# A wait ends so long before the caller's deadline, or at nine tenths of it, that the answer still arrives.
LAST_WORDS_S = 0.5
KIND_NUMBERS = {kind: number for number, kind in KINDS.items()}


def duration(micros: int) -> Duration:
    return Duration(seconds=micros // MICROS, nanos=micros % MICROS * 1000)


def micros(given: Duration) -> int:
    return given.seconds * MICROS + given.nanos // 1000


def filter_to_proto(wanted: EventFilter) -> events_pb2.EventFilter:
    return events_pb2.EventFilter(
        kinds=sorted(KIND_NUMBERS[kind] for kind in wanted.kinds),
        merchant_gateway_id=wanted.merchant_gateway_id,
        merchant_id=wanted.merchant_id,
        resource=wanted.resource,
        issuer_id=wanted.issuer_id,
        card_id=wanted.card_id,
    )


def to_proto(standing: Standing, generation: str) -> pb.Subscription:
    subscription = standing.subscription
    return pb.Subscription(
        name=subscription.name,
        client=subscription.client,
        subscription_id=subscription.subscription_id,
        filter=filter_to_proto(subscription.filter),
        lease_duration=duration(subscription.lease_duration),
        acknowledged_cursor=cursor(generation, standing.floor),
        lag=standing.head - standing.floor,
        oldest_unacknowledged_time=timestamp(standing.oldest_time),
        outstanding_count=standing.outstanding_count,
        create_time=timestamp(subscription.create_time),
        update_time=timestamp(subscription.update_time),
        last_acknowledge_time=timestamp(subscription.last_acknowledge_time),
        etag=str(subscription.revision),
    )


class Subscriptions:
    """The methods of SubscriptionsService, behind the wrapper of every call."""

    def __init__(self, store: Store, calls: Calls, pages: PageTokens, feed: EventFeed) -> None:
        self._store = store
        self._calls = calls
        self._pages = pages
        self._feed = feed
        self._now = calls.clock.now
        self._pulls = Pulls(store, feed, calls.clock)

    def CreateSubscription(self, request: pb.CreateSubscriptionRequest, call: Call) -> pb.CreateSubscriptionResponse:
        start = subscriptions.position(self._store, request.start_cursor)
        lease = micros(request.lease_duration) if request.HasField("lease_duration") else DEFAULT_LEASE

        def run(transaction: Transaction) -> pb.CreateSubscriptionResponse:
            made = subscriptions.create(
                transaction, call.caller, request.subscription_id, filter_of(request.filter), lease, start, self._now()
            )
            return pb.CreateSubscriptionResponse(subscription=self._standing(transaction, made.name))

        name = names.subscription(call.caller.client, request.subscription_id)
        return self._calls.write(call, request, name, run)

    def GetSubscription(self, request: pb.GetSubscriptionRequest, call: Call) -> pb.GetSubscriptionResponse:
        return pb.GetSubscriptionResponse(
            subscription=self._shown(subscriptions.get(self._store, call.caller, request.name))
        )

    def ListSubscriptions(self, request: pb.ListSubscriptionsRequest, call: Call) -> pb.ListSubscriptionsResponse:
        of = names.parse_parent(request.parent, ("clients",)).get("clients")
        client = names.client(of) if of else ""
        found, next_page = self._pages.list(
            request,
            call.caller.client,
            lambda page: subscriptions.list_page(self._store, call.caller, client, page),
            self._shown,
        )
        return pb.ListSubscriptionsResponse(subscriptions=found, next_page_token=next_page)

    def UpdateSubscription(self, request: pb.UpdateSubscriptionRequest, call: Call) -> pb.UpdateSubscriptionResponse:
        wanted, paths = request.subscription, set(request.update_mask.paths)
        filter_ = filter_of(wanted.filter) if "filter" in paths else None
        lease = None
        if "lease_duration" in paths:
            lease = micros(wanted.lease_duration) if wanted.HasField("lease_duration") else DEFAULT_LEASE

        def run(transaction: Transaction) -> pb.UpdateSubscriptionResponse:
            subscriptions.update(transaction, call.caller, wanted.name, wanted.etag, filter_, lease, self._now())
            return pb.UpdateSubscriptionResponse(subscription=self._standing(transaction, wanted.name))

        answer = self._calls.write(call, request, wanted.name, run)
        self._pulls.waiters.tell(wanted.name)
        return answer

    def DeleteSubscription(self, request: pb.DeleteSubscriptionRequest, call: Call) -> pb.DeleteSubscriptionResponse:
        def run(transaction: Transaction) -> pb.DeleteSubscriptionResponse:
            subscriptions.delete(transaction, call.caller, request.name, request.etag, self._now())
            return pb.DeleteSubscriptionResponse()

        answer = self._calls.write(call, request, request.name, run)
        self._pulls.waiters.tell(request.name)
        return answer

    def SeekSubscription(self, request: pb.SeekSubscriptionRequest, call: Call) -> pb.SeekSubscriptionResponse:
        # Looked up first, so that a cursor tells nothing to those whose subscription it is not.
        subscriptions.own(call.caller, self._store.view.subscription(request.name), request.name)
        to = subscriptions.position(self._store, request.cursor)
        place = cursor(self._store.generation, to)

        def run(transaction: Transaction) -> pb.SeekSubscriptionResponse:
            subscriptions.seek(transaction, call.caller, request.name, to, place, self._now())
            return pb.SeekSubscriptionResponse(subscription=self._standing(transaction, request.name))

        answer = self._calls.write(call, request, request.name, run)
        self._pulls.waiters.tell(request.name)
        return answer

    def PullEvents(self, request: pb.PullEventsRequest, call: Call) -> pb.PullEventsResponse:
        made: dict[int, events_pb2.Event] = {}

        def size(event: Event) -> int:
            made[event.sequence] = events.to_proto(event, self._store.generation)
            return made[event.sequence].ByteSize()

        now = time.monotonic()
        last = call.deadline - min(LAST_WORDS_S, (call.deadline - now) / 10)
        call.on_gone(self._feed.wake)
        pulled = self._pulls.pull(
            call.caller,
            Ask(
                name=request.name,
                limit=request.max_events or DEFAULT_EVENTS,
                until=min(now + micros(request.wait) / MICROS, last),
                deadline=call.deadline,
                room=MESSAGE_BYTES,
                size=size,
                over=call.over,
                check=call.check,
            ),
        )
        if call.over() and not pulled.deliveries:
            call.end()

        def told(delivery: Delivery) -> pb.PulledEvent:
            return pb.PulledEvent(
                event=made[delivery.sequence],
                delivery_count=delivery.delivery_count,
                lease_expire_time=timestamp(delivery.lease_expire_time),
            )

        return pb.PullEventsResponse(
            events=[told(each) for each in pulled.deliveries],
            lease_duration=duration(pulled.lease_duration),
            caught_up=pulled.caught_up,
            waited=duration(int(pulled.waited * MICROS)),
        )

    def AcknowledgeEvents(self, request: pb.AcknowledgeEventsRequest, call: Call) -> pb.AcknowledgeEventsResponse:
        count = self._store.write(
            request.name,
            lambda transaction: subscriptions.acknowledge(
                transaction, call.caller, request.name, request.sequences, self._now()
            ),
            deadline=call.deadline,
        )
        if count:
            subscriptions.ACKNOWLEDGED.inc(count)
            # Later events of the same resources may be handed out now.
            self._pulls.waiters.tell(request.name)
        return pb.AcknowledgeEventsResponse(acknowledged_count=count)

    def ExtendEventLeases(self, request: pb.ExtendEventLeasesRequest, call: Call) -> pb.ExtendEventLeasesResponse:
        leases = {each.sequence: each.delivery_count for each in request.leases}
        longer = micros(request.lease_duration) if request.HasField("lease_duration") else None
        lost = self._store.write(
            request.name,
            lambda transaction: subscriptions.extend_leases(
                transaction, call.caller, request.name, leases, longer, self._now()
            ),
            deadline=call.deadline,
        )
        if longer == 0:
            self._pulls.waiters.tell(request.name)
        return pb.ExtendEventLeasesResponse(lost_sequences=lost)

    def _standing(self, transaction: Transaction, name: str) -> pb.Subscription | None:
        standing = transaction.standing(name)
        return None if standing is None else self._shown(standing)

    def _shown(self, standing: Standing) -> pb.Subscription:
        return to_proto(standing, self._store.generation)
