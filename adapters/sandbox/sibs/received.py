"""Every call that came, without keys: what is not in here was never sent."""

import os
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path

import msgspec
from msgspec import Struct

from adapters.sandbox.notifications import timestamp

LONGEST = 80


class Received(Struct, rename="camel"):
    """One call and what it was answered. `status` 0: no answer, or none yet."""

    number: int
    time: str
    method: str
    endpoint: str
    authenticated: bool = False
    # TPP-Request-ID, User-ID and User-Organization-ID.
    request_id: str = ""
    user_id: str = ""
    organization_id: str = ""
    acquirer_id: str = ""
    merchant_id: str = ""
    acceptor_id: str = ""
    terminal_id: str = ""
    code: str = ""
    transaction_id: str = ""
    fault: str = ""
    status: int = 0
    # ACTC or RJCT, and the return status's code and description; the latter names fields, never values.
    transaction_status: str = ""
    status_code: str = ""
    reason: str = ""
    decided: bool = False


class Calls:
    """A file with two lines for each call: when it has come, and when its answer is decided.

    Written before anything else happens, but not synced: it outlives the process, not the machine.
    """

    def __init__(self, path: Path, now: Callable[[], datetime]) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.path = path
        self._now = now
        self._descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        content = path.read_bytes()
        os.ftruncate(self._descriptor, content.rfind(b"\n") + 1)
        self._next = 1
        self._request_ids: dict[str, int] = {}
        for received in self._read():
            self._next = max(self._next, received.number + 1)
            self._remember(received)

    def begin(self, method: str, endpoint: str) -> Received:
        """A call has come."""
        received = Received(self._next, timestamp(self._now()), method, endpoint)
        self._next += 1
        return received

    def repeats(self, received: Received) -> bool:
        """Whether another call had its TPP-Request-ID before."""
        return self._request_ids.get(received.request_id, received.number) != received.number

    def write(self, received: Received) -> None:
        """Writes what is known of it now."""
        os.write(self._descriptor, msgspec.json.encode(received) + b"\n")
        self._remember(received)

    def all(self) -> Iterator[Received]:
        """Every call as it is known last, in the order in which they came."""
        last = {received.number: received for received in self._read()}
        return (last[number] for number in sorted(last))

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)

    def _remember(self, received: Received) -> None:
        if received.request_id:
            self._request_ids.setdefault(received.request_id, received.number)

    def _read(self) -> Iterator[Received]:
        with self.path.open("rb") as lines:
            for line in lines:
                if line.endswith(b"\n"):
                    yield msgspec.json.decode(line, type=Received)
