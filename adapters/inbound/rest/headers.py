"""The headers that stand for fields: Idempotency-Key, If-Match, If-None-Match."""

import re

from google.protobuf.message import Message

from adapters.inbound.problems import Header
from adapters.inbound.request import Request
from adapters.inbound.rest.bodies import TWICE
from adapters.inbound.rest.problems import Troubled, trouble
from adapters.inbound.rest.reasons import HEADER_INVALID
from adapters.inbound.rest.schema import Rpc
from adapters.inbound.rest.violations import Violations

IDEMPOTENCY_KEY, IF_MATCH, IF_NONE_MATCH = b"idempotency-key", b"if-match", b"if-none-match"
# As RFC 9110 section 8.8.3 writes them. Proxies that compress make strong ones weak; the text is the same.
_ETAG = re.compile(r'(?:W/)?"([\x21\x23-\x7e]*)"')
_ETAGS = re.compile(r'(?:W/)?"[\x21\x23-\x7e]*"')
_QUOTED = re.compile(r'"([^"\\]*)"')


def one(request: Request, name: bytes) -> str:
    """The header's text; empty where it was not sent. Raises Troubled where it is sent twice or is not ASCII."""
    shown = name.decode()
    if request.times(name) > 1:
        raise Troubled(trouble(HEADER_INVALID, f"{shown} is sent more than once", header=shown))
    try:
        return request.header(name).decode("ascii").strip()
    except UnicodeDecodeError:
        raise Troubled(trouble(HEADER_INVALID, f"{shown} is not ASCII", header=shown)) from None


def read(request: Request, rpc: Rpc, message: Message, violations: Violations) -> None:
    """Puts what the headers say into the message. Raises Troubled for a condition that the RPC cannot hold."""
    if rpc.request_id:
        key = one(request, IDEMPOTENCY_KEY)
        quoted = _QUOTED.fullmatch(key)
        _agree(message, rpc.request_id, quoted[1] if quoted else key, "Idempotency-Key", violations)
        if not getattr(message, rpc.request_id):
            violations.add(
                rpc.request_id, "send a new UUID as Idempotency-Key, so that repeating is safe", "string.uuid"
            )
    expected = one(request, IF_MATCH)
    if expected:
        if not rpc.etag:
            raise Troubled(trouble(HEADER_INVALID, "If-Match cannot be held here", header="if-match"))
        found = _ETAG.fullmatch(expected)
        if found is None and expected != "*":
            raise Troubled(trouble(HEADER_INVALID, "If-Match must be one ETag as it was sent, or *", header="if-match"))
        if found is not None:
            *through, last = rpc.etag.split(".")
            for field in through:
                message = getattr(message, field)
            _agree(message, last, found[1], "If-Match", violations)
    if request.header(IF_NONE_MATCH) and request.method not in ("GET", "HEAD"):
        raise Troubled(trouble(HEADER_INVALID, "If-None-Match is for GET", header="if-none-match"))


def _agree(message: Message, field: str, text: str, header: str, violations: Violations) -> None:
    """Sets the field, unless the body has it already and means the same."""
    held = getattr(message, field)
    if text and held and held.lower() != text.lower():
        violations.add(field, f"the body says something else than {header}", TWICE)
    elif text and not held:
        setattr(message, field, text)


def etag(text: str) -> Header:
    """The header of an answer with one resource."""
    return (b"etag", f'"{text}"'.encode())


def unchanged(request: Request, text: str) -> bool:
    """Whether the caller has this state of the resource already (RFC 9110 section 13.1.2)."""
    asked = one(request, IF_NONE_MATCH)
    return asked == "*" or f'"{text}"' in [each.removeprefix("W/") for each in _ETAGS.findall(asked)]
