"""Subscriptions at PaymentOptions: the partner charges a stored token again and again by itself."""

import grpc
from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import money_pb2, payment_subscriptions_pb2_grpc, payments_pb2
from mintmark.v1 import payment_subscriptions_pb2 as pb

from mintmark_client.pages import listing


class PaymentSubscriptions:
    """The methods of PaymentSubscriptionsService. All are safe to repeat with the same `request_id`.

    `list(...)` takes the fields of ListPaymentSubscriptionsRequest as keywords and iterates over all pages. The money
    is in the subscription's `payment`.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = payment_subscriptions_pb2_grpc.PaymentSubscriptionsServiceStub(channel)
        self.list = listing(
            self._stub.ListPaymentSubscriptions,
            pb.ListPaymentSubscriptionsRequest,
            lambda page: page.payment_subscriptions,
        )

    def create(
        self,
        token: str,
        merchant_subscription_id: str,
        amount: money_pb2.Money,
        plan: pb.PaymentPlan,
        details: payments_pb2.PaymentDetails,
        *,
        send_within: float | None = None,
        request_id: str = "",
    ) -> pb.PaymentSubscription:
        """A new subscription, PENDING; its first cycle is charged once at most, whatever fails.

        `send_within` is in seconds. Raises as `payments.create` does.
        """
        within = None
        if send_within is not None:
            within = Duration()
            within.FromNanoseconds(round(send_within * 1e9))
        request = pb.CreatePaymentSubscriptionRequest(
            request_id=request_id,
            token=token,
            merchant_subscription_id=merchant_subscription_id,
            amount=amount,
            plan=plan,
            details=details,
            send_within=within,
        )
        return self._stub.CreatePaymentSubscription(request).payment_subscription

    def get(self, name: str) -> pb.PaymentSubscription:
        """One subscription. Raises NotFound."""
        return self._stub.GetPaymentSubscription(pb.GetPaymentSubscriptionRequest(name=name)).payment_subscription

    def cancel(self, name: str, *, etag: str = "", request_id: str = "") -> pb.PaymentSubscription:
        """Wants the partner to charge no more; final. Raises NotFound, PreconditionFailed."""
        request = pb.CancelPaymentSubscriptionRequest(request_id=request_id, name=name, etag=etag)
        return self._stub.CancelPaymentSubscription(request).payment_subscription

    def resume(self, name: str, *, etag: str = "", request_id: str = "") -> pb.PaymentSubscription:
        """Wants the partner to go on with what it has paused. Raises NotFound, PreconditionFailed."""
        request = pb.ResumePaymentSubscriptionRequest(request_id=request_id, name=name, etag=etag)
        return self._stub.ResumePaymentSubscription(request).payment_subscription

    def refresh(self, name: str, *, request_id: str = "") -> pb.PaymentSubscription:
        """Wants the partner to be asked now; `look_time` tells when it has answered. Raises NotFound."""
        request = pb.RefreshPaymentSubscriptionRequest(request_id=request_id, name=name)
        return self._stub.RefreshPaymentSubscription(request).payment_subscription
