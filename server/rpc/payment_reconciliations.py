"""A partner's export against what is known, as PaymentsService offers it."""

from collections.abc import Sequence

from mintmark.v1 import money_pb2
from mintmark.v1 import payments_pb2 as pb

from server.domain.money import Money
from server.domain.payment_exports import ExportOutcome, ExportRow, UnknownCharge
from server.domain.payment_operations import OperationState
from server.domain.queries import UnknownChargeQuery
from server.ports import Transaction
from server.rpc.calls import Call, Calls
from server.rpc.pages import PageTokens
from server.rpc.words import timestamp
from server.services import payment_reconciliations
from server.services.payment_house import PaymentHouse
from server.services.payment_reconciliations import Result


def row_of(given: pb.ExportRow) -> ExportRow:
    return ExportRow(
        line=given.line,
        partner_transaction_id=given.partner_transaction_id,
        reference=given.reference,
        transaction_type=given.transaction_type,
        amount=given.amount,
        currency_code=given.currency_code,
        outcome=ExportOutcome(pb.ExportOutcome.Name(given.outcome).removeprefix("EXPORT_OUTCOME_")),
        outcome_text=given.outcome_text,
        response_code=given.response_code,
        partner_merchant_id=given.partner_merchant_id,
        time_text=given.time_text,
    )


def row_to_proto(row: ExportRow) -> pb.ExportRow:
    return pb.ExportRow(
        line=row.line,
        partner_transaction_id=row.partner_transaction_id,
        reference=row.reference,
        transaction_type=row.transaction_type,
        amount=row.amount,
        currency_code=row.currency_code,
        outcome=pb.ExportOutcome.Value(f"EXPORT_OUTCOME_{row.outcome}"),
        outcome_text=row.outcome_text,
        response_code=row.response_code,
        partner_merchant_id=row.partner_merchant_id,
        time_text=row.time_text,
    )


def result_to_proto(result: Result) -> pb.ReconciliationResult:
    return pb.ReconciliationResult(
        line=result.line,
        finding=pb.ReconciliationFinding.Value(f"RECONCILIATION_FINDING_{result.finding}"),
        payment=result.payment,
        operation=result.operation,
        state_before=_state(result.state_before),
        state_after=_state(result.state_after),
        amount=_money(result.amount),
        explanation=result.explanation,
        repeated=result.repeated,
    )


def unknown_to_proto(charge: UnknownCharge) -> pb.UnknownCharge:
    return pb.UnknownCharge(
        name=charge.name,
        account=charge.account,
        merchant_gateway_id=charge.merchant_gateway_id,
        row=row_to_proto(charge.row),
        actor=charge.actor,
        create_time=timestamp(charge.time),
    )


def _money(amount: Money | None) -> money_pb2.Money | None:
    return money_pb2.Money(minor_amount=amount.minor_amount, currency_code=amount.currency_code) if amount else None


def _state(state: OperationState | None) -> pb.PaymentOperationState.ValueType:
    return pb.PaymentOperationState.Value(f"PAYMENT_OPERATION_STATE_{state or 'UNSPECIFIED'}")


class PaymentReconciliations:
    """PlanReconciliation, ReconcilePayments and ListUnknownCharges."""

    def __init__(self, house: PaymentHouse, calls: Calls, pages: PageTokens) -> None:
        self._house = house
        self._calls = calls
        self._pages = pages

    def plan(self, request: pb.PlanReconciliationRequest, call: Call) -> pb.PlanReconciliationResponse:
        rows = [row_of(each) for each in request.rows]

        def run(transaction: Transaction) -> Sequence[Result]:
            return payment_reconciliations.plan(self._house, transaction, call.caller, request.account, rows)

        # By the steps of the real one, on the writer, so that both say the same; nothing is written.
        results = self._house.store.write(request.account, run, deadline=call.deadline)
        return pb.PlanReconciliationResponse(results=[result_to_proto(each) for each in results])

    def reconcile(self, request: pb.ReconcilePaymentsRequest, call: Call) -> pb.ReconcilePaymentsResponse:
        rows = [row_of(each) for each in request.rows]

        def run(transaction: Transaction) -> pb.ReconcilePaymentsResponse:
            results = payment_reconciliations.reconcile(self._house, transaction, call.caller, request.account, rows)
            return pb.ReconcilePaymentsResponse(results=[result_to_proto(each) for each in results])

        return self._calls.write(call, request, request.account, run)

    def list_unknown(self, request: pb.ListUnknownChargesRequest, call: Call) -> pb.ListUnknownChargesResponse:
        query = UnknownChargeQuery(call.caller.reach, request.account)
        found, next_page = self._pages.list(
            request,
            call.caller.client,
            lambda page: payment_reconciliations.list_unknown(self._house.store, query, page),
            unknown_to_proto,
        )
        return pb.ListUnknownChargesResponse(unknown_charges=found, next_page_token=next_page)
