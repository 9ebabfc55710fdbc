"""The charges of a subscription that nobody here has sent: which operation a transaction's status is about.

A transaction that the subscription's details list is a cycle. One that they don't list is a charge that nobody asked
for. Until they were asked it is neither.
"""

from dataclasses import dataclass, replace

from server.domain import names
from server.domain.events import EventKind
from server.domain.payment_answers import Expected, OperationKind, PartnerAnswer, Reading, Verdict, judge_status
from server.domain.payment_evidence import EvidenceKind
from server.domain.payment_operations import NOTHING_MOVED, Operation, OperationState
from server.domain.payment_subscriptions import Listed, PaymentSubscription
from server.domain.tasks import IDLE_QUERIES, Task
from server.services.payment_book import CHARGES, PaymentBook, Source
from server.services.payment_subscription_book import hurry

COUNTING = (*CHARGES, Verdict.DECLINED)
OF_CYCLES = frozenset({OperationKind.SUBSCRIPTION, OperationKind.CYCLE})
OPEN_OR_NO = (Verdict.PROCESSING, Verdict.DECLINED)


@dataclass(frozen=True, slots=True)
class Aim:
    """What a status answer is about, and what it has to say. `undecided`: why it is about nothing yet."""

    operation: Operation
    expected: Expected
    undecided: str = ""
    # It says something that cannot be.
    alert: bool = False
    # It is another charge than the operation's.
    another: bool = False


def aim(book: PaymentBook, operation: Operation, named: str, answer: PartnerAnswer, task: Task | None) -> Aim:
    """The operation that the status of a transaction is about, which was asked for because of `operation`. A cycle that
    counts is put into the book."""
    subscription, first = book.subscription, book.operations[0]
    straight = Aim(operation, _expected(book, operation))
    if subscription is None or operation.name != first.name:
        return straight
    bound = next((each for each in book.operations if each.partner_transaction_id == named), None)
    if bound is not None:
        return Aim(bound, _expected(book, bound)) if bound.kind is OperationKind.CYCLE else straight
    listed = next((each for each in subscription.listed if each.transaction_id == named), None)
    of_first = listed is None or (listed.cycle <= 1 and not subscription.plan.trial_days)
    if of_first and not first.charged:
        reading = judge_status(straight.expected, answer, named)
        is_said_first = listed is not None and listed.cycle == 1
        if reading.verdict in OPEN_OR_NO and not is_said_first and may_be_later(book, task):
            return replace(straight, undecided="may be about a later cycle: proves nothing of the first")
        if reading.verdict is not Verdict.NOTHING or cost_charged(book, named, answer) is None:
            return straight
    if listed is not None:
        return _cycle(book, subscription, listed, answer)
    return _unlisted(book, named, answer, task)


def may_be_later(book: PaymentBook, task: Task | None = None) -> bool:
    """Whether a transaction with a subscription's reference, heard of when the task was made or now, may be a later
    cycle's than the first."""
    heard = task.create_time if task is not None else book.now
    return book.subscription is not None and book.subscription.plan.may_have_second(
        heard - book.subscription.create_time
    )


def cost_charged(book: PaymentBook, named: str, answer: PartnerAnswer) -> int | None:
    """What was charged, where the answer proves that some cycle was."""
    subscription = book.subscription
    costs = subscription.plan.costs(subscription.minor_amount, 1) if subscription is not None else ()
    return next((cost for cost in costs if _read(book, cost, answer, named).verdict in CHARGES), None)


def _expected(book: PaymentBook, operation: Operation) -> Expected:
    return operation.expected(book.reference_sent(operation))


def _cycle(book: PaymentBook, subscription: PaymentSubscription, listed: Listed, answer: PartnerAnswer) -> Aim:
    first = book.operations[0]
    other = book.transaction.ledger.operation_of_transaction(first.account, listed.transaction_id)
    if other is not None:
        return Aim(first, _expected(book, first), f"the transaction belongs to {other.name}", alert=True)
    costs = subscription.plan.costs(subscription.minor_amount, max(listed.cycle, 1))
    readings = [(cost, _read(book, cost, answer, listed.transaction_id)) for cost in costs]
    counting = next(((cost, reading) for cost, reading in readings if reading.verdict in COUNTING), None)
    if counting is None:
        # It asks again, or the next look does.
        reading = readings[0][1]
        alert = reading.verdict is Verdict.NOTHING and bool(answer.amount) and answer.success == "true"
        return Aim(first, _expected(book, first), f"cycle {listed.cycle or '?'}: {reading.why}", alert)
    cost = counting[0]
    source = Source(EvidenceKind.OURS, "core")
    charged = counting[1].verdict in CHARGES
    twice = charged and _is_charged(book, listed.cycle)
    cycle = _added(book, cost, listed.cycle, source, "which the partner lists", charged=charged)
    if twice:
        _tell_twice(book, cycle, source)
    if listed.cycle and cost != costs[0]:
        line = names.evidence(book.payment.name, book.payment.evidence_count)
        book.tell(EventKind.PAYMENT_EVIDENCE_DISAGREES, cycle, source, evidence=line)
    forget(book, listed.transaction_id)
    # There may be evidence now of what was due: what is due next is asked for.
    hurry(book)
    return Aim(cycle, _expected(book, cycle))


