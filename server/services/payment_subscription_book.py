"""The subscription of a payment within a transaction: it follows its operations, and is saved with them."""

from dataclasses import replace
from typing import TYPE_CHECKING

from server.domain import names, payment_subscriptions
from server.domain.events import Event, EventKind
from server.domain.payment_answers import OperationKind
from server.domain.payment_operations import Fact, Operation
from server.domain.payment_subscription_calls import next_look
from server.domain.payment_subscriptions import PaymentSubscription
from server.domain.tasks import Task, TaskKind

if TYPE_CHECKING:
    from server.services.payment_book import PaymentBook, Source


def held_by(book: "PaymentBook") -> PaymentSubscription | None:
    """The subscription that the payment's first operation creates; None where it creates none."""
    if not book.operations or book.operations[0].kind is not OperationKind.SUBSCRIPTION:
        return None
    name = names.payment_subscription(book.payment.name)
    return book.transaction.ledger.payment_subscriptions.get(name)


def hurry(book: "PaymentBook") -> None:
    """Wants the partner to be asked now: what it says has to be from after this."""
    if book.subscription is None:
        return
    book.subscription = replace(book.subscription, refresh_time=book.now)
    name = names.subscription_task(book.payment.name)
    task = book.task(name)
    if task is None:
        if book.subscription.partner_subscription_id or book.operations[0].hinted or not book.operations[0].unresolved:
            book.put_task(_task(book, book.subscription, book.now))
    elif not task.leased(book.now):
        book.put_task(replace(task, due_time=min(task.due_time, book.now), tries=0))


def take_back(book: "PaymentBook", first: Operation, source: "Source") -> None:
    """Takes a creation back that is unsent: there is nothing to be cancelled at the partner."""
    book.apply(first, Fact.CANCEL, source, "taken back before anything was sent")
    if book.subscription is not None:
        book.subscription = replace(book.subscription, wish=None)


def save(book: "PaymentBook", *, is_new: bool) -> None:
    """Writes the subscription as everything that was decided makes it, and wants the partner to be asked in time."""
    if book.subscription is None:
        return
    before = book.subscription_before
    overdue_after = book.house.limits.micros(book.house.limits.cycle_overdue_after)
    after = payment_subscriptions.derive(book.subscription, book.operations, book.now, overdue_after=overdue_after)
    shelf = book.transaction.ledger.payment_subscriptions
    changed = before is not None and payment_subscriptions.differs(before, after)
    if is_new:
        shelf.insert([after])
    elif after != before:
        if changed:
            after = replace(after, update_time=book.now, revision=after.revision + 1)
        shelf.update([after])
    book.subscription = book.subscription_before = after
    if is_new or changed:
        book.transaction.append(_event(book, before, after))
    _look_in_time(book, after)


def _look_in_time(book: "PaymentBook", subscription: PaymentSubscription) -> None:
    name = names.subscription_task(subscription.payment)
    if book.task(name) is None:
        due = next_look(subscription, book.operations[0], 0, book.now)
        if due is not None and not book.dropped(name):
            book.put_task(_task(book, subscription, due))


def _task(book: "PaymentBook", subscription: PaymentSubscription, due: int) -> Task:
    return Task(
        name=names.subscription_task(subscription.payment),
        kind=TaskKind.ATTEND_SUBSCRIPTION,
        account=subscription.account,
        payment=subscription.payment,
        operation=book.operations[0].name,
        due_time=due,
        create_time=book.now,
        correlation_id=subscription.correlation_id,
    )


def _event(book: "PaymentBook", before: PaymentSubscription | None, after: PaymentSubscription) -> Event:
    kind = EventKind.PAYMENT_SUBSCRIPTION_UPDATED
    details = {"state": after.state.value}
    if before is None:
        kind = EventKind.PAYMENT_SUBSCRIPTION_CREATED
    elif after.overdue and not before.overdue:
        kind = EventKind.PAYMENT_SUBSCRIPTION_OVERDUE
    else:
        details |= {"wish": after.wish.value} if after.wish else {}
        details |= {"refusal": after.refusal_text} if after.refusal_text else {}
    return Event(
        kind=kind,
        resource=after.name,
        time=book.now,
        merchant_gateway_id=after.merchant_gateway_id,
        merchant_id=after.merchant_id,
        correlation_id=(book.by.correlation_id if book.by else "") or after.correlation_id,
        actor=book.by.actor if book.by else "core",
        details=details,
        snapshot=after,
    )
