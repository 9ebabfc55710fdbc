"""Payments, what is known of them, and the tasks of the dispatchers."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    nothing = sa.text("X''" if op.get_bind().dialect.name == "sqlite" else "''")
    op.add_column("store_head", sa.Column("database_identity", sa.Text(), nullable=False, server_default=""))
    op.add_column("accounts", sa.Column("payment_options", sa.Text(), nullable=True))
    op.add_column("accounts", sa.Column("authorization_digest", sa.Text(), nullable=False, server_default=""))
    op.add_column("accounts", sa.Column("api_key_digest", sa.Text(), nullable=False, server_default=""))
    op.add_column(
        "accounts", sa.Column("sealed_authorization", sa.LargeBinary(), nullable=False, server_default=nothing)
    )
    op.add_column("accounts", sa.Column("sealed_api_key", sa.LargeBinary(), nullable=False, server_default=nothing))
    op.add_column("accounts", sa.Column("held", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("accounts", sa.Column("hold_reason", sa.Text(), nullable=False, server_default=""))
    op.create_table(
        "payments",
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("merchant_payment_id", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("merchant_gateway_id", sa.Text(), nullable=False),
        sa.Column("merchant_id", sa.Text(), nullable=False),
        sa.Column("currency_code", sa.Text(), nullable=False),
        sa.Column("minor_amount", sa.BigInteger(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("merchant_payment_key", sa.Text(), nullable=True),
        sa.Column("authorized_minor_amount", sa.BigInteger(), nullable=False),
        sa.Column("captured_minor_amount", sa.BigInteger(), nullable=False),
        sa.Column("refunded_minor_amount", sa.BigInteger(), nullable=False),
        sa.Column("unresolved_minor_amount", sa.BigInteger(), nullable=False),
        sa.Column("in_doubt", sa.Boolean(), nullable=False),
        sa.Column("settled", sa.Boolean(), nullable=False),
        sa.Column("duplicate_charge", sa.Boolean(), nullable=False),
        sa.Column("redirect_expire_time", sa.BigInteger(), nullable=True),
        sa.Column("decline", sa.Text(), nullable=True),
        sa.Column("card", sa.Text(), nullable=True),
        sa.Column("evidence_count", sa.BigInteger(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("sealed_details", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_redirect_url", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        sa.UniqueConstraint("merchant_payment_key"),
    )
    op.create_index("payments_by_merchant_payment_id", "payments", ["merchant_payment_id"])
    op.create_index("payments_by_token", "payments", ["token", "name"])
    op.create_table(
        "payment_operations",
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("payment", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("minor_amount", sa.BigInteger(), nullable=False),
        sa.Column("currency_code", sa.Text(), nullable=False),
        sa.Column("amount_unit", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("partner_merchant_id", sa.Text(), nullable=False),
        sa.Column("stored_payment_method_id", sa.Text(), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("send_before", sa.BigInteger(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        sa.Column("parent", sa.Text(), nullable=False),
        sa.Column("parent_transaction_id", sa.Text(), nullable=False),
        sa.Column("confirmed_minor_amount", sa.BigInteger(), nullable=True),
        sa.Column("partner_transaction_id", sa.Text(), nullable=True),
        sa.Column("partner_reference", sa.Text(), nullable=False),
        sa.Column("auth_code", sa.Text(), nullable=False),
        sa.Column("doubt", sa.Text(), nullable=True),
        sa.Column("decline", sa.Text(), nullable=True),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("in_flight_until", sa.BigInteger(), nullable=False),
        sa.Column("action_required", sa.Boolean(), nullable=False),
        sa.Column("hinted", sa.Boolean(), nullable=False),
        sa.Column("redirect_expire_time", sa.BigInteger(), nullable=True),
        sa.Column("attend_time", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("payment_operations_by_attend_time", "payment_operations", ["attend_time"])
    op.create_index("payment_operations_by_day", "payment_operations", ["account", "currency_code", "create_time"])
    op.create_index("payment_operations_by_payment", "payment_operations", ["payment", "number"], unique=True)
    op.create_index("payment_operations_by_reference", "payment_operations", ["account", "reference"], unique=True)
    op.create_index(
        "payment_operations_by_transaction", "payment_operations", ["account", "partner_transaction_id"], unique=True
    )
    op.create_table(
        "payment_attempts",
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("request_id", sa.Text(), nullable=False),
        sa.Column("task", sa.Text(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("begin_time", sa.BigInteger(), nullable=False),
        sa.Column("send_by", sa.BigInteger(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("report_time", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("payment_attempts_by_request", "payment_attempts", ["client", "request_id"], unique=True)
    op.create_table(
        "payment_evidence",
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("payment", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.Column("state_before", sa.Text(), nullable=False),
        sa.Column("state_after", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("partner_transaction_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=True),
        sa.Column("sealed_body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("payment_evidence_by_digest", "payment_evidence", ["payment", "digest"], unique=True)
    op.create_table(
        "tasks",
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("payment", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("due_time", sa.BigInteger(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("partner_transaction_id", sa.Text(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("fence", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("lease_expire_time", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("tasks_by_due_time", "tasks", ["due_time"])
    op.create_index("tasks_by_payment", "tasks", ["payment"])
