"""PaymentsService."""

import time
from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf.message import Message
from mintmark.v1 import money_pb2
from mintmark.v1 import payments_pb2 as pb

from server.domain import card_numbers, names
from server.domain.money import Money, MoneyInvalid
from server.domain.payment_answers import Decline, OperationKind
from server.domain.payment_evidence import Evidence
from server.domain.payment_operations import Operation
from server.domain.payments import Payment, PaymentState
from server.domain.queries import PaymentQuery
from server.domain.refusals import FieldInvalid
from server.ports import Feed, Transaction
from server.rpc.calls import Call, Calls
from server.rpc.pages import PageTokens
from server.rpc.payment_reconciliations import PaymentReconciliations
from server.rpc.words import timestamp
from server.services import hosted_pages, payments
from server.services.payment_house import PaymentHouse
from server.services.payments import Order, Whole

R = TypeVar("R", bound=Message)

DEFAULT_WAIT_S = 10.0
# How often a wait looks at the payment without having been told to.
LOOK_S = 1.0
# What is left of a call's deadline for its answer to travel.
ANSWER_S = 0.2


def money(minor_amount: int, currency_code: str) -> money_pb2.Money:
    return money_pb2.Money(minor_amount=minor_amount, currency_code=currency_code)


def money_of(given: money_pb2.Money, field: str) -> Money:
    """Raises FieldInvalid."""
    try:
        return Money(given.minor_amount, given.currency_code)
    except MoneyInvalid as invalid:
        raise FieldInvalid(field, str(invalid), "money") from None


def decline_to_proto(decline: Decline | None) -> pb.PaymentDecline | None:
    if decline is None:
        return None
    return pb.PaymentDecline(
        decline_class=pb.DeclineClass.Value(f"DECLINE_CLASS_{decline.decline_class}"),
        partner_code=decline.partner_code,
        response_code=decline.response_code,
        message=decline.message,
        http_status=decline.http_status,
    )


def operation_state(operation: Operation) -> pb.PaymentOperationState.ValueType:
    return pb.PaymentOperationState.Value(f"PAYMENT_OPERATION_STATE_{operation.state}")


def operation_kind(kind: OperationKind) -> pb.PaymentOperationKind.ValueType:
    return pb.PaymentOperationKind.Value(f"PAYMENT_OPERATION_KIND_{kind}")


def operation_to_proto(operation: Operation) -> pb.PaymentOperation:
    confirmed = operation.confirmed_minor_amount
    return pb.PaymentOperation(
        name=operation.name,
        kind=operation_kind(operation.kind),
        state=operation_state(operation),
        amount=money(operation.minor_amount, operation.currency_code),
        confirmed_amount=None if confirmed is None else money(confirmed, operation.currency_code),
        reference=operation.reference,
        partner_transaction_id=operation.partner_transaction_id or "",
        partner_reference=operation.partner_reference,
        auth_code=operation.auth_code,
        doubt=pb.PaymentDoubt.Value(f"PAYMENT_DOUBT_{operation.doubt or 'UNSPECIFIED'}"),
        decline=decline_to_proto(operation.decline),
        attempt_count=operation.attempt_count,
        send_before=timestamp(operation.send_before),
        create_time=timestamp(operation.create_time),
        update_time=timestamp(operation.update_time),
        parent=operation.parent,
        cycle=operation.cycle,
        store_payment_method=operation.store_payment_method,
    )


def to_proto(payment: Payment) -> pb.Payment:
    """The payment without its operations and without where the payer has to go."""
    code = payment.currency_code
    card = payment.card
    return pb.Payment(
        name=payment.name,
        merchant_payment_id=payment.merchant_payment_id,
        token=payment.token,
        account=payment.account,
        merchant_gateway_id=payment.merchant_gateway_id,
        merchant_id=payment.merchant_id,
        state=pb.PaymentState.Value(f"PAYMENT_STATE_{payment.state}"),
        amount=money(payment.minor_amount, code),
        authorized_amount=money(payment.authorized_minor_amount, code),
        captured_amount=money(payment.captured_minor_amount, code),
        refunded_amount=money(payment.refunded_minor_amount, code),
        unresolved_amount=money(payment.unresolved_minor_amount, code),
        redirect_expire_time=timestamp(payment.redirect_expire_time),
        card=pb.PaymentCard(masked_number=card.masked_number, scheme_text=card.scheme_text, expiry=card.expiry)
        if card
        else None,
        decline=decline_to_proto(payment.decline),
        duplicate_charge=payment.duplicate_charge,
        create_time=timestamp(payment.create_time),
        update_time=timestamp(payment.update_time),
        etag=str(payment.revision),
    )


