"""What D1 tells card issuers of operations."""

import grpc
from mintmark.v1 import issuer_operations_pb2 as pb
from mintmark.v1 import issuer_operations_pb2_grpc

from mintmark_client.pages import listing


class IssuerOperations:
    """The methods of IssuerOperationsService.

    `list(...)` takes the fields of ListIssuerOperationsRequest as keywords and iterates over the operations of all
    pages.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = issuer_operations_pb2_grpc.IssuerOperationsServiceStub(channel)
        self.list = listing(
            self._stub.ListIssuerOperations, pb.ListIssuerOperationsRequest, lambda page: page.issuer_operations
        )

    def get(self, name: str) -> pb.IssuerOperation:
        """One operation. Raises NotFound."""
        return self._stub.GetIssuerOperation(pb.GetIssuerOperationRequest(name=name)).issuer_operation
