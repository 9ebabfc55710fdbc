"""The public keys that card data is encrypted for."""

from collections.abc import Sequence

import grpc
from mintmark.v1 import card_keys_pb2 as pb
from mintmark.v1 import card_keys_pb2_grpc


class CardKeys:
    """The method of CardKeysService."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = card_keys_pb2_grpc.CardKeysServiceStub(channel)

    def get(self) -> Sequence[pb.CardKey]:
        """The keys, the one to encrypt for now first. Empty where no gateway has published any in the last hour."""
        return self._stub.GetCardKeys(pb.GetCardKeysRequest()).card_keys
