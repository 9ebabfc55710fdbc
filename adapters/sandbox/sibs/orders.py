"""What the control API may have made: transactions, by name or in every detail."""

import re
from decimal import Decimal
from typing import Annotated

from msgspec import Meta, Struct

from adapters.sandbox.control import ControlInvalid
from adapters.sandbox.sibs import fields
from adapters.sandbox.sibs.config import Scope
from adapters.sandbox.sibs.credentials import ACQUIRER_ID, MERCHANT_ID
from adapters.sandbox.sibs.transaction import KINDS, PENDING, STATUSES, SUCCESS, Step

AMOUNT = re.compile(r"^[0-9]{1,12}(\.[0-9]{1,3})?$", re.ASCII)
Text = Annotated[str, Meta(max_length=100)]


class Order(Struct, rename="camel", forbid_unknown_fields=True):
    """POST /transactions. What follows another one takes over what is not given."""

    kind: str = "purchase"
    amount: str = ""
    currency: Annotated[str, Meta(pattern=r"^([A-Z]{3})?$")] = ""
    acquirer_id: str = ""
    merchant_id: str = ""
    acceptor_id: str = ""
    terminal_id: str = ""
    merchant_transaction_id: Text = ""
    original_transaction_id: Text = ""
    # Other words than the kind's.
    payment_type: Annotated[str, Meta(max_length=20)] = ""
    payment_method: Annotated[str, Meta(max_length=20)] = ""
    # What it ends as, after how long (None: as is usual for the kind); or every step of it.
    outcome: str = SUCCESS
    pending_seconds: Annotated[float, Meta(ge=0, le=31_536_000)] | None = None
    steps: list[Step] = []
    # How many such transactions.
    count: Annotated[int, Meta(ge=1, le=10_000)] = 1

    def check(self) -> None:
        """Raises ControlInvalid."""
        if self.kind not in KINDS:
            raise ControlInvalid(f"kind: {self.kind!r} is none of {', '.join(KINDS)}")
        if self.amount and (not AMOUNT.match(self.amount) or not Decimal(self.amount)):
            raise ControlInvalid("amount: must be a decimal above 0, such as 16.20")
        for status in (self.outcome, *(step.status for step in self.steps)):
            if status not in STATUSES:
                raise ControlInvalid(f"status: {status!r} is none of {', '.join(STATUSES)}")
        if KINDS[self.kind].follows and not self.original_transaction_id:
            raise ControlInvalid(f"{self.kind}: name the transaction that it follows (originalTransactionId)")

    def planned(self) -> list[Step]:
        """Its steps."""
        if self.steps:
            return self.steps
        seconds = KINDS[self.kind].pending_seconds if self.pending_seconds is None else self.pending_seconds
        last = Step(self.outcome, seconds)
        return [Step(PENDING), last] if seconds and self.outcome != PENDING else [Step(self.outcome)]

    def scope(self) -> Scope:
        """Where it happens. Raises ControlInvalid."""
        acceptor_id, terminal_id = self.acceptor_id or None, self.terminal_id or None
        try:
            return fields.scope(
                self.acquirer_id or ACQUIRER_ID, self.merchant_id or MERCHANT_ID, acceptor_id, terminal_id
            )
        except fields.CallInvalid as invalid:
            raise ControlInvalid(str(invalid)) from None
