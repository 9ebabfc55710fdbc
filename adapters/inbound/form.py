"""Bodies of the OAuth endpoints: application/x-www-form-urlencoded (RFC 6749 section 3.2 and appendix B)."""

from urllib.parse import unquote_to_bytes

from adapters.inbound.limits import Limits
from adapters.inbound.problems import NO_STORE, Answer, Problem, error
from adapters.inbound.request import Request

CONTENT_TYPE = b"application/x-www-form-urlencoded"


async def read(request: Request, limits: Limits) -> dict[str, str]:
    """The parameters that have a value. Raises Problem, `invalid_request` in each: 408, 413, 415, 400 where one comes
    twice."""
    try:
        request.check_content_type(CONTENT_TYPE)
        body = await request.body(limits.token_body)
    except Problem as problem:
        raise Problem(_invalid(problem.answer.status)) from None
    parts = [part for part in body.split(b"&") if part]
    if len(parts) > limits.token_fields:
        raise Problem(_invalid(413))
    fields: dict[str, str] = {}
    for part in parts:
        name, _, value = part.partition(b"=")
        key = _decoded(name)
        if key in fields:
            raise Problem(_invalid(400))
        fields[key] = _decoded(value)
    return {key: value for key, value in fields.items() if value}


def _invalid(status: int) -> Answer:
    return error(status, "invalid_request", *NO_STORE)


def _decoded(text: bytes) -> str:
    content = unquote_to_bytes(text.replace(b"+", b" "))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")
