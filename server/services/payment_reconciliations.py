"""A partner's export, row by row, against what is known: planned and done by the same steps."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from server.domain import names, payment_exports, payment_operations
from server.domain.accounts import Account
from server.domain.callers import Caller
from server.domain.events import Event, EventKind
from server.domain.money import Money
from server.domain.payment_answers import FOLLOWING, OperationKind, Verdict, judge_status
from server.domain.payment_evidence import EvidenceKind
from server.domain.payment_exports import ExportRow, Finding, UnknownCharge
from server.domain.payment_operations import Operation, OperationState
from server.domain.queries import Page, UnknownChargeQuery
from server.domain.refusals import ResourceNotFound
from server.ports import Store, Transaction
from server.services import payment_cycles
from server.services.payment_book import PaymentBook, Source, open_book
from server.services.payment_house import PaymentHouse
from server.services.payment_subscription_book import hurry


@dataclass(frozen=True, slots=True)
class Result:
    """What became of a row, or would become."""

    line: int
    finding: Finding
    explanation: str
    payment: str = ""
    operation: str = ""
    state_before: OperationState | None = None
    state_after: OperationState | None = None
    amount: Money | None = None
    repeated: bool = False


@dataclass(slots=True)
class Reconciliation:
    """One export against one account, within a transaction."""

    house: PaymentHouse
    transaction: Transaction
    caller: Caller
    account: Account
    now: int
    # Payments that the caller may see, by name; and where each transaction id and reference belongs, seen or not.
    books: dict[str, PaymentBook]
    by_transaction: dict[str, str]
    by_reference: dict[str, str]
    # Unknown charges that are kept, by name.
    kept: dict[str, UnknownCharge]
    new: dict[str, UnknownCharge] = field(default_factory=dict)
    known_now: set[str] = field(default_factory=set)
    digests: set[bytes] = field(default_factory=set)

    def take(self, row: ExportRow) -> Result:
        """Decides what a row means and does, in memory."""
        named = row.partner_transaction_id
        payment = self.by_transaction.get(named) or self.by_reference.get(row.reference, "")
        book = self.books.get(payment)
        if book is None:
            return self._stranger(row, concealed=bool(payment))
        meant = self._meant(book, row)
        if meant is None:
            return self._stranger(row)
        operation, bound = meant
        if not bound and operation.kind not in FOLLOWING and not payment_exports.fits(operation, row):
            return self._follower(book, operation, row)
        if not bound and book.subscription is not None and self._may_be_cycle(book, operation, row):
            return self._cycle(book, operation, row)
        result = self._judge(book, operation, row)
        if any(each.partner_transaction_id == named for each in book.operations):
            self.by_transaction[named] = payment
        self.known_now.add(names.unknown_charge(self.account.name, named))
        return result

    def save(self) -> None:
        """Writes everything that was decided."""
        for name in sorted(self.books):
            self.books[name].save()
        shelf = self.transaction.ledger.unknown_charges
        shelf.delete(sorted(self.known_now & self.kept.keys()))
        shelf.insert([self.new[name] for name in sorted(self.new)])
        for name in sorted(self.new):
            self._tell(self.new[name])

    @staticmethod
    def _meant(book: PaymentBook, row: ExportRow) -> tuple[Operation, bool] | None:
        """The operation that a row is about, and whether by its transaction id."""
        named = row.partner_transaction_id
        bound = next((each for each in book.operations if each.partner_transaction_id == named), None)
        if bound is not None and bound.kind is OperationKind.EXTERNAL:
            # The charge that is known to be one too many: it is that of its parent again.
            bound = next((each for each in book.operations if each.name == bound.parent), None)
        if bound is not None:
            return bound, True
        found = next((each for each in book.operations if each.reference == row.reference), None)
        return None if found is None else (found, False)

    @staticmethod
    def _may_be_cycle(book: PaymentBook, first: Operation, row: ExportRow) -> bool:
        """Whether a row by a subscription's reference may be about another charge than the first."""
        if first.charged or not first.minor_amount:
            return True
        answer = payment_exports.answer_of(row)
        reading = judge_status(first.expected(book.reference_sent(first)), answer, row.partner_transaction_id)
        if reading.verdict is Verdict.DECLINED:
            return payment_cycles.may_be_later(book)
        other = payment_cycles.cost_charged(book, row.partner_transaction_id, answer)
        return reading.verdict is Verdict.NOTHING and other is not None

    def _judge(self, book: PaymentBook, operation: Operation, row: ExportRow) -> Result:
        answer = payment_exports.answer_of(row)
        reading = judge_status(operation.expected(book.reference_sent(operation)), answer, row.partner_transaction_id)
        fact = payment_exports.fact_of_row(operation, row, reading, self.now)
        known = self._is_known(book, operation, row)
        second = any(
            each.kind is OperationKind.EXTERNAL and each.partner_transaction_id == row.partner_transaction_id
            for each in book.operations
        )
        if fact is None:
            finding = Finding.DISAGREES if row.done else Finding.PROVES_NOTHING
            why = f"settles nothing: {reading.why}"
            if not known:
                self._note(book, operation, row, why, alert=row.done)
            return _result(row, finding, why, operation, book, repeated=known)
        change = payment_operations.change(operation, fact, self.now, reading)
        if known and not change.changed:
            finding = Finding.DUPLICATE_CHARGE if second else payment_exports.finding_of(row, change)
            return _result(row, finding, reading.why, operation, book, repeated=True)
        self._hint(book, operation)
        count = len(book.operations)
        source = self._source(book, operation, row, repeated=known)
        change = book.settle(operation, fact, reading, source, answer)
        finding = payment_exports.finding_of(row, change)
        if second or len(book.operations) > count:
            finding = Finding.DUPLICATE_CHARGE
        return _result(row, finding, reading.why, operation, book)

    def _follower(self, book: PaymentBook, operation: Operation, row: ExportRow) -> Result:
        """A capture, release or refund by the reference of what it follows: that proves no operation of its own."""
        child = next((each for each in book.operations if each.unresolved and payment_exports.fits(each, row)), None)
        if child is None:
            return self._stranger(row, about=f"by the reference of {operation.name}")
        known = self._is_known(book, child, row)
        why = f"may be it, by the reference of {operation.name}: the partner is asked"
        if not known:
            self._note(book, child, row, why, alert=False)
        return _result(row, Finding.PROVES_NOTHING, why, child, book, repeated=known)

    def _cycle(self, book: PaymentBook, first: Operation, row: ExportRow) -> Result:
        """Another charge by a subscription's reference, which all its cycles have: a cycle, or one too many. What the
        partner says of the subscription decides."""
        known = self._is_known(book, first, row)
        why = f"may be a cycle, by the reference of {first.name}: the partner is asked"
        if not known:
            self._note(book, first, row, why, alert=False)
            book.ask(first, row.partner_transaction_id, self.now, self.caller.correlation_id)
            hurry(book)
        return _result(row, Finding.PROVES_NOTHING, why, first, book, repeated=known)

    def _stranger(self, row: ExportRow, *, concealed: bool = False, about: str = "") -> Result:
        """A row about nothing that the caller knows. What is `concealed` from the caller is known to us."""
        options = self.account.payment_options
        if not row.done:
            return Result(row.line, Finding.NOT_OURS, "nothing of ours, and nothing happened")
        if not about and options and row.partner_merchant_id != options.partner_merchant_id:
            return Result(row.line, Finding.NOT_OURS, "of another merchant id than the account's")
        name = names.unknown_charge(self.account.name, row.partner_transaction_id)
        if not concealed and name not in self.kept and name not in self.new:
            gateway = self.account.merchant_gateway_id
            self.new[name] = UnknownCharge(name, self.account.name, gateway, "", row, self.caller.client, self.now)
        return Result(row.line, Finding.UNKNOWN_CHARGE, about or "nothing of ours has this transaction or reference")

    def _is_known(self, book: PaymentBook, operation: Operation, row: ExportRow) -> bool:
        digest = self._digest(operation, row)
        return digest in self.digests or self.transaction.ledger.is_known(book.payment.name, digest)

    def _digest(self, operation: Operation, row: ExportRow) -> bytes:
        return self.house.hasher.identity_hash(b"payment export", operation.name.encode(), row.said())

    def _source(self, book: PaymentBook, operation: Operation, row: ExportRow, *, repeated: bool) -> Source:
        digest = None if repeated else self._digest(operation, row)
        if digest:
            self.digests.add(digest)
        body = b"" if repeated else row.said()
        return Source(EvidenceKind.EXPORT, self.caller.client, self.caller.correlation_id, digest=digest, body=body)

    def _hint(self, book: PaymentBook, operation: Operation) -> None:
        """Whoever has it in an export got it: it is not sent again."""
        if operation.unresolved:
            book.put(payment_operations.hint(operation))

    def _note(self, book: PaymentBook, operation: Operation, row: ExportRow, why: str, *, alert: bool) -> None:
        """Keeps what proves nothing by itself, and asks the partner where that may help."""
        self._hint(book, operation)
        source = self._source(book, operation, row, repeated=False)
        book.note(operation, source, why, None, row.partner_transaction_id)
        if alert:
            line = names.evidence(book.payment.name, book.payment.evidence_count)
            book.tell(EventKind.PAYMENT_EVIDENCE_DISAGREES, book.current(operation), source, evidence=line)
        if operation.unresolved:
            book.ask(operation, row.partner_transaction_id, self.now, source.correlation_id)

    def _tell(self, charge: UnknownCharge) -> None:
        row = charge.row
        self.transaction.append(
            Event(
                kind=EventKind.PAYMENT_UNKNOWN_CHARGE,
                resource=charge.name,
                time=self.now,
                merchant_gateway_id=charge.merchant_gateway_id,
                correlation_id=self.caller.correlation_id,
                actor=self.caller.client,
                details={
                    "account": charge.account,
                    "partner_transaction_id": row.partner_transaction_id,
                    "reference": row.reference,
                    "amount": row.amount,
                    "currency_code": row.currency_code,
                },
            )
        )


