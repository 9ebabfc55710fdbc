"""One call of the partner's API as the operations see it, and what they reply."""

from dataclasses import dataclass, field
from typing import Any

from adapters.sandbox.payment_options.charges import AMBIGUOUS, CLEAN, NONE, Charge
from adapters.sandbox.payment_options.faults import Fault, Scripted

_WORSE = (CLEAN, AMBIGUOUS, NONE)


@dataclass(frozen=True, slots=True)
class Call:
    """A call that is authenticated and has met its fault, if there is one."""

    endpoint: str
    document: dict[str, Any] = field(default_factory=dict)
    # The id in the path.
    identifier: str = ""
    # Where the caller reaches the twin, such as `http://127.0.0.1:8090/payment-options`.
    url: str = ""
    scripted: Scripted | None = None

    @property
    def fault(self) -> Fault | None:
        """The fault of this call."""
        return self.scripted.fault if self.scripted else None

    @property
    def fault_name(self) -> str:
        """As the ledger names it."""
        return self.scripted.name if self.scripted else ""

    def answer(self, planned: str) -> str:
        """What the caller has in the end, where `planned` is what the outcome alone would give."""
        return worse(planned, self.fault.answer if self.fault else CLEAN)


@dataclass(frozen=True, slots=True)
class Reply:
    """What the operation has to say, before the fault gets hold of it."""

    status: int
    document: Any
    answer: str = CLEAN
    charge: Charge | None = None


def worse(left: str, right: str) -> str:
    """The less certain of two answers."""
    return max(left, right, key=_WORSE.index)
