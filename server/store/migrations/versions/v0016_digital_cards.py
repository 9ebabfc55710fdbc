"""Digital cards, made of the operations that are known, and the card of subscriptions."""

import json
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

Name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
AFTER = {"CREATE": "ACTIVE", "RESUME": "ACTIVE", "SUSPEND": "SUSPENDED", "DELETE": "DELETED"}
KNOWN = {*AFTER, "RENEW", "UPDATE"}
AT_ONCE = 200
MOST_OF_ONE_OPERATION = 100
LONGEST_NAME = 1024

operations = sa.table(
    "issuer_operations",
    *(
        sa.column(name)
        for name in (
            *("name", "issuer_id", "kind", "operation_id", "card_id", "digital_card_id", "operation", "state"),
            *("state_text", "digital_card_ids", "partner_order_time", "create_time", "update_time"),
        )
    ),
)


def upgrade() -> None:
    op.add_column("subscriptions", sa.Column("card_id", sa.Text(), nullable=False, server_default=""))
    cards = op.create_table(
        "digital_cards",
        sa.Column("name", Name, nullable=False),
        sa.Column("issuer_id", sa.Text(), nullable=False),
        sa.Column("digital_card_id", sa.Text(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        sa.Column("card_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("last_operation", sa.Text(), nullable=False),
        sa.Column("last_operation_id", sa.Text(), nullable=False),
        sa.Column("last_operation_state", sa.Text(), nullable=False),
        sa.Column("last_operation_state_text", sa.Text(), nullable=False),
        sa.Column("last_issuer_operation", sa.Text(), nullable=False),
        sa.Column("partner_order_time", sa.BigInteger(), nullable=True),
        sa.Column("report_arrival_time", sa.BigInteger(), nullable=False),
        sa.Column("partner_state_time", sa.BigInteger(), nullable=True),
        sa.Column("state_arrival_time", sa.BigInteger(), nullable=False),
        sa.Column("card_order_time", sa.BigInteger(), nullable=True),
        sa.Column("card_arrival_time", sa.BigInteger(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("digital_cards_by_card_id", "digital_cards", ["card_id", "name"])
    _from_their_own_operations(cards)
    _from_operations_of_cards(cards)


def _rows(*conditions: sa.ColumnElement[bool]) -> Iterator[Mapping[str, Any]]:
    """In the order of names, a piece at a time: there may be more than fit into memory."""
    after = ""
    while True:
        statement = sa.select(operations).where(operations.c.name > after, *conditions)
        found = op.get_bind().execute(statement.order_by(operations.c.name).limit(AT_ONCE)).mappings().all()
        yield from (dict(row) for row in found)
        if len(found) < AT_ONCE:
            return
        after = found[-1]["name"]


def _from_their_own_operations(cards: sa.Table) -> None:
    made: list[dict[str, Any]] = []
    found = _rows(operations.c.kind == "DIGITAL_CARD", operations.c.digital_card_id != "")
    # The operations of one digital card are next to each other: their names begin alike.
    for name, told in groupby(found, lambda row: row["name"].rpartition("/operations/")[0]):
        card: dict[str, Any] = {}
        for row in sorted(told, key=lambda row: row["update_time"]):
            card = card or _new(name, row, row["digital_card_id"])
            _tell(card, row)
        made.append(card)
        if len(made) == AT_ONCE:
            op.bulk_insert(cards, made)
            made = []
    op.bulk_insert(cards, made)


def _from_operations_of_cards(cards: sa.Table) -> None:
    """In pieces: a digital card may be named in several of them."""
    conditions = (
        operations.c.kind == "CARD",
        operations.c.operation == "DIGITIZE",
        operations.c.digital_card_ids != "[]",
    )
    piece: list[Mapping[str, Any]] = []
    for row in _rows(*conditions):
        piece.append(row)
        if len(piece) == AT_ONCE:
            _bind(cards, piece)
            piece = []
    _bind(cards, piece)


def _bind(cards: sa.Table, piece: list[Mapping[str, Any]]) -> None:
    connection = op.get_bind()
    for row in sorted(piece, key=lambda row: row["update_time"]):
        # As its own name begins: the issuer's id is encoded there.
        issuer = row["name"].split("/")[1]
        for digital_card_id in json.loads(row["digital_card_ids"])[:MOST_OF_ONE_OPERATION]:
            name = f"issuers/{issuer}/digitalCards/{quote(digital_card_id, safe='')}"
            # What is left of a card number stands for many.
            if not digital_card_id or len(name) > LONGEST_NAME or "*" in digital_card_id:
                continue
            held = connection.execute(sa.select(cards).where(cards.c.name == name)).mappings().first()
            if held is None and row["state"] == "FAILED":
                continue
            card = dict(held) if held else _new(name, row, digital_card_id)
            _tell(card, row)
            if row["state"] in ("PENDING", "SUCCESSFUL") and not _older(
                row, card["card_order_time"], card["card_arrival_time"]
            ):
                card["card_id"] = row["card_id"]
                card["card_order_time"] = _newest(card["card_order_time"], row["partner_order_time"])
                card["card_arrival_time"] = max(card["card_arrival_time"], row["update_time"])
            if held is None:
                connection.execute(sa.insert(cards).values(card))
            else:
                connection.execute(sa.update(cards).where(cards.c.name == name).values(card))


def _new(name: str, row: Mapping[str, Any], digital_card_id: str) -> dict[str, Any]:
    return {
        "name": name,
        "issuer_id": row["issuer_id"],
        "digital_card_id": digital_card_id,
        "create_time": row["create_time"],
        "update_time": row["update_time"],
        "card_id": "",
        "state": "UNSPECIFIED",
        "last_operation": "",
        "last_operation_id": "",
        "last_operation_state": "UNSPECIFIED",
        "last_operation_state_text": "",
        "last_issuer_operation": "",
        "partner_order_time": None,
        "report_arrival_time": 0,
        "partner_state_time": None,
        "state_arrival_time": 0,
        "card_order_time": None,
        "card_arrival_time": 0,
        "revision": 1,
    }


def _older(row: Mapping[str, Any], held: int | None, held_arrival: int) -> bool:
    time = row["partner_order_time"]
    if held is not None and time is not None and time != held:
        return bool(time < held)
    return bool(row["update_time"] < held_arrival)


def _newest(held: int | None, time: int | None) -> int | None:
    return max((each for each in (held, time) if each is not None), default=None)


def _tell(card: dict[str, Any], row: Mapping[str, Any]) -> None:
    """What an operation, as it was last reported, says of a digital card."""
    card["create_time"] = min(card["create_time"], row["create_time"])
    card["update_time"] = max(card["update_time"], row["update_time"])
    time, arrival = row["partner_order_time"], row["update_time"]
    if not _older(row, card["partner_order_time"], card["report_arrival_time"]):
        card["last_operation"], card["last_operation_id"] = row["operation"], row["operation_id"]
        card["last_operation_state"], card["last_operation_state_text"] = row["state"], row["state_text"]
        card["last_issuer_operation"] = row["name"]
        card["partner_order_time"] = _newest(card["partner_order_time"], time)
        card["report_arrival_time"] = max(card["report_arrival_time"], arrival)
    if row["kind"] != "DIGITAL_CARD" or row["state"] != "SUCCESSFUL":
        return
    if _older(row, card["partner_state_time"], card["state_arrival_time"]):
        return
    state = AFTER.get(row["operation"])
    if state is None:
        if row["operation"] not in KNOWN and card["state"] == "UNSPECIFIED":
            card["state"] = "UNRECOGNIZED"
        return
    deletion = card["partner_state_time"]
    if card["state"] == "DELETED" and (deletion is None or time is None or time <= deletion):
        return
    card["state"] = state
    card["partner_state_time"] = time if state == "DELETED" else _newest(deletion, time)
    card["state_arrival_time"] = max(card["state_arrival_time"], arrival)
