"""uvicorn's HTTP protocol with the limits that it lacks: sizes, counts and time-outs of the head, and connections."""

import asyncio
import sys
from http import HTTPStatus
from typing import Any

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from adapters.inbound.limits import LINGER_BYTES, LINGER_SECONDS, RAW_BODY_FACTOR, Limits
from adapters.inbound.transport import LingeringTransport

# Keys in the ASGI scope.
CYCLE = "mintmark.cycle"
CROWDED = "mintmark.crowded"
EXPECT_BODY = "mintmark.expect_body"
CLIENT_CERTIFICATE = "mintmark.client_certificate"

# Heads with an upgrade in one piece of pipelined data: each is one recursion.
MOST_UPGRADES = 16
UPGRADING = frozenset({b"connection", b"upgrade", b"http2-settings"})

TEXTS = {
    400: "The request is not HTTP",
    413: "The body is too large",
    414: "The request line is too long",
    431: "The header is too large",
}


class _Refused(Exception):
    """Ends the parsing; httptools reports it as its own error."""


class BoundedProtocol(HttpToolsProtocol):
    """One connection. A head past a limit is answered 414 or 431, after the answers of the requests before it."""

    limits: Limits

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._in_head = False
        self._head_raw = 0
        self._header_size = 0
        self._body_raw = self._body_limit = 0
        self._status = 400
        self._last_words: bytes | None = None
        self._head_timer: asyncio.TimerHandle | None = None
        self._lingered = -1
        self._upgrading = False
        self._upgrades = 0
        self._fed = b""
        self._certificate: dict[str, str] | None = None

    # What the connection does.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        super().connection_made(LingeringTransport(transport, self._has_unread, self._linger))
        self._certificate = _certificate(transport)
        if len(self.connections) > 2 * self.limits.connections:
            transport.close()
        else:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_awaiting_head()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._lingered >= 0:
            self._lingered += len(data)
            if self._lingered > LINGER_BYTES:
                self._end()
            return
        if self._last_words is not None or self.transport.is_closing():
            return
        began_in_head = self._in_head
        if not began_in_head and self._reading_body():
            self._body_raw += len(data)
            if self._body_raw > RAW_BODY_FACTOR * self._body_limit + self.limits.header:
                self._status = 413
                self.send_400_response("")
                return
        self._fed, self._upgrades = data, 0
        super().data_received(data)
        self._fed = b""
        if self._in_head and began_in_head:
            self._head_raw += len(data)
            if self._head_raw > self.limits.request_line + self.limits.header:
                self._status = 431
                self.send_400_response("")
        self._watch()

    def send_400_response(self, msg: str) -> None:
        """Answers what the parser refused and closes, but not before the requests ahead of it have their answers."""
        self._stop_awaiting_head()
        self._last_words = _answer(self._status)
        cycle = self.cycle
        if cycle is not None and cycle.more_body and not cycle.response_complete:
            if self.pipeline:
                self.pipeline.popleft()  # the newest, whose body will not come; those before it are answered first
                return
            if cycle.response_started:
                self._last_words = b""
            cycle.disconnected = True
            cycle.message_event.set()
            self._speak_last()
        elif self._is_idle():
            self._speak_last()

    # What the parser reports.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head = True
        self._head_raw = self._header_size = 0

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.parser.get_method()) + len(self.url) + len("  HTTP/1.1") > self.limits.request_line:
            self._status = 414
            raise _Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_size += len(name) + len(value) + len(": \r\n")
        if self._in_head:
            super().on_header(name, value)
        if self._header_size > self.limits.header or len(self.headers) > self.limits.header_count:
            self._status = 431
            raise _Refused

    def on_headers_complete(self) -> None:
        self._in_head = False
        self._body_raw, self._body_limit = 0, self.limits.body
        if self.parser.get_method() == b"CONNECT":
            raise _Refused
        if self.parser.should_upgrade():
            self._upgrading = True
            return
        super().on_headers_complete()
        scope: dict[str, Any] = self.cycle.scope  # type: ignore[assignment]  # our own keys besides uvicorn's
        scope[CYCLE] = self.cycle
        scope[EXPECT_BODY] = self._expect_body
        scope[CROWDED] = len(self.connections) > self.limits.connections
        scope[CLIENT_CERTIFICATE] = self._certificate

    def on_response_complete(self) -> None:
        if self._last_words is not None and not self.pipeline:
            self._speak_last()
            return
        super().on_response_complete()
        self._watch()

    def on_message_complete(self) -> None:
        if not self._upgrading:
            super().on_message_complete()

    def _unsupported_upgrade_warning(self) -> None:
        """Goes on without the upgrade that was asked for (RFC 9110 section 7.8), which some clients do with every call.

        The parser stops for good at such a head, before the body; another one reads the same request without it.
        """
        stopped_at = getattr(sys.exception(), "args", (len(self._fed),))[0]
        rest = self._fed[stopped_at:]
        kept = [(name, value) for name, value in self.headers if name not in UPGRADING]
        if any(name == b"connection" and b"close" in value.lower() for name, value in self.headers):
            kept.append((b"connection", b"close"))
        version = self.parser.get_http_version().encode()
        head = [b"%b %b HTTP/%b" % (self.parser.get_method(), self.url, version)]
        head += [name + b": " + value for name, value in kept]
        self.parser = httptools.HttpRequestParser(self)
        self._upgrading = False
        self._upgrades += 1
        if self._upgrades > MOST_UPGRADES:
            self.send_400_response("")
            return
        self._fed = b"\r\n".join(head) + b"\r\n\r\n" + rest
        super().data_received(self._fed)

    # Time.

    def _watch(self) -> None:
        """Sees to it that a head has a time-out while it is being received."""
        awaiting = self._in_head or self.cycle is None or (self._is_idle() and self.timeout_keep_alive_task is None)
        if awaiting and not self.transport.is_closing():
            self._await_head()
        else:
            self._stop_awaiting_head()

    def _await_head(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.limits.header_timeout, self._head_overdue)

    def _stop_awaiting_head(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _head_overdue(self) -> None:
        self._head_timer = None
        self._last_words = b""
        if self._is_idle():
            self._end()

    # Closing.

    def _is_idle(self) -> bool:
        return not self.pipeline and (self.cycle is None or self.cycle.response_complete)

    def _reading_body(self) -> bool:
        return self.cycle is not None and self.cycle.more_body

    def _expect_body(self, limit: int) -> None:
        self._body_limit = max(self._body_limit, limit)

    def _has_unread(self) -> bool:
        return self._last_words is not None or self._in_head or self._reading_body()

    def _speak_last(self) -> None:
        if self._last_words and not self.transport.is_closing():
            self.transport.write(self._last_words)
        self.transport.close()

    def _linger(self) -> None:
        self._lingered = 0
        self.loop.call_later(LINGER_SECONDS, self._end)

    def _end(self) -> None:
        if isinstance(self.transport, LingeringTransport):
            self.transport.end()


def bounded(limits: Limits) -> type[BoundedProtocol]:
    """The protocol with these limits, as uvicorn wants it: a class."""
    return type("BoundedProtocol", (BoundedProtocol,), {"limits": limits})


def body_complete(scope: Any) -> bool:
    """Whether the request's body is here, so that receiving it waits for nothing."""
    cycle = scope.get(CYCLE)
    return isinstance(cycle, RequestResponseCycle) and not cycle.more_body


def expect_body(scope: Any, limit: int) -> None:
    """The body that is being received may be this large: what is on the wire is measured by it."""
    if EXPECT_BODY in scope:
        scope[EXPECT_BODY](limit)


def cut(scope: Any) -> None:
    """Closes the connection at once, whatever waits to be sent."""
    cycle = scope.get(CYCLE)
    if isinstance(cycle, RequestResponseCycle) and isinstance(cycle.transport, LingeringTransport):
        cycle.transport.abort()


def _answer(status: int) -> bytes:
    body = b'{"error":"%s"}' % TEXTS[status].encode()
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(body)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + body


def _certificate(transport: asyncio.Transport) -> dict[str, str] | None:
    """Common name and subject of the client certificate that TLS has verified; None without one."""
    found = transport.get_extra_info("peercert")
    if not found:
        return None
    parts = [(str(key), str(value)) for names in found.get("subject", ()) for key, value in names]
    names = [value for key, value in parts if key == "commonName"]
    return {
        "common_name": names[0] if len(names) == 1 else "",
        "subject": ",".join(f"{key}={value}" for key, value in parts),
    }
