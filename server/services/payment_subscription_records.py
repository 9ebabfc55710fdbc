"""What partners say of subscriptions, kept: their list, their details, and their answers to changes.

The list is where a subscription is looked for of which nobody knows whether it was created. Not finding it there proves
nothing; finding it binds it. What the partner says of money is only a reason to ask: each transaction that it lists is
confirmed by its own status.
"""

from dataclasses import replace

from server.domain import names
from server.domain.callers import Caller
from server.domain.events import EventKind
from server.domain.partner_subscriptions import PartnerSubscription
from server.domain.payment_answers import READ_STATUSES, REFUSED_STATUSES, PartnerAnswer, Reading, Verdict
from server.domain.payment_evidence import EvidenceKind
from server.domain.payment_operations import NOTHING_MOVED, Fact, hint
from server.domain.payment_subscription_answers import listed_by, strange
from server.domain.payment_subscription_calls import CHANGES, CallKind, answered, next_call, next_look
from server.domain.payment_subscriptions import (
    FINAL,
    PaymentSubscription,
    SubscriptionState,
    differs,
    observe,
    regresses,
)
from server.domain.refusals import ResourceNotFound
from server.domain.tasks import Task, query_delay
from server.ports import Transaction
from server.services.payment_book import PaymentBook, Source, open_book
from server.services.payment_cycles import take_in
from server.services.payment_house import PaymentHouse
from server.services.payment_subscription_book import hurry
from server.services.standstill import stands_still

# How many transactions are asked for at a time that the partner lists and nobody knows.
MOST_LISTED = 100
CREATED = Reading(Verdict.APPROVED, "the partner has it, and nothing charged: a trial", confirmed_minor_amount=0)


def created(book: PaymentBook, reading: Reading, source: Source, answer: PartnerAnswer) -> None:
    """Takes what the answer to an attempt at creating tells of the subscription; without it the list has to."""
    if answer.http_status not in READ_STATUSES or len(answer.subscriptions) != 1 or not answer.readable:
        return
    subscription, said = _subscription(book), answer.subscriptions[0]
    if subscription.plan.trial_days and reading.verdict is not Verdict.APPROVED:
        # Nothing but what it tells of the subscription could prove it, and that is not believed: the list is asked.
        return
    quiet = replace(source, digest=None, body=b"")
    problem = strange(subscription, book.operations[0].amount_unit, said, whole=False)
    if problem:
        # There may be another one, which charges as well.
        _disagree(book, quiet, f"the subscription that it tells of is not taken for ours: {problem}", known=False)
        return
    # Later words than this one may be known.
    _take(book, said, quiet, book.now, current=not subscription.state_text)


def record(
    house: PaymentHouse,
    transaction: Transaction,
    caller: Caller,
    task_name: str,
    fence: int,
    kind: CallKind,
    answer: PartnerAnswer | None,
    retry_after: int,
) -> SubscriptionState:
    """Keeps the answer to a call about a subscription, whoever tells and however late; only the holder of the lease
    tells how it stands now. Repeating it changes nothing. `retry_after` is in microseconds. Raises ResourceNotFound."""
    book = open_book(house, transaction, names.payment_of_task(task_name))
    if book is None or book.subscription is None or task_name != names.subscription_task(book.payment.name):
        raise ResourceNotFound(task_name)
    task = transaction.ledger.tasks.get(task_name)
    current = task if task is not None and task.held_by(fence, book.now) else None
    before = book.subscription
    if answer is not None:
        _record(book, kind, answer, caller, current)
    if current is not None:
        _again(book, current, retry_after, before)
    book.save()
    return _subscription(book).state


def _record(book: PaymentBook, kind: CallKind, answer: PartnerAnswer, caller: Caller, task: Task | None) -> None:
    digest = book.house.answer_digest("subscription", kind, answer=answer)
    known = book.transaction.ledger.is_known(book.payment.name, digest)
    source = Source(
        EvidenceKind.SUBSCRIPTION_ANSWER,
        caller.client,
        caller.correlation_id,
        digest=None if known else digest,
        body=b"" if known else answer.body,
    )
    reads = answer.http_status in READ_STATUSES and answer.readable
    if kind is CallKind.LIST:
        problem = _found(book, answer, source, task, known=known) if reads else _unread(answer)
    else:
        problem = _told(book, kind, answer, source, task, known=known) if reads else _unread(answer)
        if kind in CHANGES and answer.http_status in REFUSED_STATUSES and task is not None:
            why = f"HTTP {answer.http_status}: {answer.message}".rstrip(": ")
            book.subscription = replace(_subscription(book), refusal_text=why)
    if problem and not known:
        book.note(book.operations[0], source, f"{kind}: {problem}")


def _unread(answer: PartnerAnswer) -> str:
    if answer.cut_off:
        return "the answer is longer than what is read of one: proves nothing"
    if answer.http_status in READ_STATUSES:
        return "the answer cannot be read: proves nothing"
    return f"HTTP {answer.http_status}: proves nothing"


