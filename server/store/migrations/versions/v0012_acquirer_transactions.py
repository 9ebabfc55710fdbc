"""Transactions at the acquirer, what it said of them, and its notifications that no key opens."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def _times(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def _flags(*names: str) -> list[sa.Column[bool]]:
    return [sa.Column(name, sa.Boolean(), nullable=False) for name in names]


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def _transactions() -> None:
    op.create_table(
        "acquirer_transactions",
        sa.Column("name", NAME, nullable=False),
        *_texts("account", "transaction_id", "merchant_gateway_id", "merchant_id"),
        *_times("create_time", "update_time", "report_time"),
        *_texts("terminal_id", "merchant_reference", "payment", "state"),
        *_flags("contested"),
        *(sa.Column(name, sa.Text(), nullable=True) for name in ("succeeded", "failed", "open")),
        *_flags("conflict", "reused", "confirmed", "query_pending"),
        sa.Column("last_query", sa.Text(), nullable=True),
        *_times("report_count", "revision"),
        sa.PrimaryKeyConstraint("name"),
    )
    table = "acquirer_transactions"
    op.create_index("acquirer_transactions_by_transaction_id", table, ["transaction_id", "name"])
    op.create_index("acquirer_transactions_by_update_time", table, ["update_time"])
    _partial(
        "acquirer_transactions_by_merchant_reference", table, ["merchant_reference"], where="merchant_reference <> ''"
    )
    _partial("acquirer_transactions_by_payment", table, ["payment"], where="payment <> ''")
    _partial("acquirer_transactions_contested", table, ["account", "name"], where="contested")


def _reports() -> None:
    op.create_table(
        "acquirer_reports",
        sa.Column("name", NAME, nullable=False),
        sa.Column("acquirer_transaction", NAME, nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        *_texts("kind", "effect"),
        *_times("time"),
        *_texts("state_text", "type_text", "amount_text", "currency_text", "time_text", "status_code"),
        *_texts("notification", "notification_id", "webhook_config"),
        sa.Column("effect_digest", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index(
        "acquirer_reports_by_transaction", "acquirer_reports", ["acquirer_transaction", "number"], unique=True
    )


def _unreadable() -> None:
    table = "unreadable_notifications"
    op.create_table(
        table,
        sa.Column("name", NAME, nullable=False),
        sa.Column("unreadable_id", NAME, nullable=False),
        *_texts("webhook_config", "merchant_gateway_id", "merchant_id"),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        *_times("receive_time", "last_delivery_time"),
        *_texts("correlation_id"),
        sa.Column("tried_key", sa.Integer(), nullable=False),
        sa.Column("sealed_message", sa.LargeBinary(), nullable=False),
        *_times("delivery_count"),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("unreadable_notifications_by_digest", table, ["digest"], unique=True)
    op.create_index("unreadable_notifications_by_config", table, ["webhook_config", "unreadable_id"])
    op.create_index("unreadable_notifications_by_id", table, ["unreadable_id"], unique=True)
    op.create_index("unreadable_notifications_by_time", table, ["receive_time"])
    op.create_table(
        "unreadable_tallies",
        sa.Column("name", NAME, nullable=False),
        *_times("dropped_count"),
        sa.Column("tell_time", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )


def upgrade() -> None:
    _transactions()
    _reports()
    _unreadable()
    for name in ("partner_notification_id", "webhook_config"):
        op.add_column("notifications", sa.Column(name, sa.Text(), nullable=False, server_default=sa.text("''")))
