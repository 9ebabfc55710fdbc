"""A transaction at the acquirer: what it is, and each state that it has been in."""

from dataclasses import dataclass
from typing import Annotated, Any

from msgspec import Meta, Struct

from adapters.sandbox.sibs.config import Scope

SUCCESS, PENDING, DECLINED = "Success", "Pending", "Declined"
# States that nothing follows.
FINAL = frozenset({SUCCESS, DECLINED, "Error", "Timeout", "Expired"})
STATUSES = (SUCCESS, PENDING, "InProcessing", DECLINED, "Error", "Timeout", "Expired", "Partial")
# The return status of a state. "000" with Pending is as documented.
RETURN_STATUSES = {
    DECLINED: ("E0119", "Declined operation"),
    "Error": ("T9999", "Temporary error"),
    "Timeout": ("00.110.1601", "Time-out"),
    "Expired": ("00.110.1601", "Expired"),
}
# The code that configs have for a payment method, where it is another word than the payment's own.
CONFIG_CODES = {"TOKEN": "CARD", "PBLKV": "PLKV", "PAY_BY_LINK": "PYBL", "MBWAY": "MBWY"}


@dataclass(frozen=True, slots=True)
class Kind:
    """What can be made by name: its type and method, how long it is pending, and whether it follows another one."""

    payment_type: str
    payment_method: str
    pending_seconds: float = 0.0
    # Types of the transaction that it follows.
    follows: frozenset[str] = frozenset()


KINDS = {
    "purchase": Kind("PURS", "CARD"),
    "authorization": Kind("AUTH", "CARD"),
    "capture": Kind("CAPT", "CARD", follows=frozenset({"AUTH"})),
    "refund": Kind("RFND", "CARD", follows=frozenset({"PURS", "CAPT", "PREF"})),
    "cancellation": Kind("CANC", "CARD", follows=frozenset({"AUTH", "PURS"})),
    "blik": Kind("PURS", "BLIK", pending_seconds=10),
    "pay-by-link": Kind("PURS", "PAY_BY_LINK", pending_seconds=60),
    "mbway": Kind("PURS", "MBWAY", pending_seconds=10),
    "reference": Kind("PREF", "REFERENCE", pending_seconds=300),
}


class Step(Struct, rename="camel", forbid_unknown_fields=True):
    """A state, and how many of the acquirer's seconds after the one before it."""

    status: str
    seconds: Annotated[float, Meta(ge=0, le=31_536_000)] = 0.0
    # Empty: as is usual for the state.
    status_code: Annotated[str, Meta(max_length=40)] = ""
    status_message: Annotated[str, Meta(max_length=200)] = ""


class State(Struct, rename="camel"):
    """A state that it has reached, since when (wall clock), and with which return status."""

    status: str
    time: str
    status_code: str
    status_message: str


class Planned(Struct, rename="camel"):
    """A state that it will reach at a time of the acquirer's."""

    at: float
    step: Step


class Transaction(Struct, rename="camel"):
    """The whole of it. `time` of the last state is its transactionDateTime."""

    transaction_id: str
    kind: str
    payment_type: str
    payment_method: str
    amount: str
    currency: str
    scope: Scope
    merchant_transaction_id: str = ""
    original_transaction_id: str = ""
    states: list[State] = []
    planned: list[Planned] = []

    @property
    def state(self) -> State:
        """What it is now."""
        return self.states[-1]

    @property
    def status(self) -> str:
        """paymentStatus."""
        return self.state.status

    @property
    def config_code(self) -> str:
        """Its paymentMethodNotificationCode."""
        return CONFIG_CODES.get(self.payment_method, self.payment_method)

    def document(self) -> dict[str, Any]:
        """For people."""
        return {
            "transactionId": self.transaction_id,
            "kind": self.kind,
            "paymentType": self.payment_type,
            "paymentMethod": self.payment_method,
            "paymentStatus": self.status,
            "amount": self.amount,
            "currency": self.currency,
            "acquirerId": self.scope.acquirer_id,
            "merchantId": self.scope.merchant_id,
            "acceptorId": self.scope.acceptor_id,
            "terminalId": self.scope.terminal_id,
            "merchantTransactionId": self.merchant_transaction_id,
            "originalTransactionId": self.original_transaction_id,
            "states": [{"status": state.status, "time": state.time} for state in self.states],
            "planned": [{"status": planned.step.status, "at": planned.at} for planned in self.planned],
        }


def reached(step: Step, time: str) -> State:
    """The state that a step leads to."""
    code, message = RETURN_STATUSES.get(step.status, ("000", "Success"))
    return State(step.status, time, step.status_code or code, step.status_message or message)
