"""AcquirerTransactionsService, and what TasksService records for it."""

from typing import Any

from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import acquirer_transactions_pb2 as pb
from mintmark.v1 import money_pb2, tasks_pb2

from server.domain.acquirer_tellings import AcquirerState
from server.domain.acquirer_transactions import AcquirerTransaction, Booking, Report
from server.domain.queries import AcquirerTransactionQuery
from server.domain.webhook_configs import AcquirerOperation
from server.ports import Transaction
from server.rpc import acquirer_calls
from server.rpc.calls import Call, Calls
from server.rpc.pages import PageTokens
from server.rpc.webhook_tasks import endpoint_to_proto
from server.rpc.words import timestamp
from server.services import acquirer_transactions
from server.services.acquirer_desk import AcquirerDesk
from server.services.acquirer_queries import ClaimedQuery

STATES = {pb.AcquirerTransactionState.Value(f"ACQUIRER_TRANSACTION_STATE_{state}"): state for state in AcquirerState}


def state_to_proto(state: AcquirerState | None) -> pb.AcquirerTransactionState.ValueType:
    return pb.AcquirerTransactionState.Value(f"ACQUIRER_TRANSACTION_STATE_{state or 'UNSPECIFIED'}")


def to_proto(transaction: AcquirerTransaction) -> pb.AcquirerTransaction:
    shown = transaction.shown
    amount = shown.amount if shown else None
    booking = "UNSPECIFIED" if transaction.booking is Booking.NONE else transaction.booking
    kind = shown.type if shown else None
    return pb.AcquirerTransaction(
        name=transaction.name,
        account=transaction.account,
        transaction_id=transaction.transaction_id,
        merchant_gateway_id=transaction.merchant_gateway_id,
        merchant_id=transaction.merchant_id,
        terminal_id=transaction.terminal_id,
        state=state_to_proto(transaction.state),
        state_text=shown.state_text if shown else "",
        type=pb.AcquirerTransactionType.Value(f"ACQUIRER_TRANSACTION_TYPE_{kind or 'UNSPECIFIED'}"),
        type_text=shown.type_text if shown else "",
        booking=pb.AcquirerBooking.Value(f"ACQUIRER_BOOKING_{booking}"),
        payment_method_text=shown.method_text if shown else "",
        amount=money_pb2.Money(minor_amount=amount.minor_amount, currency_code=amount.currency_code)
        if amount
        else None,
        amount_text=shown.amount_text if shown else "",
        currency_text=shown.currency_text if shown else "",
        transaction_time_text=shown.time_text if shown else "",
        transaction_time=timestamp(shown.order_time if shown else None),
        merchant_reference=transaction.merchant_reference,
        payment=transaction.payment,
        status_code=shown.status_code if shown else "",
        status_message=shown.status_message if shown else "",
        confirmed=transaction.confirmed,
        contested=transaction.contested,
        query_pending=transaction.query_pending,
        last_query=acquirer_calls.to_proto(transaction.last_query) if transaction.last_query else None,
        report_count=transaction.report_count,
        create_time=timestamp(transaction.create_time),
        update_time=timestamp(transaction.update_time),
        etag=str(transaction.revision),
    )


def report_to_proto(report: Report, body: bytes) -> pb.AcquirerTransactionReport:
    return pb.AcquirerTransactionReport(
        name=report.name,
        kind=pb.AcquirerReportKind.Value(f"ACQUIRER_REPORT_KIND_{report.kind}"),
        effect=pb.AcquirerReportEffect.Value(f"ACQUIRER_REPORT_EFFECT_{report.effect}"),
        time=timestamp(report.time),
        notification=report.notification,
        notification_id=report.notification_id,
        webhook_config=report.webhook_config,
        state=state_to_proto(report.state),
        state_text=report.state_text,
        type_text=report.type_text,
        amount_text=report.amount_text,
        currency_text=report.currency_text,
        transaction_time_text=report.time_text,
        status_code=report.status_code,
        redacted_body=body.decode("utf-8", "backslashreplace"),
    )


