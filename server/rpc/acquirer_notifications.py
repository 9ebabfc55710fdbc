"""AcquirerNotificationsService, and UnreadableNotificationsService."""

import structlog
from mintmark.v1 import acquirer_notifications_pb2 as pb
from opentelemetry.trace import format_trace_id
from prometheus_client import Counter

from server.domain.notifications import NotificationKind
from server.domain.queries import UnreadableNotificationQuery
from server.domain.unreadable_notifications import MOST_KEPT, UnreadableNotification
from server.ports import Transaction
from server.rpc.calls import Call, Calls
from server.rpc.pages import PageTokens
from server.rpc.recorded import NO_REASON, RECORDED, STATES
from server.rpc.spans import told_by
from server.rpc.words import timestamp
from server.services import acquirer_notifications, unreadable_notifications
from server.services.acquirer_desk import AcquirerDesk
from server.services.acquirer_notifications import Outcome, Recorded
from server.services.unreadable_notifications import Envelope

DROPPED = Counter(
    "mintmark_unreadable_notifications_dropped_total", "Notifications that no key opened, dropped for lack of room."
)

log = structlog.get_logger("notifications")


def outcome_of(recorded: Recorded) -> str:
    """What became of a notification, for metrics and logs."""
    if recorded.state is not None:
        return STATES[recorded.state]
    if recorded.outcome in (Outcome.UNREADABLE, Outcome.CONFIG_UNKNOWN):
        return recorded.outcome.value.lower()
    return "repeated"


def tell(recorded: Recorded, correlation_id: str, trace_context: str) -> None:
    """Counts it, and logs it where it was not plainly applied; that only at level debug."""
    outcome, reason = outcome_of(recorded), recorded.reason or NO_REASON
    RECORDED.labels(NotificationKind.SIBS_TRANSACTION.value, outcome, reason).inc()
    DROPPED.inc(recorded.dropped)
    levels = {"applied": log.debug, "quarantined": log.warning, "unreadable": log.warning}
    context = told_by(trace_context) if trace_context else None
    facts = {"trace_id": format_trace_id(context.trace_id)} if context else {}
    levels.get(outcome, log.info)(
        "notification",
        kind=NotificationKind.SIBS_TRANSACTION.value,
        state=outcome,
        reason=reason,
        notification=recorded.notification,
        correlation_id=correlation_id,
        **facts,
    )


def to_proto(kept: UnreadableNotification) -> pb.UnreadableNotification:
    return pb.UnreadableNotification(
        name=kept.name,
        webhook_config=kept.webhook_config,
        size=kept.size,
        delivery_count=kept.delivery_count,
        receive_time=timestamp(kept.receive_time),
        last_delivery_time=timestamp(kept.last_delivery_time),
        correlation_id=kept.correlation_id,
    )


class AcquirerNotifications:
    """The method of AcquirerNotificationsService, behind the wrapper of every call."""

    def __init__(self, desk: AcquirerDesk) -> None:
        self._desk = desk

    def RecordAcquirerNotification(
        self, request: pb.RecordAcquirerNotificationRequest, call: Call
    ) -> pb.RecordAcquirerNotificationResponse:
        envelope = Envelope(request.initialization_vector, request.authentication_tag, request.ciphertext)
        correlation_id = request.correlation_id.replace("\0", "\\u0000")
        config_id = request.webhook_config_id.replace("\0", "\\u0000")
        recorded = acquirer_notifications.record(self._desk, config_id, envelope, correlation_id, call.deadline)
        tell(recorded, correlation_id, request.trace_context)
        return pb.RecordAcquirerNotificationResponse(
            outcome=pb.AcquirerNotificationOutcome.Value(f"ACQUIRER_NOTIFICATION_OUTCOME_{recorded.outcome}"),
            acknowledgement_status_code=recorded.acknowledgement_status_code,
            notification_id=recorded.notification_id,
            notification=recorded.notification,
            repeated=recorded.repeated,
        )


class UnreadableNotifications:
    """The methods of UnreadableNotificationsService, behind the wrapper of every call."""

    def __init__(self, desk: AcquirerDesk, calls: Calls, pages: PageTokens) -> None:
        self._desk = desk
        self._calls = calls
        self._pages = pages

    def ListUnreadableNotifications(
        self, request: pb.ListUnreadableNotificationsRequest, call: Call
    ) -> pb.ListUnreadableNotificationsResponse:
        query = UnreadableNotificationQuery(call.caller.reach, request.webhook_config)
        found, next_page = self._pages.list(
            request,
            call.caller.client,
            lambda page: unreadable_notifications.list_page(self._desk.house.store, query, page),
            to_proto,
        )
        return pb.ListUnreadableNotificationsResponse(unreadable_notifications=found, next_page_token=next_page)

    def OpenUnreadableNotifications(
        self, request: pb.OpenUnreadableNotificationsRequest, call: Call
    ) -> pb.OpenUnreadableNotificationsResponse:
        def unit(transaction: Transaction) -> pb.OpenUnreadableNotificationsResponse:
            config_id = unreadable_notifications.config_id_of(transaction, call.caller, request.webhook_config)
            opened = acquirer_notifications.open_kept(self._desk, transaction, config_id, MOST_KEPT)
            return pb.OpenUnreadableNotificationsResponse(
                opened_count=opened.opened, unreadable_count=opened.unreadable
            )

        return self._calls.write(call, request, request.webhook_config, unit)
