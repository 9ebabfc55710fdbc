"""Replays: what a notification can be decided again from, its place in a history, and indexes for searching."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

NAME = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")


def _partial(name: str, table: str, columns: list[str], where: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(where), postgresql_where=sa.text(where))


def upgrade() -> None:
    op.add_column("notifications", sa.Column("sealed_record", sa.LargeBinary(), nullable=True))
    op.add_column(
        "notifications", sa.Column("resource_revision", sa.BigInteger(), nullable=False, server_default=sa.text("0"))
    )
    op.add_column("notifications", sa.Column("replay_time", sa.BigInteger(), nullable=True))
    op.drop_index("notifications_by_token_id", "notifications")
    op.create_index("notifications_by_token_id", "notifications", ["token_id", "name"])
    op.create_index("notifications_by_merchant_id", "notifications", ["merchant_id", "name"])
    _partial("notifications_by_device_id", "notifications", ["device_id", "name"], "device_id <> ''")
    _partial("notifications_by_state", "notifications", ["state", "name"], "state <> 'APPLIED'")
    _partial("notifications_with_flags", "notifications", ["name"], "flags <> '[]'")
    _partial("notifications_apart", "notifications", ["resource"], "(state = 'STALE' OR replay_time IS NOT NULL)")
    _partial("events_by_resource", "events", ["resource", "sequence"], "snapshot <> ''")
    op.create_table(
        "replays",
        sa.Column("name", NAME, nullable=False),
        sa.Column("client", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("dry_run", sa.Boolean(), nullable=False),
        sa.Column("filter", sa.Text(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("end_reason", sa.Text(), nullable=False),
        sa.Column("end_time", sa.BigInteger(), nullable=True),
        sa.Column("total_count", sa.BigInteger(), nullable=True),
        sa.Column("examined_count", sa.BigInteger(), nullable=False),
        sa.Column("different_count", sa.BigInteger(), nullable=False),
        sa.Column("applied_count", sa.BigInteger(), nullable=False),
        sa.Column("refused_count", sa.BigInteger(), nullable=False),
        sa.Column("result_count", sa.BigInteger(), nullable=False),
        sa.Column("position", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    _partial("replays_running", "replays", ["name"], "state = 'RUNNING'")
    op.create_table(
        "replay_results",
        sa.Column("replay", NAME, nullable=False),
        sa.Column("name", NAME, nullable=False),
        sa.Column("before", sa.Text(), nullable=False),
        sa.Column("after", sa.Text(), nullable=False),
        sa.Column("differences", sa.Text(), nullable=False),
        sa.Column("applied", sa.Boolean(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("replay", "name"),
    )
