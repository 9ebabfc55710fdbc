"""Faults by script: which call goes wrong, and how."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from random import Random
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from adapters.sandbox.control import ControlInvalid
from adapters.sandbox.payment_options.charges import AMBIGUOUS, CLEAN, NONE
from adapters.sandbox.payment_options.methods import masked

# Where a card number gets when a fault puts one everywhere; a canary of the sandbox's own if the script names none.
CANARY = "4012888888881881"
# What each fault does, and what the caller has from it.
KINDS: dict[str, tuple[str, str]] = {
    "reset": ("the connection is reset (RST) without an answer", NONE),
    "close": ("the connection is closed without an answer", NONE),
    "hang": ("no answer until released, or for `seconds`; then late, or never where nothing was charged", AMBIGUOUS),
    "status": ("HTTP `status` (500) instead of the answer; with `empty` without a body", AMBIGUOUS),
    "drip-headers": ("the head comes a byte at a time, `seconds` apart", AMBIGUOUS),
    "drip-body": ("the body comes a byte at a time, `seconds` apart", AMBIGUOUS),
    "truncated": ("half of the body, then the connection is closed", AMBIGUOUS),
    "cut-json": ("half of the body as if it were all", AMBIGUOUS),
    "html": ("a page instead of JSON, with the right status", AMBIGUOUS),
    "empty": ("an empty body", AMBIGUOUS),
    "redirect": ("HTTP `status` (307) to `location`", AMBIGUOUS),
    "huge": ("`bytes` (1 MiB) of padding in the answer", AMBIGUOUS),
    "wrong-amount": ("another amount", AMBIGUOUS),
    "wrong-currency": ("another currency", AMBIGUOUS),
    "wrong-reference": ("another merchant_txn_ref", AMBIGUOUS),
    "wrong-mid": ("another merchant", AMBIGUOUS),
    "wrong-type": ("another transaction type", AMBIGUOUS),
    "wrong-id": ("another transaction id", AMBIGUOUS),
    "wrong-live": ("is_live true", AMBIGUOUS),
    "wrong-method": ("another stored payment method", AMBIGUOUS),
    "card-number": ("`number` in every place of the answer that nobody compares", CLEAN),
    "redirect-url": ("success true together with a redirect_url", AMBIGUOUS),
    "unknown-code": ("response and gateway codes that nobody documents", AMBIGUOUS),
    "missing-blocks": ("success true and nothing else", AMBIGUOUS),
    "duplicate-keys": ("success and response_code twice, with different values", AMBIGUOUS),
    "invalid-utf8": ("a byte that is no UTF-8", AMBIGUOUS),
}
# These change an answer, so there must be one.
NEED_ANSWER = frozenset(
    name for name in KINDS if name.startswith("wrong-") or name in {"card-number", "unknown-code", "missing-blocks"}
)
MOVING = (
    *("payment", "paymentv2", "authorization", "authorizationv2", "capture", "void", "refund"),
    "subscription-create",
)
QUIET = ("status", "subscription-list", "subscription-details", "subscription-change", "hosted-link")
ENDPOINTS = (*MOVING, *QUIET)
LARGEST = 256 * 1024 * 1024


class Fault(Struct, rename="camel", forbid_unknown_fields=True):
    """One line of a script. What is empty fits every call that moves money."""

    fault: str
    # False: nothing is charged, and the caller cannot know it.
    charged: bool = True
    endpoint: str = ""
    reference: str = ""
    amount: str = ""
    # Only the n-th call that fits otherwise; 0: each.
    nth: Annotated[int, Meta(ge=0)] = 0
    probability: Annotated[float, Meta(ge=0, le=1)] = 1.0
    # How often; 0: always.
    times: Annotated[int, Meta(ge=0)] = 1
    # In our own seconds. None: `hang` waits for a release, a drip takes 0.05 for each byte.
    seconds: Annotated[float, Meta(ge=0, le=86_400)] | None = None
    status: Annotated[int, Meta(ge=200, le=599)] = 0
    empty: bool = False
    location: str = "http://127.0.0.1:9/elsewhere"
    bytes: Annotated[int, Meta(ge=1, le=LARGEST)] = 1024 * 1024
    number: Annotated[str, Meta(pattern=r"^[0-9]{13,19}$")] = CANARY

    @property
    def answer(self) -> str:
        """What the caller has from it."""
        return KINDS[self.fault][1]

    @property
    def http_status(self) -> int:
        """The status that it answers with."""
        return self.status or (307 if self.fault == "redirect" else 500)


class Script(Struct, rename="camel", forbid_unknown_fields=True):
    """A whole script. The seed decides every probability; the same calls meet the same faults in any order."""

    seed: int = 0
    faults: list[Fault] = []


class Scripted:
    """A fault of the script with its number and its counts."""

    def __init__(self, number: int, fault: Fault) -> None:
        self.number = number
        self.fault = fault
        self.fitted = 0
        self.struck = 0

    @property
    def name(self) -> str:
        """As the ledger names it."""
        return f"{self.fault.fault}#{self.number}"

    def document(self) -> dict[str, Any]:
        """For people; without the canary."""
        said = {**msgspec.to_builtins(self.fault), "number": masked(self.fault.number)}
        return {"id": self.number, **said, "fitted": self.fitted, "struck": self.struck}


class Faults:
    """The script at work."""

    def __init__(self) -> None:
        self.seed = 0
        self._scripted: list[Scripted] = []
        self._next = 1
        self._calls: Counter[tuple[str, str]] = Counter()
        self._released = asyncio.Event()

    def replace(self, script: Script) -> None:
        """From now on this script, from its beginning. Raises ControlInvalid and changes nothing."""
        for fault in script.faults:
            _check(fault)
        self.clear()
        self.seed = script.seed
        self.add(script.faults)

    def add(self, faults: Iterable[Fault]) -> list[Scripted]:
        """More lines at the end. Raises ControlInvalid and changes nothing."""
        faults = list(faults)
        for fault in faults:
            _check(fault)
        added = [Scripted(self._next + index, fault) for index, fault in enumerate(faults)]
        self._next += len(added)
        self._scripted += added
        return added

    def clear(self) -> None:
        """No faults any more; what hangs goes on hanging until it is released. Numbers begin anew."""
        self._scripted, self._next = [], 1
        self._calls.clear()

    def release(self) -> None:
        """Lets go of every call that hangs now."""
        released, self._released = self._released, asyncio.Event()
        released.set()

    @property
    def released(self) -> asyncio.Event:
        """Set when what hangs now is released."""
        return self._released

    def match(self, endpoint: str, reference: str, amount: str) -> Scripted | None:
        """The fault of this call, the first in the script that strikes; counted."""
        self._calls[endpoint, reference] += 1
        call = self._calls[endpoint, reference]
        for scripted in self._scripted:
            if not _fits(scripted.fault, endpoint, reference, amount):
                continue
            scripted.fitted += 1
            fault = scripted.fault
            if (fault.times and scripted.struck >= fault.times) or (fault.nth and scripted.fitted != fault.nth):
                continue
            # Of the call alone, not of what else is going on: a campaign that runs again meets the same.
            if Random(f"{self.seed}/{scripted.number}/{endpoint}/{reference}/{call}").random() >= fault.probability:
                continue
            scripted.struck += 1
            return scripted
        return None

    def document(self) -> dict[str, Any]:
        """The script and its counts."""
        return {"seed": self.seed, "faults": [scripted.document() for scripted in self._scripted]}


def _check(fault: Fault) -> None:
    if fault.fault not in KINDS:
        raise ControlInvalid(f"fault: {fault.fault!r} is none of {', '.join(KINDS)}")
    if fault.endpoint and fault.endpoint not in ENDPOINTS:
        raise ControlInvalid(f"endpoint: {fault.endpoint!r} is none of {', '.join(ENDPOINTS)}")
    if not fault.charged and fault.fault in NEED_ANSWER:
        raise ControlInvalid(f"{fault.fault} changes an answer: it cannot be had without a charge")
    if fault.fault == "redirect" and fault.status and fault.status not in {301, 302, 303, 307, 308}:
        raise ControlInvalid("redirect: status must be 301, 302, 303, 307 or 308")
    if "\r" in fault.location or "\n" in fault.location or not fault.location.isascii():
        raise ControlInvalid("location: must be a URL")


def _fits(fault: Fault, endpoint: str, reference: str, amount: str) -> bool:
    if (fault.endpoint and fault.endpoint != endpoint) or (not fault.endpoint and endpoint not in MOVING):
        return False
    if fault.reference and fault.reference != reference:
        return False
    return not fault.amount or _equal(fault.amount, amount)


def _equal(left: str, right: str) -> bool:
    try:
        return Decimal(left) == Decimal(right)
    except InvalidOperation:
        return False
