"""Devices bound to payment tokens."""

import grpc
from mintmark.v1 import bindings_pb2 as pb
from mintmark.v1 import bindings_pb2_grpc

from mintmark_client.pages import listing


class Bindings:
    """The methods of BindingsService.

    `list(...)` takes the fields of ListBindingsRequest as keywords and iterates over the bindings of all pages.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = bindings_pb2_grpc.BindingsServiceStub(channel)
        self.list = listing(self._stub.ListBindings, pb.ListBindingsRequest, lambda page: page.bindings)

    def get(self, name: str) -> pb.Binding:
        """One binding. Raises NotFound."""
        return self._stub.GetBinding(pb.GetBindingRequest(name=name)).binding
