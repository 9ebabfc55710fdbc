"""Attempts at moving money: granted once, and whatever is learned of them kept.

A grant is committed before anybody hears of it. What comes back is evidence, accepted late and from whoever has it.
"""

from dataclasses import dataclass, replace

from server.domain import names, payment_operations, tasks
from server.domain.callers import Caller
from server.domain.hosted_pages import asks_for_page, judge
from server.domain.money import Money
from server.domain.payment_answers import (
    FOLLOWING,
    TRANSACTION_ID,
    OperationKind,
    PartnerAnswer,
    Reading,
    Verdict,
    is_of,
    judge_status,
)
from server.domain.payment_evidence import Attempt, EvidenceKind, Outcome
from server.domain.payment_operations import Fact, Operation, OperationState
from server.domain.payment_options import (
    AmountUnsayable,
    HostedPagePath,
    PaymentOptions,
    PurchasePath,
    amount_text,
)
from server.domain.refusals import AttemptRefused, CeilingExceeded, FieldInvalid, RequestIdReused, ResourceNotFound
from server.domain.tasks import IDLE_QUERIES, Task, TaskKind
from server.ports import Transaction
from server.services.payment_book import PaymentBook, Source, open_book
from server.services.payment_ceilings import check_ceilings
from server.services.payment_house import PaymentHouse
from server.services.tasks import Endpoint, endpoint

SERVER_TO_SERVER = "/server-to-server-interface"
PATHS = {
    OperationKind.CAPTURE: f"{SERVER_TO_SERVER}/capture",
    OperationKind.VOID: f"{SERVER_TO_SERVER}/void",
    OperationKind.REFUND: f"{SERVER_TO_SERVER}/refund",
}
FIRST_PATHS = {
    (OperationKind.PURCHASE, PurchasePath.PAYMENT): f"{SERVER_TO_SERVER}/payment",
    (OperationKind.PURCHASE, PurchasePath.PAYMENTV2): f"{SERVER_TO_SERVER}/paymentv2",
    (OperationKind.AUTHORIZATION, PurchasePath.PAYMENT): f"{SERVER_TO_SERVER}/authorization",
    (OperationKind.AUTHORIZATION, PurchasePath.PAYMENTV2): f"{SERVER_TO_SERVER}/authorizationv2",
}
HOSTED_PAGE_PATHS = {
    HostedPagePath.SERVER_TO_SERVER: f"{SERVER_TO_SERVER}/hpp/generate/link",
    HostedPagePath.OLDER: "/hpp/generate/link",
}
LONGEST_TROUBLE = 64


@dataclass(frozen=True, slots=True)
class Submission:
    """What to send. `details` are what the caller gave, sealed until now."""

    operation: Operation
    reference: str
    endpoint: Endpoint
    path: str
    amount_text: str
    webhook_url: str
    details: bytes
    merchant_email: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """An attempt, what is left of its time in microseconds, and what to send."""

    attempt: str
    send_by: int
    submission: Submission


def begin(
    house: PaymentHouse, transaction: Transaction, caller: Caller, request_id: str, task_name: str, fence: int
) -> Grant:
    """Grants one attempt, as SENDING, to whoever holds the lease; to who asks again with the same id the same one.

    Raises AttemptRefused, RequestIdReused.
    """
    ledger = transaction.ledger
    held = ledger.attempt_of_request(caller.client, request_id)
    book = open_book(house, transaction, names.payment_of_task(task_name))
    if book is None:
        raise AttemptRefused("lease")
    if held is not None:
        return _again(book, held, task_name, fence)
    task = ledger.tasks.get(task_name)
    if task is None or task.kind is not TaskKind.SUBMIT_PAYMENT_OPERATION or not task.held_by(fence, book.now):
        raise AttemptRefused("lease")
    operation = next(each for each in book.operations if each.name == task.operation)
    _check_may_begin(book, operation)
    send_by = book.now + house.limits.micros(house.limits.send_by)
    # Nobody can be sending after this: not by the lease, and not by the call.
    silent = max(task.lease_expire_time or 0, send_by + house.limits.micros(house.limits.call))
    number = operation.attempt_count + 1
    name = names.attempt(operation.name, number)
    submission = _submission(book, operation)
    source = Source(EvidenceKind.ATTEMPT, caller.client, task.correlation_id, number)
    change = book.apply(operation, Fact.BEGUN, source, f"attempt {number} granted")
    book.put(replace(change.after, in_flight_until=silent, attend_time=silent))
    book.drop_task(task.name)
    ledger.attempts.insert(
        [Attempt(name, operation.name, number, caller.client, request_id, task.name, fence, book.now, send_by)]
    )
    book.save()
    return Grant(name, send_by - book.now, submission)


def _again(book: PaymentBook, held: Attempt, task_name: str, fence: int) -> Grant:
    if (held.task, held.fence) != (task_name, fence):
        raise RequestIdReused(held.request_id)
    operation = next(each for each in book.operations if each.name == held.operation)
    if book.now >= held.send_by:
        raise AttemptRefused("send_by")
    if operation.state is not OperationState.SENDING or operation.attempt_count != held.number:
        raise AttemptRefused("state")
    return Grant(held.name, held.send_by - book.now, _submission(book, operation))


