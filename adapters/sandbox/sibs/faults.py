"""Faults by script: which call goes wrong, and how."""

import asyncio
from collections import Counter
from collections.abc import Iterable
from random import Random
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from adapters.sandbox.control import ControlInvalid
from adapters.sandbox.sibs.received import Received

# What each fault does.
KINDS: dict[str, str] = {
    "rejected": "RJCT with `code` and `message`; nothing is changed",
    "accepted-with-code": "ACTC together with `code`, which is not success",
    "rejected-with-success": 'RJCT together with "000"; nothing is changed',
    "sister-spelling": "ACT or RJT, and X-Request-ID instead of TPP-Request-ID",
    "no-request-id": "the answer has no TPP-Request-ID",
    "status": "HTTP `status` (500), with `retryAfter` as Retry-After; with `empty` without a body",
    "reset": "the connection is reset (RST) without an answer",
    "close": "the connection is closed without an answer",
    "hang": "no answer until released, or for `seconds`; then late, or never where nothing was applied",
    "drip-headers": "the head comes a byte at a time, `seconds` apart",
    "drip-body": "the body comes a byte at a time, `seconds` apart",
    "truncated": "half of the body, then the connection is closed",
    "cut-json": "half of the body as if it were all",
    "html": "a page instead of JSON, with the right status",
    "empty": "an empty body",
    "redirect": "HTTP `status` (307) to `location`",
    "huge": "`bytes` (1 MiB) of padding in the answer",
    "duplicate-keys": "transactionStatus and returnStatus twice, with different values",
    "invalid-utf8": "a byte that is no UTF-8",
    "shape-a": "a list in that shape, whatever the habits say",
    "shape-b": "likewise",
    "shape-c": "likewise",
    "shape-single": "likewise: one config without an array around it",
    "stale": "status: what was true one change of state before",
    "wrong-amount": "status: another amount",
    "wrong-id": "status: another transaction",
}
# These leave the caller in doubt, so that a call which had no effect can look the same.
DOUBTFUL = frozenset(
    {
        *("status", "reset", "close", "hang", "drip-headers", "drip-body", "truncated", "cut-json", "html", "empty"),
        *("redirect", "huge", "invalid-utf8"),
    }
)
ENDPOINTS = ("create", "update", "delete", "list", "access-token", "status")
LARGEST = 256 * 1024 * 1024
HeaderText = Annotated[str, Meta(max_length=2048, pattern=r"^[!-~]*$")]


class Fault(Struct, rename="camel", forbid_unknown_fields=True):
    """One line of a script. What is empty fits every call."""

    fault: str
    # False: the call changes nothing, and the caller cannot know it.
    applied: bool = True
    endpoint: str = ""
    merchant_id: str = ""
    # notificationConfigurationCode.
    config: str = ""
    transaction_id: str = ""
    # Only the n-th call that fits otherwise; 0: each.
    nth: Annotated[int, Meta(ge=0)] = 0
    probability: Annotated[float, Meta(ge=0, le=1)] = 1.0
    # How often; 0: always.
    times: Annotated[int, Meta(ge=0)] = 1
    # In our own seconds. None: `hang` waits for a release, a drip takes 0.05 for each byte.
    seconds: Annotated[float, Meta(ge=0, le=86_400)] | None = None
    status: Annotated[int, Meta(ge=200, le=599)] = 0
    retry_after: HeaderText = ""
    empty: bool = False
    code: Annotated[str, Meta(max_length=35)] = "999"
    message: Annotated[str, Meta(max_length=512)] = "Unexpected Error"
    location: HeaderText = "http://127.0.0.1:9/elsewhere"
    bytes: Annotated[int, Meta(ge=1, le=LARGEST)] = 1024 * 1024

    @property
    def http_status(self) -> int:
        """The status that it answers with."""
        return self.status or (307 if self.fault == "redirect" else 500)


class Script(Struct, rename="camel", forbid_unknown_fields=True):
    """A whole script. The seed decides every probability."""

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
        """As the record of calls names it."""
        return f"{self.fault.fault}#{self.number}"

    def document(self) -> dict[str, Any]:
        """For people."""
        said = msgspec.to_builtins(self.fault)
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

    def match(self, call: Received) -> Scripted | None:
        """The fault of this call, the first in the script that strikes; counted."""
        about = call.code or call.transaction_id or call.merchant_id
        self._calls[call.endpoint, about] += 1
        number = self._calls[call.endpoint, about]
        for scripted in self._scripted:
            if not _fits(scripted.fault, call):
                continue
            scripted.fitted += 1
            fault = scripted.fault
            if (fault.times and scripted.struck >= fault.times) or (fault.nth and scripted.fitted != fault.nth):
                continue
            # Of the call alone, not of what else is going on: a campaign that runs again meets the same.
            drawn = Random(f"{self.seed}/{scripted.number}/{call.endpoint}/{about}/{number}").random()
            if drawn >= fault.probability:
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
    if not fault.applied and fault.fault not in DOUBTFUL:
        raise ControlInvalid(f"{fault.fault} needs the acquirer's answer: it cannot be had without the call's effect")
    if fault.fault == "redirect" and fault.status and fault.status not in {301, 302, 303, 307, 308}:
        raise ControlInvalid("redirect: status must be 301, 302, 303, 307 or 308")


def _fits(fault: Fault, call: Received) -> bool:
    wanted = (
        (fault.endpoint, call.endpoint),
        (fault.merchant_id, call.merchant_id),
        (fault.config, call.code),
        (fault.transaction_id, call.transaction_id),
    )
    return all(given in ("", found) for given, found in wanted)
