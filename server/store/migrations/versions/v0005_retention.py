"""Retention: indexes that find what its time is over for, and what was warned of."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    in_quarantine = sa.text("state = 'QUARANTINED'")
    op.create_index(
        "notifications_in_quarantine",
        "notifications",
        ["name"],
        sqlite_where=in_quarantine,
        postgresql_where=in_quarantine,
    )
    op.create_index("identities_by_known_since", "identities", ["known_since"])
    op.create_index("requests_by_time", "requests", ["time"])
    op.create_table(
        "retention_warnings",
        sa.Column("name", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False),
        sa.Column("time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
