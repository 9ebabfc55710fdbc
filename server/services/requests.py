"""Requests that may be repeated: the same id and content give the first answer again."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from server.domain.refusals import RequestIdReused, RequestInProgress
from server.ports import Request, Transaction

Key = tuple[str, str, str]


class InProgress:
    """The requests that this process is working on."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._keys: set[Key] = set()

    @contextmanager
    def of(self, client: str, method: str, request_id: str) -> Iterator[None]:
        """Raises RequestInProgress where the same request is being worked on."""
        key = (client, method, request_id)
        with self._lock:
            if key in self._keys:
                raise RequestInProgress(request_id)
            self._keys.add(key)
        try:
            yield
        finally:
            with self._lock:
                self._keys.discard(key)


def answered(transaction: Transaction, client: str, method: str, request_id: str, fingerprint: bytes) -> bytes | None:
    """The first answer to this request; None where it is new. Raises RequestIdReused."""
    held = transaction.request(client, method, request_id)
    if held is None:
        return None
    if held.fingerprint != fingerprint:
        raise RequestIdReused(request_id)
    return held.response


def keep(transaction: Transaction, request: Request) -> None:
    """Remembers the answer, in the transaction that did the work."""
    transaction.keep_request(request)
