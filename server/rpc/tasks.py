"""TasksService."""

import time
from typing import Any

import structlog
from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import payment_subscriptions_pb2, payments_pb2
from mintmark.v1 import tasks_pb2 as pb

from server.domain import card_numbers
from server.domain.callers import Caller
from server.domain.hosted_pages import asks_for_page
from server.domain.partner_subscriptions import PartnerSubscription, PartnerTransaction
from server.domain.payment_answers import PartnerAnswer
from server.domain.payment_evidence import Outcome
from server.domain.payment_options import PageLink
from server.domain.payment_subscription_calls import CallKind
from server.domain.refusals import ResourceNotFound
from server.domain.tasks import OF_DISPATCHERS, OF_PAYMENTS, OF_WEBHOOKS, TaskKind
from server.ports import Feed, HighWater, Transaction
from server.rpc import acquirer_transactions, token_refreshes
from server.rpc.calls import Call
from server.rpc.payment_subscriptions import plan_to_proto
from server.rpc.payments import operation_kind
from server.rpc.webhook_tasks import WebhookTasks
from server.services import acquirer_queries, payment_attempts, payment_subscription_records, tasks
from server.services import token_refreshes as refreshing
from server.services.acquirer_desk import AcquirerDesk
from server.services.payment_attempts import Submission
from server.services.payment_house import PaymentHouse
from server.services.tasks import Claimed, Endpoint
from server.services.token_refreshes import RefreshDesk
from server.services.webhook_house import WebhookHouse

# How soon a claim that waits sees a task that has become due.
LOOK_S = 0.5
ANSWER_S = 0.2

KINDS = {pb.TaskKind.Value(f"TASK_KIND_{kind}"): kind for kind in OF_DISPATCHERS}
OUTCOMES = {pb.CallOutcome.Value(f"CALL_OUTCOME_{each}"): each for each in Outcome if each is not Outcome.UNREPORTED}
CALL_KINDS = {pb.SubscriptionCallKind.Value(f"SUBSCRIPTION_CALL_KIND_{kind}"): kind for kind in CallKind}
LONGEST_BODY = 64 * 1024
LONGEST_WAIT = 24 * 3600 * 1_000_000

log = structlog.get_logger("tasks")


def duration(micros: int) -> Duration:
    made = Duration()
    made.FromMicroseconds(max(0, micros))
    return made


def endpoint_to_proto(endpoint: Endpoint) -> pb.PartnerEndpoint:
    return pb.PartnerEndpoint(
        account=endpoint.account,
        base_url=endpoint.base_url,
        path_prefix=endpoint.path_prefix,
        authorization=endpoint.authorization,
        api_key=endpoint.api_key,
    )


def task_to_proto(claimed: Claimed) -> pb.Task:
    task = claimed.task
    shown = pb.Task(
        name=task.name,
        kind=pb.TaskKind.Value(f"TASK_KIND_{task.kind}"),
        fence=task.fence,
        lease=duration(claimed.lease),
        correlation_id=task.correlation_id,
        operation=task.operation if task.kind is TaskKind.SUBMIT_PAYMENT_OPERATION else "",
        account=task.account,
    )
    if claimed.subscription is not None and claimed.endpoint is not None:
        call = shown.subscription_call
        call.endpoint.CopyFrom(endpoint_to_proto(claimed.endpoint))
        call.kind = pb.SubscriptionCallKind.Value(f"SUBSCRIPTION_CALL_KIND_{claimed.call}")
        call.partner_subscription_id = claimed.subscription.partner_subscription_id or ""
        call.mark = claimed.subscription.mark
    elif claimed.endpoint is not None and task.kind is TaskKind.QUERY_TRANSACTION:
        shown.query.endpoint.CopyFrom(endpoint_to_proto(claimed.endpoint))
        shown.query.partner_transaction_id = task.partner_transaction_id
    return shown


def submission_to_proto(submission: Submission) -> pb.PaymentSubmission:
    operation = submission.operation
    shown = pb.PaymentSubmission(
        operation=operation.name,
        kind=operation_kind(operation.kind),
        endpoint=endpoint_to_proto(submission.endpoint),
        path=submission.path,
        amount_text=submission.amount_text,
        currency_code=operation.currency_code,
        reference=submission.reference,
        partner_merchant_id=operation.partner_merchant_id,
        stored_payment_method_id=operation.stored_payment_method_id,
        parent_transaction_id=operation.parent_transaction_id,
        webhook_url=submission.webhook_url,
        merchant_email=submission.merchant_email,
        store_payment_method=operation.store_payment_method,
    )
    if submission.details:
        details = shown.hosted_page_details if asks_for_page(operation.kind) else shown.details
        details.MergeFromString(submission.details)
    if submission.subscription is not None:
        shown.plan.CopyFrom(plan_to_proto(submission.subscription.plan))
        shown.plan.description = submission.subscription.sent_description
    return shown


