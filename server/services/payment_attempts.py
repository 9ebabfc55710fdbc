"""Attempts at moving money: granted once, and whatever is learned of them kept.

A grant is committed before anybody hears of it. What comes back is evidence, accepted late and from whoever has it.
"""

from dataclasses import dataclass, replace

from server.domain import names, payment_operations, tasks
from server.domain.callers import Caller
from server.domain.events import EventKind
from server.domain.hosted_pages import asks_for_page, judge
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
from server.domain.payment_subscription_answers import judge_creation
from server.domain.payment_subscriptions import PaymentSubscription, Wish
from server.domain.refusals import AttemptRefused, CeilingExceeded, FieldInvalid, RequestIdReused, ResourceNotFound
from server.domain.tasks import IDLE_QUERIES, Task, TaskKind
from server.ports import Transaction
from server.services import payment_cycles, payment_subscription_records
from server.services.payment_book import PaymentBook, Source, open_book
from server.services.payment_ceilings import check_ceilings
from server.services.payment_cycles import Aim
from server.services.payment_house import PaymentHouse
from server.services.payment_subscription_book import hurry, take_back
from server.services.standstill import is_another_store
from server.services.tasks import Endpoint, endpoint

SERVER_TO_SERVER = "/server-to-server-interface"
PATHS = {
    OperationKind.CAPTURE: f"{SERVER_TO_SERVER}/capture",
    OperationKind.VOID: f"{SERVER_TO_SERVER}/void",
    OperationKind.REFUND: f"{SERVER_TO_SERVER}/refund",
    OperationKind.SUBSCRIPTION: f"{SERVER_TO_SERVER}/subscription/payment",
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
    subscription: PaymentSubscription | None = None


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
    if is_another_store(book.transaction):
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
    subscription = book.subscription if operation.kind is OperationKind.SUBSCRIPTION else None
    amount = subscription.amount if subscription else operation.amount
    try:
        text = amount_text(amount, operation.amount_unit)
    except AmountUnsayable:
        raise AttemptRefused("account") from None
    first = operation.kind not in FOLLOWING
    page = asks_for_page(operation.kind)
    if page and not account.payment_options.merchant_email:
        raise AttemptRefused("account")
    return Submission(
        operation=operation,
        reference=book.reference_sent(operation),
        endpoint=where,
        path=path(operation.kind, account.payment_options),
        amount_text=text,
        webhook_url=house.webhook_url(book.payment.name) if first else "",
        details=house.open(book.payment.sealed_details, book.payment.name, "details") if first else b"",
        merchant_email=account.payment_options.merchant_email if page else "",
        subscription=subscription,
    )


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
        expected = operation.expected(book.reference_sent(operation))
        subscription = book.subscription if operation.kind is OperationKind.SUBSCRIPTION else None
        judged = judge_creation(subscription, expected, answer) if subscription else judge(expected, answer)
        fact, reading = payment_operations.fact_of_answer(operation, number, judged)
        book.settle(operation, fact, reading, source, answer)
        if subscription:
            payment_subscription_records.created(book, reading, source, answer)
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
    if book.subscription is not None and book.subscription.wish is Wish.CANCEL:
        take_back(book, after, Source(EvidenceKind.OURS, source.actor, source.correlation_id))
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
    task = transaction.ledger.tasks.get(task_name)
    current = task if task is not None and task.held_by(fence, book.now) else None
    fact = None
    if answer is not None:
        aimed = payment_cycles.aim(book, operation, named, answer, current)
        fact = _status(book, aimed, operation, named, answer, caller)
        operation = aimed.operation
    if current is not None:
        _ask_again(book, current, book.current(operation), retry_after, fact)
    book.save()
    return book.current(operation).state


def _status(
    book: PaymentBook, aimed: Aim, asked: Operation, named: str, answer: PartnerAnswer, caller: Caller
) -> Fact | None:
    operation = aimed.operation
    reading = judge_status(aimed.expected, answer, named)
    if aimed.undecided:
        reading = Reading(Verdict.NOTHING, aimed.undecided)
    fact = payment_operations.fact_of_status(operation, reading)
    digest = book.house.answer_digest("status", asked.name, named, answer=answer)
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
            if aimed.alert:
                line = names.evidence(book.payment.name, book.payment.evidence_count)
                book.tell(EventKind.PAYMENT_EVIDENCE_DISAGREES, operation, source, evidence=line)
        return None
    if not known or _would_change(book, operation, fact, reading) or aimed.another:
        book.settle(operation, fact, reading, source, answer)
    return fact


def _would_change(book: PaymentBook, operation: Operation, fact: Fact, reading: Reading) -> bool:
    """Whether the same answer as before means something else today."""
    return payment_operations.change(operation, fact, book.now, reading).changed


def _ask_again(book: PaymentBook, task: Task, operation: Operation, retry_after: int, fact: Fact | None) -> None:
    enough = task.tries + 1 >= IDLE_QUERIES
    # A payer may make any number of tries, and each that was declined is over.
    over = enough and fact is Fact.TRY_DECLINED
    if over or (not operation.unresolved and (fact is not None or enough)):
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
    hurry(book)
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