def _found(book: PaymentBook, answer: PartnerAnswer, source: Source, task: Task | None, *, known: bool) -> str:
    """Takes what the list has of ours. Why there is nothing to take; empty where it was taken."""
    subscription, first = _subscription(book), book.operations[0]
    if subscription.partner_subscription_id:
        return "found meanwhile"
    found = [each for each in answer.subscriptions if subscription.mark in each.plan_description]
    if not found:
        _note_absence(book, source)
        return ""
    if first.unresolved:
        # Whoever has it got it.
        book.put(hint(book.current(first)))
    if len(found) > 1:
        return _disagree(book, source, f"{len(found)} subscriptions with our reference: none is bound", known=known)
    if problem := strange(subscription, first.amount_unit, found[0], whole=True):
        return _disagree(book, source, f"one with our reference, but {problem}: not bound", known=known)
    if not known:
        book.note(book.current(first), source, "found in the partner's list by our reference")
    _take(book, found[0], source, (task.lease_begin_time or 0) if task else 0, current=task is not None)
    return ""


def _note_absence(book: PaymentBook, source: Source) -> None:
    """Once: the list changes with everybody's subscriptions."""
    digest = book.house.answer_digest("subscription absent", book.payment.name, answer=None)
    if not book.transaction.ledger.is_known(book.payment.name, digest):
        absent = replace(source, digest=digest, body=b"")
        book.note(book.operations[0], absent, "not in the partner's list, which proves nothing")


def _told(
    book: PaymentBook, kind: CallKind, answer: PartnerAnswer, source: Source, task: Task | None, *, known: bool
) -> str:
    """Takes how the partner says that the bound subscription stands. Why it is not taken; empty where it is."""
    subscription, first = _subscription(book), book.operations[0]
    if not subscription.partner_subscription_id:
        return "none is bound"
    if len(answer.subscriptions) != 1:
        return "tells of no subscription"
    said = answer.subscriptions[0]
    if problem := strange(subscription, first.amount_unit, said, whole=False):
        return _disagree(book, source, f"not taken for ours: {problem}", known=known)
    if regresses(subscription, said):
        _disagree(book, source, f"takes back that it is {subscription.state_text}", known=known)
    elif not known:
        book.note(first, source, f"{kind}: it is {said.status or 'in no state'}")
    _take(book, said, source, (task.lease_begin_time or 0) if task else 0, current=task is not None)
    return ""


def _take(book: PaymentBook, said: PartnerSubscription, source: Source, began: int, *, current: bool) -> None:
    """Binds the subscription, believes its state where it is `current`, and asks for each transaction that is news."""
    subscription, first = _subscription(book), book.operations[0]
    if not subscription.partner_subscription_id and not _bind(book, said, source):
        return
    source = replace(source, digest=None, body=b"")
    if subscription.plan.trial_days and not book.current(first).charged:
        book.apply(first, Fact.STATUS_APPROVED, source, CREATED.why, CREATED)
    known = {each.partner_transaction_id: each for each in book.operations}
    listed = listed_by(said)
    for each in listed:
        if each.transaction_id in known:
            take_in(book, known[each.transaction_id], each, source)
    new = tuple(each for each in listed if each.transaction_id not in known)[:MOST_LISTED]
    for each in new:
        book.ask(book.current(first), each.transaction_id, book.now, source.correlation_id)
    taken = replace(_subscription(book), listed=new)
    if current:
        taken = observe(taken, said, book.operations, began, book.now)
    book.subscription = taken
    nothing_moved = book.current(first).state in NOTHING_MOVED
    if nothing_moved and not subscription.partner_subscription_id and taken.observed not in FINAL:
        _disagree(book, source, f"the partner has it, although its creation is {first.state}", known=False)


def _bind(book: PaymentBook, said: PartnerSubscription, source: Source) -> bool:
    named, first = said.partner_subscription_id, book.operations[0]
    other = book.transaction.ledger.subscription_of_partner(first.account, named)
    if other is not None:
        quiet = replace(source, digest=None, body=b"")
        _disagree(book, quiet, f"the subscription {named} belongs to {other.name}: not bound", known=False)
        return False
    book.subscription = replace(_subscription(book), partner_subscription_id=named)
    if book.subscription.wish:
        hurry(book)
    return True


def _disagree(book: PaymentBook, source: Source, why: str, *, known: bool) -> str:
    """Keeps a contradiction, and tells of it once."""
    if not known:
        first = book.current(book.operations[0])
        book.note(first, source, why)
        line = names.evidence(book.payment.name, book.payment.evidence_count)
        book.tell(EventKind.PAYMENT_EVIDENCE_DISAGREES, first, source, evidence=line)
    return ""


def _again(book: PaymentBook, task: Task, retry_after: int, before: PaymentSubscription) -> None:
    """When the partner is called next, or that it is not."""
    book.subscription = subscription = answered(_subscription(book), task.change_time)
    first = book.current(book.operations[0])
    news = differs(before, subscription) or subscription.listed != before.listed
    tries = 0 if news else task.tries + 1
    due = next_look(subscription, first, tries, book.now)
    if due is None:
        book.drop_task(task.name)
        return
    held = stands_still(book.transaction, book.transaction.accounts.get(subscription.account))
    waits = next_call(subscription, task.change_time, book.now, held=held) in CHANGES
    wanted = (
        subscription.refresh_time > (task.lease_begin_time or 0)
        and subscription.look_begin_time < subscription.refresh_time
    )
    if waits or (wanted and news):
        due = book.now
    elif wanted:
        due = min(due, book.now + query_delay(0))
    due = max(due, book.now + retry_after)
    book.put_task(replace(task, due_time=due, tries=tries, holder="", lease_expire_time=None))


def _subscription(book: PaymentBook) -> PaymentSubscription:
    """Raises ResourceNotFound."""
    if book.subscription is None:
        raise ResourceNotFound(names.payment_subscription(book.payment.name))
    return book.subscription