def _added(book: PaymentBook, cost: int, number: int, source: Source, why: str, *, charged: bool) -> Operation:
    """A new cycle of that number, 0 where none is known."""
    first = book.operations[0]
    cycle = _virtual(book, cost, number)
    book.add(cycle, source, f"cycle {number or '?'}, {why}")
    if charged and first.state in NOTHING_MOVED:
        book.tell(EventKind.PAYMENT_CHARGED_AFTER_ALL, cycle, source, state_before=first.state.value)
    return cycle


def _unlisted(book: PaymentBook, named: str, answer: PartnerAnswer, task: Task | None) -> Aim:
    """A transaction on the subscription's webhook or reference that its details did not list."""
    subscription, first = book.subscription, book.operations[0]
    charge = cost_charged(book, named, answer)
    if subscription is None or charge is None:
        why = "proves no charge, and is not known to be a cycle"
        return Aim(first, _expected(book, first), why)
    looked = task is not None and task.tries >= 1 and subscription.look_begin_time >= task.create_time
    enough = looked or (task is not None and task.tries + 1 >= IDLE_QUERIES)
    if enough and not first.charged:
        # By its amount it is not the first's; and nothing that was charged is left out.
        source = Source(EvidenceKind.OURS, "core")
        cycle = _added(book, charge, 0, source, "which the partner does not list", charged=True)
        return Aim(cycle, _expected(book, cycle))
    if enough:
        return Aim(first, _expected(book, replace(first, minor_amount=charge)), another=True)
    hurry(book)
    return Aim(first, _expected(book, first), "a charge: the subscription is asked whether it is a cycle of it")


def _read(book: PaymentBook, cost: int, answer: PartnerAnswer, named: str) -> Reading:
    return judge_status(_expected(book, _virtual(book, cost, 0)), answer, named)


def _virtual(book: PaymentBook, cost: int, cycle: int) -> Operation:
    """The operation that a cycle is, before it is known what became of it."""
    first, number = book.operations[0], len(book.operations) + 1
    return replace(
        first,
        name=names.operation(book.payment.name, number),
        number=number,
        kind=OperationKind.CYCLE,
        state=OperationState.PROCESSING,
        # The partner knows it by the reference of the first; ours has to differ.
        reference=f"{first.reference}/{number}",
        minor_amount=cost,
        confirmed_minor_amount=None,
        partner_transaction_id=None,
        partner_reference="",
        auth_code="",
        doubt=None,
        decline=None,
        parent=first.name,
        attempt_count=0,
        in_flight_until=0,
        action_required=False,
        hinted=False,
        redirect_expire_time=None,
        create_time=book.now,
        update_time=book.now,
        attend_time=None,
        cycle=cycle,
    )


def forget(book: PaymentBook, transaction_id: str) -> None:
    """It is known by now."""
    subscription = book.subscription
    if subscription is not None:
        left = tuple(each for each in subscription.listed if each.transaction_id != transaction_id)
        book.subscription = replace(subscription, listed=left)


def take_in(book: PaymentBook, known: Operation, listed: Listed, source: Source) -> None:
    """Gives a known charge its place among the cycles. What counted as one that nobody asked for is a cycle, once the
    details list it as one that is not charged yet."""
    quiet = replace(source, digest=None, body=b"")
    if known.kind is OperationKind.EXTERNAL:
        if _is_charged(book, listed.cycle, known):
            return
        book.put(replace(known, kind=OperationKind.CYCLE, cycle=listed.cycle))
        book.payment = replace(book.payment, duplicate_charge=_is_any_twice(book))
        after = book.current(known)
        book.note(after, quiet, "a cycle, and no second charge", None, listed.transaction_id)
        book.tell(EventKind.PAYMENT_UPDATED, after, quiet)
    elif known.kind in OF_CYCLES and listed.cycle not in (0, known.cycle):
        # The list knows better: what was heard of first was taken for the first.
        book.put(replace(known, cycle=listed.cycle))
        if known.charged and _is_charged(book, listed.cycle, known) and not book.payment.duplicate_charge:
            _tell_twice(book, book.current(known), quiet)


def _is_charged(book: PaymentBook, cycle: int, beside: Operation | None = None) -> bool:
    """Whether a cycle of this number is charged already, by another operation than `beside`."""
    name = beside.name if beside is not None else ""
    charged = (each for each in book.operations if each.kind in OF_CYCLES and each.charged and each.name != name)
    return bool(cycle) and any(each.cycle == cycle for each in charged)


def _is_any_twice(book: PaymentBook) -> bool:
    """Whether there is a charge too many."""
    external = any(each.kind is OperationKind.EXTERNAL for each in book.operations)
    return external or any(_is_charged(book, each.cycle, each) for each in book.operations if each.charged)


def _tell_twice(book: PaymentBook, cycle: Operation, source: Source) -> None:
    """One of the two is to be refunded."""
    book.payment = replace(book.payment, duplicate_charge=True)
    book.note(cycle, source, f"a second charge of cycle {cycle.cycle}, which the partner lists")
    book.tell(EventKind.PAYMENT_DUPLICATE_CHARGE, cycle, source)
