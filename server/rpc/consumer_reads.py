"""ConsumerReadsService."""

from mintmark.v1 import consumers_pb2 as pb

from server.ports import Sealer, Store
from server.rpc import consumers
from server.rpc.calls import Call
from server.services import consumer_reads
from server.services.consumers import opened
from server.services.principals import Directory


class ConsumerReads:
    """The methods of ConsumerReadsService, behind the wrapper of every call."""

    def __init__(self, store: Store, directory: Directory, sealer: Sealer) -> None:
        self._store = store
        self._directory = directory
        self._sealer = sealer

    def ReadConsumer(self, request: pb.ReadConsumerRequest, _call: Call) -> pb.ReadConsumerResponse:
        found = consumer_reads.read(
            self._store,
            self._directory.principals,
            request.sender,
            request.issuer_id,
            request.consumer_id,
            request.card_id,
        )
        if found is None:
            return pb.ReadConsumerResponse(directory=True)
        return pb.ReadConsumerResponse(consumer=consumers.to_proto(found, opened(self._sealer, found)))
