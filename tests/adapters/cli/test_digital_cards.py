"""`mintmark digital-cards`."""

import pytest
from mintmark.v1 import digital_cards_pb2 as pb
from mintmark.v1 import issuer_operations_pb2

from tests.adapters.cli.conftest import Command
from tests.adapters.cli.fake_core import FakeCore

BELOW = "issuers/ISSUER_001/digitalCards"


@pytest.fixture
def cards(core: FakeCore) -> list[pb.DigitalCard]:
    """What the core has: one whose last operation failed, one that was only named, one that was deleted."""
    suspended = pb.DigitalCard(
        name=f"{BELOW}/d-1",
        card_id="card-1",
        state=pb.DIGITAL_CARD_STATE_SUSPENDED,
        last_operation="RESUME",
        last_operation_state=issuer_operations_pb2.ISSUER_OPERATION_STATE_FAILED,
        last_operation_state_text="FAILED",
        last_issuer_operation=f"{BELOW}/d-1/operations/o-7",
    )
    suspended.partner_order_time.FromJsonString("2026-11-21T04:05:06Z")
    named = pb.DigitalCard(
        name=f"{BELOW}/d-2",
        card_id="card-1",
        last_operation="DIGITIZE",
        last_operation_state_text="PENDING",
    )
    core.digital_cards = [suspended, named, pb.DigitalCard(name=f"{BELOW}/d-3", state=pb.DIGITAL_CARD_STATE_DELETED)]
    return core.digital_cards


def test_all_pages_are_listed_with_their_states(
    mintmark: Command, core: FakeCore, cards: list[pb.DigitalCard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    rows = [line.split() for line in mintmark("digital-cards", "list").out.splitlines() if BELOW in line]
    assert rows == [
        [cards[0].name, "card-1", "SUSPENDED", "RESUME", "FAILED", "2026-11-21T04:05:06Z"],
        [cards[1].name, "card-1", "DIGITIZE", "PENDING"],
        [cards[2].name, "DELETED"],
    ]
    assert [request.page_token for request in core.requests] == ["", "2"]
    assert len(mintmark("digital-cards", "list", "--limit", "1", "--output", "json").lines) == 1


def test_every_filter_goes_to_the_core(mintmark: Command, core: FakeCore) -> None:
    states = ("--state", "active", "--state", "UNRECOGNIZED")
    assert mintmark("digital-cards", "list", "--issuer", "ISSUER_001", "--card", "card-1", *states).code == 0
    (request,) = core.requests
    assert request == pb.ListDigitalCardsRequest(
        issuer_id="ISSUER_001",
        card_id="card-1",
        states=[pb.DIGITAL_CARD_STATE_ACTIVE, pb.DIGITAL_CARD_STATE_UNRECOGNIZED],
        page_size=request.page_size,
    )
    wrong = mintmark("digital-cards", "list", "--state", "lost")
    assert (wrong.code, "none of" in wrong.err, len(core.requests)) == (2, True, 1)


def test_one_is_shown_whole_and_what_is_not_there_is_refused(mintmark: Command, cards: list[pb.DigitalCard]) -> None:
    shown = mintmark("digital-cards", "show", cards[0].name)
    assert shown.code == 0
    assert [word in shown.out for word in ("SUSPENDED", "RESUME", "FAILED", "operations/o-7")] == [True] * 4
    gone = mintmark("digital-cards", "show", f"{BELOW}/d-9")
    assert (gone.code, "RESOURCE_NOT_FOUND" in gone.err) == (1, True)