def whole_to_proto(whole: Whole) -> pb.Payment:
    shown = to_proto(whole.payment)
    shown.redirect_url = whole.redirect_url
    shown.operations.extend(operation_to_proto(each) for each in whole.operations)
    return shown


def evidence_to_proto(evidence: Evidence, body: bytes) -> pb.PaymentEvidence:
    return pb.PaymentEvidence(
        name=evidence.name,
        operation=evidence.operation,
        kind=pb.EvidenceKind.Value(f"EVIDENCE_KIND_{evidence.kind}"),
        attempt=evidence.attempt,
        time=timestamp(evidence.time),
        state_before=pb.PaymentOperationState.Value(f"PAYMENT_OPERATION_STATE_{evidence.state_before}"),
        state_after=pb.PaymentOperationState.Value(f"PAYMENT_OPERATION_STATE_{evidence.state_after}"),
        summary=evidence.summary,
        actor=evidence.actor,
        partner_transaction_id=evidence.partner_transaction_id,
        redacted_body=body.decode("utf-8", "backslashreplace"),
    )


def check_details(details: pb.PaymentDetails | pb.HostedPageDetails) -> None:
    """What is kept sealed must hold no card number either, and PostgreSQL holds no NUL. Raises FieldInvalid."""
    for which in ("billing_address", "shipping_address"):
        address = getattr(details, which)
        for field in ("email", "address1", "address2"):
            text = getattr(address, field)
            if card_numbers.holds_one(text):
                raise FieldInvalid(f"details.{which}.{field}", "must not contain a card number", "string.card_number")
            if "\0" in text:
                raise FieldInvalid(f"details.{which}.{field}", "must not contain U+0000", "string.nul")


def order_of(request: Any, kind: OperationKind) -> Order:
    """What CreatePayment and AuthorizePayment ask for. Raises FieldInvalid."""
    check_details(request.details)
    within = request.send_within.ToMicroseconds() if request.HasField("send_within") else None
    return Order(
        kind=kind,
        token=request.token,
        merchant_payment_id=request.merchant_payment_id,
        amount=money_of(request.amount, "amount"),
        details=request.details.SerializeToString(deterministic=True),
        return_urls=return_urls(request.details, "success_url", "decline_url"),
        has_browser_info=request.details.HasField("browser_info"),
        send_within=within,
    )


def hosted_order_of(request: pb.CreateHostedPaymentPageRequest) -> Order:
    """What CreateHostedPaymentPage asks for. Raises FieldInvalid."""
    check_details(request.details)
    within = request.send_within.ToMicroseconds() if request.HasField("send_within") else None
    return Order(
        kind=OperationKind.HOSTED_PURCHASE,
        merchant_payment_id=request.merchant_payment_id,
        amount=money_of(request.amount, "amount"),
        details=request.details.SerializeToString(deterministic=True),
        return_urls=return_urls(request.details, "success_url", "decline_url", "cancel_url"),
        store_payment_method=request.store_payment_method,
        send_within=within,
    )


def return_urls(details: Any, *fields: str) -> tuple[tuple[str, str], ...]:
    """Where the payer's browser may be sent, by the field that says so."""
    return tuple((f"details.{field}", url) for field in fields if (url := getattr(details, field)))


