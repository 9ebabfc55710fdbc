"""CardDataAccessesService."""

from mintmark.v1 import card_data_accesses_pb2 as pb

from server.domain.card_accesses import CardAccess, CardDataAccessResult, CardDataPurpose
from server.domain.queries import CardAccessQuery
from server.ports import Store
from server.rpc.calls import Call
from server.rpc.pages import PageTokens
from server.rpc.words import timestamp
from server.services import card_accesses

PURPOSES = {pb.CardDataPurpose.Value(f"CARD_DATA_PURPOSE_{each}"): each for each in CardDataPurpose}
RESULTS = {pb.CardDataAccessResult.Value(f"CARD_DATA_ACCESS_RESULT_{each}"): each for each in CardDataAccessResult}


def to_proto(access: CardAccess) -> pb.CardDataAccess:
    return pb.CardDataAccess(
        name=access.name,
        issuer_id=access.issuer_id,
        card=access.card,
        purpose=pb.CardDataPurpose.Value(f"CARD_DATA_PURPOSE_{access.purpose}"),
        result=pb.CardDataAccessResult.Value(f"CARD_DATA_ACCESS_RESULT_{access.result}"),
        sender=access.sender,
        correlation_id=access.correlation_id,
        create_time=timestamp(access.create_time),
    )


class CardAccesses:
    """The methods of CardDataAccessesService, behind the wrapper of every call."""

    def __init__(self, store: Store, pages: PageTokens) -> None:
        self._store = store
        self._pages = pages

    def ListCardDataAccesses(
        self, request: pb.ListCardDataAccessesRequest, call: Call
    ) -> pb.ListCardDataAccessesResponse:
        query = CardAccessQuery(
            call.caller.reach,
            request.issuer_id,
            request.card,
            frozenset(PURPOSES[purpose] for purpose in request.purposes if purpose),
            # UNSPECIFIED is a result that accesses can have.
            frozenset(RESULTS[result] for result in request.results),
        )
        found, next_page = self._pages.list(
            request, call.caller.client, lambda page: card_accesses.list_page(self._store, query, page), to_proto
        )
        return pb.ListCardDataAccessesResponse(card_data_accesses=found, next_page_token=next_page)
