"""Payment subscriptions, which cycle a charge is of, and when a change of one was last sent."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("payment_operations", sa.Column("cycle", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("tasks", sa.Column("change_time", sa.BigInteger(), nullable=False, server_default="0"))
    op.create_table(
        "payment_subscriptions",
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("merchant_subscription_id", sa.Text(), nullable=False),
        sa.Column("payment", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("merchant_gateway_id", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("currency_code", sa.Text(), nullable=False),
        sa.Column("minor_amount", sa.BigInteger(), nullable=False),
        sa.Column("plan", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("state_text", sa.Text(), nullable=False),
        sa.Column("partner_subscription_id", sa.Text(), nullable=True),
        sa.Column("completed_cycle_count", sa.BigInteger(), nullable=False),
        sa.Column("last_payment_status_text", sa.Text(), nullable=False),
        sa.Column("next_payment_time", sa.BigInteger(), nullable=True),
        sa.Column("due_cycle", sa.BigInteger(), nullable=False),
        sa.Column("overdue", sa.Boolean(), nullable=False),
        sa.Column("wish", sa.Text(), nullable=True),
        sa.Column("refusal_text", sa.Text(), nullable=False),
        sa.Column("look_time", sa.BigInteger(), nullable=True),
        sa.Column("look_begin_time", sa.BigInteger(), nullable=False),
        sa.Column("refresh_time", sa.BigInteger(), nullable=False),
        sa.Column("listed", sa.Text(), nullable=False),
        sa.Column("attend_time", sa.BigInteger(), nullable=True),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    table = "payment_subscriptions"
    op.create_index("payment_subscriptions_by_partner_id", table, ["account", "partner_subscription_id"], unique=True)
    op.create_index("payment_subscriptions_by_merchant_id", table, ["merchant_subscription_id"])
    op.create_index("payment_subscriptions_by_token", table, ["token", "name"])
    op.create_index("payment_subscriptions_by_attend_time", table, ["attend_time"])
