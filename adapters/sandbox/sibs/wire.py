"""Answers as they go over the wire, right or broken in the way that a fault says."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from typing import Any

import msgspec
from starlette.responses import Response, StreamingResponse

from adapters.sandbox.payment_options.wire import JSON, PAGE, PIECE, Abrupt, Hanging, JsonResponse, Pieces
from adapters.sandbox.sibs import answers
from adapters.sandbox.sibs.faults import Fault

REQUEST_ID, SISTER_REQUEST_ID = "TPP-Request-ID", "X-Request-ID"
DRIP_SECONDS = 0.05


def answer(
    fault: Fault | None, status: int, document: Any, headers: Mapping[str, str], released: asyncio.Event
) -> Response:
    """The answer that the caller gets."""
    if fault is None:
        return JsonResponse(document, status, dict(headers))
    if fault.fault in {"reset", "close"}:
        return Abrupt(reset=fault.fault == "reset")
    if fault.fault == "hang":
        late = JsonResponse(document, status, dict(headers)) if fault.applied else Abrupt(reset=False)
        return Hanging(late, released, fault.seconds)
    if fault.fault == "status":
        more = {"retry-after": fault.retry_after} if fault.retry_after else {}
        if fault.empty:
            return Response(b"", fault.http_status, more)
        return JsonResponse(answers.in_front(fault.http_status), fault.http_status, more)
    return _in_pieces(fault, status, document) or _changed(fault, status, document, dict(headers))


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


def _changed(fault: Fault, status: int, document: Any, headers: dict[str, str]) -> Response:
    body = msgspec.json.encode(document)
    match fault.fault:
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
            other = (
                answers.accepted() if document.get("transactionStatus") == answers.REJECTED else answers.rejected("")
            )
            return Response(msgspec.json.encode(other)[:-1] + b", " + body[1:], status, media_type=JSON)
        case "sister-spelling":
            renamed = {SISTER_REQUEST_ID if name == REQUEST_ID else name: text for name, text in headers.items()}
            return JsonResponse(answers.spelled(document, "ACT"), status, renamed)
        case "no-request-id":
            return JsonResponse(document, status, {n: text for n, text in headers.items() if n != REQUEST_ID})
        case _:
            return JsonResponse(document, status, headers)


async def _padded(body: bytes, size: int) -> AsyncIterator[bytes]:
    yield body[:-1] + b', "padding": "'
    for start in range(0, size, PIECE):
        yield b"x" * min(PIECE, size - start)
    yield b'"}'
