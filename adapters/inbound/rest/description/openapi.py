"""The OpenAPI 3.1 document: made of the table of routes, the protos' descriptors, their comments and their rules."""

from collections import defaultdict
from functools import cache
from importlib.metadata import version
from typing import Any

from google.protobuf.descriptor import Descriptor, FieldDescriptor

from adapters.inbound.rest.description import comments, examples, rules
from adapters.inbound.rest.description.answers import components, failures, success
from adapters.inbound.rest.description.rules import Schema
from adapters.inbound.rest.description.schemas import TEXTS, Schemas
from adapters.inbound.rest.description.words import ABOUT, noun, singular, spaced
from adapters.inbound.rest.routes import TABLE, RestRoute
from adapters.inbound.rest.schema import Rpc, descriptor, is_message, message_of, named, rpc, services
from adapters.inbound.rest.templates import ANY, Template
from adapters.inbound.rest.transcoding import WITH_BODY

SCHEME = "oauth2"


@cache
def document(token_url: str) -> dict[str, Any]:
    """The document. `token_url` is where access tokens come from."""
    calls = [(route, rpc(route.rpc)) for route in TABLE]
    schemas = Schemas(descriptor(call.request) for route, call in calls if route.method in WITH_BODY)
    paths: dict[str, dict[str, Any]] = defaultdict(dict)
    for route, call in calls:
        for path in route.paths:
            template = Template.of(path)
            place = paths[shown(template)]
            described = _operation(route, call, template, schemas)
            method = route.method.lower()
            place[method] = _merged(place[method], described) if method in place else described
    used = {route.rpc.partition(".")[0] for route in TABLE}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Mintmark",
            "version": version("mintmark"),
            "summary": "Card tokens, device bindings, merchants, notifications and one stream of events.",
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [
            {"name": noun(name), "description": comments.of(described.full_name)}
            for name, described in sorted(services().items())
            if name in used
        ],
        "paths": dict(sorted(paths.items())),
        "components": {
            "securitySchemes": {SCHEME: _security(token_url, [call for _, call in calls])},
        }
        | components(schemas.made),
    }


def shown(template: Template) -> str:
    """The path as OpenAPI writes it, such as `/v1/clients/{client}:disable`."""
    segments = list(template.segments)
    for number, segment in enumerate(segments):
        if segment == ANY:
            segments[number] = f"{{{singular(segments[number - 1])}}}"
    return "/" + "/".join(segments) + (f":{template.verb}" if template.verb else "")


def _operation(route: RestRoute, call: Rpc, template: Template, schemas: Schemas) -> dict[str, Any]:
    service, _, method = route.rpc.partition(".")
    described: dict[str, Any] = {
        "operationId": route.rpc.replace(".", "_") + _apart(route, template),
        "tags": [noun(service)],
        "summary": spaced(method),
        "description": comments.of(call.descriptor.full_name),
        "security": [] if call.anonymous else [{SCHEME: [call.scope] if call.scope else []}],
        "parameters": _parameters(route, call, template, schemas),
        "x-rpc": route.rpc,
    }
    if route.method in WITH_BODY:
        without = {call.request_id, call.etag, call.mask, template.field} - {""}
        schema = schemas.body(descriptor(call.request), frozenset(without))
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    described["responses"] = success(route, call, schemas) | failures(route, call, named_path=ANY in template.segments)
    described["x-codeSamples"] = [
        {"lang": "Shell", "label": "curl", "source": examples.curl(route, described, shown(template))}
    ]
    return described


def _apart(route: RestRoute, template: Template) -> str:
    """What the operation of a further path ends with: `_all` of a flat list; of a form of a name its collections."""
    if template.text == route.path:
        return ""
    if not template.field:
        return "_all"
    return "_of_" + "_".join(segment for segment in template.pattern.split("/") if segment != ANY)


