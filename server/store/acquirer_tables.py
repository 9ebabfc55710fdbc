"""The tables of transactions at the acquirer and of notifications that no key opens, beside those of `schema` and
written as they are."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, Text

from server.store.schema import Name, metadata, partial

acquirer_transactions = Table(
    "acquirer_transactions",
    metadata,
    Column("name", Name, primary_key=True),
    Column("account", Text, nullable=False),
    Column("transaction_id", Text, nullable=False),
    Column("merchant_gateway_id", Text, nullable=False),
    Column("merchant_id", Text, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("report_time", BigInteger, nullable=False),
    Column("terminal_id", Text, nullable=False),
    Column("merchant_reference", Text, nullable=False),
    Column("payment", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("contested", Boolean, nullable=False),
    Column("succeeded", Text),
    Column("failed", Text),
    Column("open", Text),
    Column("conflict", Boolean, nullable=False),
    Column("reused", Boolean, nullable=False),
    Column("confirmed", Boolean, nullable=False),
    Column("query_pending", Boolean, nullable=False),
    Column("last_query", Text),
    Column("report_count", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Index("acquirer_transactions_by_transaction_id", "transaction_id", "name"),
    partial("acquirer_transactions_by_merchant_reference", "merchant_reference", where="merchant_reference <> ''"),
    partial("acquirer_transactions_by_payment", "payment", where="payment <> ''"),
    partial("acquirer_transactions_contested", "account", "name", where="contested"),
    # Retention looks for the oldest.
    Index("acquirer_transactions_by_update_time", "update_time"),
)

acquirer_reports = Table(
    "acquirer_reports",
    metadata,
    Column("name", Name, primary_key=True),
    Column("acquirer_transaction", Name, nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("effect", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("state_text", Text, nullable=False),
    Column("type_text", Text, nullable=False),
    Column("amount_text", Text, nullable=False),
    Column("currency_text", Text, nullable=False),
    Column("time_text", Text, nullable=False),
    Column("status_code", Text, nullable=False),
    Column("notification", Text, nullable=False),
    Column("notification_id", Text, nullable=False),
    Column("webhook_config", Text, nullable=False),
    Column("effect_digest", LargeBinary),
    Column("digest", LargeBinary),
    Column("sealed_body", LargeBinary, nullable=False),
    Index("acquirer_reports_by_transaction", "acquirer_transaction", "number", unique=True),
)

unreadable_notifications = Table(
    "unreadable_notifications",
    metadata,
    Column("name", Name, primary_key=True),
    Column("unreadable_id", Name, nullable=False),
    Column("webhook_config", Text, nullable=False),
    Column("merchant_gateway_id", Text, nullable=False),
    Column("merchant_id", Text, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("size", Integer, nullable=False),
    Column("receive_time", BigInteger, nullable=False),
    Column("last_delivery_time", BigInteger, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("tried_key", Integer, nullable=False),
    Column("sealed_message", LargeBinary, nullable=False),
    Column("delivery_count", BigInteger, nullable=False),
    Index("unreadable_notifications_by_digest", "digest", unique=True),
    Index("unreadable_notifications_by_config", "webhook_config", "unreadable_id"),
    Index("unreadable_notifications_by_id", "unreadable_id", unique=True),
    Index("unreadable_notifications_by_time", "receive_time"),
)

# One row for each config that ever had one.
unreadable_tallies = Table(
    "unreadable_tallies",
    metadata,
    Column("name", Name, primary_key=True),
    Column("dropped_count", BigInteger, nullable=False),
    Column("tell_time", BigInteger),
)
