"""Payments for those who ask for them, and for operators who settle what is in doubt."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from server.domain import accounts, names, payment_options, payments
from server.domain.accounts import Account, AccountMode, AccountProvider
from server.domain.callers import Caller
from server.domain.events import Event, EventKind
from server.domain.hosted_pages import asks_for_page
from server.domain.money import Money
from server.domain.payment_answers import OperationKind
from server.domain.payment_evidence import Evidence, EvidenceKind
from server.domain.payment_operations import Fact, Operation, OperationState
from server.domain.payment_options import PaymentOptions, PurchasePath
from server.domain.payments import Payment, PaymentState
from server.domain.queries import Page, PaymentQuery
from server.domain.refusals import (
    AccountUnusable,
    AlreadySent,
    FieldInvalid,
    MerchantPaymentIdUsed,
    PaymentStateUnfit,
    ResourceNotFound,
    ReturnUrlNotAllowed,
    TokenUnusable,
    TooEarly,
)
from server.domain.tokens import Token, TokenProvider, TokenState
from server.ports import Store, Transaction
from server.services import tokens
from server.services.payment_book import PaymentBook, Source, open_book
from server.services.payment_ceilings import check_amount, check_ceilings
from server.services.payment_house import PaymentHouse

MICROS = 1_000_000


@dataclass(frozen=True, slots=True)
class Order:
    """What somebody wants to be paid. `details` travel to the partner as they are; `send_within` is in microseconds."""

    kind: OperationKind
    merchant_payment_id: str
    amount: Money
    details: bytes
    # The fields of the URLs that the payer's browser may be sent to, and the URLs.
    return_urls: Sequence[tuple[str, str]]
    send_within: int | None
    token: str = ""
    has_browser_info: bool = False
    store_payment_method: bool = False
    # What else comes with the payment.
    attach: Callable[[PaymentBook], None] | None = None


@dataclass(frozen=True, slots=True)
class Payee:
    """Who is paid, and with which token: its name and the partner's id of it, empty where a page asks for a card."""

    merchant_gateway_id: str
    merchant_id: str
    token: str = ""
    stored_payment_method_id: str = ""


@dataclass(frozen=True, slots=True)
class Whole:
    """A payment with its operations, and where the payer has to go."""

    payment: Payment
    operations: Sequence[Operation]
    redirect_url: str


def create(house: PaymentHouse, transaction: Transaction, caller: Caller, order: Order) -> Whole:
    """Raises ResourceNotFound, TokenUnusable, AccountUnusable, ReturnUrlNotAllowed, AmountUnsendable, CeilingExceeded,
    MerchantPaymentIdUsed, FieldInvalid."""
    now = house.now(transaction)
    token = tokens.visible(caller, transaction.tokens.get(order.token), order.token)
    check_token(token)
    account, options = paying_account(transaction, token.merchant_gateway_id, token.merchant_id)
    if options.purchase_path is PurchasePath.PAYMENTV2 and not order.has_browser_info:
        raise FieldInvalid("details.browser_info", "the account's calls need it", "required")
    payee = Payee(token.merchant_gateway_id, token.merchant_id, token.name, token.token_id)
    return place(house, transaction, caller, order, payee, account, options, now)


