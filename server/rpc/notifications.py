"""NotificationsService, and the gateway's NotificationRecordsService."""

import time

from mintmark.v1 import notifications_pb2 as pb
from opentelemetry.trace import Tracer

from server.domain.notification_filters import NotificationFilter
from server.domain.notifications import (
    PARTNER_OF,
    Content,
    D1IssuerOperation,
    D1TokenUpdate,
    Notification,
    NotificationFlag,
    NotificationKind,
    NotificationState,
    Partner,
    QuarantineReason,
    Record,
    RecordResult,
    TshBinding,
    TshMerchant,
    TshToken,
)
from server.domain.queries import NotificationQuery
from server.ports import Sealer, Store
from server.rpc import recorded
from server.rpc.calls import Call
from server.rpc.notification_replays import NotificationReplays
from server.rpc.pages import PageTokens
from server.rpc.words import micros, timestamp
from server.services import notifications
from server.services.notifications import Recorder

KINDS = {pb.NotificationKind.Value(f"NOTIFICATION_KIND_{kind}"): kind for kind in NotificationKind}
STATES = {pb.NotificationState.Value(f"NOTIFICATION_STATE_{state}"): state for state in NotificationState}
FLAGS = {pb.NotificationFlag.Value(f"NOTIFICATION_FLAG_{flag}"): flag for flag in NotificationFlag}
PARTNERS = {pb.Partner.Value(f"PARTNER_{partner}"): partner for partner in Partner}
REASONS = {pb.QuarantineReason.Value(f"QUARANTINE_REASON_{reason}"): reason for reason in QuarantineReason}


def to_proto(notification: Notification, body: bytes | None = None) -> pb.Notification:
    reason = notification.quarantine_reason
    return pb.Notification(
        name=notification.name,
        kind=pb.NotificationKind.Value(f"NOTIFICATION_KIND_{notification.kind}"),
        state=pb.NotificationState.Value(f"NOTIFICATION_STATE_{notification.state}"),
        quarantine_reason=pb.QuarantineReason.Value(f"QUARANTINE_REASON_{reason or 'UNSPECIFIED'}"),
        flags=[pb.NotificationFlag.Value(f"NOTIFICATION_FLAG_{flag}") for flag in notification.flags],
        resource=notification.resource,
        merchant_gateway_id=notification.merchant_gateway_id,
        merchant_id=notification.merchant_id,
        token_id=notification.token_id,
        device_id=notification.device_id,
        correlation_id=notification.correlation_id,
        sender=notification.sender,
        receive_time=timestamp(notification.receive_time),
        delivery_count=notification.delivery_count,
        last_delivery_time=timestamp(notification.last_delivery_time),
        body_size=notification.body_size,
        redacted_body="" if body is None else body.decode(errors="backslashreplace"),
        event_sequence=notification.event_sequence,
        partner=pb.Partner.Value(f"PARTNER_{PARTNER_OF[notification.kind]}"),
        replay_time=timestamp(notification.replay_time),
        partner_notification_id=notification.partner_notification_id,
        webhook_config=notification.webhook_config,
        issuer_id=notification.issuer_id,
        card_id=notification.card_id,
        digital_card_id=notification.digital_card_id,
        consumer_id=notification.consumer_id,
        operation_id=notification.operation_id,
    )


def filter_of(wanted: pb.NotificationFilter | pb.ListNotificationsRequest) -> NotificationFilter:
    return NotificationFilter(
        states=frozenset(STATES[state] for state in wanted.states if state),
        kinds=frozenset(KINDS[kind] for kind in wanted.kinds if kind),
        merchant_gateway_id=wanted.merchant_gateway_id,
        merchant_id=wanted.merchant_id,
        token_id=wanted.token_id,
        device_id=wanted.device_id,
        correlation_id=wanted.correlation_id,
        partners=frozenset(PARTNERS[partner] for partner in wanted.partners if partner),
        sender=wanted.sender,
        start_time=micros(wanted.start_time) if wanted.HasField("start_time") else None,
        end_time=micros(wanted.end_time) if wanted.HasField("end_time") else None,
        quarantine_reasons=frozenset(REASONS[reason] for reason in wanted.quarantine_reasons if reason),
        resource=wanted.resource,
        flags=frozenset(FLAGS[flag] for flag in wanted.flags if flag),
        issuer_id=wanted.issuer_id,
        card_id=wanted.card_id,
    )


def filter_to_proto(chosen: NotificationFilter) -> pb.NotificationFilter:
    return pb.NotificationFilter(
        states=sorted(number for number, state in STATES.items() if state in chosen.states),
        kinds=sorted(number for number, kind in KINDS.items() if kind in chosen.kinds),
        merchant_gateway_id=chosen.merchant_gateway_id,
        merchant_id=chosen.merchant_id,
        token_id=chosen.token_id,
        device_id=chosen.device_id,
        correlation_id=chosen.correlation_id,
        partners=sorted(number for number, partner in PARTNERS.items() if partner in chosen.partners),
        sender=chosen.sender,
        start_time=timestamp(chosen.start_time),
        end_time=timestamp(chosen.end_time),
        quarantine_reasons=sorted(number for number, each in REASONS.items() if each in chosen.quarantine_reasons),
        resource=chosen.resource,
        flags=sorted(number for number, flag in FLAGS.items() if flag in chosen.flags),
        issuer_id=chosen.issuer_id,
        card_id=chosen.card_id,
    )


