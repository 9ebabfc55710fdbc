"""Payments through a page of the partner's, on which the payer enters the card."""

from server.domain import names
from server.domain.callers import Caller
from server.domain.refusals import AccountUnusable, ResourceNotFound
from server.ports import Transaction
from server.services import payments
from server.services.payment_house import PaymentHouse
from server.services.payments import Order, Payee, Whole


def create(
    house: PaymentHouse, transaction: Transaction, caller: Caller, order: Order, gateway: str, merchant_id: str
) -> Whole:
    """Raises ResourceNotFound, AccountUnusable, ReturnUrlNotAllowed, AmountUnsendable, CeilingExceeded,
    MerchantPaymentIdUsed, FieldInvalid."""
    now = house.now(transaction)
    if not caller.reach.merchant(gateway, merchant_id):
        raise ResourceNotFound(names.merchant(gateway, merchant_id))
    account, options = payments.paying_account(transaction, gateway, merchant_id)
    if not options.merchant_email:
        raise AccountUnusable(gateway, "it states no merchant_email, which hosted payment pages need")
    return payments.place(house, transaction, caller, order, Payee(gateway, merchant_id), account, options, now)
