"""The pause of the caches, which a commit declares that could not tell them what it changes."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("store_head", sa.Column("cache_epoch", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("store_head", sa.Column("cache_pause_time", sa.BigInteger(), nullable=False, server_default="0"))
