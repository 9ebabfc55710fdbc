"""What D1 told before there were digital cards makes them when the database is brought up to date."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from server.domain import names
from server.domain.callers import ANY, Reach
from server.domain.digital_cards import DigitalCard, DigitalCardState
from server.domain.issuer_operations import IssuerOperation, IssuerOperationKind, IssuerOperationState
from server.domain.queries import DigitalCardQuery, Page
from server.store import migrate
from server.store.engine import parse_url, reader_engine
from server.store.migrations.versions import v0016_digital_cards as migration
from server.store.rows import ISSUER_OPERATION
from server.store.store import SqlStore

ISSUER = "ISS/ER 001"
EVERYTHING = Reach(issuer_ids=frozenset({ANY}))
NOW = 1_764_000_000_000_000


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'old.sqlite'}"
    url: str = request.getfixturevalue("empty_postgres_database")
    return url


def operation(number: int, *about: str, operation: str, state: str = "SUCCESSFUL", **fields: Any) -> IssuerOperation:
    """The operation of that number, recorded in their order; `about` is such as `cards`, `c-1`."""
    of_card = about[0] == "cards"
    return IssuerOperation(
        name=names.issuer_resource(ISSUER, *about, "operations", f"o-{number}"),
        issuer_id=ISSUER,
        kind=IssuerOperationKind.CARD if of_card else IssuerOperationKind.DIGITAL_CARD,
        operation_id=f"o-{number}",
        card_id=about[1] if of_card else "",
        digital_card_id="" if of_card else about[1],
        consumer_id="",
        create_time=NOW + number,
        update_time=NOW + 10 * number,
        operation=operation,
        state=IssuerOperationState(state),
        state_text=state,
        **fields,
    )


# Numbers say the order of arrival, names come in another.
KEPT = (
    operation(9, "digitalCards", "d/1", operation="SUSPEND", partner_order_time=50),
    operation(10, "digitalCards", "d/1", operation="CREATE", partner_order_time=20),
    operation(11, "digitalCards", "d/1", operation="RESUME", state="PENDING", partner_order_time=60),
    operation(1, "digitalCards", "gone", operation="DELETE"),
    operation(2, "digitalCards", "gone", operation="RESUME", partner_order_time=99),
    operation(3, "digitalCards", "odd", operation="BLOCK"),
    operation(4, "digitalCards", "odd", operation="RENEW"),
    operation(5, "cards", "c-1", operation="DIGITIZE", digital_card_ids=("d/1", "new", "", "x" * 1025, "41**11")),
    operation(6, "cards", "c-2", operation="DIGITIZE", state="PENDING", digital_card_ids=("d/1",)),
    operation(7, "cards", "c-3", operation="DIGITIZE", state="FAILED", digital_card_ids=("d/1", "never")),
    operation(8, "cards", "c-4", operation="REPLACE", digital_card_ids=("not",)),
)


def kept(url: str, told: Sequence[IssuerOperation]) -> dict[str, DigitalCard]:
    """The digital cards of a database that had these operations."""
    migrate.upgrade(url, migration.down_revision)
    engine = reader_engine(parse_url(url))
    rows = [ISSUER_OPERATION.row(each) for each in told]
    columns, places = ", ".join(rows[0]), ", ".join(f":{name}" for name in rows[0])
    with engine.begin() as connection:
        connection.execute(text(f"INSERT INTO issuer_operations ({columns}) VALUES ({places})"), rows)  # noqa: S608
    engine.dispose()
    migrate.upgrade(url)
    store = SqlStore(url)
    try:
        found = store.view.issuers.digital_cards(DigitalCardQuery(EVERYTHING), Page(limit=10_000))
    finally:
        store.close()
    return {each.digital_card_id: each for each in found}


def test_they_are_made_of_the_operations(empty_database: str) -> None:
    found = kept(empty_database, KEPT)
    assert {name: (card.state, card.card_id) for name, card in found.items()} == {
        "d/1": (DigitalCardState.SUSPENDED, "c-2"),
        "gone": (DigitalCardState.DELETED, ""),
        "new": (DigitalCardState.UNSPECIFIED, "c-1"),
        "odd": (DigitalCardState.UNRECOGNIZED, ""),
    }
    last = {
        name: (card.last_operation, card.last_operation_id, card.partner_order_time) for name, card in found.items()
    }
    # Operations of the card itself came before and say no time.
    assert last == {
        "d/1": ("RESUME", "o-11", 60),
        "gone": ("RESUME", "o-2", 99),
        "new": ("DIGITIZE", "o-5", None),
        "odd": ("RENEW", "o-4", None),
    }
    assert found["d/1"] == DigitalCard(
        name="issuers/ISS%2FER%20001/digitalCards/d%2F1",
        issuer_id=ISSUER,
        digital_card_id="d/1",
        create_time=NOW + 5,
        update_time=NOW + 110,
        card_id="c-2",
        state=DigitalCardState.SUSPENDED,
        last_operation="RESUME",
        last_operation_id="o-11",
        last_operation_state=IssuerOperationState.PENDING,
        last_operation_state_text="PENDING",
        last_issuer_operation="issuers/ISS%2FER%20001/digitalCards/d%2F1/operations/o-11",
        partner_order_time=60,
        report_arrival_time=NOW + 110,
        partner_state_time=50,
        state_arrival_time=NOW + 90,
        card_arrival_time=NOW + 60,
        revision=1,
    )


def test_more_than_a_piece_of_them(empty_database: str) -> None:
    """Digital cards lie across the ends of pieces, and a card's operation in one piece is newer than in another."""
    many = migration.AT_ONCE + 10
    told = [
        operation(number, "digitalCards", f"d-{number // 3}", operation="DELETE" if number % 3 == 2 else "SUSPEND")
        for number in range(3 * many)
    ]
    told += [
        operation(
            many - number, "cards", f"c-{number:05}", operation="DIGITIZE", digital_card_ids=("d-0", f"e-{number}")
        )
        for number in range(many)
    ]
    found = kept(empty_database, told)
    assert len(found) == 2 * many
    states = {card.state for name, card in found.items() if name.startswith("d-")}
    assert states == {DigitalCardState.DELETED}
    assert {found[f"e-{number}"].card_id for number in range(many)} == {f"c-{number:05}" for number in range(many)}
    assert found["d-0"].card_id == "c-00000"


def test_a_database_without_any(empty_database: str) -> None:
    assert kept(empty_database, KEPT[-1:]) == {}
