"""Bodies of the OAuth endpoints: application/x-www-form-urlencoded (RFC 6749 section 3.2 and appendix B)."""

from urllib.parse import unquote_to_bytes

from adapters.inbound.limits import Limits
from adapters.inbound.problems import BODY_TOO_LARGE, NO_STORE, Problem, error
from adapters.inbound.request import Request

CONTENT_TYPE = b"application/x-www-form-urlencoded"


async def read(request: Request, limits: Limits) -> dict[str, str]:
    """The parameters that have a value. Raises Problem: 413, 415, or `invalid_request` where one comes twice."""
    request.check_content_type(CONTENT_TYPE)
    body = await request.body(limits.token_body)
    parts = [part for part in body.split(b"&") if part]
    if len(parts) > limits.token_fields:
        raise Problem(BODY_TOO_LARGE)
    fields: dict[str, str] = {}
    for part in parts:
        name, _, value = part.partition(b"=")
        key = _decoded(name)
        if key in fields:
            raise Problem(error(400, "invalid_request", *NO_STORE))
        fields[key] = _decoded(value)
    return {key: value for key, value in fields.items() if value}


def _decoded(text: bytes) -> str:
    content = unquote_to_bytes(text.replace(b"+", b" "))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")
