"""Places in the stream of events that the server keeps."""

from collections.abc import Iterable

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from mintmark.v1 import events_pb2, subscriptions_pb2_grpc
from mintmark.v1 import subscriptions_pb2 as pb

from mintmark_client.calls import Calls, Options
from mintmark_client.connection import Connection
from mintmark_client.event_follower import LONGEST_WAIT, EventFollower
from mintmark_client.pages import listing


class Subscriptions:
    """The methods of SubscriptionsService. `list(...)` takes the fields of ListSubscriptionsRequest as keywords.

    Writes take a `request_id`, a UUID; without one each call has its own. Times are seconds. `follow` is the easy way;
    `pull`, `acknowledge` and `extend` are for those who hand events on to several workers.
    """

    def __init__(self, channel: grpc.Channel, connection: Connection, options: Options) -> None:
        self._stub = subscriptions_pb2_grpc.SubscriptionsServiceStub(channel)
        self._connection = connection
        self._options = options
        self.list = listing(self._stub.ListSubscriptions, pb.ListSubscriptionsRequest, lambda page: page.subscriptions)

    def create(
        self,
        subscription_id: str,
        filter: events_pb2.EventFilter | None = None,
        *,
        start: str = "",
        lease: float | None = None,
        request_id: str = "",
    ) -> pb.Subscription:
        """A new subscription to the events after `start`: a cursor, `0` for the oldest kept, empty for what comes next.

        Raises AlreadyExists, CursorOutOfRange, PreconditionFailed where the client has 100.
        """
        request = pb.CreateSubscriptionRequest(
            request_id=request_id,
            subscription_id=subscription_id,
            filter=filter,
            start_cursor=start,
            lease_duration=seconds(lease),
        )
        return self._stub.CreateSubscription(request).subscription

    def get(self, name: str) -> pb.Subscription:
        """One subscription with its lag. Raises NotFound."""
        return self._stub.GetSubscription(pb.GetSubscriptionRequest(name=name)).subscription

    def update(
        self,
        name: str,
        *,
        filter: events_pb2.EventFilter | None = None,
        lease: float | None = None,
        etag: str = "",
        request_id: str = "",
    ) -> pb.Subscription:
        """Changes what is given. Raises NotFound, PreconditionFailed where the etag is not this."""
        given = {"filter": filter is not None, "lease_duration": lease is not None}
        request = pb.UpdateSubscriptionRequest(
            request_id=request_id,
            subscription=pb.Subscription(name=name, filter=filter, lease_duration=seconds(lease), etag=etag),
            update_mask=FieldMask(paths=[path for path, is_given in given.items() if is_given]),
        )
        return self._stub.UpdateSubscription(request).subscription

    def delete(self, name: str, *, etag: str = "", request_id: str = "") -> None:
        """Deletes a subscription. Raises NotFound, PreconditionFailed where the etag is not this."""
        self._stub.DeleteSubscription(pb.DeleteSubscriptionRequest(request_id=request_id, name=name, etag=etag))

    def seek(self, name: str, cursor: str, *, request_id: str = "") -> pb.Subscription:
        """Moves a subscription to a cursor; `0` is the oldest kept, `now` passes over everything. Stop pulling first.

        Raises NotFound, CursorOutOfRange.
        """
        request = pb.SeekSubscriptionRequest(request_id=request_id, name=name, cursor=cursor)
        return self._stub.SeekSubscription(request).subscription

    def pull(self, name: str, max_events: int = 100, *, wait: float = 0.0) -> pb.PullEventsResponse:
        """Events under a lease, where there are none after waiting up to `wait` (20 at most). Raises NotFound,
        CursorOutOfRange."""
        calls = Calls(self._connection, self._options, waits=wait)
        stub = subscriptions_pb2_grpc.SubscriptionsServiceStub(
            grpc.intercept_channel(self._connection.waiting_channel(), calls)
        )
        request = pb.PullEventsRequest(name=name, max_events=max_events, wait=seconds(min(wait, LONGEST_WAIT)))
        return stub.PullEvents(request, timeout=self._options.timeout + wait)

    def acknowledge(self, name: str, sequences: Iterable[int]) -> int:
        """How many of these events were outstanding: they are not handed out again. Of each resource the oldest ones
        first, or together. Raises NotFound, PreconditionFailed, with nothing changed."""
        request = pb.AcknowledgeEventsRequest(name=name, sequences=sequences)
        return self._stub.AcknowledgeEvents(request).acknowledged_count

    def extend(self, name: str, events: Iterable[pb.PulledEvent], lease: float | None = None) -> list[int]:
        """Makes leases longer, by `lease` from now or by the subscription's own; 0 gives the events back at once.
        Returns the sequences of those that were the caller's no more. Raises NotFound."""
        leases = [pb.EventLease(sequence=each.event.sequence, delivery_count=each.delivery_count) for each in events]
        request = pb.ExtendEventLeasesRequest(name=name, leases=leases, lease_duration=seconds(lease))
        return list(self._stub.ExtendEventLeases(request).lost_sequences)

    def follow(
        self, name: str, *, max_events: int = 100, until_caught_up: bool = False, patience: float | None = None
    ) -> EventFollower:
        """An iterator over the events of a subscription that acknowledges each when the next one is asked for.

        It goes on over restarts and broken connections, for ever or until the server was away for `patience`;
        `until_caught_up` ends it where there is nothing to hand out. It pulls up to `max_events` (1,000) at once.
        Nothing is sent before the first event is asked for.
        """
        return EventFollower(self._connection, self._stub, name, max_events, self._options, until_caught_up, patience)


def seconds(span: float | None) -> Duration | None:
    """A span of time as protobuf has it."""
    if span is None:
        return None
    made = Duration()
    made.FromNanoseconds(round(span * 1e9))
    return made
