"""The service that pays: it repeats every call until it is answered, whoever dies meanwhile."""

import itertools
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import grpc
from mintmark.v1 import (
    money_pb2,
    notifications_pb2,
    notifications_pb2_grpc,
    payment_subscriptions_pb2,
    payment_subscriptions_pb2_grpc,
    payments_pb2,
    payments_pb2_grpc,
)

from tests.faults.core_process import CALL_SECONDS, CHANNEL, CoreProcess
from tests.faults.reading import WHOLE_PAGE
from tests.server.rpc.paying import details, page_details
from tests.server.rpc.subscribed import plan
from tests.waiting import eventually

GATEWAY, MERCHANT = "PAY_000001", "shop-1"
USUAL = "094db781-fabc-4c6d-8fcd-18bee06a527a"
CURRENCY = "JPY"
FIRST_AMOUNT = 1_000_000
TRY_AGAIN = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    # Another caller with the same `request_id` is ahead.
    grpc.StatusCode.ABORTED,
)
PAYMENTS = payments_pb2_grpc.PaymentsServiceStub
SUBSCRIPTIONS = payment_subscriptions_pb2_grpc.PaymentSubscriptionsServiceStub
NOTIFICATIONS = notifications_pb2_grpc.NotificationsServiceStub


def token_name(method: str) -> str:
    return f"merchantGateways/{GATEWAY}/merchants/{MERCHANT}/tokens/{method}"


def amount(number: int) -> int:
    """The amount of the order with this number. Even, so that half of it is one as well."""
    return FIRST_AMOUNT + 2 * number


def money(minor: int) -> money_pb2.Money:
    return money_pb2.Money(minor_amount=minor, currency_code=CURRENCY)


def uuid(number: int) -> str:
    return str(UUID(int=number, version=4))


