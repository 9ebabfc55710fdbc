"""Digital cards, as D1 tells their issuer of them."""

import grpc
from mintmark.v1 import digital_cards_pb2 as pb
from mintmark.v1 import digital_cards_pb2_grpc

from mintmark_client.pages import listing


class DigitalCards:
    """The methods of DigitalCardsService.

    `list(...)` takes the fields of ListDigitalCardsRequest as keywords and iterates over the digital cards of all
    pages.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = digital_cards_pb2_grpc.DigitalCardsServiceStub(channel)
        self.list = listing(self._stub.ListDigitalCards, pb.ListDigitalCardsRequest, lambda page: page.digital_cards)

    def get(self, name: str) -> pb.DigitalCard:
        """One digital card. Raises NotFound."""
        return self._stub.GetDigitalCard(pb.GetDigitalCardRequest(name=name)).digital_card