def place(
    house: PaymentHouse,
    transaction: Transaction,
    caller: Caller,
    order: Order,
    payee: Payee,
    account: Account,
    options: PaymentOptions,
    now: int,
) -> Whole:
    """A new payment through the account, which is locked.

    Raises ReturnUrlNotAllowed, AmountUnsendable, CeilingExceeded, MerchantPaymentIdUsed, FieldInvalid.
    """
    # A subscription may begin with a trial.
    if order.amount.minor_amount <= 0 and order.kind is not OperationKind.SUBSCRIPTION:
        raise FieldInvalid("amount.minor_amount", "must be more than 0", "int64.gt")
    for field, url in order.return_urls:
        if not payment_options.allows_return(options.return_url_prefixes, url):
            raise ReturnUrlNotAllowed(field)
    check_amount(options, order.amount)
    gateway, merchant_id = payee.merchant_gateway_id, payee.merchant_id
    key = payments.merchant_payment_key(gateway, merchant_id, order.merchant_payment_id)
    if (used := transaction.ledger.payment_with_key(key)) is not None:
        raise MerchantPaymentIdUsed(used)
    check_ceilings(transaction, account, options, order.amount, now, already=0)
    name = names.payment(house.ids.payment_id(now))
    payment = Payment(
        name=name,
        merchant_payment_id=order.merchant_payment_id,
        token=payee.token,
        account=account.name,
        merchant_gateway_id=gateway,
        merchant_id=merchant_id,
        currency_code=order.amount.currency_code,
        minor_amount=order.amount.minor_amount,
        create_time=now,
        update_time=now,
        correlation_id=caller.correlation_id,
        sealed_details=house.seal(order.details, name, "details"),
    )
    book = PaymentBook(house, transaction, payment, [], now, is_new=True)
    within = order.send_within or house.limits.micros(house.limits.send_within)
    method, store = payee.stored_payment_method_id, order.store_payment_method
    minor = order.amount.minor_amount
    _ask_for(book, caller, account, options, order.kind, minor, within, method=method, store=store)
    if order.attach is not None:
        order.attach(book)
    book.save()
    return _whole(house, book)


def capture(
    house: PaymentHouse, transaction: Transaction, caller: Caller, name: str, amount: Money | None, etag: str
) -> Whole:
    """Raises ResourceNotFound, EtagMismatch, OperationInDoubt, PaymentStateUnfit, AmountExceeded."""
    book = _book(house, transaction, caller, name)
    payments.check_etag(book.payment, etag)
    authorization, minor = payments.capturable(book.payment, book.operations, _minor(book.payment, amount))
    return _follow(book, caller, OperationKind.CAPTURE, authorization, minor)


def void(house: PaymentHouse, transaction: Transaction, caller: Caller, name: str, etag: str) -> Whole:
    """Raises ResourceNotFound, EtagMismatch, OperationInDoubt, PaymentStateUnfit."""
    book = _book(house, transaction, caller, name)
    payments.check_etag(book.payment, etag)
    authorization = payments.voidable(book.payment, book.operations)
    return _follow(book, caller, OperationKind.VOID, authorization, authorization.confirmed_minor_amount or 0)


def refund(
    house: PaymentHouse,
    transaction: Transaction,
    caller: Caller,
    name: str,
    amount: Money | None,
    etag: str,
    operation: str,
) -> Whole:
    """Raises ResourceNotFound, EtagMismatch, OperationInDoubt, PaymentStateUnfit, AmountExceeded, FieldInvalid."""
    book = _book(house, transaction, caller, name)
    payments.check_etag(book.payment, etag)
    minor = _minor(book.payment, amount)
    parent, minor = payments.refundable(book.payment, book.operations, minor, operation)
    return _follow(book, caller, OperationKind.REFUND, parent, minor)


def cancel(house: PaymentHouse, transaction: Transaction, caller: Caller, name: str) -> Whole:
    """Raises ResourceNotFound, AlreadySent."""
    book = _book(house, transaction, caller, name)
    last = book.operations[-1]
    if last.state not in (OperationState.CANCELLED, OperationState.EXPIRED_UNSENT):
        if last.state is not OperationState.PENDING or last.hinted:
            raise AlreadySent(last.name)
        book.apply(last, Fact.CANCEL, _ours(caller), "taken back before anything was sent")
        book.save()
    return _whole(house, book)


def resolve_charged(
    house: PaymentHouse, transaction: Transaction, caller: Caller, name: str, partner_transaction_id: str, reason: str
) -> Whole:
    """Asks the partner for the transaction that an operator names: its answer settles, not the operator's word.

    Raises ResourceNotFound, FieldInvalid.
    """
    book = _book(house, transaction, caller, name)
    operation = book.unresolved() or book.operations[0]
    other = transaction.ledger.operation_of_transaction(operation.account, partner_transaction_id)
    if other is not None and other.payment != book.payment.name:
        raise FieldInvalid("partner_transaction_id", "belongs to another payment", "unique")
    book.put(_hinted(operation))
    source = Source(EvidenceKind.OPERATOR, caller.client, caller.correlation_id)
    book.note(operation, source, f"says that it was done: {reason}", None, partner_transaction_id)
    book.ask(operation, partner_transaction_id, book.now, caller.correlation_id)
    book.save()
    return _whole(house, book)


