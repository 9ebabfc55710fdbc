"""Every request that came, without card data: what is not in here was never sent."""

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from adapters.sandbox.notifications import timestamp


class Received(Struct, rename="camel"):
    """One request and what it was answered. `status` 0: no answer, or none yet."""

    number: int
    time: str
    method: str
    endpoint: str
    authenticated: bool = False
    reference: str = ""
    amount: str = ""
    currency: str = ""
    merchant_id: str = ""
    stored_payment_method_id: str = ""
    # The transaction that the request is about, and the one that came of it.
    about_transaction_id: str = ""
    transaction_id: str = ""
    fault: str = ""
    status: int = 0
    # As in the ledger; empty while nothing is decided.
    answer: str = ""
    moved: bool = False
    decided: bool = False


class Requests:
    """A file with two lines for each request: when it has come, and when its answer is decided.

    It is written before anything else happens, but not synced: it outlives the process, not the machine.
    """

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._now = now
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        content = path.read_bytes()
        os.ftruncate(self._descriptor, content.rfind(b"\n") + 1)
        self._next = max((each.number for each in self._read()), default=0) + 1

    def begin(self, method: str, endpoint: str) -> Received:
        """A request has come."""
        received = Received(self._next, timestamp(self._now()), method, endpoint)
        self._next += 1
        return received

    def write(self, received: Received) -> None:
        """Writes what is known of it now."""
        os.write(self._descriptor, msgspec.json.encode(received) + b"\n")

    def all(self) -> Iterator[Received]:
        """Every request as it is known last, in the order in which they came."""
        last = {received.number: received for received in self._read()}
        return (last[number] for number in sorted(last))

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)

    def _read(self) -> Iterator[Received]:
        with self.path.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    yield msgspec.json.decode(line, type=Received)


def facts(document: dict[str, Any]) -> dict[str, Any]:
    """What of a body may be written down."""
    from adapters.sandbox.payment_options.fields import text_at

    names = {
        "reference": "merchant_txn_ref",
        "amount": "amount",
        "currency": "currency",
        "merchant_id": "merchant_id",
        "stored_payment_method_id": "payment_method.stored_payment_method_id",
        "about_transaction_id": "transactionId",
    }
    return {name: (text_at(document, path) or "")[:64] for name, path in names.items()}