class AcquirerTransactions:
    """The methods of AcquirerTransactionsService, behind the wrapper of every call."""

    def __init__(self, desk: AcquirerDesk, calls: Calls, pages: PageTokens) -> None:
        self._desk = desk
        self._calls = calls
        self._pages = pages

    def GetAcquirerTransaction(
        self, request: pb.GetAcquirerTransactionRequest, call: Call
    ) -> pb.GetAcquirerTransactionResponse:
        found = acquirer_transactions.get(self._desk.house.store, call.caller, request.name)
        return pb.GetAcquirerTransactionResponse(acquirer_transaction=to_proto(found))

    def ListAcquirerTransactions(
        self, request: pb.ListAcquirerTransactionsRequest, call: Call
    ) -> pb.ListAcquirerTransactionsResponse:
        query = AcquirerTransactionQuery(
            call.caller.reach,
            frozenset(STATES[state] for state in request.states if state in STATES),
            request.account,
            request.merchant_gateway_id,
            request.merchant_id,
            request.transaction_id,
            request.merchant_reference,
            request.payment,
            request.contested,
        )
        found, next_page = self._pages.list(
            request,
            call.caller.client,
            lambda page: acquirer_transactions.list_page(self._desk.house.store, query, page),
            to_proto,
        )
        return pb.ListAcquirerTransactionsResponse(acquirer_transactions=found, next_page_token=next_page)

    def ListAcquirerTransactionReports(
        self, request: pb.ListAcquirerTransactionReportsRequest, call: Call
    ) -> pb.ListAcquirerTransactionReportsResponse:
        bodies: dict[str, bytes] = {}

        def read(page: Any) -> list[Report]:
            found = acquirer_transactions.list_reports(self._desk, call.caller, request.name, page)
            bodies.update((report.name, body) for report, body in found)
            return [report for report, _ in found]

        found, next_page = self._pages.list(
            request, call.caller.client, read, lambda report: report_to_proto(report, bodies[report.name])
        )
        return pb.ListAcquirerTransactionReportsResponse(reports=found, next_page_token=next_page)

    def RefreshAcquirerTransaction(
        self, request: pb.RefreshAcquirerTransactionRequest, call: Call
    ) -> pb.RefreshAcquirerTransactionResponse:
        def unit(transaction: Transaction) -> pb.RefreshAcquirerTransactionResponse:
            after = acquirer_transactions.refresh(self._desk, transaction, call.caller, request.name)
            return pb.RefreshAcquirerTransactionResponse(acquirer_transaction=to_proto(after))

        return self._calls.write(call, request, request.name, unit)


def query_to_proto(claimed: ClaimedQuery) -> tasks_pb2.Task:
    """A leased question for a transaction's status."""
    task, lease = claimed.task, Duration()
    lease.FromMicroseconds(claimed.lease)
    query = tasks_pb2.AcquirerTransactionQuery(
        endpoint=endpoint_to_proto(claimed.endpoint),
        acquirer_transaction=task.resource,
        transaction_id=task.partner_transaction_id,
    )
    return tasks_pb2.Task(
        name=task.name,
        kind=tasks_pb2.TASK_KIND_QUERY_ACQUIRER_TRANSACTION,
        fence=task.fence,
        lease=lease,
        correlation_id=task.correlation_id,
        account=task.account,
        acquirer_query=query,
    )


def record_status(
    desk: AcquirerDesk, request: tasks_pb2.RecordAcquirerStatusRequest, call: Call
) -> tasks_pb2.RecordAcquirerStatusResponse:
    """TasksService.RecordAcquirerStatus."""
    told = acquirer_calls.call_of(request.call, AcquirerOperation.STATUS)
    retry_after = max(0, request.retry_after.ToMicroseconds())

    def unit(transaction: Transaction) -> None:
        acquirer_transactions.record_status(
            desk, transaction, call.caller, request.acquirer_transaction, request.fence, told, request.body, retry_after
        )

    desk.house.store.write(request.acquirer_transaction, unit, deadline=call.deadline)
    return tasks_pb2.RecordAcquirerStatusResponse()
