"""CardsService."""

from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf.message import Message
from mintmark.v1 import cards_pb2 as pb

from server.domain import names
from server.domain.cards import Card, CardRejection, CardState, CardSuspensionReason
from server.domain.queries import CardQuery
from server.ports import Transaction
from server.rpc.calls import Call, Calls
from server.rpc.pages import PageTokens
from server.rpc.words import timestamp
from server.services import cards
from server.services.card_house import CardHouse

R = TypeVar("R", bound=Message)

STATES = {pb.CardState.Value(f"CARD_STATE_{state}"): state for state in CardState}
REASONS = {pb.CardSuspensionReason.Value(f"CARD_SUSPENSION_REASON_{each}"): each for each in CardSuspensionReason}
# Encrypted anew it looks different each time.
ENCRYPTED = ("encrypted_card",)


def rejection_to_proto(rejection: CardRejection | None) -> pb.CardRejection.ValueType:
    return pb.CardRejection.Value(f"CARD_REJECTION_{rejection or 'UNSPECIFIED'}")


def to_proto(card: Card) -> pb.Card:
    return pb.Card(
        name=card.name,
        issuer_id=card.issuer_id,
        card_id=card.card_id,
        consumer_id=card.consumer_id,
        account_id=card.account_id,
        state=pb.CardState.Value(f"CARD_STATE_{card.state}"),
        suspension_reason=pb.CardSuspensionReason.Value(
            f"CARD_SUSPENSION_REASON_{card.suspension_reason or 'UNSPECIFIED'}"
        ),
        suspension_text=card.suspension_text,
        rejection=rejection_to_proto(card.rejection),
        bin=card.bin,
        last_digits=card.last_digits,
        expiry=card.expiry,
        has_security_code=card.has_security_code,
        card_key_id=card.card_key_id or card.pending_key_id,
        replacement_pending=card.pending and card.state is not CardState.PENDING,
        replacement_rejection=rejection_to_proto(card.replacement_rejection),
        verification_attempts=card.verification_attempts,
        last_verification_attempt_time=timestamp(card.last_verification_attempt_time),
        create_time=timestamp(card.create_time),
        update_time=timestamp(card.update_time),
        etag=str(card.revision),
    )


class Cards:
    """The methods of CardsService, behind the wrapper of every call."""

    def __init__(self, house: CardHouse, calls: Calls, pages: PageTokens) -> None:
        self._house = house
        self._calls = calls
        self._pages = pages

    def _write(
        self, call: Call, request: Any, name: str, run: Callable[[Transaction], Card], answer: Callable[..., R]
    ) -> R:
        return self._calls.write(
            call, request, name, lambda transaction: answer(card=to_proto(run(transaction))), apart=self._apart(request)
        )

    @staticmethod
    def _apart(request: Message) -> tuple[str, ...]:
        return tuple(field for field in ENCRYPTED if field in request.DESCRIPTOR.fields_by_name)

    def RegisterCard(self, request: pb.RegisterCardRequest, call: Call) -> pb.RegisterCardResponse:
        def run(transaction: Transaction) -> Card:
            return cards.register(
                self._house,
                transaction,
                call.caller,
                request.issuer_id,
                request.card_id,
                request.consumer_id,
                request.account_id,
                request.encrypted_card,
            )

        return self._write(call, request, names.card(request.issuer_id, request.card_id), run, pb.RegisterCardResponse)

    def ReplaceCard(self, request: pb.ReplaceCardRequest, call: Call) -> pb.ReplaceCardResponse:
        def run(transaction: Transaction) -> Card:
            return cards.replace(self._house, transaction, call.caller, request.name, request.encrypted_card)

        return self._write(call, request, request.name, run, pb.ReplaceCardResponse)

    def SuspendCard(self, request: pb.SuspendCardRequest, call: Call) -> pb.SuspendCardResponse:
        def run(transaction: Transaction) -> Card:
            reason = REASONS[request.reason]
            return cards.suspend(self._house, transaction, call.caller, request.name, reason, request.text)

        return self._write(call, request, request.name, run, pb.SuspendCardResponse)

    def ResumeCard(self, request: pb.ResumeCardRequest, call: Call) -> pb.ResumeCardResponse:
        def run(transaction: Transaction) -> Card:
            return cards.resume(self._house, transaction, call.caller, request.name)

        return self._write(call, request, request.name, run, pb.ResumeCardResponse)

    def DeleteCard(self, request: pb.DeleteCardRequest, call: Call) -> pb.DeleteCardResponse:
        def run(transaction: Transaction) -> Card:
            return cards.delete(self._house, transaction, call.caller, request.name)

        return self._write(call, request, request.name, run, pb.DeleteCardResponse)

    def ResetCardVerificationAttempts(
        self, request: pb.ResetCardVerificationAttemptsRequest, call: Call
    ) -> pb.ResetCardVerificationAttemptsResponse:
        def run(transaction: Transaction) -> Card:
            return cards.reset_attempts(self._house, transaction, call.caller, request.name)

        return self._write(call, request, request.name, run, pb.ResetCardVerificationAttemptsResponse)

    def GetCard(self, request: pb.GetCardRequest, call: Call) -> pb.GetCardResponse:
        return pb.GetCardResponse(card=to_proto(cards.get(self._house.store, call.caller, request.name)))

    def ListCards(self, request: pb.ListCardsRequest, call: Call) -> pb.ListCardsResponse:
        query = CardQuery(
            call.caller.reach,
            request.issuer_id,
            request.consumer_id,
            frozenset(STATES[state] for state in request.states if state),
            request.last_digits,
        )
        found, next_page = self._pages.list(
            request, call.caller.client, lambda page: cards.list_page(self._house.store, query, page), to_proto
        )
        return pb.ListCardsResponse(cards=found, next_page_token=next_page)
