"""One payment within a transaction: what happens to it is decided first, and written at the end by `save`."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from server.domain import names, payment_operations, payments
from server.domain.events import Event, EventKind
from server.domain.hosted_pages import asks_for_page
from server.domain.payment_answers import FOLLOWING, Doubt, OperationKind, PartnerAnswer, Reading, Verdict
from server.domain.payment_evidence import Evidence, EvidenceKind
from server.domain.payment_operations import Change, Fact, Operation, OperationState
from server.domain.payment_subscriptions import LIVE, PaymentSubscription
from server.domain.payments import Card, Payment
from server.domain.tasks import Task, TaskKind, query_delay
from server.ports import Transaction
from server.services import learned_tokens, payment_subscription_book
from server.services.payment_house import PaymentHouse

CHARGES = (Verdict.APPROVED, Verdict.PARTIALLY_APPROVED)


@dataclass(frozen=True, slots=True)
class Source:
    """Where something came to be known from."""

    kind: EvidenceKind
    actor: str
    correlation_id: str = ""
    attempt: int = 0
    digest: bytes | None = None
    body: bytes = b""


@dataclass(slots=True)
class PaymentBook:
    """A payment, locked, with its operations as they are after everything that was decided."""

    house: PaymentHouse
    transaction: Transaction
    payment: Payment
    operations: list[Operation]
    now: int
    is_new: bool = False
    # What the payment's first operation creates, as it is after everything that was decided, and as it was.
    subscription: PaymentSubscription | None = None
    subscription_before: PaymentSubscription | None = None
    # Where the last thing came to be known from.
    by: Source | None = None
    _new: set[str] = field(default_factory=set)
    _changed: set[str] = field(default_factory=set)
    _evidence: list[Evidence] = field(default_factory=list)
    _told: list[tuple[EventKind, Operation, Source, dict[str, str]]] = field(default_factory=list)
    _tasks: dict[str, Task | None] = field(default_factory=dict)
    # The confirmed charge that may tell what its card was stored as.
    _learned: tuple[Operation, PartnerAnswer, Source] | None = None

    def operation(self, number: int) -> Operation | None:
        return next((each for each in self.operations if each.number == number), None)

    def current(self, operation: Operation) -> Operation:
        """The operation as it is after everything that was decided."""
        return next(each for each in self.operations if each.name == operation.name)

    def reference_sent(self, operation: Operation) -> str:
        """Our reference as the partner knows it: that of the first operation for what the partner gets none with."""
        of_first = operation.kind in FOLLOWING or operation.kind is OperationKind.CYCLE
        return self.operations[0].reference if of_first else operation.reference

    def unresolved(self) -> Operation | None:
        return next((each for each in self.operations if each.unresolved), None)

    def put(self, operation: Operation) -> None:
        """Keeps a changed operation."""
        self.operations = [operation if each.name == operation.name else each for each in self.operations]
        self._changed.add(operation.name)

    def add(self, operation: Operation, source: Source, summary: str) -> None:
        """Keeps a new operation."""
        self.operations.append(operation)
        self._new.add(operation.name)
        self.note(operation, source, summary)
        kind = EventKind.PAYMENT_CREATED if self.is_new else EventKind.PAYMENT_UPDATED
        self.tell(kind, operation, source)

    def note(
        self,
        operation: Operation,
        source: Source,
        summary: str,
        before: OperationState | None = None,
        partner_transaction_id: str = "",
    ) -> None:
        """One more line of the story."""
        self.by = source
        number = self.payment.evidence_count + 1
        name = names.evidence(self.payment.name, number)
        self.payment = replace(self.payment, evidence_count=number)
        self._evidence.append(
            Evidence(
                name=name,
                payment=self.payment.name,
                operation=operation.name,
                kind=source.kind,
                time=self.now,
                state_before=before or operation.state,
                state_after=operation.state,
                summary=summary,
                actor=source.actor,
                attempt=source.attempt,
                partner_transaction_id=partner_transaction_id,
                digest=source.digest,
                sealed_body=self.house.seal(source.body, name, "body"),
            )
        )

    def tell(self, kind: EventKind, operation: Operation, source: Source, **details: str) -> None:
        self._told.append((kind, operation, source, details))

    def apply(
        self, operation: Operation, fact: Fact, source: Source, summary: str, reading: Reading | None = None
    ) -> Change:
        """What the fact makes of the operation, with its line and its events."""
        operation = self.current(operation)
        limits = self.house.limits
        window = limits.micros(limits.page_window if asks_for_page(operation.kind) else limits.action_window)
        change = payment_operations.change(operation, fact, self.now, reading, action_window=window)
        after = change.after
        named = reading.partner_transaction_id if reading else ""
        self.note(after, source, summary, operation.state, named)
        if not change.changed:
            if change.disagrees:
                self.tell(EventKind.PAYMENT_EVIDENCE_DISAGREES, after, source, evidence=self._evidence[-1].name)
            return change
        self.put(after)
        if change.charged_after_all:
            before = {"state_before": operation.state.value}
            self.tell(EventKind.PAYMENT_CHARGED_AFTER_ALL, after, source, **before)
        elif after.state is OperationState.IN_DOUBT:
            self.tell(EventKind.PAYMENT_IN_DOUBT, after, source)
            if after.doubt is Doubt.EVIDENCE_DISAGREES:
                self.tell(EventKind.PAYMENT_EVIDENCE_DISAGREES, after, source, evidence=self._evidence[-1].name)
        else:
            self.tell(EventKind.PAYMENT_UPDATED, after, source)
        if after.state is OperationState.REQUIRES_ACTION and reading is not None:
            sealed = self.house.seal(reading.redirect_url.encode(), self.payment.name, "redirect_url")
            self.payment = replace(self.payment, sealed_redirect_url=sealed)
        if after.state not in (OperationState.PENDING, OperationState.SENDING):
            # Nothing is sent any more.
            self.drop_task(names.submit_task(after.name, after.attempt_count + 1))
        return change

    def settle(
        self, operation: Operation, fact: Fact, reading: Reading, source: Source, answer: PartnerAnswer
    ) -> Change:
        """What the partner says of an operation, with everything that follows from it."""
        operation = self.current(operation)
        named = reading.partner_transaction_id
        bound = (
            self.transaction.ledger.operation_of_transaction(operation.account, named)
            if named and reading.verdict in (*CHARGES, Verdict.DECLINED, Verdict.PROCESSING)
            else None
        )
        if bound is not None and bound.name != operation.name:
            if bound.payment == self.payment.name and bound.charged and reading.verdict in CHARGES:
                # The second charge that is known already.
                self.note(operation, source, "names a charge that is known already", None, named)
                return Change(operation, operation, fact)
            why = f"{reading.why}; but the transaction belongs to {bound.name}"
            reading = Reading(Verdict.IN_DOUBT, why, Doubt.ANSWER_UNREADABLE)
            fact = Fact.ANSWER_UNCLEAR
        again = named in ("", operation.partner_transaction_id)
        second = operation.charged and reading.verdict in CHARGES and not again
        change = self.apply(operation, fact, source, reading.why, reading)
        if change.changed and change.after.charged:
            self._keep_card(change.after, answer)
        if reading.verdict in CHARGES and change.after.charged and named == change.after.partner_transaction_id:
            self._learned = (change.after, answer, source)
        if second and reading.confirmed_minor_amount is not None:
            self._add_external(operation, reading, source)
        elif named and change.after.unresolved:
            self.ask(change.after, named, self.now + query_delay(0), source.correlation_id)
        return change

    def _keep_card(self, operation: Operation, answer: PartnerAnswer) -> None:
        if operation.number == 1 and (answer.masked_number or answer.scheme):
            card = Card(answer.masked_number, answer.scheme, answer.card_expiry)
            self.payment = replace(self.payment, card=card)

    def _learn_token(self) -> None:
        """What the partner stored the card as; a hosted page's payment tells it from then on."""
        if self._learned is None:
            return
        operation, answer, source = self._learned
        token, trouble = learned_tokens.learn(
            self.transaction, self.payment, operation, answer, source.actor, source.correlation_id, self.now
        )
        if trouble:
            self.note(operation, replace(source, digest=None, body=b""), trouble)
        if token and not self.payment.token:
            self.payment = replace(self.payment, token=token)

    def _add_external(self, operation: Operation, reading: Reading, source: Source) -> None:
        """A confirmed charge that nobody asked for: it counts, and one of the two is to be refunded."""
        number = len(self.operations) + 1
        name = names.operation(self.payment.name, number)
        external = replace(
            operation,
            name=name,
            number=number,
            kind=OperationKind.EXTERNAL,
            state=OperationState.SUCCEEDED,
            # The partner knows it by the reference of the first; ours has to differ.
            reference=f"{operation.reference}/{number}",
            minor_amount=reading.confirmed_minor_amount or 0,
            confirmed_minor_amount=reading.confirmed_minor_amount,
            partner_transaction_id=reading.partner_transaction_id,
            partner_reference=reading.partner_reference,
            auth_code=reading.auth_code,
            parent=operation.name,
            attempt_count=0,
            in_flight_until=0,
            create_time=self.now,
            update_time=self.now,
            attend_time=None,
        )
        self.payment = replace(self.payment, duplicate_charge=True)
        self.add(external, replace(source, digest=None, body=b""), "a second charge that the partner confirmed")
        self.tell(EventKind.PAYMENT_DUPLICATE_CHARGE, external, source)

    def ask(self, operation: Operation, partner_transaction_id: str, due: int, correlation_id: str) -> None:
        """Wants the partner to be asked for a transaction, at `due` or, where that is sooner, when it was to be
        anyway."""
        name = names.query_task(operation.name, partner_transaction_id)
        held = self.task(name)
        if held is None:
            self._tasks[name] = Task(
                name=name,
                kind=TaskKind.QUERY_TRANSACTION,
                account=operation.account,
                payment=self.payment.name,
                operation=operation.name,
                due_time=due,
                create_time=self.now,
                correlation_id=correlation_id,
                partner_transaction_id=partner_transaction_id,
            )
        elif due < held.due_time and not held.leased(self.now):
            self._tasks[name] = replace(held, due_time=due, tries=0)

    def submit(self, operation: Operation, due: int, correlation_id: str) -> None:
        """Wants the operation to be sent."""
        name = names.submit_task(operation.name, operation.attempt_count + 1)
        self._tasks[name] = Task(
            name=name,
            kind=TaskKind.SUBMIT_PAYMENT_OPERATION,
            account=operation.account,
            payment=self.payment.name,
            operation=operation.name,
            due_time=due,
            create_time=self.now,
            correlation_id=correlation_id,
            tries=operation.attempt_count,
        )

    def task(self, name: str) -> Task | None:
        return self._tasks[name] if name in self._tasks else self.transaction.ledger.tasks.get(name)

    def put_task(self, task: Task) -> None:
        self._tasks[task.name] = task

    def drop_task(self, name: str) -> None:
        self._tasks[name] = None

    def dropped(self, name: str) -> bool:
        return name in self._tasks and self._tasks[name] is None

    def save(self) -> Payment:
        """Writes everything that was decided, and returns the payment as it is then."""
        payment_subscription_book.save(self, is_new=self.is_new)
        if not (self.is_new or self._new or self._changed or self._evidence):
            self._save_tasks()
            return self.payment
        self._learn_token()
        ledger = self.transaction.ledger
        revision = self.payment.revision
        payment = payments.derive(self.payment, self.operations, self.now)
        if payment.state is not payments.PaymentState.REQUIRES_ACTION:
            payment = replace(payment, sealed_redirect_url=b"")
        payment = replace(payment, merchant_payment_key=self._key(payment), revision=1 if self.is_new else revision + 1)
        self.payment = payment
        if self.is_new:
            ledger.payments.insert([payment])
        else:
            ledger.payments.update([payment])
        ledger.operations.insert([each for each in self.operations if each.name in self._new])
        ledger.operations.update(
            [each for each in self.operations if each.name in self._changed and each.name not in self._new]
        )
        ledger.add_evidence(self._evidence)
        self._save_tasks()
        for kind, operation, source, details in self._told:
            self.transaction.append(self._event(kind, operation, source, details))
        return payment

    def _key(self, payment: Payment) -> str | None:
        """The merchant's own id, unless it is proven that nothing was charged, or another payment has it by now."""
        there = self.subscription is not None and self.subscription.state in LIVE
        if payments.is_proven_uncharged(self.operations) and not there:
            return None
        key = payments.merchant_payment_key(
            payment.merchant_gateway_id, payment.merchant_id, payment.merchant_payment_id
        )
        if payment.merchant_payment_key == key or self.is_new:
            return key
        return key if self.transaction.ledger.payment_with_key(key) is None else None

    def _save_tasks(self) -> None:
        shelf = self.transaction.ledger.tasks
        if not self._tasks:
            return
        there = shelf.get_many(list(self._tasks))
        kept = [task for task in self._tasks.values() if task is not None]
        shelf.insert([task for task in kept if task.name not in there])
        shelf.update([task for task in kept if task.name in there and there[task.name] != task])
        shelf.delete([name for name, task in self._tasks.items() if task is None and name in there])

    def _event(self, kind: EventKind, operation: Operation, source: Source, details: dict[str, str]) -> Event:
        said = {"operation": operation.name, "kind": operation.kind.value, "state": operation.state.value}
        if operation.doubt is not None:
            said["doubt"] = operation.doubt.value
        return Event(
            kind=kind,
            resource=self.payment.name,
            time=self.now,
            merchant_gateway_id=self.payment.merchant_gateway_id,
            merchant_id=self.payment.merchant_id,
            correlation_id=source.correlation_id or self.payment.correlation_id,
            actor=source.actor,
            details=said | details,
            snapshot=self.payment,
        )


def open_book(house: PaymentHouse, transaction: Transaction, name: str) -> PaymentBook | None:
    """The payment, locked until the transaction ends."""
    payment = transaction.ledger.payments.get(name)
    if payment is None:
        return None
    operations: Sequence[Operation] = transaction.ledger.operations_of(name)
    book = PaymentBook(house, transaction, payment, list(operations), house.now(transaction))
    book.subscription = book.subscription_before = payment_subscription_book.held_by(book)
    return book
