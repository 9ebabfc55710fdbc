"""The ledger of charges: a line is money that moved, or a try that moved none."""

from typing import Any

import msgspec
from msgspec import Struct

PURCHASE = "PURCHASE"
AUTHORIZATION = "AUTHORIZATION"
CAPTURE = "CAPTURE"
VOID = "VOID"
REFUND = "REFUND"
SUBSCRIPTION_CHARGE = "SUBSCRIPTION_CHARGE"
KINDS = (PURCHASE, AUTHORIZATION, CAPTURE, VOID, REFUND, SUBSCRIPTION_CHARGE)

# How the partner calls them.
TRANSACTION_TYPES = {
    PURCHASE: "CAPTURE",
    AUTHORIZATION: "PRE_AUTH",
    CAPTURE: "CAPTURE",
    VOID: "VOID",
    REFUND: "REFUND",
    SUBSCRIPTION_CHARGE: "CAPTURE",
}

# What is true of it, whatever the caller was told.
APPROVED = "APPROVED"
PARTIALLY_APPROVED = "PARTIALLY_APPROVED"
DECLINED = "DECLINED"
PENDING = "PENDING"

# What the caller gets by plan: an answer that says what is true, one that leaves it open, or none.
CLEAN = "clean"
AMBIGUOUS = "ambiguous"
NONE = "none"


class Card(Struct, rename="camel", frozen=True):
    """What the twin keeps of a card."""

    # Masked: BIN, stars, last four.
    number: str
    scheme: str
    name: str = "John Doe"
    exp_month: str = "12"
    exp_year: str = "34"


class Order(Struct, rename="camel", frozen=True):
    """What a merchant asks for, checked."""

    # As a decimal text, in the unit in which it came.
    amount: str
    currency: str
    reference: str
    merchant_id: str
    method_id: str = ""
    card: Card | None = None
    # Whether a payment method is to be stored.
    store: bool = False
    customer_ip: str = ""
    billing_address: dict[str, Any] = {}
    return_url: dict[str, str] = {}


class Charge(Struct, rename="camel", frozen=True):
    """One line. A pending transaction gets a second one when it is settled; the newest line of an id counts."""

    time: str
    kind: str
    transaction_id: str
    reference: str
    merchant_id: str
    # What was approved; `requestedAmount` is what was asked for.
    amount: str
    requested_amount: str
    currency: str
    stored_payment_method_id: str
    outcome: str
    # Whether money moved, or was held or released, by this line.
    moved: bool
    response_code: int
    gateway_code: str
    # The fault that was at work, `name#id`; empty where there was none.
    fault: str
    answer: str
    ref: int
    auth_code: str
    card: Card
    original_transaction_id: str = ""
    subscription_id: str = ""
    cycle: int = 0
    # The 3DS or hosted page that the payer used.
    page_id: str = ""
    customer_ip: str = ""
    billing_address: dict[str, Any] = {}
    return_url: dict[str, str] = {}

    @property
    def transaction_type(self) -> str:
        """The partner's word for the kind."""
        return TRANSACTION_TYPES[self.kind]


def read(document: dict[str, Any]) -> Charge:
    """A line of the ledger."""
    return msgspec.convert(document, Charge)
