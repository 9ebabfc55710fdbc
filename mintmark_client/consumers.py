"""The cardholders of card issuers."""

import grpc
from mintmark.v1 import consumers_pb2 as pb
from mintmark.v1 import consumers_pb2_grpc

from mintmark_client.pages import listing


class Consumers:
    """The methods of ConsumersService. All are safe to repeat with the same `request_id`.

    Personal data comes back only from `get`, and from `register` and `replace` as it was just given (a repeat of these
    has none). `list(...)` takes the fields of ListConsumersRequest as keywords and iterates over all pages.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = consumers_pb2_grpc.ConsumersServiceStub(channel)
        self.list = listing(self._stub.ListConsumers, pb.ListConsumersRequest, lambda page: page.consumers)

    def get(self, name: str) -> pb.Consumer:
        """One consumer with its personal data. Raises NotFound."""
        return self._stub.GetConsumer(pb.GetConsumerRequest(name=name)).consumer

    def register(
        self, issuer_id: str, consumer_id: str, personal_data: pb.PersonalData | None = None, *, request_id: str = ""
    ) -> pb.Consumer:
        """A new consumer. Raises AlreadyExists, InvalidRequest, NotFound where the issuer is not the client's."""
        request = pb.RegisterConsumerRequest(
            request_id=request_id, issuer_id=issuer_id, consumer_id=consumer_id, personal_data=personal_data
        )
        return self._stub.RegisterConsumer(request).consumer

    def replace(self, name: str, personal_data: pb.PersonalData, *, request_id: str = "") -> pb.Consumer:
        """Other personal data, in place of all that is kept. Raises NotFound, InvalidRequest, PreconditionFailed."""
        request = pb.ReplaceConsumerRequest(request_id=request_id, name=name, personal_data=personal_data)
        return self._stub.ReplaceConsumer(request).consumer

    def suspend(self, name: str, *, request_id: str = "") -> pb.Consumer:
        """Takes a consumer out of use, and its cards with it. Raises NotFound, PreconditionFailed."""
        return self._stub.SuspendConsumer(pb.SuspendConsumerRequest(request_id=request_id, name=name)).consumer

    def resume(self, name: str, *, request_id: str = "") -> pb.Consumer:
        """Takes a suspended consumer into use again. Raises NotFound, PreconditionFailed."""
        return self._stub.ResumeConsumer(pb.ResumeConsumerRequest(request_id=request_id, name=name)).consumer

    def delete(self, name: str, *, request_id: str = "") -> pb.Consumer:
        """Deletes a consumer for good, its personal data with it. Raises NotFound, PreconditionFailed while it has
        cards."""
        return self._stub.DeleteConsumer(pb.DeleteConsumerRequest(request_id=request_id, name=name)).consumer
