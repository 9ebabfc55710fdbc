"""Answers, and the ones that say no in the partner's own shape: `{"error": "..."}` for D1 and TSH.

Problem             any answer that says no; endpoints raise it
  unauthenticated   401, no detail in the body, WWW-Authenticate
  unavailable       503 + Retry-After: not stored, or not known; the partner sends it again
  overloaded        429 to TSH, 503 to everybody else; Retry-After
  limited           429 or 503 instead of a 401, where there were too many of those; Retry-After
"""

import json
from collections.abc import AsyncGenerator, Callable, Mapping
from dataclasses import dataclass, replace

from adapters.inbound.limits import RETRY_AFTER_SECONDS

Header = tuple[bytes, bytes]

_RETRY: Header = (b"retry-after", str(RETRY_AFTER_SECONDS).encode())
_JSON: Header = (b"content-type", b"application/json")
CLOSE: Header = (b"connection", b"close")
NO_STORE: tuple[Header, ...] = ((b"cache-control", b"no-store"), (b"pragma", b"no-cache"))


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the caller."""

    status: int
    headers: tuple[Header, ...] = ()
    body: bytes = b""
    # Why it says no, for those who are told so in another shape; empty where it does not.
    error: str = ""
    # Authentication has failed, though the status is another than 401.
    unproved: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Streamed(Answer):
    """An answer whose body comes bit by bit, for as long as it takes. `close` ends what makes it; safe to repeat."""

    chunks: AsyncGenerator[bytes]
    close: Callable[[], None]


NO_CONTENT = Answer(204)


class Problem(Exception):
    """The call ends with this answer."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


class Disconnected(Exception):
    """The caller has gone; nobody hears an answer."""


def json_answer(status: int, content: Mapping[str, object], *headers: Header) -> Answer:
    """An answer with a JSON body."""
    body = json.dumps(content, separators=(",", ":")).encode()
    length = (b"content-length", str(len(body)).encode())
    return Answer(status, (_JSON, length, *headers), body)


def error(status: int, text: str, *headers: Header) -> Answer:
    """The error body of D1 and TSH, and of OAuth where the text is one of its codes."""
    return replace(json_answer(status, {"error": text}, *headers), error=text)


def unauthenticated(challenge: str) -> Answer:
    """401. The body says nothing; `challenge` is the scheme that is expected."""
    return Answer(401, ((b"www-authenticate", challenge.encode()), (b"content-length", b"0")))


def unavailable(text: str = "The notification could not be stored; send it again") -> Answer:
    """503: our own trouble, or nobody knows."""
    return error(503, text, _RETRY)


def overloaded(*, tsh: bool) -> Answer:
    """More is in flight than we take."""
    return error(429 if tsh else 503, "Too many requests are in flight; send it again", _RETRY)


def crowded(*, tsh: bool) -> Answer:
    """More connections are open than we take; this one ends."""
    return error(429 if tsh else 503, "Too many connections are open; send it again", _RETRY, CLOSE)


def limited(seconds: int, *, status: int = 503, text: str = "Too many authentications have failed") -> Answer:
    """Authentication has failed, as too many have before; again in so many seconds."""
    return error(status, text, (b"retry-after", str(seconds).encode()), *NO_STORE)


def stopping() -> Answer:
    """The gateway is shutting down."""
    return error(503, "The service is restarting; send it again", _RETRY, CLOSE)


METHOD_WRONG = "The method is not allowed here"
NOT_FOUND = error(404, "Resource not found")
FORBIDDEN = error(403, "Not allowed for this caller")
BODY_TOO_LARGE = error(413, "The body is too large", CLOSE)
BODY_TOO_SLOW = error(408, "The body did not arrive in time", CLOSE)
BATCH_TOO_LONG = error(413, "The batch has too many items")
COMPRESSED = error(415, "Compressed bodies are not accepted")
CONTENT_TYPE_WRONG = error(415, "The content type is not the documented one")
HOST_WRONG = error(421, "This host is not served here in development mode", CLOSE)
PATH_INVALID = error(400, "The path is not in the documented format")
