"""Rows of a partner's export, and what becomes of them."""

from typing import Any

from mintmark.v1 import payments_pb2 as pb

from tests.server.rpc.paying import PARTNER_MERCHANT, Shop, transaction_id
from tests.server.rpc.running import Session, request_id

DONE, PARTLY, NO, OPEN = (
    pb.EXPORT_OUTCOME_DONE,
    pb.EXPORT_OUTCOME_PARTLY_DONE,
    pb.EXPORT_OUTCOME_DECLINED,
    pb.EXPORT_OUTCOME_OPEN,
)


def row(payment: pb.Payment | None = None, place: int = 0, **fields: Any) -> pb.ExportRow:
    """A row that says that the payment's operation was done."""
    operation = payment.operations[place] if payment else None
    given = {
        "line": 2,
        "partner_transaction_id": transaction_id(),
        "reference": operation.reference if operation else "somebody-elses",
        "transaction_type": "CAPTURE",
        "amount": str(operation.amount.minor_amount if operation else 1000),
        "currency_code": operation.amount.currency_code if operation else "JPY",
        "outcome": DONE,
        "outcome_text": "Approved",
        "partner_merchant_id": PARTNER_MERCHANT,
        "time_text": "2026-11-25 10:00",
        **fields,
    }
    return pb.ExportRow(**given)


def copy(of: pb.ExportRow, **fields: Any) -> pb.ExportRow:
    changed = pb.ExportRow(**fields)
    made = pb.ExportRow()
    made.CopyFrom(of)
    made.MergeFrom(changed)
    return made


def plan(shop: Shop, *rows: pb.ExportRow, by: Session | None = None) -> list[pb.ReconciliationResult]:
    request = pb.PlanReconciliationRequest(account=shop.account, rows=rows)
    return list((by or shop.client).payments.PlanReconciliation(request).results)


def reconcile(shop: Shop, *rows: pb.ExportRow, by: Session | None = None) -> list[pb.ReconciliationResult]:
    """Planned first; what was planned is what is done."""
    planned = plan(shop, *rows, by=by)
    request = pb.ReconcilePaymentsRequest(request_id=request_id(), account=shop.account, rows=rows)
    done = list((by or shop.client).payments.ReconcilePayments(request).results)
    assert done == planned
    return done


def finding(result: pb.ReconciliationResult) -> str:
    return pb.ReconciliationFinding.Name(result.finding).removeprefix("RECONCILIATION_FINDING_")


def findings(results: list[pb.ReconciliationResult]) -> list[str]:
    return [finding(each) for each in results]


def unknown(shop: Shop, by: Session | None = None) -> list[pb.UnknownCharge]:
    request = pb.ListUnknownChargesRequest(account=shop.account, page_size=1000)
    return list((by or shop.client).payments.ListUnknownCharges(request).unknown_charges)


def export_lines(shop: Shop, payment: pb.Payment) -> list[pb.PaymentEvidence]:
    return [each for each in shop.evidence(payment) if each.kind == pb.EVIDENCE_KIND_EXPORT]
