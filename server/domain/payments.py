"""Payments: what follows from their operations, and what may be asked for."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from server.domain.money import Money
from server.domain.payment_answers import Decline, OperationKind
from server.domain.payment_operations import NOTHING_MOVED, UNDER_WAY, Operation, OperationState
from server.domain.refusals import AmountExceeded, EtagMismatch, FieldInvalid, OperationInDoubt, PaymentStateUnfit


class PaymentState(StrEnum):
    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    REQUIRES_ACTION = "REQUIRES_ACTION"
    IN_DOUBT = "IN_DOUBT"
    AUTHORIZED = "AUTHORIZED"
    CAPTURED = "CAPTURED"
    PARTIALLY_APPROVED = "PARTIALLY_APPROVED"
    DECLINED = "DECLINED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    VOIDED = "VOIDED"
    PARTIALLY_REFUNDED = "PARTIALLY_REFUNDED"
    REFUNDED = "REFUNDED"
    NOT_CHARGED = "NOT_CHARGED"


_OF_FIRST = {
    OperationState.PENDING: PaymentState.PENDING,
    OperationState.SENDING: PaymentState.PROCESSING,
    OperationState.PROCESSING: PaymentState.PROCESSING,
    OperationState.REQUIRES_ACTION: PaymentState.REQUIRES_ACTION,
    OperationState.IN_DOUBT: PaymentState.IN_DOUBT,
    OperationState.DECLINED: PaymentState.DECLINED,
    OperationState.CANCELLED: PaymentState.CANCELLED,
    OperationState.EXPIRED_UNSENT: PaymentState.EXPIRED,
    OperationState.NOT_CHARGED: PaymentState.NOT_CHARGED,
}
# Kinds of first operations, and of what the partner did by itself.
OPENING = frozenset(
    {
        OperationKind.PURCHASE,
        OperationKind.HOSTED_PURCHASE,
        OperationKind.AUTHORIZATION,
        OperationKind.SUBSCRIPTION,
        OperationKind.CYCLE,
        OperationKind.EXTERNAL,
    }
)
TAKING = (OPENING - {OperationKind.AUTHORIZATION}) | {OperationKind.CAPTURE}


@dataclass(frozen=True, slots=True)
class Card:
    """The card, as far as the partner told."""

    masked_number: str
    scheme_text: str
    expiry: str


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment with what follows from its operations. Times are microseconds on the database's clock.

    `merchant_payment_key` holds the merchant's own id while it is not proven that nothing was charged, so that no
    other payment can have it.
    """

    name: str
    merchant_payment_id: str
    token: str
    account: str
    merchant_gateway_id: str
    merchant_id: str
    currency_code: str
    minor_amount: int
    create_time: int
    update_time: int
    state: PaymentState = PaymentState.PENDING
    merchant_payment_key: str | None = None
    authorized_minor_amount: int = 0
    captured_minor_amount: int = 0
    refunded_minor_amount: int = 0
    unresolved_minor_amount: int = 0
    in_doubt: bool = False
    settled: bool = False
    duplicate_charge: bool = False
    redirect_expire_time: int | None = None
    decline: Decline | None = None
    card: Card | None = None
    evidence_count: int = 0
    correlation_id: str = ""
    revision: int = 1
    sealed_details: bytes = b""
    sealed_redirect_url: bytes = b""

    @property
    def amount(self) -> Money:
        return Money(self.minor_amount, self.currency_code)


def merchant_payment_key(gateway: str, merchant_id: str, merchant_payment_id: str) -> str:
    return "\n".join((gateway, merchant_id, merchant_payment_id))


def derive(payment: Payment, operations: Sequence[Operation], now: int) -> Payment:
    """The payment as its operations make it."""
    first = operations[0]
    taken = _sum(operations, TAKING)
    authorized = _sum(operations, OPENING)
    refunded = _sum(operations, frozenset({OperationKind.REFUND}))
    waiting = first.state is OperationState.REQUIRES_ACTION
    return replace(
        payment,
        state=_state(operations, taken, refunded),
        authorized_minor_amount=authorized,
        captured_minor_amount=taken,
        refunded_minor_amount=refunded,
        unresolved_minor_amount=sum(each.minor_amount for each in operations if each.unresolved),
        in_doubt=any(each.state is OperationState.IN_DOUBT for each in operations),
        settled=not any(each.state in UNDER_WAY for each in operations),
        redirect_expire_time=first.redirect_expire_time if waiting else None,
        decline=first.decline,
        update_time=now,
        revision=payment.revision + 1,
    )


