"""`mintmark issuer-operations`, and the issuers and cards by which other commands filter."""

import pytest
from mintmark.v1 import issuer_operations_pb2 as pb

from tests.adapters.cli.conftest import Command
from tests.adapters.cli.fake_core import FakeCore

CARD = "issuers/ISSUER_001/cards/card-1/operations/o-1"
CONSUMER = "issuers/ISSUER_001/consumers/c-7/operations/o-2"
AUTHORISATION = "issuers/ISSUER_001/cards/card-1/authorisations/a"


@pytest.fixture
def operations(core: FakeCore) -> list[pb.IssuerOperation]:
    """What the core has: a card's, a consumer's and an authorisation of a status that is not on our list."""
    told = pb.IssuerOperation(
        name=CARD,
        issuer_id="ISSUER_001",
        kind=pb.ISSUER_OPERATION_KIND_CARD,
        operation_id="o-1",
        card_id="card-1",
        operation="PRODUCE",
        state=pb.ISSUER_OPERATION_STATE_FAILED,
        state_text="FAILED",
        error_code="E17",
        error="no plastic",
        details_json='{"productionState": "SHIPPED"}',
        delivery_count=3,
    )
    consumer = pb.IssuerOperation(
        name=CONSUMER,
        kind=pb.ISSUER_OPERATION_KIND_CONSUMER,
        consumer_id="c-7",
        operation="REGISTER",
        state=pb.ISSUER_OPERATION_STATE_PENDING,
        state_text="PENDING",
    )
    consumer.partner_order_time.FromJsonString("2026-11-21T04:05:06Z")
    odd = pb.IssuerOperation(
        name=AUTHORISATION,
        kind=pb.ISSUER_OPERATION_KIND_AUTHORISATION,
        card_id="card-1",
        state=pb.ISSUER_OPERATION_STATE_UNRECOGNIZED,
        state_text="REVERSED",
    )
    core.issuer_operations = [told, consumer, odd]
    return core.issuer_operations


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines() if line.startswith(" issuers/")]


def test_all_pages_are_listed(mintmark: Command, core: FakeCore, operations: list[pb.IssuerOperation]) -> None:
    listed = mintmark("issuer-operations", "list", "--output", "json")
    assert [each["name"] for each in listed.lines] == [each.name for each in operations]
    assert [request.page_token for request in core.requests] == ["", "2"]
    assert len(mintmark("issuer-operations", "list", "--limit", "1", "--output", "json").lines) == 1


def test_a_table_says_what_is_done_with_what_and_how_it_stands(
    mintmark: Command, operations: list[pb.IssuerOperation], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "250")
    card, consumer, odd = rows(mintmark("issuer-operations", "list").out)
    assert card == [CARD, "CARD", "card-1", "PRODUCE", "FAILED", "E17", "3"]
    assert consumer == [CONSUMER, "CONSUMER", "c-7", "REGISTER", "PENDING", "2026-11-21T04:05:06Z", "0"]
    assert odd == [AUTHORISATION, "AUTHORISATION", "card-1", "REVERSED", "0"]


def test_every_filter_goes_to_the_core(mintmark: Command, core: FakeCore) -> None:
    filters = ("--issuer", "ISSUER_001", "--card", "card-1", "--digital-card", "d-1", "--operation-id", "o-1")
    kinds = ("--kind", "digital-card", "--kind", "THREE_D_SECURE", "--state", "declined", "--state", "unrecognized")
    assert mintmark("issuer-operations", "list", *filters, *kinds).code == 0
    (request,) = core.requests
    wanted = pb.ListIssuerOperationsRequest(
        issuer_id="ISSUER_001",
        card_id="card-1",
        digital_card_id="d-1",
        operation_id="o-1",
        kinds=[pb.ISSUER_OPERATION_KIND_DIGITAL_CARD, pb.ISSUER_OPERATION_KIND_THREE_D_SECURE],
        states=[pb.ISSUER_OPERATION_STATE_DECLINED, pb.ISSUER_OPERATION_STATE_UNRECOGNIZED],
        page_size=request.page_size,
    )
    assert request == wanted
    wrong = mintmark("issuer-operations", "list", "--state", "shipped")
    assert (wrong.code, "none of" in wrong.err, len(core.requests)) == (2, True, 1)


def test_one_is_shown_whole_and_what_is_not_there_is_refused(
    mintmark: Command, operations: list[pb.IssuerOperation]
) -> None:
    shown = mintmark("issuer-operations", "show", CARD)
    assert shown.code == 0
    assert [word in shown.out for word in ("PRODUCE", "FAILED", "no plastic", "SHIPPED")] == [True] * 4
    gone = mintmark("issuer-operations", "show", f"{CARD}0")
    assert (gone.code, "RESOURCE_NOT_FOUND" in gone.err) == (1, True)


def test_notifications_and_replays_are_filtered_by_issuer_and_card(mintmark: Command, core: FakeCore) -> None:
    chosen = ("--issuer", "ISSUER_001", "--card", "card-1", "--kind", "d1-card-operation")
    assert mintmark("notifications", "list", *chosen).code == 0
    assert mintmark("replays", "create", "--reason", "tried", *chosen).code == 0
    listed, replayed = core.requests
    assert [(each.issuer_id, each.card_id, len(each.kinds)) for each in (listed, replayed.filter)] == [
        ("ISSUER_001", "card-1", 1)
    ] * 2


def test_events_and_subscriptions_are_filtered_by_issuer_and_card(mintmark: Command, core: FakeCore) -> None:
    kind = ("--kind", "issuer-operation-updated")
    for command in (
        ("events", "tail", "--from", "0", "--until-caught-up", *kind),
        ("subscriptions", "create", "cards", *kind),
        ("subscriptions", "update", "clients/c/subscriptions/cards"),
    ):
        assert mintmark(*command, "--issuer", "ISSUER_001", "--card", "card-1").code == 0
    tailed, created, updated = core.requests
    filters = [each.filter for each in (tailed, created, updated.subscription)]
    assert [(each.issuer_id, each.card_id) for each in filters] == [("ISSUER_001", "card-1")] * 3
    assert list(updated.update_mask.paths) == ["filter"]
    assert mintmark("subscriptions", "update", "cards", "--everything", "--issuer", "i").code == 2
