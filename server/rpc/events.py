"""EventsService."""

import time
from collections.abc import Iterator, Sequence

from mintmark.v1 import events_pb2 as pb

from server.domain.acquirer_transactions import AcquirerTransaction
from server.domain.bindings import Binding
from server.domain.cards import Card
from server.domain.consumers import Consumer
from server.domain.digital_cards import DigitalCard
from server.domain.events import Event, EventFilter, EventKind
from server.domain.issuer_operations import IssuerOperation
from server.domain.merchants import Merchant
from server.domain.payment_subscriptions import PaymentSubscription
from server.domain.payments import Payment
from server.domain.refusals import CursorOutOfRange
from server.domain.tokens import Token
from server.domain.webhook_configs import WebhookConfig
from server.ports import Store
from server.rpc import (
    acquirer_transactions,
    bindings,
    cards,
    consumers,
    digital_cards,
    issuer_operations,
    merchants,
    payment_subscriptions,
    payments,
    tokens,
    webhook_configs,
)
from server.rpc.calls import Call
from server.rpc.followers import Followers
from server.rpc.pages import DEFAULT_SIZE
from server.rpc.words import timestamp
from server.services import events
from server.services.events import EventFeed

BATCH = 500
# A message stays well below the 4 MiB that gRPC clients accept by default.
MESSAGE_BYTES = 512 * 1024
HEARTBEAT_S = 10.0
# How soon a stream notices that its caller's access token was revoked.
CHECK_S = 1.0

KINDS = {pb.EventKind.Value(f"EVENT_KIND_{kind}"): kind for kind in EventKind}


def to_proto(event: Event, generation: str) -> pb.Event:
    shown = pb.Event(
        name=f"events/{event.sequence}",
        sequence=event.sequence,
        cursor=events.cursor(generation, event.sequence),
        kind=pb.EventKind.Value(f"EVENT_KIND_{event.kind}"),
        resource=event.resource,
        merchant_gateway_id=event.merchant_gateway_id,
        merchant_id=event.merchant_id,
        time=timestamp(event.time),
        correlation_id=event.correlation_id,
        notification=event.notification,
        actor=event.actor,
        issuer_id=event.issuer_id,
        details=event.details,
    )
    match event.snapshot:
        case Token() as token:
            shown.token.CopyFrom(tokens.to_proto(token))
        case Binding() as binding:
            shown.binding.CopyFrom(bindings.to_proto(binding))
        case Merchant() as merchant:
            shown.merchant.CopyFrom(merchants.to_proto(merchant))
        case Payment() as payment:
            shown.payment.CopyFrom(payments.to_proto(payment))
        case WebhookConfig() as config:
            shown.webhook_config.CopyFrom(webhook_configs.to_proto(config))
        case AcquirerTransaction() as transaction:
            shown.acquirer_transaction.CopyFrom(acquirer_transactions.to_proto(transaction))
        case PaymentSubscription() as subscription:
            shown.payment_subscription.CopyFrom(payment_subscriptions.to_proto(subscription))
        case DigitalCard() as card:
            shown.digital_card.CopyFrom(digital_cards.to_proto(card))
        case IssuerOperation() as operation:
            shown.issuer_operation.CopyFrom(issuer_operations.to_proto(operation))
        case Card() as card:
            shown.card.CopyFrom(cards.to_proto(card))
        case Consumer() as consumer:
            shown.consumer.CopyFrom(consumers.to_proto(consumer))
    return shown


def filter_of(wanted: pb.EventFilter) -> EventFilter:
    return EventFilter(
        frozenset(KINDS[kind] for kind in wanted.kinds if kind),
        wanted.merchant_gateway_id,
        wanted.merchant_id,
        wanted.resource,
        wanted.issuer_id,
        wanted.card_id,
    )


