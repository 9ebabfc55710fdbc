"""What time alone does to payments, and a restore."""

from dataclasses import replace

from server.domain.payment_evidence import EvidenceKind
from server.domain.payment_operations import Fact, OperationState
from server.ports import Transaction
from server.services.payment_book import Source, open_book
from server.services.payment_house import PaymentHouse

TIMES_UP = {
    OperationState.PENDING: (Fact.EXPIRE, "its time to be sent has passed"),
    OperationState.SENDING: (Fact.SENDER_SILENT, "the process that was to send it has not reported in time"),
    OperationState.REQUIRES_ACTION: (Fact.ACTION_WINDOW_PASSED, "the payer's time to act has passed"),
}


def attend(house: PaymentHouse, transaction: Transaction, payment: str) -> bool:
    """Does what time alone does to a payment: what was unsent expires, what was sent and not heard of is in doubt."""
    book = open_book(house, transaction, payment)
    if book is None:
        return False
    source = Source(EvidenceKind.OURS, "steward")
    attended = False
    for operation in tuple(book.operations):
        if operation.attend_time is None or book.now < operation.attend_time:
            continue
        attended = True
        if operation.state not in TIMES_UP:
            book.put(replace(operation, attend_time=None))
            continue
        fact, why = TIMES_UP[operation.state]
        change = book.apply(operation, fact, source, why)
        if not change.changed:
            book.put(replace(change.after, attend_time=None))
    book.save()
    return attended


def stand_still(house: PaymentHouse, transaction: Transaction, payment: str) -> None:
    """After a restore: what could have been sent since is in doubt."""
    book = open_book(house, transaction, payment)
    if book is None:
        return
    source = Source(EvidenceKind.OURS, "core")
    for operation in tuple(book.operations):
        if operation.state in (OperationState.PENDING, OperationState.SENDING):
            book.apply(operation, Fact.STORE_RESTORED, source, "the store was restored: it may have been sent since")
    book.save()
