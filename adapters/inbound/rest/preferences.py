"""`Prefer: wait=N` (RFC 7240): who writes may wait for what becomes of it, in one call."""

import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import grpc
from google.protobuf.message import Message

from adapters.inbound.problems import Header
from adapters.inbound.request import Request
from adapters.inbound.rest.callers import Metadata
from adapters.inbound.rest.problems import Troubled
from adapters.inbound.rest.schema import rpc

APPLIED: Header = (b"preference-applied", b"wait")
# As long as an RPC that waits can be asked to.
LONGEST_S = 50
# What such a call may take besides.
SPARE_S = 5.0
_WAIT = re.compile(rb'(?:^|,)\s*wait\s*=\s*"?([0-9]{1,9})"?\s*(?:[;,]|$)', re.IGNORECASE)

Ask = Callable[..., Awaitable[Message]]


def wait_seconds(request: Request) -> int:
    """How many seconds the caller would like to wait; 0 where it did not say, or cannot be understood."""
    found = _WAIT.search(request.header(b"prefer"))
    return min(int(found[1]), LONGEST_S) if found else 0


@dataclass(frozen=True, slots=True)
class Waiting:
    """The RPC that waits for a resource, such as `PaymentsService.WaitPayment`: it takes its `name` and a `timeout`."""

    name: str
    ask: Ask

    @classmethod
    def of(cls, name: str, channel: grpc.aio.Channel) -> "Waiting":
        """Raises LookupError where there is no such RPC."""
        found = rpc(name)
        serialize, deserialize = found.request.SerializeToString, found.response.FromString
        ask = channel.unary_unary(found.path, request_serializer=serialize, response_deserializer=deserialize)
        return cls(name, ask)

    def begin(self, resource: Any, seconds: int, metadata: Metadata) -> Awaitable[Message]:
        """Asks for the resource as it is when it has settled or the time is up."""
        request: Any = rpc(self.name).request()
        request.name = resource.name
        request.timeout.seconds = seconds
        return self.ask(request, metadata=metadata, timeout=seconds + SPARE_S)

    async def settled(self, asking: Awaitable[Message], field: str) -> Message | None:
        """The resource, as `begin` asked for it; None where it cannot be waited for now."""
        try:
            told = await asking
        except (grpc.aio.AioRpcError, Troubled):
            # What the caller wanted is done all the same.
            return None
        found: Message = getattr(told, field)
        return found