class Payer:
    """Calls cores that come and go."""

    def __init__(self, cores: Sequence[CoreProcess]) -> None:
        self._of = cores[0]
        self._metadata: Any = ()
        self._numbers = itertools.count(1)
        # They outlive their cores' kills, as those of an internal service do.
        addresses = [core.environment["MINTMARK_GRPC_ADDRESS"] for core in cores]
        self._channels = [grpc.insecure_channel(address, CHANNEL) for address in addresses]

    def hang_up(self) -> None:
        for channel in self._channels:
            channel.close()

    def call(self, stub: Any, method: str, request: Any, core: int = 0, seconds: float = 120) -> Any:
        """Repeats the call until it is answered. Raises grpc.RpcError where it is refused."""

        def answers() -> list[Any]:
            try:
                return [self.call_once(stub, method, request, core)]
            except grpc.RpcError as error:
                if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                    self._metadata = ()
                elif error.code() not in TRY_AGAIN:
                    raise
                return []

        return eventually(answers, seconds, f"an answer to {method}")[0]

    def call_once(self, stub: Any, method: str, request: Any, core: int = 0) -> Any:
        if not self._metadata:
            self._metadata = self._of.metadata()
        return getattr(stub(self._channels[core]), method)(request, metadata=self._metadata, timeout=CALL_SECONDS)

    # What is asked for.

    def order(self, number: int, method: str = USUAL, attempt: int = 0) -> payments_pb2.CreatePaymentRequest:
        """The order with this number; its amount is one that no other order has."""
        return payments_pb2.CreatePaymentRequest(
            request_id=uuid((number << 16) + attempt),
            token=token_name(method),
            merchant_payment_id=f"order-{number}",
            amount=money(amount(number)),
            details=details(),
        )

    def create(
        self, request: payments_pb2.CreatePaymentRequest, core: int = 0, seconds: float = 120
    ) -> payments_pb2.Payment:
        answer: payments_pb2.CreatePaymentResponse = self.call(PAYMENTS, "CreatePayment", request, core, seconds)
        return answer.payment

    def authorize(self, request: payments_pb2.CreatePaymentRequest) -> payments_pb2.Payment:
        """What `create` would buy, to be captured or released later."""
        asked = payments_pb2.AuthorizePaymentRequest(
            request_id=request.request_id,
            token=request.token,
            merchant_payment_id=request.merchant_payment_id,
            amount=request.amount,
            details=request.details,
        )
        answer: payments_pb2.AuthorizePaymentResponse = self.call(PAYMENTS, "AuthorizePayment", asked)
        return answer.payment

    def page(self, request: payments_pb2.CreatePaymentRequest) -> payments_pb2.Payment:
        """What `create` would buy, on a page where the payer enters a card."""
        asked = payments_pb2.CreateHostedPaymentPageRequest(
            request_id=request.request_id,
            merchant_gateway_id=GATEWAY,
            merchant_id=MERCHANT,
            merchant_payment_id=request.merchant_payment_id,
            amount=request.amount,
            details=page_details(),
        )
        answer: payments_pb2.CreateHostedPaymentPageResponse = self.call(PAYMENTS, "CreateHostedPaymentPage", asked)
        return answer.payment

    def subscribe(self, request: payments_pb2.CreatePaymentRequest) -> payments_pb2.Payment:
        """What `create` would buy, and again every month. The payment that has its charges."""
        asked = payment_subscriptions_pb2.CreatePaymentSubscriptionRequest(
            request_id=request.request_id,
            token=request.token,
            merchant_subscription_id=request.merchant_payment_id,
            amount=request.amount,
            plan=plan(),
            details=request.details,
        )
        answer: payment_subscriptions_pb2.CreatePaymentSubscriptionResponse = self.call(
            SUBSCRIPTIONS, "CreatePaymentSubscription", asked
        )
        return payments_pb2.Payment(name=answer.payment_subscription.payment)

    def unsubscribe(self, payment: str, request_id: str) -> None:
        """Wants no more charges. Raises grpc.RpcError where there is no subscription."""
        name = f"paymentSubscriptions/{payment.removeprefix('payments/')}"
        asked = payment_subscriptions_pb2.CancelPaymentSubscriptionRequest(request_id=request_id, name=name)
        self.call(SUBSCRIPTIONS, "CancelPaymentSubscription", asked)

    def follow(self, kind: str, payment: str, minor: int = 0, request_id: str = "") -> payments_pb2.Payment:
        """A `capture`, `void` or `refund` of a payment; without an amount of all that is left."""
        part = {"amount": money(minor)} if minor else {}
        made: Any = getattr(payments_pb2, f"{kind.capitalize()}PaymentRequest")
        request = made(request_id=request_id or self.request_id(), name=payment, **part)
        answer = self.call(PAYMENTS, f"{kind.capitalize()}Payment", request)
        found: payments_pb2.Payment = answer.payment
        return found

    def request_id(self) -> str:
        """One that nobody has had."""
        return uuid((1 << 64) + next(self._numbers))

    def resolve(self, payment: str, transaction: str = "", request_id: str = "") -> payments_pb2.Payment:
        """An operator's word: charged as `transaction`, or not charged."""
        charged, not_charged = payments_pb2.PAYMENT_RESOLUTION_CHARGED, payments_pb2.PAYMENT_RESOLUTION_NOT_CHARGED
        request = payments_pb2.ResolvePaymentRequest(
            request_id=request_id or self.request_id(),
            name=payment,
            resolution=charged if transaction else not_charged,
            partner_transaction_id=transaction,
            reason="found out by telephone",
        )
        answer = self.call(PAYMENTS, "ResolvePayment", request)
        found: payments_pb2.Payment = answer.payment
        return found

    def release(self) -> int:
        """How many accounts an operator lets send again."""
        request = payments_pb2.ReleasePaymentsRequest(request_id=self.request_id(), reason="looked at")
        return int(self.call(PAYMENTS, "ReleasePayments", request).released_count)

    # What is known.

    def get(self, name: str) -> payments_pb2.Payment:
        answer: payments_pb2.GetPaymentResponse = self.call(
            PAYMENTS, "GetPayment", payments_pb2.GetPaymentRequest(name=name)
        )
        return answer.payment

    def payments(self) -> list[payments_pb2.Payment]:
        """All payments, with their operations."""
        token, names = "", []
        while True:
            request = payments_pb2.ListPaymentsRequest(page_size=WHOLE_PAGE, page_token=token)
            page = self.call(PAYMENTS, "ListPayments", request)
            names += [each.name for each in page.payments]
            token = page.next_page_token
            if not token:
                break
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(self.get, names))

    def evidence(self, name: str) -> list[payments_pb2.PaymentEvidence]:
        request = payments_pb2.ListPaymentEvidenceRequest(name=name, page_size=WHOLE_PAGE)
        return list(self.call(PAYMENTS, "ListPaymentEvidence", request).evidence)

    def webhooks(self) -> list[notifications_pb2.Notification]:
        """Every webhook that was recorded, with its body."""
        kind, token = notifications_pb2.NOTIFICATION_KIND_PAYMENT_OPTIONS_WEBHOOK, ""
        names: list[str] = []
        while True:
            listed = notifications_pb2.ListNotificationsRequest(kinds=[kind], page_size=WHOLE_PAGE, page_token=token)
            page = self.call(NOTIFICATIONS, "ListNotifications", listed)
            names += [each.name for each in page.notifications]
            token = page.next_page_token
            if not token:
                break
        with ThreadPoolExecutor(8) as pool:
            return list(pool.map(self._webhook, names))

    def _webhook(self, name: str) -> notifications_pb2.Notification:
        request = notifications_pb2.GetNotificationRequest(name=name)
        answer: notifications_pb2.GetNotificationResponse = self.call(NOTIFICATIONS, "GetNotification", request)
        return answer.notification