def _check_may_begin(book: PaymentBook, operation: Operation) -> None:
    """Raises AttemptRefused."""
    if book.now >= operation.send_before:
        raise AttemptRefused("expired")
    if not payment_operations.may_begin(operation, book.now):
        raise AttemptRefused("state")
    ledger = book.transaction.ledger
    if ledger.database_identity() != ledger.kept_identity():
        # It was restored, or another one took over: what was sent before that is not known here.
        raise AttemptRefused("store")
    account = book.transaction.accounts.get(operation.account)
    if account is None or account.payment_options is None:
        raise AttemptRefused("account")
    if account.held:
        raise AttemptRefused("held")
    if operation.kind in FOLLOWING:
        return
    try:
        check_ceilings(
            book.transaction,
            account,
            account.payment_options,
            operation.amount,
            operation.create_time,
            already=operation.minor_amount,
        )
    except CeilingExceeded:
        raise AttemptRefused("ceiling") from None


def _submission(book: PaymentBook, operation: Operation) -> Submission:
    """Raises AttemptRefused."""
    house = book.house
    account = book.transaction.accounts.get(operation.account)
    where = endpoint(house.sealer, account) if account else None
    if account is None or account.payment_options is None or where is None:
        raise AttemptRefused("account")
    try:
        text = amount_text(Money(operation.minor_amount, operation.currency_code), operation.amount_unit)
    except AmountUnsayable:
        raise AttemptRefused("account") from None
    first = operation.kind not in FOLLOWING
    page = asks_for_page(operation.kind)
    if page and not account.payment_options.merchant_email:
        raise AttemptRefused("account")
    return Submission(
        operation=operation,
        reference=reference_sent(book, operation),
        endpoint=where,
        path=path(operation.kind, account.payment_options),
        amount_text=text,
        webhook_url=house.webhook_url(book.payment.name) if first else "",
        details=house.open(book.payment.sealed_details, book.payment.name, "details") if first else b"",
        merchant_email=account.payment_options.merchant_email if page else "",
    )


def reference_sent(book: PaymentBook, operation: Operation) -> str:
    """Our reference as the partner knows it: captures, voids and refunds send none, theirs is the payment's first."""
    return book.operations[0].reference if operation.kind in FOLLOWING else operation.reference


def path(kind: OperationKind, options: PaymentOptions) -> str:
    if asks_for_page(kind):
        return HOSTED_PAGE_PATHS[options.hosted_page_path]
    return PATHS[kind] if kind in PATHS else FIRST_PATHS[kind, options.purchase_path]


def record(
    house: PaymentHouse,
    transaction: Transaction,
    caller: Caller,
    attempt_name: str,
    outcome: Outcome,
    answer: PartnerAnswer | None,
    trouble: str,
) -> OperationState:
    """Keeps what became of an attempt, whoever tells and however late. Repeating it changes nothing.

    Raises ResourceNotFound, FieldInvalid.
    """
    if (outcome is Outcome.ANSWERED) != (answer is not None):
        raise FieldInvalid("answer", "with ANSWERED, and only with it", "required")
    book = open_book(house, transaction, names.payment_of(attempt_name))
    found = [each for each in book.operations if attempt_name.startswith(f"{each.name}/attempts/")] if book else []
    digits = attempt_name.rpartition("/")[2]
    if book is None or not found or not (digits.isascii() and digits.isdigit()) or len(digits) > 6 or int(digits) < 1:
        raise ResourceNotFound(attempt_name)
    operation, number = found[0], int(digits)
    digest = house.answer_digest("attempt", names.attempt(operation.name, number), outcome, answer=answer)
    if transaction.ledger.is_known(book.payment.name, digest):
        return operation.state
    body = answer.body if answer else b""
    source = Source(EvidenceKind.ANSWER, caller.client, caller.correlation_id, number, digest, body)
    if answer is not None:
        fact, reading = payment_operations.fact_of_answer(
            operation, number, judge(operation.expected(reference_sent(book, operation)), answer)
        )
        book.settle(operation, fact, reading, source, answer)
    else:
        _silence(book, operation, number, source, sent=outcome is not Outcome.NOT_SENT, trouble=trouble)
    _report(book, attempt_name, outcome)
    book.save()
    return book.current(operation).state


def _silence(book: PaymentBook, operation: Operation, number: int, source: Source, *, sent: bool, trouble: str) -> None:
    why = f"sent, and no whole answer came ({trouble})" if sent else f"nothing was sent ({trouble})"
    said = payment_operations.fact_of_silence(operation, number, sent=sent)
    if said is None:
        book.note(operation, source, why)
        return
    fact, reading = said
    after = book.apply(operation, fact, source, why, reading).after
    if after.state is not OperationState.PENDING or fact is not Fact.NOT_SENT:
        return
    due = book.now + tasks.backoff(after.attempt_count, book.house.ids.roll())
    if due < after.send_before:
        book.submit(after, due, source.correlation_id)
    else:
        ours = Source(EvidenceKind.OURS, source.actor, source.correlation_id)
        book.apply(after, Fact.EXPIRE, ours, "its time to be sent has passed")


