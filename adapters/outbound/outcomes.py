"""What became of a call to a partner.

NotSent           the transport's own trace shows that sending the request's headers never began
OutcomeUnknown    it began, or may have, and no whole answer came
Answered          a whole answer came, whatever it says

The trace decides, not the exception: the same time-out is NotSent while connecting and OutcomeUnknown after it. But
what can only come of a request on its way is never NotSent, whatever the trace says.
"""

import asyncio
import ssl
from dataclasses import dataclass

import httpcore
import httpx


@dataclass(frozen=True, slots=True)
class NotSent:
    """`trouble` is a word for it, such as `connect_timeout`."""

    trouble: str


@dataclass(frozen=True, slots=True)
class OutcomeUnknown:
    """`trouble` is a word for it, such as `read_timeout`."""

    trouble: str


@dataclass(frozen=True, slots=True)
class Answered:
    """An HTTP answer. `whole` is false where its body goes on beyond what is read of one."""

    http_status: int
    body: bytes
    whole: bool = True
    # Seconds, where the partner asked to wait (Retry-After).
    retry_after: float = 0.0


Result = NotSent | OutcomeUnknown | Answered


# They say nothing about how the partner is.
OURS = frozenset({"too_late", "stopped", "fault", "pool_timeout", "invalid_id"})


def ours(result: NotSent | OutcomeUnknown) -> bool:
    """Whether the reason is on our side."""
    return result.trouble in OURS


class TooLate(Exception):
    """The headers were about to go out after the time that was granted for it."""


# A word for each; one that is not here has that of its nearest ancestor.
TROUBLES: dict[type[BaseException], str] = {
    TooLate: "too_late",
    asyncio.CancelledError: "stopped",
    Exception: "fault",
    TimeoutError: "timeout",
    OSError: "network",
    ssl.SSLError: "tls",
    httpx.HTTPError: "http",
    httpx.HTTPStatusError: "http",
    httpx.RequestError: "http",
    httpx.TransportError: "transport",
    httpx.TimeoutException: "timeout",
    httpx.ConnectTimeout: "connect_timeout",
    httpx.PoolTimeout: "pool_timeout",
    httpx.ReadTimeout: "read_timeout",
    httpx.WriteTimeout: "write_timeout",
    httpx.NetworkError: "network",
    httpx.ConnectError: "connect",
    httpx.ReadError: "read",
    httpx.WriteError: "write",
    httpx.CloseError: "close",
    httpx.ProtocolError: "protocol",
    httpx.LocalProtocolError: "local_protocol",
    httpx.RemoteProtocolError: "remote_protocol",
    httpx.ProxyError: "proxy",
    httpx.UnsupportedProtocol: "unsupported_protocol",
    httpx.DecodingError: "decoding",
    httpx.TooManyRedirects: "redirects",
    httpx.InvalidURL: "invalid_url",
    httpx.CookieConflict: "fault",
    httpx.StreamError: "stream",
    httpx.StreamConsumed: "stream",
    httpx.StreamClosed: "stream",
    httpx.RequestNotRead: "stream",
    httpx.ResponseNotRead: "stream",
    httpcore.ConnectionNotAvailable: "connection",
    httpcore.ProxyError: "proxy",
    httpcore.UnsupportedProtocol: "unsupported_protocol",
    httpcore.ProtocolError: "protocol",
    httpcore.RemoteProtocolError: "remote_protocol",
    httpcore.LocalProtocolError: "local_protocol",
    httpcore.TimeoutException: "timeout",
    httpcore.PoolTimeout: "pool_timeout",
    httpcore.ConnectTimeout: "connect_timeout",
    httpcore.ReadTimeout: "read_timeout",
    httpcore.WriteTimeout: "write_timeout",
    httpcore.NetworkError: "network",
    httpcore.ConnectError: "connect",
    httpcore.ReadError: "read",
    httpcore.WriteError: "write",
}
# What happens before anything is sent, or at any time. Everything else comes of a request that is on its way.
BEFORE = frozenset(
    {
        *("too_late", "stopped", "timeout", "network", "tls", "connect", "connect_timeout", "pool_timeout"),
        *("unsupported_protocol", "invalid_url", "connection", "proxy"),
    }
)


def trouble_of(error: BaseException) -> str:
    """The word for an exception."""
    return next((TROUBLES[kind] for kind in type(error).__mro__ if kind in TROUBLES), "fault")


def failed(error: BaseException, *, began: bool) -> NotSent | OutcomeUnknown:
    """What an exception means. `began`: the trace says that sending headers began."""
    trouble = trouble_of(error)
    return NotSent(trouble) if not began and trouble in BEFORE else OutcomeUnknown(trouble)