# As good as keys: told to the payer as they are.
LINKS = ("redirect_url", "page_url")
TEXTS = tuple(
    field.name
    for field in pb.PartnerAnswer.DESCRIPTOR.fields
    if field.type == field.TYPE_STRING and field.name not in LINKS
)


PAGE_TEXTS = tuple(name for name in TEXTS if name.startswith("page_"))


def answer_of(given: pb.PartnerAnswer) -> PartnerAnswer:
    """The answer as the domain reads it. Adapters have cut card numbers; what they overlooked is cut here."""
    texts: dict[str, Any] = {name: storable(card_numbers.cut(getattr(given, name))) for name in TEXTS}
    texts["masked_number"] = card_numbers.cut_any(texts["masked_number"])
    said = {name.removeprefix("page_"): texts.pop(name) for name in PAGE_TEXTS}
    page = PageLink(given.page_url, partner_merchant_id=said.pop("merchant_id"), **said) if given.page_url else None
    body = card_numbers.cut(given.body[:LONGEST_BODY].decode("utf-8", "backslashreplace"))
    return PartnerAnswer(
        http_status=given.http_status,
        readable=given.readable,
        body=body.encode("utf-8", "backslashreplace"),
        redirect_url=given.redirect_url,
        page=page,
        subscriptions=tuple(_subscription(each) for each in given.subscriptions),
        listed_count=given.listed_count,
        cut_off=given.cut_off,
        **texts,
    )


def _subscription(given: pb.PartnerSubscription) -> PartnerSubscription:
    texts = {
        field.name: storable(card_numbers.cut(getattr(given, field.name)))
        for field in given.DESCRIPTOR.fields
        if field.type == field.TYPE_STRING
    }
    listed = (
        PartnerTransaction(*(storable(card_numbers.cut(text)) for text in (each.partner_transaction_id, each.cycle)))
        for each in given.transactions
    )
    return PartnerSubscription(transactions=tuple(listed), **texts)


def waited(given: Duration) -> int:
    """How long a partner asked to wait: in microseconds, a day at most."""
    return max(0, min(given.ToMicroseconds(), LONGEST_WAIT))


def storable(text: str) -> str:
    return text.replace("\0", "\\0")