def clean(text: str) -> str:
    """Text that PostgreSQL can store: U+0000 escaped."""
    return text.replace("\0", "\\u0000") if "\0" in text else text


def content_of(record: pb.NotificationRecord) -> Content | None:
    match record.WhichOneof("content"):
        case "d1_token_update":
            return D1TokenUpdate(clean(record.d1_token_update.update_type))
        case "tsh_binding":
            bound = record.tsh_binding
            return TshBinding(
                clean(bound.device_type),
                clean(bound.app_type),
                clean(bound.visa_provisioned_token_id),
                clean(bound.idv_method),
                clean(bound.binding_state),
                clean(bound.event_initiator),
                clean(bound.creation_timestamp),
                clean(bound.last_update_timestamp),
            )
        case "tsh_token":
            told = record.tsh_token
            return TshToken(
                clean(told.token_state),
                clean(told.card_bin),
                clean(told.card_last_digits),
                clean(told.card_expiry),
                clean(told.token_last_digits),
                clean(told.token_expiry),
                clean(told.payment_account_reference),
                clean(told.visa_provisioned_token_id),
                clean(told.creation_timestamp),
                clean(told.last_update_timestamp),
                clean(told.error_code),
            )
        case "tsh_merchant":
            registered = record.tsh_merchant
            return TshMerchant(
                clean(registered.scheme),
                clean(registered.token_requestor_id),
                clean(registered.mastercard_service_id),
                clean(registered.last_update_timestamp),
                clean(registered.error_code),
            )
        case "d1_issuer_operation":
            operation = record.d1_issuer_operation
            return D1IssuerOperation(
                clean(operation.operation),
                clean(operation.status),
                clean(operation.start_time),
                clean(operation.end_time),
                tuple(clean(each) for each in operation.digital_card_ids),
                clean(operation.details_json),
                clean(operation.message),
                clean(operation.error_code),
                clean(operation.error),
                clean(operation.input_file_name),
                clean(operation.issuer_request_id),
            )
        case _:
            return None


def record_of(record: pb.NotificationRecord) -> Record:
    return Record(
        kind=KINDS[record.kind],
        sender=clean(record.sender),
        merchant_gateway_id=clean(record.merchant_gateway_id),
        merchant_id=clean(record.merchant_id),
        token_id=clean(record.token_id),
        device_id=clean(record.device_id),
        correlation_id=clean(record.correlation_id),
        correlation_id_given=record.correlation_id_given,
        body=record.body,
        content_digest=record.content_digest,
        flags=tuple(FLAGS[flag] for flag in record.flags if flag in FLAGS),
        quarantine_reason=REASONS.get(record.quarantine_reason),
        content=content_of(record),
        issuer_id=clean(record.issuer_id),
        card_id=clean(record.card_id),
        digital_card_id=clean(record.digital_card_id),
        consumer_id=clean(record.consumer_id),
        operation_id=clean(record.operation_id),
    )


def result(outcome: RecordResult) -> pb.RecordResult:
    state = outcome.state
    return pb.RecordResult(
        outcome=pb.RecordOutcome.Value(f"RECORD_OUTCOME_{outcome.outcome}"),
        notification=outcome.notification,
        state=pb.NotificationState.Value(f"NOTIFICATION_STATE_{state or 'UNSPECIFIED'}"),
    )


class Notifications:
    """The methods of NotificationsService, behind the wrapper of every call."""

    def __init__(self, store: Store, sealer: Sealer, pages: PageTokens, replays: NotificationReplays) -> None:
        self._store = store
        self._sealer = sealer
        self._pages = pages
        self._replays = replays

    def GetNotification(self, request: pb.GetNotificationRequest, call: Call) -> pb.GetNotificationResponse:
        found, body = notifications.get(self._store, self._sealer, call.caller, request.name)
        return pb.GetNotificationResponse(notification=to_proto(found, body))

    def ListNotifications(self, request: pb.ListNotificationsRequest, call: Call) -> pb.ListNotificationsResponse:
        query = NotificationQuery(call.caller.reach, filter_of(request))
        found, next_page = self._pages.list(
            request, call.caller.client, lambda page: notifications.list_page(self._store, query, page), to_proto
        )
        return pb.ListNotificationsResponse(notifications=found, next_page_token=next_page)

    def PlanNotificationReplay(
        self, request: pb.PlanNotificationReplayRequest, call: Call
    ) -> pb.PlanNotificationReplayResponse:
        return self._replays.plan(request, call)

    def ReplayNotification(self, request: pb.ReplayNotificationRequest, call: Call) -> pb.ReplayNotificationResponse:
        return self._replays.replay(request, call)


class NotificationRecords:
    """The methods of NotificationRecordsService, behind the wrapper of every call."""

    def __init__(self, recorder: Recorder, tracer: Tracer | None = None) -> None:
        self._recorder = recorder
        self._tracer = tracer

    def RecordNotifications(self, request: pb.RecordNotificationsRequest, call: Call) -> pb.RecordNotificationsResponse:
        began = time.time_ns()
        traces = [record.trace_context for record in request.records]
        if call.span is not None:
            for link in recorded.links(traces):
                call.span.add_link(link.context)
        records = [record_of(record) for record in request.records]
        outcomes = self._recorder.record(records, call.deadline)
        recorded.tell(records, outcomes, traces)
        if self._tracer is not None and call.span is not None:
            recorded.trace(self._tracer, call.span, began, request.records, outcomes)
        return pb.RecordNotificationsResponse(results=[result(outcome) for outcome in outcomes])
