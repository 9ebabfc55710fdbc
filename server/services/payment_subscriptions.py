"""Payment subscriptions for those who ask for them."""

from dataclasses import dataclass, replace

from server.domain import names, payment_subscriptions
from server.domain.callers import Caller
from server.domain.money import Money
from server.domain.payment_evidence import EvidenceKind
from server.domain.payment_operations import OperationState
from server.domain.payment_options import PurchasePath
from server.domain.payment_subscriptions import PaymentSubscription, Plan, SubscriptionState, Wish
from server.domain.queries import Page, PaymentSubscriptionQuery
from server.domain.refusals import FieldInvalid, PaymentStateUnfit, ResourceNotFound
from server.ports import Store, Transaction
from server.services import payments, tokens
from server.services.payment_book import PaymentBook, Source, open_book
from server.services.payment_ceilings import check_amount, check_ceilings
from server.services.payment_house import PaymentHouse
from server.services.payment_subscription_book import hurry, take_back
from server.services.payments import Order, Payee


@dataclass(frozen=True, slots=True)
class SubscriptionOrder:
    """What somebody wants to be charged again and again: the amount of a cycle, the plan, and what its payment needs,
    whose amount is that of the first charge."""

    amount: Money
    plan: Plan
    first: Order


def create(
    house: PaymentHouse, transaction: Transaction, caller: Caller, order: SubscriptionOrder
) -> PaymentSubscription:
    """Raises ResourceNotFound, TokenUnusable, AccountUnusable, ReturnUrlNotAllowed, AmountUnsendable, CeilingExceeded,
    MerchantPaymentIdUsed, FieldInvalid."""
    now = house.now(transaction)
    amount, first = order.amount, order.first
    token = tokens.visible(caller, transaction.tokens.get(first.token), first.token)
    payments.check_token(token)
    account, options = payments.paying_account(transaction, token.merchant_gateway_id, token.merchant_id)
    if options.purchase_path is PurchasePath.PAYMENTV2 and not first.has_browser_info:
        raise FieldInvalid("details.browser_info", "the account's calls need it", "required")
    if amount.minor_amount <= 0:
        raise FieldInvalid("amount.minor_amount", "must be more than 0", "int64.gt")
    payment_subscriptions.check_plan(order.plan, amount)
    check_amount(options, amount)
    # What is charged today is counted by the payment; here it is about one cycle alone.
    check_ceilings(transaction, account, options, amount, now, already=amount.minor_amount)

    def attach(book: PaymentBook) -> None:
        payment = book.payment
        book.subscription = PaymentSubscription(
            name=names.payment_subscription(payment.name),
            merchant_subscription_id=payment.merchant_payment_id,
            payment=payment.name,
            token=payment.token,
            account=payment.account,
            merchant_gateway_id=payment.merchant_gateway_id,
            merchant_id=payment.merchant_id,
            currency_code=amount.currency_code,
            minor_amount=amount.minor_amount,
            plan=order.plan,
            reference=book.operations[0].reference,
            create_time=now,
            update_time=now,
            correlation_id=caller.correlation_id,
        )

    payee = Payee(token.merchant_gateway_id, token.merchant_id, token.name, token.token_id)
    placed = replace(first, attach=attach)
    whole = payments.place(house, transaction, caller, placed, payee, account, options, now)
    made = transaction.ledger.payment_subscriptions.get(names.payment_subscription(whole.payment.name))
    return _there(made, whole.payment.name)


def first_charge(amount: Money, plan: Plan) -> Money:
    """What creating charges: nothing with a trial, else the first cycle."""
    return Money(0 if plan.trial_days else plan.cost(amount.minor_amount, 1), amount.currency_code)


def cancel(house: PaymentHouse, transaction: Transaction, caller: Caller, name: str, etag: str) -> PaymentSubscription:
    """Raises ResourceNotFound, EtagMismatch, PaymentStateUnfit."""
    book, subscription = _book(house, transaction, caller, name)
    payment_subscriptions.check_etag(subscription, etag)
    first = book.operations[0]
    unsent = first.state is OperationState.PENDING
    if subscription.state in payment_subscriptions.LIVE or (unsent and first.hinted):
        return _wish(book, caller, Wish.CANCEL)
    if subscription.state is SubscriptionState.CANCELLED or first.state is OperationState.CANCELLED:
        return subscription
    if unsent:
        take_back(book, first, _ours(caller))
    else:
        raise PaymentStateUnfit(name, subscription.state)
    book.save()
    return _there(book.subscription, name)


def resume(house: PaymentHouse, transaction: Transaction, caller: Caller, name: str, etag: str) -> PaymentSubscription:
    """Raises ResourceNotFound, EtagMismatch, PaymentStateUnfit."""
    book, subscription = _book(house, transaction, caller, name)
    payment_subscriptions.check_etag(subscription, etag)
    if subscription.wish is Wish.CANCEL or subscription.state is not SubscriptionState.PAUSED:
        raise PaymentStateUnfit(name, "to be cancelled" if subscription.wish is Wish.CANCEL else subscription.state)
    return _wish(book, caller, Wish.RESUME)


def refresh(house: PaymentHouse, transaction: Transaction, caller: Caller, name: str) -> PaymentSubscription:
    """Raises ResourceNotFound."""
    book, _ = _book(house, transaction, caller, name)
    hurry(book)
    book.save()
    return _there(book.subscription, name)


def get(house: PaymentHouse, caller: Caller, name: str) -> PaymentSubscription:
    """Raises ResourceNotFound."""
    return _visible(caller, house.store.view.payment_subscriptions.get(name), name)


def list_page(store: Store, query: PaymentSubscriptionQuery, page: Page) -> list[PaymentSubscription]:
    return store.view.payment_subscriptions.page(query, page)


def _wish(book: PaymentBook, caller: Caller, wish: Wish) -> PaymentSubscription:
    subscription = _there(book.subscription, book.payment.name)
    if subscription.wish is not wish:
        book.subscription = replace(subscription, wish=wish, refusal_text="")
        book.note(book.operations[0], _ours(caller), f"the partner is to {wish.lower()} the subscription")
    hurry(book)
    book.save()
    return _there(book.subscription, subscription.name)


def _book(
    house: PaymentHouse, transaction: Transaction, caller: Caller, name: str
) -> tuple[PaymentBook, PaymentSubscription]:
    book = open_book(house, transaction, names.payment_of_subscription(name))
    held = book.subscription if book is not None else None
    subscription = _visible(caller, held if held is not None and held.name == name else None, name)
    if book is None:
        raise ResourceNotFound(name)
    return book, subscription


def _visible(caller: Caller, subscription: PaymentSubscription | None, name: str) -> PaymentSubscription:
    found = _there(subscription, name)
    if not caller.reach.merchant(found.merchant_gateway_id, found.merchant_id):
        raise ResourceNotFound(name)
    return found


def _there(subscription: PaymentSubscription | None, name: str) -> PaymentSubscription:
    """Raises ResourceNotFound."""
    if subscription is None:
        raise ResourceNotFound(name)
    return subscription


def _ours(caller: Caller) -> Source:
    return Source(EvidenceKind.OURS, caller.client, caller.correlation_id)
