"""How much may be charged: in an amount that the partner can be told, for a payment, and for a day and account."""

from server.domain import payment_options
from server.domain.accounts import Account, AccountMode
from server.domain.money import Money
from server.domain.payment_options import AmountUnsayable, PaymentOptions
from server.domain.refusals import AmountUnsendable, CeilingExceeded
from server.ports import Transaction

DAY = 24 * 3600 * 1_000_000


def check_amount(options: PaymentOptions, amount: Money) -> None:
    """Raises AmountUnsendable."""
    try:
        payment_options.amount_text(amount, options.currency(amount.currency_code).amount_unit)
    except AmountUnsayable as unsayable:
        raise AmountUnsendable(amount.currency_code, str(unsayable)) from None


def check_ceilings(
    transaction: Transaction, account: Account, options: PaymentOptions, amount: Money, now: int, *, already: int
) -> None:
    """`already`: what of the amount is counted. Raises CeilingExceeded."""
    code = amount.currency_code
    limits = options.currency(code)
    if account.mode is AccountMode.LIVE and not (limits.payment_ceiling and limits.day_ceiling):
        raise CeilingExceeded("missing", "0", code)
    if limits.payment_ceiling and amount.minor_amount > limits.payment_ceiling:
        raise CeilingExceeded("payment", str(limits.payment_ceiling), code)
    if limits.day_ceiling:
        used = transaction.ledger.charged_since(account.name, code, now - now % DAY)
        if used - already + amount.minor_amount > limits.day_ceiling:
            raise CeilingExceeded("day", str(limits.day_ceiling), code)
