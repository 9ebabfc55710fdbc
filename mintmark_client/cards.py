"""The cards of card issuers."""

from collections.abc import Callable

import grpc
from mintmark.v1 import card_keys_pb2, cards_pb2_grpc
from mintmark.v1 import cards_pb2 as pb

from mintmark_client.card_contents import CardData
from mintmark_client.card_keys import CardKeys
from mintmark_client.connection import new_id
from mintmark_client.errors import InvalidRequest, Unavailable
from mintmark_client.pages import listing

KEY_UNKNOWN = "CARD_KEY_UNKNOWN"


class Cards:
    """The methods of CardsService. All are safe to repeat with the same `request_id`.

    Card data is given as CardData, which is encrypted here for the key that the gateways have published (asked for
    once, and again when it is followed by another), or as the text of a JWE that was made elsewhere. `list(...)` takes
    the fields of ListCardsRequest as keywords and iterates over the cards of all pages.
    """

    def __init__(self, channel: grpc.Channel) -> None:
        self._stub = cards_pb2_grpc.CardsServiceStub(channel)
        self._keys = CardKeys(channel)
        self._key: card_keys_pb2.CardKey | None = None
        self.list = listing(self._stub.ListCards, pb.ListCardsRequest, lambda page: page.cards)

    def register(
        self,
        issuer_id: str,
        card_id: str,
        consumer_id: str,
        card: CardData | str,
        *,
        account_id: str = "",
        request_id: str = "",
    ) -> pb.Card:
        """A new card, PENDING until a gateway has looked at it: then ACTIVE, or REJECTED with a reason.

        Raises AlreadyExists, InvalidRequest (CARD_KEY_UNKNOWN for a JWE that no gateway can open), NotFound where the
        issuer is not the client's, Unavailable where no gateway has published a key.
        """
        own = request_id or new_id()

        def send(encrypted: str) -> pb.Card:
            request = pb.RegisterCardRequest(
                request_id=own,
                issuer_id=issuer_id,
                card_id=card_id,
                consumer_id=consumer_id,
                account_id=account_id,
                encrypted_card=encrypted,
            )
            return self._stub.RegisterCard(request).card

        return self._sent(card, send)

    def replace(self, name: str, card: CardData | str, *, request_id: str = "") -> pb.Card:
        """Other card data for a card, as after a renewal. Until a gateway has looked at it the card is as before; where
        it is refused, `replacement_rejection` says why. Raises NotFound, PreconditionFailed, and as `register` does."""
        own = request_id or new_id()

        def send(encrypted: str) -> pb.Card:
            request = pb.ReplaceCardRequest(request_id=own, name=name, encrypted_card=encrypted)
            return self._stub.ReplaceCard(request).card

        return self._sent(card, send)

    def get(self, name: str) -> pb.Card:
        """One card. Raises NotFound."""
        return self._stub.GetCard(pb.GetCardRequest(name=name)).card

    def suspend(
        self, name: str, reason: "pb.CardSuspensionReason.ValueType", *, text: str = "", request_id: str = ""
    ) -> pb.Card:
        """Takes an active card out of use. Raises NotFound, PreconditionFailed."""
        request = pb.SuspendCardRequest(request_id=request_id, name=name, reason=reason, text=text)
        return self._stub.SuspendCard(request).card

    def resume(self, name: str, *, request_id: str = "") -> pb.Card:
        """Takes a suspended card into use again. Raises NotFound, PreconditionFailed."""
        return self._stub.ResumeCard(pb.ResumeCardRequest(request_id=request_id, name=name)).card

    def delete(self, name: str, *, request_id: str = "") -> pb.Card:
        """Deletes a card for good, its card data with it. Raises NotFound."""
        return self._stub.DeleteCard(pb.DeleteCardRequest(request_id=request_id, name=name)).card

    def reset_verification_attempts(self, name: str, *, request_id: str = "") -> pb.Card:
        """Sets the count of tries at the security code back to none. Raises NotFound."""
        request = pb.ResetCardVerificationAttemptsRequest(request_id=request_id, name=name)
        return self._stub.ResetCardVerificationAttempts(request).card

    def _sent(self, card: CardData | str, send: Callable[[str], pb.Card]) -> pb.Card:
        if isinstance(card, str):
            return send(card)
        key = self._key or self._current_key()
        try:
            return send(card.encrypted(key))
        except InvalidRequest as refused:
            # The key that was asked for some time ago may be gone by now.
            if refused.reason != KEY_UNKNOWN:
                raise
            self._key = None
            newer = self._current_key()
            if newer.kid == key.kid:
                raise
        return send(card.encrypted(newer))

    def _current_key(self) -> card_keys_pb2.CardKey:
        keys = self._keys.get()
        if not keys:
            raise Unavailable("no gateway has published a key to encrypt card data for")
        self._key = keys[0]
        return keys[0]
