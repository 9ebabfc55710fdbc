"""The table of consumers, beside those of `schema` and written as they are."""

from sqlalchemy import BigInteger, Column, Index, LargeBinary, Table, Text

from server.store.schema import Name, metadata

consumers = Table(
    "consumers",
    metadata,
    Column("name", Name, primary_key=True),
    Column("issuer_id", Text, nullable=False),
    Column("consumer_id", Text, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    # Empty where nothing is known, and of deleted ones.
    Column("sealed_personal_data", LargeBinary, nullable=False),
    Index("consumers_by_issuer_id", "issuer_id", "name"),
)
