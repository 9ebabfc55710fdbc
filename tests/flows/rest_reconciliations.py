"""What is asked of a partner's export, by REST and by gRPC."""

import uuid
from collections.abc import Iterator

from google.protobuf.message import Message
from mintmark.v1 import accounts_pb2
from mintmark.v1 import payments_pb2 as pb

from tests.server.rpc import exporting, paying

ACCOUNT = "partnerAccounts/walked-paying"
SERVICE = "PaymentsService"

# An RPC, its request, and the reason that it is refused with; none where it is not.
Case = tuple[str, Message, str]


def reads() -> Iterator[Case]:
    yield f"{SERVICE}.ListUnknownCharges", pb.ListUnknownChargesRequest(account=ACCOUNT, page_size=5), ""
    absent = pb.PlanReconciliationRequest(account="partnerAccounts/no", rows=[exporting.row()])
    yield f"{SERVICE}.PlanReconciliation", absent, "RESOURCE_NOT_FOUND"


def writes() -> Iterator[Case]:
    account = paying.account("walked-paying", "PAY_WALK")
    applied = accounts_pb2.ApplyAccountsRequest(request_id=str(uuid.uuid4()), accounts=[account])
    yield "AccountsService.ApplyAccounts", applied, ""
    rows = [exporting.row(), exporting.row(outcome=exporting.NO)]
    yield f"{SERVICE}.PlanReconciliation", pb.PlanReconciliationRequest(account=ACCOUNT, rows=rows), ""
    yield f"{SERVICE}.ReconcilePayments", _taken(*rows), ""
    yield f"{SERVICE}.ReconcilePayments", _taken(exporting.row(amount="-1")), "FIELD_INVALID"


def _taken(*rows: pb.ExportRow) -> pb.ReconcilePaymentsRequest:
    return pb.ReconcilePaymentsRequest(request_id=str(uuid.uuid4()), account=ACCOUNT, rows=rows)
