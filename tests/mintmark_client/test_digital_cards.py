"""client.digital_cards, against a core that answers from a list."""

from collections.abc import Iterator

import pytest
from mintmark.v1 import digital_cards_pb2 as pb

from mintmark_client import Client, NotFound
from tests.mintmark_client.fake_core import UnsteadyCore

NAMES = [f"issuers/ISSUER_001/digitalCards/d-{number}" for number in range(5)]


@pytest.fixture
def told(unsteady: UnsteadyCore) -> Iterator[Client]:
    """A client of a core that knows five digital cards, of which it shows two a page."""
    unsteady.digital_cards = [pb.DigitalCard(name=name, card_id="card-1") for name in NAMES]
    with Client(unsteady.address, client_id="c", client_secret=unsteady.secret) as client:
        yield client


def test_digital_cards_of_all_pages_are_listed_as_they_are_asked_for(told: Client, unsteady: UnsteadyCore) -> None:
    states = [pb.DIGITAL_CARD_STATE_ACTIVE, pb.DIGITAL_CARD_STATE_SUSPENDED]
    listed = told.digital_cards.list(issuer_id="ISSUER_001", card_id="card-1", states=states)
    assert [each.name for each in listed] == NAMES
    assert [each.page_token for each in unsteady.requests] == ["", "2", "4"]
    assert {(each.issuer_id, each.card_id, *each.states) for each in unsteady.requests} == {
        ("ISSUER_001", "card-1", *states)
    }


def test_one_is_read_and_one_that_is_not_there_is_refused(told: Client, unsteady: UnsteadyCore) -> None:
    assert told.digital_cards.get(NAMES[3]) == unsteady.digital_cards[3]
    with pytest.raises(NotFound) as caught:
        told.digital_cards.get(f"{NAMES[0]}0")
    assert caught.value.metadata == {"resource": f"{NAMES[0]}0"}
