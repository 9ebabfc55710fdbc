"""Cards of issuers, the keys that their data is encrypted for and their numbers are hashed with, and accesses."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    name = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
    op.create_table(
        "cards",
        sa.Column("name", name, nullable=False),
        sa.Column("issuer_id", sa.Text(), nullable=False),
        sa.Column("card_id", sa.Text(), nullable=False),
        sa.Column("consumer_id", sa.Text(), nullable=False),
        sa.Column("account_id", sa.Text(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("update_time", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("suspension_reason", sa.Text(), nullable=True),
        sa.Column("suspension_text", sa.Text(), nullable=False),
        sa.Column("rejection", sa.Text(), nullable=True),
        sa.Column("replacement_rejection", sa.Text(), nullable=True),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("pending_key_id", name, nullable=False),
        sa.Column("pending_card", sa.Text(), nullable=False),
        sa.Column("live_generation", sa.BigInteger(), nullable=False),
        sa.Column("card_key_id", name, nullable=False),
        sa.Column("encrypted_card", sa.Text(), nullable=False),
        sa.Column("hash_key_id", name, nullable=False),
        sa.Column("number_hash", sa.LargeBinary(), nullable=True),
        sa.Column("bin", sa.Text(), nullable=False),
        sa.Column("last_digits", sa.Text(), nullable=False),
        sa.Column("expiry", sa.Text(), nullable=False),
        sa.Column("has_security_code", sa.Boolean(), nullable=False),
        sa.Column("verification_attempts", sa.Integer(), nullable=False),
        sa.Column("last_verification_attempt_time", sa.BigInteger(), nullable=True),
        sa.Column("attempts_exceeded_told", sa.Boolean(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("cards_by_number", "cards", ["issuer_id", "hash_key_id", "number_hash"], unique=True)
    op.create_index("cards_by_issuer", "cards", ["issuer_id", "name"])
    op.create_index("cards_by_consumer", "cards", ["issuer_id", "consumer_id", "name"])
    op.create_index("cards_by_last_digits", "cards", ["last_digits", "name"])
    live = sa.text("encrypted_card <> ''")
    for column in ("card_key", "hash_key"):
        op.create_index(
            f"cards_by_{column}", "cards", [f"{column}_id", "name"], sqlite_where=live, postgresql_where=live
        )
    op.create_table(
        "card_keys",
        sa.Column("name", name, nullable=False),
        sa.Column("kid", sa.Text(), nullable=False),
        sa.Column("jwk_json", sa.Text(), nullable=False),
        sa.Column("thumbprint", sa.Text(), nullable=False),
        sa.Column("publish_time", sa.BigInteger(), nullable=False),
        sa.Column("first_current_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "card_hash_keys",
        sa.Column("name", name, nullable=False),
        sa.Column("hash_key_id", sa.Text(), nullable=False),
        sa.Column("publish_time", sa.BigInteger(), nullable=False),
        sa.Column("first_current_time", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "card_accesses",
        sa.Column("name", name, nullable=False),
        sa.Column("issuer_id", sa.Text(), nullable=False),
        sa.Column("card", name, nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("result", sa.Text(), nullable=False),
        sa.Column("sender", sa.Text(), nullable=False),
        sa.Column("correlation_id", sa.Text(), nullable=False),
        sa.Column("create_time", sa.BigInteger(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("expiry_given", sa.Boolean(), nullable=False),
        sa.Column("code_given", sa.Boolean(), nullable=False),
        sa.Column("code_compared", sa.Boolean(), nullable=False),
        sa.Column("attempts_exceeded", sa.Boolean(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_index("card_accesses_by_issuer", "card_accesses", ["issuer_id", "name"])
    op.create_index("card_accesses_by_card", "card_accesses", ["card", "name"])
    op.create_index("card_accesses_by_time", "card_accesses", ["create_time"])
