"""Replays of one notification, as NotificationsService offers them."""

from collections.abc import Callable

from mintmark.v1 import notifications_pb2 as pb

from server.domain.refusals import NotReplayable, Refusal
from server.domain.replays import Cause, Decision, NotificationReplay
from server.ports import ContentRefused, Transaction
from server.rpc.calls import Call, Calls
from server.services.notification_replays import TRIES, Replayer
from server.services.replay_plans import Plan


def decision_to_proto(decision: Decision) -> pb.NotificationDecision:
    return pb.NotificationDecision(
        state=pb.NotificationState.Value(f"NOTIFICATION_STATE_{decision.state}"),
        quarantine_reason=pb.QuarantineReason.Value(f"QUARANTINE_REASON_{decision.quarantine_reason or 'UNSPECIFIED'}"),
        flags=[pb.NotificationFlag.Value(f"NOTIFICATION_FLAG_{flag}") for flag in decision.flags],
        resource=decision.resource,
    )


def to_proto(replay: NotificationReplay) -> pb.NotificationReplay:
    return pb.NotificationReplay(
        notification=replay.notification,
        before=decision_to_proto(replay.before),
        after=decision_to_proto(replay.after),
        differences=[
            pb.FieldDifference(path=each.path, before=each.before, after=each.after) for each in replay.differences
        ],
        differs=replay.differs,
    )


class NotificationReplays:
    """PlanNotificationReplay and ReplayNotification."""

    def __init__(self, replayer: Replayer, calls: Calls) -> None:
        self._replayer = replayer
        self._calls = calls
        self._now: Callable[[], int] = calls.clock.now

    def plan(self, request: pb.PlanNotificationReplayRequest, call: Call) -> pb.PlanNotificationReplayResponse:
        plan = self._replayer.plan(call.caller.reach, request.name)
        return pb.PlanNotificationReplayResponse(replay=to_proto(plan.replay))

    def replay(self, request: pb.ReplayNotificationRequest, call: Call) -> pb.ReplayNotificationResponse:
        left = TRIES
        while True:
            left -= 1
            try:
                return self._replay(request, call)
            except NotReplayable as refusal:
                if not left or refusal.metadata["cause"] != Cause.RESOURCE_CHANGED:
                    raise
            except ContentRefused:
                raise NotReplayable(request.name, Cause.STORE_REFUSED) from None

    def _replay(self, request: pb.ReplayNotificationRequest, call: Call) -> pb.ReplayNotificationResponse:
        planned = self._planned(request.name, call)

        def run(transaction: Transaction) -> pb.ReplayNotificationResponse:
            # Not before: a request that was answered gets its answer again, whatever has become of the notification.
            if isinstance(planned, Refusal):
                raise planned
            done = self._replayer.carry_out(transaction, planned, call.caller, self._now())
            return pb.ReplayNotificationResponse(replay=to_proto(done))

        key = request.name if isinstance(planned, Refusal) else planned.resource or request.name
        return self._calls.write(call, request, key, run)

    def _planned(self, name: str, call: Call) -> Plan | Refusal:
        try:
            return self._replayer.plan(call.caller.reach, name)
        except Refusal as refusal:
            return refusal
