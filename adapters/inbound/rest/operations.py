"""One RPC at one path: asks the core and tells its answer."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message

from adapters import json
from adapters.inbound.limits import Limits
from adapters.inbound.problems import NO_STORE, Answer, Header
from adapters.inbound.request import Request
from adapters.inbound.rest import bodies, callers, headers, messages, preferences, refusals, transcoding
from adapters.inbound.rest.preferences import Waiting
from adapters.inbound.rest.problems import NO_SNIFFING, Troubled, fields_invalid, trouble
from adapters.inbound.rest.reasons import BODY_UNREADABLE
from adapters.inbound.rest.routes import RestRoute
from adapters.inbound.rest.schema import Rpc, rpc
from adapters.inbound.rest.templates import Template
from adapters.inbound.rest.violations import FieldsInvalid
from adapters.inbound.rest.waits import while_wanted

# As long as the core gives a caller that names no deadline.
TIMEOUT = 10.0
# The longest that it gives anybody.
WAITING_TIMEOUT = 60.0
JSON = b"application/json"
# May be kept by the caller alone, and is asked for again with its ETag each time.
PRIVATE: tuple[Header, ...] = ((b"cache-control", b"private, no-cache"),)


@dataclass(frozen=True, slots=True)
class Operation:
    """A REST route with its RPC, in one of its paths. `ask` calls the core; `stopping`: the gateway stops."""

    route: RestRoute
    rpc: Rpc
    template: Template
    limits: Limits
    ask: Callable[..., Any]
    stopping: asyncio.Event
    waiting: Waiting | None = None

    @classmethod
    def of(
        cls,
        route: RestRoute,
        path: str,
        limits: Limits,
        channel: grpc.aio.Channel,
        stopping: asyncio.Event,
        waiting: Waiting | None = None,
    ) -> "Operation":
        """Raises LookupError and ValueError where the route does not fit the protos."""
        found = rpc(route.rpc)
        make = channel.unary_stream if found.descriptor.server_streaming else channel.unary_unary
        serialize, deserialize = found.request.SerializeToString, found.response.FromString
        ask = make(found.path, request_serializer=serialize, response_deserializer=deserialize)
        return cls(route, found, Template.of(path), limits, ask, stopping, waiting)

    async def message(self, request: Request) -> Message:
        """The request message that the call stands for. Raises Troubled, Problem and Disconnected."""
        document = None
        if self.route.method in transcoding.WITH_BODY:
            request.check_content_type(JSON)
            body = await request.body(self.limits.body)
            try:
                document = bodies.parse(body, self.limits.json_depth)
            except json.Unreadable as unreadable:
                raise Troubled(trouble(BODY_UNREADABLE, str(unreadable))) from None
        try:
            return transcoding.message(self.rpc, self.template, request, document)
        except FieldsInvalid as invalid:
            raise Troubled(fields_invalid(invalid)) from None

    async def answer(self, request: Request) -> Answer:
        """Makes the call. Raises Troubled, Problem and Disconnected."""
        metadata = callers.metadata(request)
        message = await self.message(request)
        request.claim = callers.claimed(message) or request.claim
        try:
            if self.rpc.waiting:
                asking = self.ask(message, metadata=metadata, timeout=WAITING_TIMEOUT)
                told: Message = await while_wanted(asking, request, self.stopping)
            else:
                told = await self.ask(message, metadata=metadata, timeout=TIMEOUT)
        except grpc.aio.AioRpcError as error:
            raise Troubled(refusals.of(error)) from None
        common: list[Header] = [NO_SNIFFING]
        seconds = preferences.wait_seconds(request) if self.waiting else 0
        if self.waiting and seconds:
            resource = getattr(told, self.rpc.resource)
            asking = self.waiting.begin(resource, seconds, metadata)
            settled = await self.waiting.settled(while_wanted(asking, request, self.stopping), self.rpc.resource)
            if settled is not None:
                resource.CopyFrom(settled)
                common.append(preferences.APPLIED)
        return await self._told(request, told, common)

    async def _told(self, request: Request, told: Message, common: list[Header]) -> Answer:
        resource = getattr(told, self.rpc.resource) if self.rpc.resource else None
        reads = self.route.method == "GET"
        if resource is not None and self.rpc.resource_etag:
            common.append(headers.etag(resource.etag))
            common += PRIVATE if reads and not self.route.personal else NO_STORE
            if reads and headers.unchanged(request, resource.etag):
                return Answer(304, tuple(common))
        else:
            common += NO_STORE
        if resource is not None and self.route.status == 201:
            common.append((b"location", f"/v1/{resource.name}".encode()))
        body = await messages.body(told)
        sent = ((b"content-type", JSON), (b"content-length", str(len(body)).encode()), *common)
        return Answer(self.route.status, sent, body)
