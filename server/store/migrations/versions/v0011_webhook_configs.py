"""Webhook configs, their keys, what the acquirer has beside them, tasks for them, and accounts with the acquirer."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0009"
branch_labels = None
depends_on = None

NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _texts(*names: str) -> list[sa.Column[str]]:
    return [sa.Column(name, sa.Text(), nullable=False) for name in names]


def upgrade() -> None:
    op.create_table(
        "webhook_configs",
        sa.Column("name", NAME, nullable=False),
        *_texts("webhook_config_id", "account", "merchant_gateway_id", "merchant_id", "acceptor_id", "terminal_id"),
        *_texts("stated_value", "stated_support_email", "stated_acknowledgement_status_code", "wanted"),
        *_texts("notification_configuration_code"),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        *_texts("state"),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("applied_generation", sa.BigInteger(), nullable=False),
        sa.Column("applied", sa.Text(), nullable=True),
        *_texts("presence"),
        sa.Column("observed", sa.Text(), nullable=True),
        *_texts("differences"),
        sa.Column("refresh_wanted_time", sa.BigInteger(), nullable=True),
        sa.Column("list_time", sa.BigInteger(), nullable=True),
        sa.Column("call_time", sa.BigInteger(), nullable=False),
        *_texts("calls", "actor"),
        sa.Column("apply_time", sa.BigInteger(), nullable=True),
        sa.Column("delete_time", sa.BigInteger(), nullable=True),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("webhook_configs_by_account", "webhook_configs", ["account", "name"])
    op.create_table(
        "webhook_keys",
        sa.Column("name", NAME, nullable=False),
        sa.Column("webhook_config", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_key", sa.LargeBinary(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("apply_time", sa.BigInteger(), nullable=True),
        sa.Column("last_use_time", sa.BigInteger(), nullable=True),
        sa.Column("retire_time", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("webhook_keys_by_config", "webhook_keys", ["webhook_config", "number"], unique=True)
    op.create_index("webhook_keys_by_digest", "webhook_keys", ["digest"], unique=True)
    op.create_table(
        "unmanaged_webhooks",
        sa.Column("name", NAME, nullable=False),
        *_texts("account", "merchant_gateway_id", "merchant_id", "acceptor_id", "terminal_id"),
        *_texts("notification_configuration_code", "observed"),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("unmanaged_webhooks_by_account", "unmanaged_webhooks", ["account", "name"])
    op.add_column("tasks", sa.Column("resource", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("tasks", sa.Column("lease_begin_time", sa.BigInteger(), nullable=True))
    op.create_index("tasks_by_resource", "tasks", ["resource"])
    op.add_column("accounts", sa.Column("sibs", sa.Text(), nullable=True))
    op.add_column("accounts", sa.Column("sibs_secrets", sa.Text(), nullable=False, server_default=sa.text("'[]'")))