def plan(
    house: PaymentHouse, transaction: Transaction, caller: Caller, account: str, rows: Sequence[ExportRow]
) -> list[Result]:
    """What `reconcile` would do with each row, in their order. Writes nothing. Raises ResourceNotFound."""
    return _decided(house, transaction, caller, account, rows)[1]


def reconcile(
    house: PaymentHouse, transaction: Transaction, caller: Caller, account: str, rows: Sequence[ExportRow]
) -> list[Result]:
    """Takes the rows for evidence; what became of each, in their order. Raises ResourceNotFound."""
    reconciliation, results = _decided(house, transaction, caller, account, rows)
    reconciliation.save()
    return results


def list_unknown(store: Store, query: UnknownChargeQuery, page: Page) -> list[UnknownCharge]:
    return store.view.unknown_charges(query, page)


def _decided(
    house: PaymentHouse, transaction: Transaction, caller: Caller, account_name: str, rows: Sequence[ExportRow]
) -> tuple[Reconciliation, list[Result]]:
    ledger = transaction.ledger
    ids = sorted({row.partner_transaction_id for row in rows})
    found = ledger.operations_named(account_name, sorted({row.reference for row in rows if row.reference}), ids)
    books = {}
    # Payments are locked in the order of their names, and before the account.
    for name in sorted({operation.payment for operation in found}):
        book = open_book(house, transaction, name)
        if book and caller.reach.merchant(book.payment.merchant_gateway_id, book.payment.merchant_id):
            books[name] = book
    account = transaction.accounts.get(account_name)
    if account is None or account.payment_options is None or not caller.reach.gateway(account.merchant_gateway_id):
        raise ResourceNotFound(account_name)
    wanted = [names.unknown_charge(account_name, each) for each in ids]
    reconciliation = Reconciliation(
        house,
        transaction,
        caller,
        account,
        house.now(transaction),
        books,
        {each.partner_transaction_id: each.payment for each in found if each.partner_transaction_id},
        {each.reference: each.payment for each in found},
        ledger.unknown_charges.get_many(wanted),
    )
    # What was done first: a no beside it is another try's.
    order = sorted(range(len(rows)), key=lambda place: not rows[place].done)
    results = {place: reconciliation.take(rows[place]) for place in order}
    return reconciliation, [results[place] for place in range(len(rows))]


def _result(
    row: ExportRow, finding: Finding, why: str, before: Operation, book: PaymentBook, *, repeated: bool = False
) -> Result:
    return Result(
        line=row.line,
        finding=finding,
        explanation=why,
        payment=book.payment.name,
        operation=before.name,
        state_before=before.state,
        state_after=book.current(before).state,
        amount=before.amount,
        repeated=repeated,
    )