def _merged(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """A list and a stream that share a path: what is said of the stream is added to the list's operation."""
    known = {(each["in"], each["name"]) for each in one["parameters"]}
    parameters = list(one["parameters"])
    for each in other["parameters"]:
        if (each["in"], each["name"]) not in known:
            parameters.append({**each, "description": f"For a stream. {each['description']}"})
    answer = one["responses"]["200"]
    answer["content"] |= other["responses"]["200"]["content"]
    return {
        **one,
        "summary": f"{one['summary']}, {other['summary'].lower()}",
        "description": f"{one['description']} With `Accept: text/event-stream`: {other['description']}",
        "parameters": parameters,
        "x-codeSamples": [*one["x-codeSamples"], *other["x-codeSamples"]],
        "x-rpc": f"{one['x-rpc']}, {other['x-rpc']}",
    }


def _parameters(route: RestRoute, call: Rpc, template: Template, schemas: Schemas) -> list[dict[str, Any]]:
    found = [_id(template.segments, number) for number, segment in enumerate(template.segments) if segment == ANY]
    asked = descriptor(call.request)
    if route.method not in WITH_BODY:
        hidden = {call.request_id, call.etag, template.field}
        found += _query(asked, schemas, hidden)
    elif call.mask:
        field = asked.fields_by_name[call.mask]
        text = f"{comments.of(field.full_name)} Where it is not given: the fields in the body."
        found.append({"name": field.camelcase_name, "in": "query", "schema": schemas.field(field), "description": text})
    if call.request_id:
        found.append(
            _header("Idempotency-Key", {"type": "string", "format": "uuid", "pattern": rules.UUID}, required=True)
        )
    if route.waits:
        found.append(_header("Prefer", {"type": "string", "pattern": "^wait=[0-9]{1,2}$"}))
    if call.etag:
        found.append(_header("If-Match", {"type": "string", "pattern": '^("[!#-~]{1,64}"|\\*)$'}))
    if call.resource_etag and route.method == "GET":
        found.append(_header("If-None-Match", {"type": "string", "maxLength": 128, "pattern": "^[ -~]*$"}))
    if call.descriptor.server_streaming:
        found.append(_header("Last-Event-ID", {"type": "string", "maxLength": 64, "pattern": "^[!-~]*$"}))
    return found


HEADERS = {
    "Idempotency-Key": "A UUID made by the caller (`request_id`); repeating the call with it is safe.",
    "If-Match": "The ETag of the resource that the caller has read; where it has changed since, 412.",
    "If-None-Match": "The ETag that the caller has; where it is still the same, 304 without a body.",
    "Prefer": "`wait=10` answers when the resource has settled or 10 s (50 at most) have passed.",
    "Last-Event-ID": "The `id` of the last event received. Counts more than `cursor`.",
}


def _header(name: str, schema: Schema, *, required: bool = False) -> dict[str, Any]:
    return {"name": name, "in": "header", "required": required, "schema": schema, "description": HEADERS[name]}


def _id(segments: tuple[str, ...], number: int) -> dict[str, Any]:
    collection = segments[number - 1]
    return {
        "name": singular(collection),
        "in": "path",
        "required": True,
        "schema": {"type": "string", "minLength": 1, "maxLength": 128},
        "description": f"An id among `{collection}`, percent-encoded."
        + (" `-` means any." if number + 1 < len(segments) and segments[-1] != ANY else ""),
    }


def _query(message: Descriptor, schemas: Schemas, hidden: set[str], prefix: str = "") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for field in message.fields:
        if field.name in hidden and not prefix:
            continue
        if is_message(field) and named(field) not in TEXTS:
            found += _query(message_of(field), schemas, set(), f"{prefix}{field.camelcase_name}.")
        else:
            found.append(_query_parameter(field, schemas, prefix))
    return found


def _query_parameter(field: FieldDescriptor, schemas: Schemas, prefix: str) -> dict[str, Any]:
    schema = schemas.field(field)
    described = schema.pop("description", "")
    found = {"name": f"{prefix}{field.camelcase_name}", "in": "query", "schema": schema, "description": described}
    return found | ({"style": "form", "explode": True} if field.is_repeated else {})


def _security(token_url: str, calls: list[Rpc]) -> dict[str, Any]:
    scopes = sorted({call.scope for call in calls} - {""})
    meanings = {scope: f"Calls that need `{scope}`." for scope in scopes}
    flow = {"tokenUrl": token_url, "scopes": meanings}
    return {
        "type": "oauth2",
        "description": "An access token of our own token endpoint, as `Authorization: Bearer`.",
        "flows": {"clientCredentials": flow},
    }