class Tasks:
    """The methods of TasksService, behind the wrapper of every call."""

    def __init__(
        self,
        house: PaymentHouse,
        desk: AcquirerDesk,
        webhooks: WebhookHouse,
        refreshes: RefreshDesk,
        feed: Feed,
        high_water: HighWater,
    ) -> None:
        self._house = house
        self._desk = desk
        self._webhooks = WebhookTasks(webhooks)
        self._refreshes = refreshes
        self._feed = feed
        self._high_water = high_water

    def ClaimTasks(self, request: pb.ClaimTasksRequest, call: Call) -> pb.ClaimTasksResponse:
        kinds = frozenset(KINDS[kind] for kind in request.kinds) or OF_DISPATCHERS
        paused = frozenset(request.paused_accounts)
        wait = request.wait.ToTimedelta().total_seconds()
        until = min(time.monotonic() + wait, call.deadline - ANSWER_S)
        call.on_gone(self._feed.wake)
        house = self._house
        while True:
            head = self._feed.head
            if house.store.view.has_due_task(kinds, house.now_outside(), paused):
                claimed = house.store.write(
                    "tasks",
                    lambda transaction: self._claim(transaction, call.caller, kinds, request.max_tasks, paused),
                    deadline=call.deadline,
                )
                if claimed:
                    return pb.ClaimTasksResponse(tasks=claimed)
            left = until - time.monotonic()
            if left <= 0 or call.over():
                return pb.ClaimTasksResponse()
            self._feed.wait(head, min(left, LOOK_S), call.over)

    def _claim(
        self,
        transaction: Transaction,
        caller: Caller,
        kinds: frozenset[TaskKind],
        limit: int,
        paused: frozenset[str],
    ) -> list[pb.Task]:
        of_payments = kinds & OF_PAYMENTS
        payments = tasks.claim(self._house, transaction, caller, of_payments, limit, paused) if of_payments else []
        found = [task_to_proto(each) for each in payments]
        if kinds & acquirer_queries.KINDS and len(found) < limit:
            queries = acquirer_queries.claim(self._desk, transaction, caller, limit - len(found), paused)
            found += [acquirer_transactions.query_to_proto(each) for each in queries]
        if kinds & OF_WEBHOOKS and len(found) < limit:
            found += self._webhooks.claim(transaction, caller, kinds, limit - len(found), paused)
        if kinds & refreshing.KINDS and len(found) < limit:
            refreshes = refreshing.claim(self._refreshes, transaction, caller, limit - len(found), paused)
            found += [token_refreshes.to_proto(each) for each in refreshes]
        return found

    def RenewTasks(self, request: pb.RenewTasksRequest, call: Call) -> pb.RenewTasksResponse:
        leases = [(each.task, each.fence) for each in request.leases]
        renewed, lease = self._house.store.write(
            "tasks", lambda transaction: tasks.renew(self._house, transaction, leases), deadline=call.deadline
        )
        return pb.RenewTasksResponse(renewed=renewed, lease=duration(lease))

    def BeginAttempt(self, request: pb.BeginAttemptRequest, call: Call) -> pb.BeginAttemptResponse:
        house, lease = self._house, request.lease
        grant = house.store.write(
            lease.task,
            lambda transaction: payment_attempts.begin(
                house, transaction, call.caller, request.request_id.lower(), lease.task, lease.fence
            ),
            deadline=call.deadline,
        )
        # Before anything can be sent: a database that is put back behind this is known by it.
        self._high_water.reach()
        return pb.BeginAttemptResponse(
            attempt=grant.attempt,
            send_by=duration(grant.send_by),
            submission=submission_to_proto(grant.submission),
            call_timeout=duration(house.limits.micros(house.limits.call)),
        )

    def RecordAttempt(self, request: pb.RecordAttemptRequest, call: Call) -> pb.RecordAttemptResponse:
        answer = answer_of(request.answer) if request.HasField("answer") else None
        outcome, trouble = OUTCOMES[request.outcome], storable(card_numbers.cut(request.trouble))
        try:
            state = self._house.store.write(
                request.attempt,
                lambda transaction: payment_attempts.record(
                    self._house, transaction, call.caller, request.attempt, outcome, answer, trouble
                ),
                deadline=call.deadline,
            )
        except ResourceNotFound:
            log.error("evidence_of_unknown_payment", attempt=request.attempt, outcome=outcome)
            raise
        return pb.RecordAttemptResponse(
            state=payments_pb2.PaymentOperationState.Value(f"PAYMENT_OPERATION_STATE_{state}")
        )

    def RecordAcquirerStatus(
        self, request: pb.RecordAcquirerStatusRequest, call: Call
    ) -> pb.RecordAcquirerStatusResponse:
        return acquirer_transactions.record_status(self._desk, request, call)

    def RecordStatus(self, request: pb.RecordStatusRequest, call: Call) -> pb.RecordStatusResponse:
        answered = OUTCOMES[request.outcome] is Outcome.ANSWERED
        answer = answer_of(request.answer) if answered and request.HasField("answer") else None
        retry_after = waited(request.retry_after)
        state = self._house.store.write(
            request.task,
            lambda transaction: payment_attempts.record_status(
                self._house, transaction, call.caller, request.task, request.fence, answer, retry_after
            ),
            deadline=call.deadline,
        )
        return pb.RecordStatusResponse(
            state=payments_pb2.PaymentOperationState.Value(f"PAYMENT_OPERATION_STATE_{state}")
        )

    def RecordWebhookConfigCall(
        self, request: pb.RecordWebhookConfigCallRequest, call: Call
    ) -> pb.RecordWebhookConfigCallResponse:
        return self._webhooks.record_call(request, call)

    def RecordWebhookConfigList(
        self, request: pb.RecordWebhookConfigListRequest, call: Call
    ) -> pb.RecordWebhookConfigListResponse:
        return self._webhooks.record_list(request, call)

    def RecordTokenRefresh(self, request: pb.RecordTokenRefreshRequest, call: Call) -> pb.RecordTokenRefreshResponse:
        return token_refreshes.record(self._refreshes, request, call)

    def RecordSubscription(self, request: pb.RecordSubscriptionRequest, call: Call) -> pb.RecordSubscriptionResponse:
        answered = OUTCOMES[request.outcome] is Outcome.ANSWERED
        answer = answer_of(request.answer) if answered and request.HasField("answer") else None
        state = self._house.store.write(
            request.task,
            lambda transaction: payment_subscription_records.record(
                self._house,
                transaction,
                call.caller,
                request.task,
                request.fence,
                CALL_KINDS[request.kind],
                answer,
                waited(request.retry_after),
            ),
            deadline=call.deadline,
        )
        return pb.RecordSubscriptionResponse(
            state=payment_subscriptions_pb2.PaymentSubscriptionState.Value(f"PAYMENT_SUBSCRIPTION_STATE_{state}")
        )