def _state(operations: Sequence[Operation], taken: int, refunded: int) -> PaymentState:
    first = operations[0]
    if not first.charged and not (taken and first.state in NOTHING_MOVED):
        # Else a cycle was charged although nothing was by the subscription's creation: paid all the same.
        return _OF_FIRST[first.state]
    if any(each.kind is OperationKind.VOID and each.charged for each in operations):
        return PaymentState.VOIDED
    if refunded and refunded >= taken:
        return PaymentState.REFUNDED
    if refunded:
        return PaymentState.PARTIALLY_REFUNDED
    if first.kind is OperationKind.AUTHORIZATION and _charged(operations, OperationKind.CAPTURE):
        return PaymentState.CAPTURED
    if first.state is OperationState.PARTIALLY_APPROVED:
        return PaymentState.PARTIALLY_APPROVED
    return PaymentState.AUTHORIZED if first.kind is OperationKind.AUTHORIZATION else PaymentState.CAPTURED


def _charged(operations: Sequence[Operation], kind: OperationKind) -> Operation | None:
    return next((each for each in operations if each.kind is kind and each.charged), None)


def _sum(operations: Sequence[Operation], kinds: frozenset[OperationKind]) -> int:
    return sum(each.confirmed_minor_amount or 0 for each in operations if each.kind in kinds and each.charged)


def is_proven_uncharged(operations: Sequence[Operation]) -> bool:
    """Whether it is proven of every operation that nothing was moved."""
    return all(each.state in NOTHING_MOVED for each in operations)


def check_etag(payment: Payment, etag: str) -> None:
    """Raises EtagMismatch."""
    if etag and etag != str(payment.revision):
        raise EtagMismatch(payment.name)


def check_resolved(operations: Sequence[Operation]) -> None:
    """Raises OperationInDoubt while an operation is unresolved: its outcome comes first."""
    for each in operations:
        if each.unresolved:
            raise OperationInDoubt(each.name, each.state)


def capturable(payment: Payment, operations: Sequence[Operation], minor_amount: int | None) -> tuple[Operation, int]:
    """The authorization to capture and how much. Raises OperationInDoubt, PaymentStateUnfit, AmountExceeded."""
    authorization = _open_authorization(payment, operations)
    left = authorization.confirmed_minor_amount or 0
    return authorization, _within(left, minor_amount)


def voidable(payment: Payment, operations: Sequence[Operation]) -> Operation:
    """The authorization to release. Raises OperationInDoubt, PaymentStateUnfit."""
    return _open_authorization(payment, operations)


def _open_authorization(payment: Payment, operations: Sequence[Operation]) -> Operation:
    check_resolved(operations)
    first = operations[0]
    closed = _charged(operations, OperationKind.CAPTURE) or _charged(operations, OperationKind.VOID)
    if first.kind is not OperationKind.AUTHORIZATION or not first.charged or closed:
        raise PaymentStateUnfit(payment.name, payment.state)
    return first


def refundable(
    payment: Payment, operations: Sequence[Operation], minor_amount: int | None, operation: str
) -> tuple[Operation, int]:
    """The operation to pay back and how much. Raises OperationInDoubt, FieldInvalid, PaymentStateUnfit,
    AmountExceeded."""
    check_resolved(operations)
    taking = [each for each in operations if each.kind in TAKING and each.charged and each.confirmed_minor_amount]
    if operation:
        parent = next((each for each in taking if each.name == operation), None)
        if parent is None:
            raise FieldInvalid("operation", "not an operation of this payment that took money", "operation")
    elif not taking:
        raise PaymentStateUnfit(payment.name, payment.state)
    else:
        parent = taking[0]
    # What may have been paid back counts as paid back.
    used = sum(
        each.confirmed_minor_amount if each.confirmed_minor_amount is not None else each.minor_amount
        for each in operations
        if each.kind is OperationKind.REFUND and each.parent == parent.name and each.state not in NOTHING_MOVED
    )
    return parent, _within((parent.confirmed_minor_amount or 0) - used, minor_amount)


def _within(left: int, minor_amount: int | None) -> int:
    wanted = left if minor_amount is None else minor_amount
    if not 0 < wanted <= left:
        raise AmountExceeded(str(max(left, 0)))
    return wanted
