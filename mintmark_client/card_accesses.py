"""Who had card data opened, when and what for."""

import grpc
from mintmark.v1 import card_data_accesses_pb2 as pb
from mintmark.v1 import card_data_accesses_pb2_grpc

from mintmark_client.pages import listing


class CardDataAccesses:
    """The method of CardDataAccessesService.

    `list(...)` takes the fields of ListCardDataAccessesRequest as keywords and iterates over the accesses of all pages,
    the newest first.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = card_data_accesses_pb2_grpc.CardDataAccessesServiceStub(channel)
        self.list = listing(
            self._stub.ListCardDataAccesses, pb.ListCardDataAccessesRequest, lambda page: page.card_data_accesses
        )
