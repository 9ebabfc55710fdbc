"""One request: its headers, its path in segments, and its body within the limits."""

import asyncio
import re
from collections.abc import Callable, Iterable
from functools import cached_property
from urllib.parse import unquote_to_bytes

from starlette.types import Receive, Scope

from adapters.inbound import correlation
from adapters.inbound.correlation import CorrelationId
from adapters.inbound.failed_authentications import Claim
from adapters.inbound.limits import Limits
from adapters.inbound.problems import (
    BODY_TOO_LARGE,
    BODY_TOO_SLOW,
    COMPRESSED,
    CONTENT_TYPE_WRONG,
    Disconnected,
    Problem,
)
from adapters.inbound.protocol import CLIENT_CERTIFICATE, body_complete, expect_body
from adapters.inbound.spans import RequestSpan

LOOPBACK = re.compile(r"127\.|::1$|::ffff:127\.")
_UNSENT = (b"", b"identity")
_CHUNKED = (b"", b"chunked")


class Request:
    """What the caller sent. Header names are lower case; of a repeated header `header` gives the first."""

    def __init__(self, scope: Scope, receive: Receive, limits: Limits) -> None:
        self.method: str = scope["method"]
        self.raw_path: bytes = scope["raw_path"]
        self.query: bytes = scope["query_string"]
        self._scope = scope
        self._receive = receive
        self._limits = limits
        self._headers: dict[bytes, bytes] = dict(reversed(scope["headers"]))
        self._began = asyncio.get_running_loop().time()
        # For the log.
        self.correlation_id = self.correlation.text
        # None where nothing is traced.
        self.span: RequestSpan | None = None
        # Who it is that authentication fails for; None where nobody can know.
        self.claim: Claim | None = None

    def header(self, name: bytes) -> bytes:
        """The header's value; empty where it was not sent."""
        return self._headers.get(name, b"")

    def times(self, name: bytes) -> int:
        """How many times the header was sent."""
        return sum(each == name for each, _ in self._scope["headers"]) if name in self._headers else 0

    @cached_property
    def correlation(self) -> CorrelationId:
        """The correlation id that was sent, or ours."""
        return correlation.read(self.header(b"x-correlation-id"), self.times(b"x-correlation-id"))

    def authenticated(self) -> None:
        """The caller is known: the trace that it names is followed."""
        if self.span is not None:
            self.span.begin(follow=True)

    def introduced(self, knows: Callable[["Request"], bool]) -> None:
        """The core will decide who calls; the trace that the caller names is followed where `knows` says so."""
        if self.span is not None:
            self.span.begin(follow=bool(self.header(b"traceparent")) and knows(self))

    @cached_property
    def authorization(self) -> tuple[str, str]:
        """Scheme in lower case without a colon behind it, and the credentials. Both empty where it is sent twice."""
        if self.times(b"authorization") != 1:
            return "", ""
        value = self.header(b"authorization")
        try:
            text = value.decode("utf-8")
        except UnicodeDecodeError:
            text = value.decode("latin-1")
        scheme, _, credentials = text.strip().partition(" ")
        return scheme.lower().removesuffix(":"), credentials.strip()

    @property
    def common_name(self) -> str:
        """The common name of the client certificate that TLS has verified; empty without one."""
        certificate = self._scope.get(CLIENT_CERTIFICATE)
        return certificate["common_name"] if certificate else ""

    @property
    def certified(self) -> bool:
        """Whether TLS has verified a certificate of the caller's."""
        return bool(self._scope.get(CLIENT_CERTIFICATE))

    @property
    def peer(self) -> str | None:
        """The address at the other end of the connection; None on a unix socket. No header has a say in it."""
        client = self._scope.get("client")
        return client[0] if client else None

    @property
    def from_loopback(self) -> bool:
        """Whether the caller is on this machine, and not a proxy here that speaks for somebody elsewhere."""
        forwarded = any(self.header(name) for name in (b"forwarded", b"x-forwarded-for", b"x-real-ip", b"via"))
        return bool(self.peer and LOOPBACK.match(self.peer)) and not forwarded

    def check_content_type(self, expected: bytes) -> None:
        """Raises Problem (415) for another content type than expected, and for compressed bodies."""
        self.check_encoding()
        if self.header(b"content-type").partition(b";")[0].strip().lower() != expected:
            raise Problem(CONTENT_TYPE_WRONG)

    def check_encoding(self) -> None:
        """Raises Problem (415) for compressed bodies."""
        if self.header(b"content-encoding").strip().lower() not in _UNSENT:
            raise Problem(COMPRESSED)
        if self.header(b"transfer-encoding").strip().lower() not in _CHUNKED:
            raise Problem(COMPRESSED)

    async def body(self, limit: int) -> bytes:
        """The body. Raises Problem (413, 408) without reading on, and Disconnected."""
        length = self.header(b"content-length")
        if length.isdigit() and int(length[:20]) > limit:
            raise Problem(BODY_TOO_LARGE)
        if body_complete(self._scope):
            return await self._read(limit)
        expect_body(self._scope, limit)
        try:
            async with asyncio.timeout_at(self._began + self._limits.body_timeout):
                return await self._read(limit)
        except TimeoutError:
            raise Problem(BODY_TOO_SLOW) from None

    async def gone(self) -> None:
        """Returns when the caller has gone. What is left of the body is thrown away."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def _read(self, limit: int) -> bytes:
        body = b""
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise Disconnected
            body += bytes(message.get("body", b""))
            if len(body) > limit:
                raise Problem(BODY_TOO_LARGE)
            if not message.get("more_body", False):
                return body


def decoded(segments: Iterable[bytes]) -> list[str] | None:
    """Path segments after exactly one percent-decoding; None where one is not UTF-8."""
    try:
        return [unquote_to_bytes(segment).decode("utf-8") for segment in segments]
    except UnicodeDecodeError:
        return None