def resolve_not_charged(house: PaymentHouse, transaction: Transaction, caller: Caller, name: str, reason: str) -> Whole:
    """Raises ResourceNotFound, PaymentStateUnfit, TooEarly."""
    book = _book(house, transaction, caller, name)
    operation = book.unresolved()
    if operation is None or operation.state not in (OperationState.IN_DOUBT, OperationState.PROCESSING):
        raise PaymentStateUnfit(name, operation.state if operation else book.payment.state)
    # The payer may have acted until the window's end, whatever was known by then.
    last = max(operation.in_flight_until, operation.redirect_expire_time or 0)
    allowed = last + house.limits.micros(house.limits.resolve_after)
    if book.now < allowed:
        raise TooEarly(str((allowed - book.now) // MICROS + 1))
    source = Source(EvidenceKind.OPERATOR, caller.client, caller.correlation_id)
    book.apply(operation, Fact.NOT_CHARGED, source, f"says that nothing happened: {reason}")
    book.save()
    return _whole(house, book)


def get(house: PaymentHouse, caller: Caller, name: str) -> Whole:
    """Raises ResourceNotFound."""
    found = house.store.view.payment_whole(name)
    if found is None:
        raise ResourceNotFound(name)
    payment, operations = found
    visible(caller, payment, name)
    return Whole(payment, operations, _redirect_url(house, payment))


def list_page(store: Store, query: PaymentQuery, page: Page) -> list[Payment]:
    return store.view.payments(query, page)


def list_evidence(house: PaymentHouse, caller: Caller, name: str, page: Page) -> list[Evidence]:
    """Raises ResourceNotFound."""
    visible(caller, house.store.view.payment(name), name)
    return house.store.view.payment_evidence(name, page)


def body_of(house: PaymentHouse, evidence: Evidence) -> bytes:
    return house.open(evidence.sealed_body, evidence.name, "body")


def hold(transaction: Transaction, caller: Caller, account: str, reason: str, now: int) -> int:
    """How many accounts are held now that were not. Raises ResourceNotFound."""
    return _switch(transaction, caller, account, reason, now, held=True)


def release(transaction: Transaction, caller: Caller, account: str, reason: str, now: int) -> int:
    """How many accounts may send again. Raises ResourceNotFound."""
    return _switch(transaction, caller, account, reason, now, held=False)


def visible(caller: Caller, payment: Payment | None, name: str) -> Payment:
    """The payment, where there is one and the caller may see it. Raises ResourceNotFound."""
    if payment is None or not caller.reach.merchant(payment.merchant_gateway_id, payment.merchant_id):
        raise ResourceNotFound(name)
    return payment


def check_token(token: Token) -> None:
    if token.provider is not TokenProvider.PAYMENT_OPTIONS:
        raise TokenUnusable(token.name, f"its provider is {token.provider}")
    if token.disable_time is not None:
        raise TokenUnusable(token.name, "it is disabled")
    if token.state in (TokenState.SUSPENDED, TokenState.DELETED):
        raise TokenUnusable(token.name, f"it is {token.state}")


def paying_account(transaction: Transaction, gateway: str, merchant_id: str) -> tuple[Account, PaymentOptions]:
    """The account that pays for the merchant, locked. Raises AccountUnusable."""
    account = transaction.ledger.payment_account(gateway)
    if account is None or account.payment_options is None:
        raise AccountUnusable(gateway, "there is none")
    if account.merchant_ids and merchant_id not in account.merchant_ids:
        raise AccountUnusable(gateway, "it is not for this merchant")
    return account, account.payment_options


def _book(house: PaymentHouse, transaction: Transaction, caller: Caller, name: str) -> PaymentBook:
    book = open_book(house, transaction, name)
    if book is None:
        raise ResourceNotFound(name)
    visible(caller, book.payment, name)
    return book


def _minor(payment: Payment, amount: Money | None) -> int | None:
    if amount is None:
        return None
    if amount.currency_code != payment.currency_code:
        raise FieldInvalid("amount.currency_code", f"the payment is in {payment.currency_code}", "currency")
    if amount.minor_amount <= 0:
        raise FieldInvalid("amount.minor_amount", "must be more than 0", "int64.gt")
    return amount.minor_amount


def _follow(book: PaymentBook, caller: Caller, kind: OperationKind, parent: Operation, minor: int) -> Whole:
    """Asks for an operation that follows one that is done."""
    payment, house = book.payment, book.house
    account, options = paying_account(book.transaction, payment.merchant_gateway_id, payment.merchant_id)
    if account.name != payment.account:
        raise AccountUnusable(payment.merchant_gateway_id, f"the payment went through {payment.account}")
    check_amount(options, Money(minor, payment.currency_code))
    within = house.limits.micros(house.limits.send_within)
    _ask_for(book, caller, account, options, kind, minor, within, parent=parent)
    book.save()
    return _whole(house, book)


def _ask_for(
    book: PaymentBook,
    caller: Caller,
    account: Account,
    options: PaymentOptions,
    kind: OperationKind,
    minor: int,
    within: int,
    *,
    method: str = "",
    store: bool = False,
    parent: Operation | None = None,
) -> None:
    number = len(book.operations) + 1
    name = names.operation(book.payment.name, number)
    operation = Operation(
        name=name,
        payment=book.payment.name,
        account=account.name,
        number=number,
        kind=kind,
        state=OperationState.PENDING,
        minor_amount=minor,
        currency_code=book.payment.currency_code,
        amount_unit=options.currency(book.payment.currency_code).amount_unit,
        reference=f"{book.payment.name.removeprefix('payments/')}-{number}",
        partner_merchant_id=options.partner_merchant_id,
        stored_payment_method_id=method,
        live=account.mode is AccountMode.LIVE,
        send_before=book.now + within,
        create_time=book.now,
        update_time=book.now,
        parent=parent.name if parent else "",
        parent_transaction_id=(parent.partner_transaction_id or "") if parent else "",
        attend_time=book.now + within,
        # The payer of a page may try several times: one no is not the last.
        action_required=asks_for_page(kind),
        store_payment_method=store,
        cycle=1 if kind is OperationKind.SUBSCRIPTION and minor else 0,
    )
    book.add(operation, _ours(caller), f"{kind} asked for")
    book.submit(operation, book.now, caller.correlation_id)


def _hinted(operation: Operation) -> Operation:
    return replace(operation, hinted=True) if operation.unresolved else operation


def _ours(caller: Caller) -> Source:
    return Source(EvidenceKind.OURS, caller.client, caller.correlation_id)


def _redirect_url(house: PaymentHouse, payment: Payment) -> str:
    if payment.state is not PaymentState.REQUIRES_ACTION:
        return ""
    return house.open(payment.sealed_redirect_url, payment.name, "redirect_url").decode()


def _whole(house: PaymentHouse, book: PaymentBook) -> Whole:
    return Whole(book.payment, tuple(book.operations), _redirect_url(house, book.payment))


def _switch(transaction: Transaction, caller: Caller, name: str, reason: str, now: int, *, held: bool) -> int:
    found = transaction.accounts.get_many([name]) if name else {each.name: each for each in transaction.accounts.all()}
    paying = [each for each in found.values() if each.provider is AccountProvider.PAYMENT_OPTIONS]
    if name and not paying:
        raise ResourceNotFound(name)
    changed = []
    for account in sorted(paying, key=lambda each: each.name):
        after = accounts.hold(account, reason, now) if held else accounts.release(account, now)
        if after is not account:
            changed.append(after)
    transaction.accounts.update(changed)
    for account in changed:
        transaction.append(
            Event(
                kind=EventKind.PAYMENTS_HELD if held else EventKind.PAYMENTS_RELEASED,
                resource=account.name,
                time=now,
                correlation_id=caller.correlation_id,
                actor=caller.client,
                details={"reason": reason},
            )
        )
    return len(changed)
