"""The tables of issuers' cards, beside those of `schema` and written as they are."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, Table, Text

from server.store.schema import Name, metadata, partial

# Of cards: those with card data that gateways have looked at.
LIVE = "encrypted_card <> ''"

cards = Table(
    "cards",
    metadata,
    Column("name", Name, primary_key=True),
    Column("issuer_id", Text, nullable=False),
    Column("card_id", Text, nullable=False),
    Column("consumer_id", Text, nullable=False),
    Column("account_id", Text, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("suspension_reason", Text),
    Column("suspension_text", Text, nullable=False),
    Column("rejection", Text),
    Column("replacement_rejection", Text),
    Column("generation", BigInteger, nullable=False),
    Column("pending_key_id", Name, nullable=False),
    # JWEs for keys that only gateways have.
    Column("pending_card", Text, nullable=False),
    Column("live_generation", BigInteger, nullable=False),
    Column("card_key_id", Name, nullable=False),
    Column("encrypted_card", Text, nullable=False),
    Column("hash_key_id", Name, nullable=False),
    # Keyed, with a key that only gateways have.
    Column("number_hash", LargeBinary),
    Column("bin", Text, nullable=False),
    Column("last_digits", Text, nullable=False),
    Column("expiry", Text, nullable=False),
    Column("has_security_code", Boolean, nullable=False),
    Column("verification_attempts", Integer, nullable=False),
    Column("last_verification_attempt_time", BigInteger),
    Column("attempts_exceeded_told", Boolean, nullable=False),
    Column("revision", BigInteger, nullable=False),
    # A number belongs to one card of an issuer; those without card data have none.
    Index("cards_by_number", "issuer_id", "hash_key_id", "number_hash", unique=True),
    Index("cards_by_issuer", "issuer_id", "name"),
    Index("cards_by_consumer", "issuer_id", "consumer_id", "name"),
    Index("cards_by_last_digits", "last_digits", "name"),
    # A rotation looks for those of other keys than the current ones.
    partial("cards_by_card_key", "card_key_id", "name", where=LIVE),
    partial("cards_by_hash_key", "hash_key_id", "name", where=LIVE),
)

card_keys = Table(
    "card_keys",
    metadata,
    Column("name", Name, primary_key=True),
    Column("kid", Text, nullable=False),
    Column("jwk_json", Text, nullable=False),
    Column("thumbprint", Text, nullable=False),
    Column("publish_time", BigInteger, nullable=False),
    Column("first_current_time", BigInteger, nullable=False),
)

card_hash_keys = Table(
    "card_hash_keys",
    metadata,
    Column("name", Name, primary_key=True),
    Column("hash_key_id", Text, nullable=False),
    Column("publish_time", BigInteger, nullable=False),
    Column("first_current_time", BigInteger, nullable=False),
)

card_accesses = Table(
    "card_accesses",
    metadata,
    Column("name", Name, primary_key=True),
    Column("issuer_id", Text, nullable=False),
    Column("card", Name, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("result", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("step", Text, nullable=False),
    Column("expiry_given", Boolean, nullable=False),
    Column("code_given", Boolean, nullable=False),
    Column("code_compared", Boolean, nullable=False),
    Column("attempts_exceeded", Boolean, nullable=False),
    Column("generation", BigInteger, nullable=False),
    # The newest first; names begin with the time.
    Index("card_accesses_by_issuer", "issuer_id", "name"),
    Index("card_accesses_by_card", "card", "name"),
    Index("card_accesses_by_time", "create_time"),
)
