"""Merchants and their registrations at the card schemes."""

import grpc
from mintmark.v1 import merchants_pb2 as pb
from mintmark.v1 import merchants_pb2_grpc

from mintmark_client.pages import listing


class Merchants:
    """The methods of MerchantsService.

    `list(...)` takes the fields of ListMerchantsRequest as keywords and iterates over the merchants of all pages.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = merchants_pb2_grpc.MerchantsServiceStub(channel)
        self.list = listing(self._stub.ListMerchants, pb.ListMerchantsRequest, lambda page: page.merchants)

    def get(self, name: str) -> pb.Merchant:
        """One merchant. Raises NotFound."""
        return self._stub.GetMerchant(pb.GetMerchantRequest(name=name)).merchant
