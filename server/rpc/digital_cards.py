"""DigitalCardsService."""

from mintmark.v1 import digital_cards_pb2 as pb
from mintmark.v1 import issuer_operations_pb2

from server.domain.digital_cards import DigitalCard, DigitalCardState
from server.domain.queries import DigitalCardQuery
from server.ports import Store
from server.rpc.calls import Call
from server.rpc.pages import PageTokens
from server.rpc.words import timestamp
from server.services import digital_cards

STATES = {pb.DigitalCardState.Value(f"DIGITAL_CARD_STATE_{state}"): state for state in DigitalCardState}


def to_proto(card: DigitalCard) -> pb.DigitalCard:
    return pb.DigitalCard(
        name=card.name,
        issuer_id=card.issuer_id,
        digital_card_id=card.digital_card_id,
        card_id=card.card_id,
        state=pb.DigitalCardState.Value(f"DIGITAL_CARD_STATE_{card.state}"),
        last_operation=card.last_operation,
        last_operation_id=card.last_operation_id,
        last_operation_state=issuer_operations_pb2.IssuerOperationState.Value(
            f"ISSUER_OPERATION_STATE_{card.last_operation_state}"
        ),
        last_operation_state_text=card.last_operation_state_text,
        last_issuer_operation=card.last_issuer_operation,
        partner_order_time=timestamp(card.partner_order_time),
        partner_state_time=timestamp(card.partner_state_time),
        create_time=timestamp(card.create_time),
        update_time=timestamp(card.update_time),
    )


class DigitalCards:
    """The methods of DigitalCardsService, behind the wrapper of every call."""

    def __init__(self, store: Store, pages: PageTokens) -> None:
        self._store = store
        self._pages = pages

    def GetDigitalCard(self, request: pb.GetDigitalCardRequest, call: Call) -> pb.GetDigitalCardResponse:
        found = digital_cards.get(self._store, call.caller, request.name)
        return pb.GetDigitalCardResponse(digital_card=to_proto(found))

    def ListDigitalCards(self, request: pb.ListDigitalCardsRequest, call: Call) -> pb.ListDigitalCardsResponse:
        query = DigitalCardQuery(
            call.caller.reach,
            request.issuer_id,
            request.card_id,
            # UNSPECIFIED is a state that digital cards can be in.
            frozenset(STATES[state] for state in request.states),
        )
        found, next_page = self._pages.list(
            request, call.caller.client, lambda page: digital_cards.list_page(self._store, query, page), to_proto
        )
        return pb.ListDigitalCardsResponse(digital_cards=found, next_page_token=next_page)