def _report(book: PaymentBook, attempt_name: str, outcome: Outcome) -> None:
    held = book.transaction.ledger.attempts.get(attempt_name)
    if held is not None and held.outcome in (Outcome.UNREPORTED, Outcome.UNKNOWN):
        book.transaction.ledger.attempts.update([replace(held, outcome=outcome, report_time=book.now)])


def record_status(
    house: PaymentHouse,
    transaction: Transaction,
    caller: Caller,
    task_name: str,
    fence: int,
    answer: PartnerAnswer | None,
    retry_after: int,
) -> OperationState:
    """Keeps the answer to a status query, and asks again where it settles nothing. Repeating it changes nothing.

    `retry_after` is in microseconds. Raises ResourceNotFound.
    """
    book = open_book(house, transaction, names.payment_of_task(task_name))
    found = [each for each in book.operations if task_name.startswith(names.query_task(each.name, ""))] if book else []
    if book is None or not found:
        raise ResourceNotFound(task_name)
    operation = found[0]
    named = task_name.removeprefix(names.query_task(operation.name, ""))
    fact = _status(book, operation, named, answer, caller) if answer is not None else None
    task = transaction.ledger.tasks.get(task_name)
    if task is not None and task.held_by(fence, book.now):
        _ask_again(book, task, book.current(operation), retry_after, settled=fact is not None)
    book.save()
    return book.current(operation).state


def _status(book: PaymentBook, operation: Operation, named: str, answer: PartnerAnswer, caller: Caller) -> Fact | None:
    reading = judge_status(operation.expected(reference_sent(book, operation)), answer, named)
    fact = payment_operations.fact_of_status(operation, reading)
    digest = book.house.answer_digest("status", operation.name, named, answer=answer)
    known = book.transaction.ledger.is_known(book.payment.name, digest)
    source = Source(
        EvidenceKind.STATUS_ANSWER,
        caller.client,
        caller.correlation_id,
        digest=None if known else digest,
        body=b"" if known else answer.body,
    )
    if fact is None:
        if not known:
            book.note(operation, source, f"settles nothing: {reading.why}", None, named)
        return None
    if not known or _would_change(book, operation, fact, reading):
        book.settle(operation, fact, reading, source, answer)
    return fact


def _would_change(book: PaymentBook, operation: Operation, fact: Fact, reading: Reading) -> bool:
    """Whether the same answer as before means something else today."""
    return payment_operations.change(operation, fact, book.now, reading).changed


def _ask_again(book: PaymentBook, task: Task, operation: Operation, retry_after: int, *, settled: bool) -> None:
    if not operation.unresolved and (settled or task.tries + 1 >= IDLE_QUERIES):
        book.drop_task(task.name)
    else:
        book.put_task(tasks.asked_again(task, retry_after, book.now))


def webhook(
    house: PaymentHouse, transaction: Transaction, payment: str, answer: PartnerAnswer, actor: str, correlation_id: str
) -> bool:
    """Keeps what the partner says by itself: a hint, which makes us ask and moves nothing. Whether there is such a
    payment."""
    book = open_book(house, transaction, payment)
    if book is None:
        return False
    operation = _meant(book, answer)
    digest = house.answer_digest("webhook", answer=answer)
    if transaction.ledger.is_known(payment, digest):
        return True
    reading = Reading(Verdict.NOTHING, "a webhook", partner_transaction_id=_well_formed(answer))
    named = reading.partner_transaction_id
    source = Source(EvidenceKind.WEBHOOK, actor, correlation_id, digest=digest, body=answer.body)
    if operation.unresolved:
        book.put(payment_operations.hint(operation))
    book.note(operation, source, "a webhook: a hint, to be confirmed by asking", None, named)
    if named:
        book.ask(operation, named, book.now, correlation_id)
    book.save()
    return True


def _meant(book: PaymentBook, answer: PartnerAnswer) -> Operation:
    """The operation that a webhook is about: by the transaction that is bound, else the open one of its type, else by
    our reference."""
    bound = [each for each in book.operations if each.partner_transaction_id == answer.partner_transaction_id]
    if answer.partner_transaction_id and bound:
        return bound[0] if bound[0].kind is not OperationKind.EXTERNAL else book.operations[0]
    named = [each for each in book.operations if each.reference == answer.reference]
    unresolved = book.unresolved()
    # What follows a payment has its reference: of those that could be meant, the open one is.
    if unresolved and (not answer.transaction_type or is_of(unresolved.kind, answer)):
        return unresolved
    return named[0] if named else unresolved or book.operations[0]


def _well_formed(answer: PartnerAnswer) -> str:
    named = answer.partner_transaction_id
    return named if TRANSACTION_ID.fullmatch(named) else ""


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
