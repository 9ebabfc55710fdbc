"""HTTP requests without a server, as the transcoder takes them."""

import asyncio
from urllib.parse import urlencode

from google.protobuf.message import Message

from adapters.inbound.limits import Limits
from adapters.inbound.request import Request
from adapters.inbound.rest import bodies, transcoding
from adapters.inbound.rest.routes import TABLE, RestRoute
from adapters.inbound.rest.schema import rpc
from adapters.inbound.rest.templates import Template
from adapters.settings import Settings
from tests.rest import Parameter

LIMITS = Limits.of(Settings())
ROUTES = {route.rpc: route for route in TABLE}


def asked(
    name: str,
    path: str,
    query: str | list[Parameter] = "",
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
) -> Message:
    """The request message that the gateway makes of this. Raises what it refuses with."""
    route = ROUTES[name]
    document = None if body is None else bodies.parse(body, LIMITS.json_depth)
    request = Headed(route, path, query if isinstance(query, str) else urlencode(query), headers or {}).request()
    return transcoding.message(rpc(name), template(route, path), request, document)


def template(route: RestRoute, path: str) -> Template:
    """The one of the route's templates that has the form of the path."""
    found = [Template.of(each) for each in route.paths]
    return next(each for each in found if len(each.segments) == len(path.split("/")) - 1)


class Headed:
    """The head of a request."""

    def __init__(self, route: RestRoute, path: str, query: str, headers: dict[str, str]) -> None:
        self._scope = {
            "method": route.method,
            "raw_path": path.encode(),
            "query_string": query.encode(),
            "headers": [(key.lower().encode(), value.encode()) for key, value in headers.items()],
        }

    def request(self) -> Request:
        async def receive() -> dict[str, object]:
            raise AssertionError("the body is given apart")

        async def make() -> Request:
            return Request(self._scope, receive, LIMITS)

        return asyncio.run(make())
