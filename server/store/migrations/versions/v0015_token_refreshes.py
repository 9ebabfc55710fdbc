"""Tokens that are read again: when, why not, and how an account calls D1."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

DUE = "refreshed_generation < refresh_generation"


def upgrade() -> None:
    op.add_column("tokens", sa.Column("refresh_time", sa.BigInteger(), nullable=True))
    op.add_column("tokens", sa.Column("refresh_error", sa.Text(), nullable=False, server_default=""))
    op.create_index(
        "tokens_to_refresh",
        "tokens",
        ["merchant_gateway_id", "name"],
        sqlite_where=sa.text(DUE),
        postgresql_where=sa.text(DUE),
    )
    op.add_column("accounts", sa.Column("d1_api", sa.Text(), nullable=True))
    op.add_column("accounts", sa.Column("d1_api_secrets", sa.Text(), nullable=False, server_default="[]"))
