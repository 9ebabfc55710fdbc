"""Issuer operations, and the issuer of accounts, notifications and events."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

IDS = ("issuer_id", "card_id", "digital_card_id", "consumer_id", "operation_id")


def upgrade() -> None:
    for column in IDS:
        op.add_column("notifications", sa.Column(column, sa.Text(), nullable=False, server_default=""))
    op.create_index(
        "notifications_by_card_id",
        "notifications",
        ["card_id", "name"],
        sqlite_where=sa.text("card_id <> ''"),
        postgresql_where=sa.text("card_id <> ''"),
    )
    op.add_column("subscriptions", sa.Column("issuer_id", sa.Text(), nullable=False, server_default=""))
    op.add_column("events", sa.Column("issuer_id", sa.Text(), nullable=False, server_default=""))
    op.add_column("accounts", sa.Column("issuer_id", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "issuer_operations",
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("issuer_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("operation_id", sa.Text(), nullable=False),
        sa.Column("card_id", sa.Text(), nullable=False),
        sa.Column("digital_card_id", sa.Text(), nullable=False),
        sa.Column("consumer_id", sa.Text(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_text", sa.Text(), nullable=False),
        sa.Column("digital_card_ids", sa.Text(), nullable=False),
        sa.Column("start_time_text", sa.Text(), nullable=False),
        sa.Column("end_time_text", sa.Text(), nullable=False),
        sa.Column("partner_order_time", sa.BigInteger(), nullable=True),
        sa.Column("details_json", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("input_file_name", sa.Text(), nullable=False),
        sa.Column("issuer_request_id", sa.Text(), nullable=False),
        sa.Column("delivery_count", sa.BigInteger(), nullable=False),
        sa.Column("last_content", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    for column in ("card_id", "digital_card_id", "operation_id"):
        op.create_index(f"issuer_operations_by_{column}", "issuer_operations", [column, "name"])
