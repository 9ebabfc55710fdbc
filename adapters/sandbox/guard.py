"""What every control call passes: no web pages, a bounded body, and refusals as JSON."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from adapters.sandbox.control import ControlInvalid
from adapters.sandbox.target import NotConfigured

LONGEST_BODY = 64 * 1024

Endpoint = Callable[[Request, bytes], Awaitable[Response]]


def error(status: int, text: str) -> JSONResponse:
    """A refusal."""
    return JSONResponse({"error": text}, status)


def guarded(endpoint: Endpoint, longest_body: int = LONGEST_BODY) -> Callable[[Request], Awaitable[Response]]:
    """Reads the body within its limit, keeps web pages out, and puts refusals into JSON."""

    async def inside(request: Request) -> Response:
        if "origin" in request.headers:
            return error(403, "web pages may not control the sandbox")
        body = bytearray()
        async for piece in request.stream():
            body += piece
            if len(body) > longest_body:
                return error(413, f"a control call has at most {longest_body} bytes")
        try:
            return await endpoint(request, bytes(body))
        except ControlInvalid as invalid:
            return error(400, str(invalid))
        except NotConfigured as missing:
            return error(409, str(missing))

    return inside