class Payments:
    """The methods of PaymentsService, behind the wrapper of every call."""

    def __init__(self, house: PaymentHouse, calls: Calls, pages: PageTokens, feed: Feed) -> None:
        self._house = house
        self._calls = calls
        self._pages = pages
        self._feed = feed
        self._reconciliations = PaymentReconciliations(house, calls, pages)

    def _write(self, call: Call, request: Any, answer: type[R], key: str, run: Callable[[Transaction], Whole]) -> R:
        def unit(transaction: Transaction) -> R:
            return answer(payment=whole_to_proto(run(transaction)))

        return self._calls.write(call, request, key, unit, without_redirect)

    def CreatePayment(self, request: pb.CreatePaymentRequest, call: Call) -> pb.CreatePaymentResponse:
        order = order_of(request, OperationKind.PURCHASE)
        return self._write(
            call,
            request,
            pb.CreatePaymentResponse,
            request.token,
            lambda transaction: payments.create(self._house, transaction, call.caller, order),
        )

    def AuthorizePayment(self, request: pb.AuthorizePaymentRequest, call: Call) -> pb.AuthorizePaymentResponse:
        order = order_of(request, OperationKind.AUTHORIZATION)
        return self._write(
            call,
            request,
            pb.AuthorizePaymentResponse,
            request.token,
            lambda transaction: payments.create(self._house, transaction, call.caller, order),
        )

    def CreateHostedPaymentPage(
        self, request: pb.CreateHostedPaymentPageRequest, call: Call
    ) -> pb.CreateHostedPaymentPageResponse:
        order = hosted_order_of(request)
        gateway, merchant_id = request.merchant_gateway_id, request.merchant_id
        return self._write(
            call,
            request,
            pb.CreateHostedPaymentPageResponse,
            names.merchant(gateway, merchant_id),
            lambda transaction: hosted_pages.create(self._house, transaction, call.caller, order, gateway, merchant_id),
        )

    def CapturePayment(self, request: pb.CapturePaymentRequest, call: Call) -> pb.CapturePaymentResponse:
        amount = money_of(request.amount, "amount") if request.HasField("amount") else None
        return self._write(
            call,
            request,
            pb.CapturePaymentResponse,
            request.name,
            lambda transaction: payments.capture(
                self._house, transaction, call.caller, request.name, amount, request.etag
            ),
        )

    def VoidPayment(self, request: pb.VoidPaymentRequest, call: Call) -> pb.VoidPaymentResponse:
        return self._write(
            call,
            request,
            pb.VoidPaymentResponse,
            request.name,
            lambda transaction: payments.void(self._house, transaction, call.caller, request.name, request.etag),
        )

    def RefundPayment(self, request: pb.RefundPaymentRequest, call: Call) -> pb.RefundPaymentResponse:
        amount = money_of(request.amount, "amount") if request.HasField("amount") else None
        return self._write(
            call,
            request,
            pb.RefundPaymentResponse,
            request.name,
            lambda transaction: payments.refund(
                self._house, transaction, call.caller, request.name, amount, request.etag, request.operation
            ),
        )

    def CancelPayment(self, request: pb.CancelPaymentRequest, call: Call) -> pb.CancelPaymentResponse:
        return self._write(
            call,
            request,
            pb.CancelPaymentResponse,
            request.name,
            lambda transaction: payments.cancel(self._house, transaction, call.caller, request.name),
        )

    def ResolvePayment(self, request: pb.ResolvePaymentRequest, call: Call) -> pb.ResolvePaymentResponse:
        charged = request.resolution == pb.PaymentResolution.PAYMENT_RESOLUTION_CHARGED
        if charged != bool(request.partner_transaction_id):
            raise FieldInvalid("partner_transaction_id", "with CHARGED, and only with it", "required")

        def run(transaction: Transaction) -> Whole:
            name, reason = request.name, request.reason
            if charged:
                named = request.partner_transaction_id
                return payments.resolve_charged(self._house, transaction, call.caller, name, named, reason)
            return payments.resolve_not_charged(self._house, transaction, call.caller, name, reason)

        return self._write(call, request, pb.ResolvePaymentResponse, request.name, run)

    def HoldPayments(self, request: pb.HoldPaymentsRequest, call: Call) -> pb.HoldPaymentsResponse:
        def run(transaction: Transaction) -> pb.HoldPaymentsResponse:
            now = self._house.now(transaction)
            count = payments.hold(transaction, call.caller, request.account, request.reason, now)
            return pb.HoldPaymentsResponse(held_count=count)

        return self._calls.write(call, request, "partnerAccounts", run)

    def ReleasePayments(self, request: pb.ReleasePaymentsRequest, call: Call) -> pb.ReleasePaymentsResponse:
        def run(transaction: Transaction) -> pb.ReleasePaymentsResponse:
            now = self._house.now(transaction)
            count = payments.release(transaction, call.caller, request.account, request.reason, now)
            return pb.ReleasePaymentsResponse(released_count=count)

        return self._calls.write(call, request, "partnerAccounts", run)

    def PlanReconciliation(self, request: pb.PlanReconciliationRequest, call: Call) -> pb.PlanReconciliationResponse:
        return self._reconciliations.plan(request, call)

    def ReconcilePayments(self, request: pb.ReconcilePaymentsRequest, call: Call) -> pb.ReconcilePaymentsResponse:
        return self._reconciliations.reconcile(request, call)

    def ListUnknownCharges(self, request: pb.ListUnknownChargesRequest, call: Call) -> pb.ListUnknownChargesResponse:
        return self._reconciliations.list_unknown(request, call)

    def GetPayment(self, request: pb.GetPaymentRequest, call: Call) -> pb.GetPaymentResponse:
        return pb.GetPaymentResponse(payment=whole_to_proto(payments.get(self._house, call.caller, request.name)))

    def ListPayments(self, request: pb.ListPaymentsRequest, call: Call) -> pb.ListPaymentsResponse:
        query = PaymentQuery(
            call.caller.reach,
            frozenset(
                PaymentState(pb.PaymentState.Name(each).removeprefix("PAYMENT_STATE_"))
                for each in request.states
                if each
            ),
            request.merchant_gateway_id,
            request.merchant_id,
            request.token,
            request.merchant_payment_id,
            request.account,
            request.in_doubt,
            request.duplicate_charge,
        )
        found, next_page = self._pages.list(
            request, call.caller.client, lambda page: payments.list_page(self._house.store, query, page), to_proto
        )
        return pb.ListPaymentsResponse(payments=found, next_page_token=next_page)

    def ListPaymentEvidence(self, request: pb.ListPaymentEvidenceRequest, call: Call) -> pb.ListPaymentEvidenceResponse:
        house = self._house
        found, next_page = self._pages.list(
            request,
            call.caller.client,
            lambda page: payments.list_evidence(house, call.caller, request.name, page),
            lambda evidence: evidence_to_proto(evidence, payments.body_of(house, evidence)),
        )
        return pb.ListPaymentEvidenceResponse(evidence=found, next_page_token=next_page)

    def WaitPayment(self, request: pb.WaitPaymentRequest, call: Call) -> pb.WaitPaymentResponse:
        timeout = request.timeout.ToTimedelta().total_seconds() if request.HasField("timeout") else DEFAULT_WAIT_S
        until = min(time.monotonic() + timeout, call.deadline - ANSWER_S)
        call.on_gone(self._feed.wake)
        while True:
            head = self._feed.head
            whole = payments.get(self._house, call.caller, request.name)
            left = until - time.monotonic()
            if whole.payment.settled or left <= 0 or call.over():
                return pb.WaitPaymentResponse(payment=whole_to_proto(whole), settled=whole.payment.settled)
            self._wait(request.name, head, min(left, LOOK_S), call.over)

    def _wait(self, name: str, head: int, seconds: float, over: Callable[[], bool]) -> None:
        """Waits until something happened to the payment, or for so long."""
        until = time.monotonic() + seconds
        while not over() and (left := until - time.monotonic()) > 0:
            if not self._feed.wait(head, left, over):
                return
            news = self._feed.events(head, 1000)
            if not news or any(event.resource == name for event in news):
                return
            head = news[-1].sequence


def without_redirect(answer: R) -> R:
    """What a repeated request is answered with: where the payer has to go is not kept in the clear."""
    kept: Any = type(answer)()
    kept.CopyFrom(answer)
    kept.payment.ClearField("redirect_url")
    return kept  # type: ignore[no-any-return]  # of the same class
