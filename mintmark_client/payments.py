"""Payments, with stored tokens or through a page of the partner's."""

import time
from collections.abc import Sequence

import grpc
from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import money_pb2, payments_pb2_grpc
from mintmark.v1 import payments_pb2 as pb

from mintmark_client.pages import listing

# One call of a wait; each is tried again where the connection breaks.
WAIT_CALL_S = 10


class Payments:
    """The methods of PaymentsService for those who pay. All are safe to repeat with the same `request_id`.

    Money moves at most once, whatever fails: a call that ends with Unavailable may have been done, so repeat it with
    the
    `request_id` of the error. `list(...)` and `evidence(...)` take the fields of their requests as keywords and
    iterate over all
    pages.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = payments_pb2_grpc.PaymentsServiceStub(channel)
        self.list = listing(self._stub.ListPayments, pb.ListPaymentsRequest, lambda page: page.payments)
        self.evidence = listing(
            self._stub.ListPaymentEvidence, pb.ListPaymentEvidenceRequest, lambda page: page.evidence
        )
        self.unknown_charges = listing(
            self._stub.ListUnknownCharges, pb.ListUnknownChargesRequest, lambda page: page.unknown_charges
        )

    def create(
        self,
        token: str,
        merchant_payment_id: str,
        amount: money_pb2.Money,
        details: pb.PaymentDetails,
        *,
        send_within: float | None = None,
        request_id: str = "",
    ) -> pb.Payment:
        """Pays. Answers at once with the payment PENDING; `wait` tells how it goes on.

        `send_within` is in seconds: unsent by then it is EXPIRED. Raises PreconditionFailed and others, with the
        reasons that
        CreatePayment documents; AlreadyExists where the merchant has used its id.
        """
        request = pb.CreatePaymentRequest(
            request_id=request_id,
            token=token,
            merchant_payment_id=merchant_payment_id,
            amount=amount,
            details=details,
            send_within=_duration(send_within),
        )
        return self._stub.CreatePayment(request).payment

    def authorize(
        self,
        token: str,
        merchant_payment_id: str,
        amount: money_pb2.Money,
        details: pb.PaymentDetails,
        *,
        send_within: float | None = None,
        request_id: str = "",
    ) -> pb.Payment:
        """Reserves an amount, to be captured or voided. As `create` otherwise."""
        request = pb.AuthorizePaymentRequest(
            request_id=request_id,
            token=token,
            merchant_payment_id=merchant_payment_id,
            amount=amount,
            details=details,
            send_within=_duration(send_within),
        )
        return self._stub.AuthorizePayment(request).payment

    def create_hosted_page(
        self,
        merchant_gateway_id: str,
        merchant_id: str,
        merchant_payment_id: str,
        amount: money_pb2.Money,
        details: pb.HostedPageDetails,
        *,
        store_payment_method: bool = False,
        send_within: float | None = None,
        request_id: str = "",
    ) -> pb.Payment:
        """Pays through a page of the partner's: `wait` returns with its address in `redirect_url` once it is made.

        With `store_payment_method` the partner stores the card, and the `token` of the payment names it once the
        payer has paid. Raises as `create` does, and NotFound for a merchant that the client may not see.
        """
        request = pb.CreateHostedPaymentPageRequest(
            request_id=request_id,
            merchant_gateway_id=merchant_gateway_id,
            merchant_id=merchant_id,
            merchant_payment_id=merchant_payment_id,
            amount=amount,
            details=details,
            store_payment_method=store_payment_method,
            send_within=_duration(send_within),
        )
        return self._stub.CreateHostedPaymentPage(request).payment

    def get(self, name: str) -> pb.Payment:
        """One payment with its operations. Raises NotFound."""
        return self._stub.GetPayment(pb.GetPaymentRequest(name=name)).payment

    def wait(self, name: str, timeout: float = 30.0) -> pb.WaitPaymentResponse:
        """Waits until the payment has `settled`, for `timeout` seconds at most. Raises NotFound.

        Settled is not the same as paid: look at the `payment.state`. IN_DOUBT and REQUIRES_ACTION count as settled,
        because only
        somebody else can go on.
        """
        until = time.monotonic() + timeout
        while True:
            left = until - time.monotonic()
            request = pb.WaitPaymentRequest(name=name, timeout=_duration(max(0.0, min(left, WAIT_CALL_S))))
            answer = self._stub.WaitPayment(request)
            if answer.settled or left <= WAIT_CALL_S:
                return answer

    def capture(
        self, name: str, amount: money_pb2.Money | None = None, *, etag: str = "", request_id: str = ""
    ) -> pb.Payment:
        """Takes what is authorized, or a part of it; the rest is released. Raises NotFound, PreconditionFailed."""
        request = pb.CapturePaymentRequest(request_id=request_id, name=name, amount=amount, etag=etag)
        return self._stub.CapturePayment(request).payment

    def void(self, name: str, *, etag: str = "", request_id: str = "") -> pb.Payment:
        """Releases an authorization. Raises NotFound, PreconditionFailed."""
        return self._stub.VoidPayment(pb.VoidPaymentRequest(request_id=request_id, name=name, etag=etag)).payment

    def refund(
        self,
        name: str,
        amount: money_pb2.Money | None = None,
        *,
        operation: str = "",
        etag: str = "",
        request_id: str = "",
    ) -> pb.Payment:
        """Pays back what was captured, or a part of it. Raises NotFound, PreconditionFailed."""
        request = pb.RefundPaymentRequest(
            request_id=request_id, name=name, amount=amount, operation=operation, etag=etag
        )
        return self._stub.RefundPayment(request).payment

    def cancel(self, name: str, *, request_id: str = "") -> pb.Payment:
        """Takes it back while nothing has been sent. Raises NotFound, PreconditionFailed afterwards."""
        return self._stub.CancelPayment(pb.CancelPaymentRequest(request_id=request_id, name=name)).payment

    def plan_reconciliation(self, account: str, rows: Sequence[pb.ExportRow]) -> Sequence[pb.ReconciliationResult]:
        """What `reconcile` would make of the rows of a partner's export. Changes nothing. Raises NotFound."""
        request = pb.PlanReconciliationRequest(account=account, rows=rows)
        return self._stub.PlanReconciliation(request).results

    def reconcile(
        self, account: str, rows: Sequence[pb.ExportRow], *, request_id: str = ""
    ) -> Sequence[pb.ReconciliationResult]:
        """Takes up to 1,000 rows of a partner's export for evidence; what became of each. The same rows again change
        nothing. Raises NotFound."""
        request = pb.ReconcilePaymentsRequest(request_id=request_id, account=account, rows=rows)
        return self._stub.ReconcilePayments(request).results


def _duration(seconds: float | None) -> Duration | None:
    if seconds is None:
        return None
    made = Duration()
    made.FromMicroseconds(round(seconds * 1_000_000))
    return made
