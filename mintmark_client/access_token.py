"""The access token that calls carry (RFC 6749 section 4.4)."""

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path

import grpc
from mintmark.v1 import access_tokens_pb2, access_tokens_pb2_grpc

from mintmark_client import errors
from mintmark_client.errors import CredentialsUnreadable, MintmarkError, Unauthenticated, Unavailable
from mintmark_client.pacing import Pacing

# A part of its life after which an access token is renewed, while the old one is good still.
RENEW_AFTER = 0.8
# The early renewal is worth only a short wait, and not at every call.
EARLY_TIMEOUT = 2.0
EARLY_PAUSE = 5.0

Credentials = Callable[[], tuple[str, str]]


@dataclass(frozen=True, slots=True)
class _Held:
    text: str = field(repr=False)
    renew_at: float
    ends_at: float


def from_file(path: Path | str) -> Credentials:
    """Client id and secret from a JSON file, read again for each access token: a rotated secret needs no restart."""

    def read() -> tuple[str, str]:
        try:
            document = json.loads(Path(path).read_text())
            return str(document["client_id"]), str(document["client_secret"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise CredentialsUnreadable(f"cannot read the credentials in {path} ({type(error).__name__})") from None

    return read


class AccessToken:
    """The client's own access token: fetched when first needed and again at 80 % of its life. Safe for threads.

    Without credentials there is none, which only a core in development mode accepts.
    """

    def __init__(self, channel: grpc.Channel, credentials: Credentials | None, pacing: Pacing) -> None:
        self._stub = access_tokens_pb2_grpc.AccessTokensServiceStub(channel)
        self._credentials = credentials
        self._monotonic = pacing.monotonic
        self._lock = threading.Lock()
        self._held: _Held | None = None

    def get(self, timeout: float, correlation_id: str) -> str:
        """The text; empty without credentials. Tries once to fetch one where it must.

        While the old one is good, a renewal that fails is left for later. Raises CredentialsUnreadable,
        Unauthenticated, Unavailable and whatever else IssueAccessToken ends with.
        """
        credentials = self._credentials
        if credentials is None:
            return ""
        held = self._held
        now = self._monotonic()
        if held and now < held.renew_at:
            return held.text
        good = held.text if held and now < held.ends_at else ""
        if not self._lock.acquire(timeout=0 if good else timeout):
            if good:
                return good
            raise Unavailable("no access token was there in time", correlation_id=correlation_id)
        try:
            if self._held and self._held is not held:
                return self._held.text
            self._held = self._renewed(credentials(), held if good else None, timeout, correlation_id)
            return self._held.text
        finally:
            self._lock.release()

    def worth_another(self, used: str, error: MintmarkError) -> bool:
        """Whether a call that was refused with this access token may be tried with a new one; forgets the old one."""
        if not used or not isinstance(error, Unauthenticated) or error.reason == "CLIENT_CREDENTIALS_INVALID":
            return False
        with self._lock:
            if self._held and self._held.text == used:
                self._held = None
        return True

    def _renewed(self, credentials: tuple[str, str], old: _Held | None, timeout: float, correlation_id: str) -> _Held:
        client_id, client_secret = credentials
        request = access_tokens_pb2.IssueAccessTokenRequest(client_id=client_id, client_secret=client_secret)
        began = self._monotonic()
        try:
            answer = self._stub.IssueAccessToken(
                request,
                timeout=min(timeout, EARLY_TIMEOUT) if old else timeout,
                metadata=(("x-correlation-id", correlation_id),),
            )
        except grpc.RpcError as error:
            told = errors.of(error, correlation_id)
            if old and isinstance(told, Unavailable):
                return replace(old, renew_at=min(began + EARLY_PAUSE, old.ends_at))
            raise told from error
        return _Held(answer.access_token, began + RENEW_AFTER * answer.expires_in, began + answer.expires_in)
