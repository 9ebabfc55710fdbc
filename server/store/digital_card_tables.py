"""The table of digital cards. Columns are named as the fields of the domain's dataclass."""

from sqlalchemy import BigInteger, Column, Index, Table, Text

from server.store.schema import Name, metadata

digital_cards = Table(
    "digital_cards",
    metadata,
    Column("name", Name, primary_key=True),
    Column("issuer_id", Text, nullable=False),
    Column("digital_card_id", Text, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("card_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("last_operation", Text, nullable=False),
    Column("last_operation_id", Text, nullable=False),
    Column("last_operation_state", Text, nullable=False),
    Column("last_operation_state_text", Text, nullable=False),
    Column("last_issuer_operation", Text, nullable=False),
    Column("partner_order_time", BigInteger),
    Column("report_arrival_time", BigInteger, nullable=False),
    Column("partner_state_time", BigInteger),
    Column("state_arrival_time", BigInteger, nullable=False),
    Column("card_order_time", BigInteger),
    Column("card_arrival_time", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Index("digital_cards_by_card_id", "card_id", "name"),
)
