"""Hosted payment pages: whether a card is to be stored, and what an account states for its pages."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

STATED = {"merchant_email": "", "hosted_page_path": "SERVER_TO_SERVER"}


def upgrade() -> None:
    op.add_column(
        "payment_operations",
        sa.Column("store_payment_method", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    accounts = sa.table("accounts", sa.column("name", sa.Text()), sa.column("payment_options", sa.Text()))
    connection = op.get_bind()
    paying = sa.select(accounts).where(accounts.c.payment_options.is_not(None))
    for row in connection.execute(paying).mappings().all():
        stated = json.dumps(STATED | json.loads(row["payment_options"]), ensure_ascii=False, separators=(",", ":"))
        connection.execute(sa.update(accounts).where(accounts.c.name == row["name"]).values(payment_options=stated))
