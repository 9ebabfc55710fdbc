"""REST as a client speaks it that knows the protos: request messages to HTTP, answers back to messages."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import httpx
from google.protobuf import json_format
from google.protobuf.message import Message

from adapters.inbound.rest.routes import TABLE, RestRoute
from adapters.inbound.rest.schema import Rpc, rpc
from adapters.inbound.rest.templates import Template
from adapters.inbound.rest.transcoding import WITH_BODY

# As httpx takes it.
Parameter = tuple[str, str | int | float | bool | None]
ROUTES = {route.rpc: route for route in TABLE}


@dataclass
class Told:
    """An RPC as an HTTP request."""

    method: str
    path: str
    query: list[Parameter] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    body: dict[str, Any] | None = None

    def send(self, client: httpx.Client, **headers: str) -> httpx.Response:
        sent = {**self.headers, **headers}
        content = None
        if self.body is not None:
            content = json.dumps(self.body).encode()
            sent["content-type"] = "application/json"
        return client.request(self.method, self.path, params=self.query, headers=sent, content=content)


def told(name: str, request: Message) -> Told:
    """The request message of an RPC such as `TokensService.GetToken` as the HTTP request that stands for it."""
    route = ROUTES[name]
    call = rpc(name)
    rest = type(request)()
    rest.CopyFrom(request)
    headers = {}
    if call.request_id and getattr(rest, call.request_id):
        headers["Idempotency-Key"] = getattr(rest, call.request_id)
        rest.ClearField(call.request_id)
    if call.etag and (etag := _take(rest, call.etag)):
        headers["If-Match"] = f'"{etag}"'
    path = _path(route, rest)
    document = json_format.MessageToDict(rest)
    if route.method in WITH_BODY:
        return Told(route.method, path, [], headers, _without_empty(document, rest, call))
    return Told(route.method, path, list(_query(document)), headers)


def answered(name: str, response: httpx.Response) -> Message:
    """The response message that an answer holds."""
    message: Message = rpc(name).response()
    return json_format.Parse(response.text, message)


def _take(message: Any, dotted: str) -> str:
    """Takes a text out of a message."""
    *through, last = dotted.split(".")
    for each in through:
        if not message.HasField(each):
            return ""
        message = getattr(message, each)
    found: str = getattr(message, last)
    message.ClearField(last)
    return found


def _path(route: RestRoute, rest: Message) -> str:
    for path in route.paths:
        template = Template.of(path)
        if not template.field:
            return path
        name = _take(rest, template.field)
        if name:
            before, after = path.split("{")[0], path.split("}")[1]
            return before + name + after
    raise AssertionError(f"{route.rpc}: no name")


def _query(document: dict[str, Any], prefix: str = "") -> Iterator[Parameter]:
    for name, value in document.items():
        if isinstance(value, dict):
            yield from _query(value, f"{prefix}{name}.")
        else:
            for each in value if isinstance(value, list) else [value]:
                yield f"{prefix}{name}", str(each).lower() if isinstance(each, bool) else str(each)


def _without_empty(document: dict[str, Any], rest: Message, call: Rpc) -> dict[str, Any]:
    """Without the resource whose name went to the path, where nothing else is left of it."""
    if not call.mask:
        return document
    return {name: value for name, value in document.items() if value or rest.DESCRIPTOR.fields_by_camelcase_name[name]}
