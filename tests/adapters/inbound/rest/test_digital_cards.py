"""A digital card is found by REST under its name, beside the operations below it."""

from mintmark.v1 import digital_cards_pb2 as pb

from tests.adapters.inbound.rest.asking import asked
from tests.adapters.inbound.rest.test_issuer_operations import GET as GET_OPERATION
from tests.adapters.inbound.rest.test_issuer_operations import routed

GET, LIST = "DigitalCardsService.GetDigitalCard", "DigitalCardsService.ListDigitalCards"
NAME = "issuers/i_1/digitalCards/d%2F1"


def test_its_name_is_a_path_and_its_operations_are_others() -> None:
    assert routed().find(f"/v1/{NAME}".encode()) == GET
    assert asked(GET, f"/v1/{NAME}") == pb.GetDigitalCardRequest(name=NAME)
    assert routed().find(f"/v1/{NAME}/operations/o".encode()) == GET_OPERATION


def test_the_list_takes_every_filter() -> None:
    assert routed().find(b"/v1/digitalCards") == LIST
    query = "issuerId=i&cardId=c&states=ACTIVE&states=DELETED&pageSize=3"
    assert asked(LIST, "/v1/digitalCards", query) == pb.ListDigitalCardsRequest(
        issuer_id="i",
        card_id="c",
        states=[pb.DIGITAL_CARD_STATE_ACTIVE, pb.DIGITAL_CARD_STATE_DELETED],
        page_size=3,
    )
