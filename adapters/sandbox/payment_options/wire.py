"""Answers as they go over the wire, right or broken in the way that a fault says."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import suppress
from http import HTTPStatus
from typing import Any

import msgspec
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from adapters.sandbox.payment_options import distortions
from adapters.sandbox.payment_options.faults import Fault

CYCLE = "mintmark.cycle"
DRIP_SECONDS = 0.05
PIECE = 64 * 1024
JSON = "application/json"
PAGE = b"<!doctype html><html><body><h1>502 Bad Gateway</h1><p>cloud</p></body></html>"


class TwinProtocol(HttpToolsProtocol):
    """One connection, which an answer can reach: faults are made below HTTP."""

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        if self.cycle is not None:
            scope: dict[str, Any] = self.cycle.scope  # type: ignore[assignment]  # a key of our own besides uvicorn's
            scope[CYCLE] = self.cycle


class JsonResponse(Response):
    """JSON as the partner sends it."""

    media_type = JSON

    def __init__(self, document: Any, status: int, headers: dict[str, str] | None = None) -> None:
        super().__init__(msgspec.json.encode(document), status, headers)


class Abrupt(Response):
    """Ends the connection without an answer."""

    def __init__(self, *, reset: bool) -> None:
        super().__init__()
        self._reset = reset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Closes, or resets so that the peer gets RST."""
        cycle = _take_over(scope)
        if self._reset:
            with suppress(OSError):
                linger = struct.pack("ii", 1, 0)
                cycle.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
            cycle.transport.abort()
        else:
            cycle.transport.close()


class Pieces(Response):
    """A whole answer in small pieces, or only the beginning of it, and then the end of the connection."""

    def __init__(self, status: int, body: bytes, *, head_seconds: float = 0, body_seconds: float = 0, cut: int = 0):
        super().__init__(body, status)
        self._head_seconds = head_seconds
        self._body_seconds = body_seconds
        self._cut = cut or len(body)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Writes until done, or until the peer has gone."""
        cycle = _take_over(scope)
        lines = (
            f"HTTP/1.1 {self.status_code} {_phrase(self.status_code)}",
            f"Content-Type: {JSON}",
            f"Content-Length: {len(self.body)}",
            "Connection: close",
        )
        head = "".join(f"{line}\r\n" for line in (*lines, "")).encode()
        for content, seconds in ((head, self._head_seconds), (bytes(self.body[: self._cut]), self._body_seconds)):
            size = 1 if seconds else max(1, len(content))
            for start in range(0, len(content), size):
                if cycle.transport.is_closing():
                    return
                cycle.transport.write(content[start : start + size])
                await asyncio.sleep(seconds)
        cycle.transport.close()


class Hanging(Response):
    """Waits for a release, for some seconds or for the peer to go; then answers late, or never."""

    def __init__(self, then: Response, released: asyncio.Event, seconds: float | None) -> None:
        super().__init__()
        self._then = then
        self._released = released
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Waits, then answers."""
        waits = {asyncio.ensure_future(self._released.wait()), asyncio.ensure_future(_gone(receive))}
        try:
            await asyncio.wait(waits, timeout=self._seconds, return_when=asyncio.FIRST_COMPLETED)
        except asyncio.CancelledError:
            # The twin is stopped: nobody is answered any more.
            await Abrupt(reset=False)(scope, receive, send)
            return
        finally:
            for wait in waits:
                wait.cancel()
        await self._then(scope, receive, send)


def answer(fault: Fault | None, status: int, document: Any, released: asyncio.Event) -> Response:
    """The answer that the caller gets."""
    if fault is None:
        return JsonResponse(document, status)
    if fault.fault in {"reset", "close"}:
        return Abrupt(reset=fault.fault == "reset")
    if fault.fault == "hang":
        then = JsonResponse(document, status) if fault.charged else Abrupt(reset=False)
        return Hanging(then, released, fault.seconds)
    return _in_pieces(fault, status, document) or _changed(fault, status, document)


def _in_pieces(fault: Fault, status: int, document: Any) -> Response | None:
    body = msgspec.json.encode(document)
    seconds = DRIP_SECONDS if fault.seconds is None else fault.seconds
    match fault.fault:
        case "drip-headers":
            return Pieces(status, body, head_seconds=seconds)
        case "drip-body":
            return Pieces(status, body, body_seconds=seconds)
        case "truncated":
            return Pieces(status, body, cut=len(body) // 2)
        case "huge":
            return StreamingResponse(_padded(body, fault.bytes), status, media_type=JSON)
        case _:
            return None


def _changed(fault: Fault, status: int, document: Any) -> Response:
    body = msgspec.json.encode(document)
    match fault.fault:
        case "status" if fault.empty:
            return Response(b"", fault.http_status)
        case "status":
            title = _phrase(fault.http_status) or "Error"
            return JsonResponse({"message": title}, fault.http_status)
        case "redirect":
            return Response(b"", fault.http_status, {"location": fault.location})
        case "html":
            return Response(PAGE, status, media_type="text/html")
        case "empty":
            return Response(b"", status, media_type=JSON)
        case "cut-json":
            return Response(body[: len(body) // 2], status, media_type=JSON)
        case "invalid-utf8":
            return Response(body[:-1] + b', "note": "\xff\xfe"}', status, media_type=JSON)
        case "duplicate-keys":
            return Response(distortions.with_duplicates(body), status, media_type=JSON)
        case "card-number":
            changed = distortions.distorted(fault, document)
            return JsonResponse(changed, status, {"x-card": fault.number})
        case _:
            return JsonResponse(distortions.distorted(fault, document), status)


async def _padded(body: bytes, size: int) -> AsyncIterator[bytes]:
    yield body[:-1] + b', "padding": "'
    for start in range(0, size, PIECE):
        yield b"x" * min(PIECE, size - start)
    yield b'"}'


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _take_over(scope: Scope) -> Any:
    """The connection's cycle. From here on uvicorn says nothing more on it."""
    cycle = scope[CYCLE]
    cycle.disconnected = True
    cycle.message_event.set()
    return cycle


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return ""
