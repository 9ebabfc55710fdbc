"""The plaintext of notifications and the status answer (contract, sections 5 and 6), with its documented drift."""

from decimal import Decimal
from typing import Any

import msgspec
from msgspec import Raw

from adapters.sandbox.sibs.habits import Habits
from adapters.sandbox.sibs.transaction import State, Transaction

UNKNOWN = {
    "terminalBrand": "SANDBOX",
    "financialOperation": {"type": "PAYMENT", "tags": ["a", 1, None, {"deep": [True]}]},
    "fieldOfTheFuture": {"version": 3},
}

Document = dict[str, Any]


def notification(transaction: Transaction, state: State, notification_id: str, habits: Habits) -> Document:
    """What is told of a change of state."""
    document = _document(transaction, state, habits)
    if transaction.merchant_transaction_id:
        document["merchant"]["transactionId"] = transaction.merchant_transaction_id
    document["notificationID"] = notification_id
    return document


def status(transaction: Transaction, state: State, habits: Habits) -> Document:
    """What the status inquiry answers; it names the merchant's reference as requests do."""
    document = _document(transaction, state, habits)
    if transaction.merchant_transaction_id:
        document["merchant"]["merchantTransactionId"] = transaction.merchant_transaction_id
    return document


def number(amount: str) -> Raw:
    """An amount as a JSON number with at least one decimal: `2.0`, `15.9`; never by way of a binary float."""
    value = Decimal(amount).normalize()
    return Raw(f"{value:.1f}" if value == value.to_integral_value() else f"{value:f}")


def doubled(amount: str) -> str:
    """Another amount."""
    return str(Decimal(amount) * 2)


def encode(document: Document) -> str:
    """As text."""
    return msgspec.json.encode(document).decode()


def _document(transaction: Transaction, state: State, habits: Habits) -> Document:
    amount: Any = transaction.amount if habits.amounts == "string" else number(transaction.amount)
    terminal = transaction.scope.terminal_id
    merchant: Document = {}
    if terminal:
        merchant["terminalId"] = terminal if habits.terminal_ids == "string" else int(terminal)
    document: Document = {
        "returnStatus": {"statusMsg": state.status_message, "statusCode": state.status_code},
        "paymentStatus": state.status,
        "paymentMethod": transaction.payment_method,
        "transactionID": transaction.transaction_id,
        "transactionDateTime": _time(state.time, habits),
        "amount": {"currency": transaction.currency, "value": amount},
        "merchant": merchant,
        "paymentType": transaction.payment_type,
    }
    if habits.times == "absent":
        del document["transactionDateTime"]
    if habits.unknown_fields:
        document |= UNKNOWN
    return document


def _time(time: str, habits: Habits) -> str:
    """From `2026-03-12T10:48:44.127Z`."""
    return f"{time} " if habits.times == "blank" else f"{time.partition('.')[0]}Z"
