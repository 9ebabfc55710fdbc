"""What an operation can be answered with, for the document: its success, and every problem that it can end with."""

from http import HTTPStatus
from typing import Any

from adapters.inbound.rest.description.reason_table import documented
from adapters.inbound.rest.description.rules import Schema
from adapters.inbound.rest.description.schemas import Schemas
from adapters.inbound.rest.routes import RestRoute
from adapters.inbound.rest.schema import Rpc, descriptor
from adapters.inbound.rest.transcoding import WITH_BODY

EVERYWHERE = (400, 401, 403, 414, 421, 429, 431, 500, 501, 503, 504)
# The connection answers these itself, before it knows what is asked for.
PLAIN = (414, 431)
CORRELATION_ID = "CorrelationId"


def success(route: RestRoute, call: Rpc, schemas: Schemas) -> dict[str, Any]:
    """The answer that was asked for; 304 where there may be one."""
    headers: dict[str, Any] = {"x-correlation-id": {"$ref": f"#/components/headers/{CORRELATION_ID}"}}
    if call.resource_etag:
        headers["ETag"] = {"$ref": "#/components/headers/ETag"}
    if route.status == HTTPStatus.CREATED:
        headers["Location"] = {"$ref": "#/components/headers/Location"}
    if call.descriptor.server_streaming:
        text = "The events as they come: `id` is the cursor, `event` the kind, `data` an Event as JSON."
        content: dict[str, Any] = {"text/event-stream": {"schema": {"type": "string", "description": text}}}
    else:
        content = {"application/json": {"schema": schemas.reference(descriptor(call.response))}}
    found: dict[str, Any] = {
        str(route.status): {"description": HTTPStatus(route.status).phrase, "headers": headers, "content": content}
    }
    if call.resource_etag and route.method == "GET":
        found["304"] = {"description": "The resource is still what If-None-Match says.", "headers": headers}
    return found


def failures(route: RestRoute, call: Rpc, *, named_path: bool) -> dict[str, Any]:
    """References to the problems of an operation."""
    statuses = set(EVERYWHERE)
    if named_path:
        statuses.add(404)
    if route.method in WITH_BODY:
        statuses |= {404, 408, 409, 413, 415}
    if call.etag:
        statuses.add(412)
    if "cursor" in descriptor(call.request).fields_by_name:
        statuses.add(410)
    return {str(status): {"$ref": f"#/components/responses/{status}"} for status in sorted(statuses)}


def components(schemas: dict[str, Schema]) -> dict[str, Any]:
    """The parts that these answers refer to; the schemas are added to the given ones."""
    schemas["Problem"] = _problem()
    schemas["Violation"] = _texts("A field that breaks a rule.", "field", "description", "rule")
    schemas["PlainError"] = _texts("An answer of the connection, before the path is known.", "error")
    responses = {}
    reasons: dict[int, list[str]] = {status: [] for status in (*EVERYWHERE, 404, 408, 409, 410, 412, 413, 415)}
    for each in documented():
        if each.status in reasons:
            reasons[each.status].append(each.name)
    for status, names in sorted(reasons.items()):
        phrase = HTTPStatus(status).phrase
        text = f"{phrase}: {', '.join(f'`{name}`' for name in names)}." if names else f"{phrase}."
        plain = status in PLAIN
        content = {
            "application/json" if plain else "application/problem+json": {
                "schema": {"$ref": f"#/components/schemas/{'PlainError' if plain else 'Problem'}"}
            }
        }
        responses[str(status)] = {"description": text, "content": content, "headers": _headers(status)}
    headers = {
        CORRELATION_ID: _header("Names the call in the logs: the caller's own where it sent one that is fit."),
        "ETag": _header("The state of the resource, for If-Match and If-None-Match."),
        "Location": _header("The path of the new resource."),
        "RetryAfter": _header("How many seconds to wait before the call is repeated."),
        "Challenge": _header("How to authenticate (RFC 6750)."),
    }
    return {"responses": responses, "headers": headers, "schemas": dict(sorted(schemas.items()))}


def _headers(status: int) -> dict[str, Any]:
    if status in PLAIN:
        return {}
    found = {"x-correlation-id": {"$ref": f"#/components/headers/{CORRELATION_ID}"}}
    if status in (429, 503):
        found["Retry-After"] = {"$ref": "#/components/headers/RetryAfter"}
    if status == 401:
        found["WWW-Authenticate"] = {"$ref": "#/components/headers/Challenge"}
    return found


def _header(description: str) -> dict[str, Any]:
    return {"description": description, "schema": {"type": "string"}}


def _problem() -> Schema:
    reasons = {each.name: each.meaning for each in documented()}
    properties: dict[str, Schema] = {
        "type": {"type": "string", "format": "uri-reference", "description": "The page about the reason."},
        "title": {"type": "string", "description": "The reason for people."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What is wrong with this call, for people."},
        "instance": {"type": "string", "format": "uri", "description": "Names the call in the logs."},
        "reason": {"type": "string", "description": "Why, for programs. There may be more.", "x-reasons": reasons},
        "metadata": {
            "type": "object",
            "additionalProperties": {"type": "string"},
            "description": "What a program needs, with keys that the reason documents.",
        },
        "violations": {
            "type": "array",
            "items": {"$ref": "#/components/schemas/Violation"},
            "description": "With FIELD_INVALID: every field that breaks a rule.",
        },
    }
    about = "What went wrong (RFC 9457)."
    return {"type": "object", "description": about, "properties": properties, "required": list(properties)}


def _texts(description: str, *names: str) -> Schema:
    properties = {name: {"type": "string"} for name in names}
    return {"type": "object", "description": description, "properties": properties, "required": list(names)}
