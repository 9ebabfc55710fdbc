"""The REST paths of the gateway: the table as a tree, and what answers at each path."""

from collections.abc import Callable, Coroutine, Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import grpc

from adapters.inbound.limits import Limits
from adapters.inbound.problems import Answer, limited
from adapters.inbound.request import Request
from adapters.inbound.rest import callers, correlation, event_stream
from adapters.inbound.rest.event_stream import EventStreams
from adapters.inbound.rest.operations import Operation
from adapters.inbound.rest.preferences import Waiting
from adapters.inbound.rest.problems import Troubled, reshape, trouble
from adapters.inbound.rest.reasons import PATH_UNKNOWN
from adapters.inbound.rest.routes import TABLE, RestRoute
from adapters.inbound.rest.templates import Tree
from adapters.inbound.routes import Route

PREFIX = b"/v1"


@dataclass(slots=True)
class Place:
    """What answers at one path: an operation a method, and a stream that shares GET with a list."""

    streams: EventStreams
    knows: Callable[[Request], bool]
    operations: dict[str, Operation] = field(default_factory=dict)
    stream: Operation | None = None

    def add(self, operation: Operation) -> None:
        """Raises ValueError where another operation has the place."""
        method = operation.route.method
        if operation.rpc.descriptor.server_streaming:
            if self.stream is not None:
                raise ValueError(operation.route.rpc)
            self.stream = operation
        elif self.operations.setdefault(method, operation) is not operation:
            raise ValueError(operation.route.rpc)

    def methods(self) -> tuple[str, ...]:
        """For the header Allow. HEAD is answered as GET, without the body."""
        found = [*self.operations, *(["GET"] if self.stream else [])]
        return tuple(dict.fromkeys([*found, *(["HEAD"] if "GET" in found else [])]))

    async def answer(self, request: Request) -> Answer:
        """Answers one call."""
        request.introduced(self.knows)
        if self.stream is not None and request.method == "GET" and event_stream.wanted(request):
            return await _told(request, self.streams.answer(self.stream, request))
        operation = self.operations["GET" if request.method == "HEAD" else request.method]
        return await _told(request, operation.answer(request))


async def _told(request: Request, answering: Coroutine[Any, Any, Answer]) -> Answer:
    """The answer, or the problem that the call ended with."""
    try:
        return await answering
    except Troubled as troubled:
        request.claim = callers.owner(request, troubled.trouble) or request.claim
        return troubled.trouble.answer(correlation.of(request))


async def _unknown(request: Request) -> Answer:
    return trouble(PATH_UNKNOWN, "there is no such path").answer(correlation.of(request))


def finder(
    channel: grpc.aio.Channel,
    stream_channel: grpc.aio.Channel,
    limits: Limits,
    streams: EventStreams,
    knows: Callable[[Request], bool],
    table: Iterable[RestRoute] = TABLE,
) -> Callable[[bytes], Route | None]:
    """Finds the route of a path below `/v1`; of others None. `knows` says whose traces are followed.

    Raises where the table does not fit the protos.
    """
    places: dict[str, Place] = {}
    tree: Tree[Route] = Tree()
    templates = {}
    for rest_route in table:
        for path in rest_route.paths:
            waiting = Waiting.of(rest_route.waits, stream_channel) if rest_route.waits else None
            operation = Operation.of(rest_route, path, limits, channel, streams.stopping, waiting)
            if operation.rpc.descriptor.server_streaming or operation.rpc.waiting:
                operation = Operation.of(rest_route, path, limits, stream_channel, streams.stopping)
            # Ids and variables left out: the label for logs and metrics.
            label = (
                "/" + "/".join(operation.template.segments) + (f":{verb}" if (verb := operation.template.verb) else "")
            )
            places.setdefault(label, Place(streams, knows)).add(operation)
            templates[label] = operation.template
    for label, place in places.items():
        route = Route(
            label,
            place.answer,
            place.methods(),
            authenticates=True,
            limited=partial(limited, status=429),
            reshape=reshape,
            shed_first=True,
        )
        tree.add(templates[label], route)
    # Any method: what is not there has none.
    unknown = Route("/v1/", _unknown, (), reshape=reshape, shed_first=True)

    def find(raw_path: bytes) -> Route | None:
        if raw_path != PREFIX and not raw_path.startswith(PREFIX + b"/"):
            return None
        return tree.find(raw_path) or unknown

    return find