class Events:
    """The methods of EventsService, behind the wrapper of every call."""

    def __init__(self, store: Store, feed: EventFeed) -> None:
        self._store = store
        self._feed = feed
        self._followers = Followers(lambda: feed.head)

    def ListEvents(self, request: pb.ListEventsRequest, call: Call) -> pb.ListEventsResponse:
        found, place, caught_up = events.list_page(
            self._store, call.caller, filter_of(request.filter), request.cursor, request.page_size or DEFAULT_SIZE
        )
        generation = self._store.generation
        shown: list[pb.Event] = []
        room = MESSAGE_BYTES
        for event in found:
            told = to_proto(event, generation)
            room -= told.ByteSize()
            if shown and room < 0:
                return pb.ListEventsResponse(events=shown, next_cursor=shown[-1].cursor, caught_up=False)
            shown.append(told)
        return pb.ListEventsResponse(events=shown, next_cursor=events.cursor(generation, place), caught_up=caught_up)

    def StreamEvents(self, request: pb.StreamEventsRequest, call: Call) -> Iterator[pb.StreamEventsResponse]:
        # What was committed before the call is shown, or passed over, before the stream says that it has caught up:
        # the feed may be a moment behind.
        generation = self._store.generation
        head = self._store.view.bounds()[1]
        place = events.position(self._store, request.cursor) if request.cursor else head
        start = place
        wanted = filter_of(request.filter)
        interval = request.heartbeat_interval.ToTimedelta().total_seconds() or HEARTBEAT_S
        caller = call.caller
        checked = spoke = began = time.monotonic()
        told_caught_up = False
        call.on_gone(self._feed.wake)
        with self._followers.one_at(place) as follower:
            while not call.over():
                now = time.monotonic()
                follower.place = place
                if self._store.generation != generation:
                    # The history has changed under it: its place is refused as that of any stream from before.
                    events.position(self._store, events.cursor(generation, place))
                if now - checked >= CHECK_S:
                    caller, checked = call.check(), now
                try:
                    batch = self._feed.events(place, BATCH)
                except CursorOutOfRange:
                    # The oldest event was another one a moment ago; nothing of the stream has been told yet.
                    if place != start or request.cursor != "0" or spoke > began:
                        raise
                    place = start = events.position(self._store, request.cursor)
                    continue
                if batch:
                    place = batch[-1].sequence
                    told_caught_up = max(head, self._feed.head) <= place
                    shown = events.shown(batch, caller, wanted)
                    # Nothing to show is worth a message only as a heartbeat, or to say that nothing newer is there.
                    if shown or told_caught_up or now - spoke >= interval:
                        yield from self._messages(shown, generation, place, caught_up=told_caught_up)
                        spoke = time.monotonic()
                    continue
                caught_up = place >= head
                if (caught_up and not told_caught_up) or now - spoke >= interval:
                    told_caught_up, spoke = caught_up, now
                    yield self._message((), generation, place, caught_up=caught_up)
                self._feed.wait(place, min(CHECK_S, spoke + interval - now), call.over)
        call.end()

    def _messages(
        self, shown: Sequence[Event], generation: str, place: int, *, caught_up: bool
    ) -> Iterator[pb.StreamEventsResponse]:
        """The events in messages of a bearable size; only the last one moves past what was left out."""
        message = self._message((), generation, place, caught_up=caught_up)
        size = 0
        for event in shown:
            told = to_proto(event, generation)
            size += told.ByteSize()
            if size > MESSAGE_BYTES and message.events:
                message.cursor = message.events[-1].cursor
                message.caught_up = False
                yield message
                message, size = self._message((), generation, place, caught_up=caught_up), told.ByteSize()
            message.events.append(told)
        yield message

    def _message(
        self, shown: Sequence[pb.Event], generation: str, place: int, *, caught_up: bool
    ) -> pb.StreamEventsResponse:
        return pb.StreamEventsResponse(events=shown, cursor=events.cursor(generation, place), caught_up=caught_up)
