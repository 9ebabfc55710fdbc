"""RetentionService."""

from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import retention_pb2 as pb

from server.domain.retention import Held, RetainedKind
from server.ports import Store
from server.rpc.calls import Call
from server.rpc.words import MICROS, timestamp
from server.services import events
from server.services.retention import Retention


class RetentionMethods:
    """The methods of RetentionService, behind the wrapper of every call."""

    def __init__(self, store: Store, retention: Retention) -> None:
        self._store = store
        self._retention = retention

    def GetRetention(self, _request: pb.GetRetentionRequest, call: Call) -> pb.GetRetentionResponse:
        overview = self._retention.overview()
        shown = pb.Retention(
            periods=[self._period(kind, overview.oldest.get(kind)) for kind in RetainedKind],
            oldest_cursor=self._cursor(overview.removed_sequence),
            # Subscriptions belong to no merchant gateway: who sees only some does not see theirs.
            pins=[self._pin(held) for held in overview.held] if call.caller.reach.everything else (),
            exported=overview.exports,
            export_failing=overview.export_fails,
        )
        return pb.GetRetentionResponse(retention=shown)

    def _period(self, kind: RetainedKind, oldest: int | None) -> pb.RetainedPeriod:
        period = self._retention.periods.of(kind)
        return pb.RetainedPeriod(
            kind=pb.RetainedKind.Value(f"RETAINED_KIND_{kind}"),
            period=Duration(seconds=period // MICROS),
            oldest_time=timestamp(oldest),
            due=self._retention.due(kind, oldest),
        )

    def _pin(self, held: Held) -> pb.RetentionPin:
        return pb.RetentionPin(
            subscription=held.pin.name,
            floor_cursor=self._cursor(held.pin.floor_sequence),
            event_count=held.events,
            oldest_time=timestamp(held.oldest_time),
            removal_time=timestamp(held.removal_time),
        )

    def _cursor(self, sequence: int) -> str:
        return events.cursor(self._store.generation, sequence)
