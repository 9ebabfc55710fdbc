"""The tables of webhook configs, beside those of `schema` and written as they are."""

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, Table, Text

from server.store.schema import Name, metadata

webhook_configs = Table(
    "webhook_configs",
    metadata,
    Column("name", Name, primary_key=True),
    Column("webhook_config_id", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("merchant_gateway_id", Text, nullable=False),
    Column("merchant_id", Text, nullable=False),
    Column("acceptor_id", Text, nullable=False),
    Column("terminal_id", Text, nullable=False),
    Column("stated_value", Text, nullable=False),
    Column("stated_support_email", Text, nullable=False),
    Column("stated_acknowledgement_status_code", Text, nullable=False),
    Column("wanted", Text, nullable=False),
    Column("notification_configuration_code", Text, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("applied_generation", BigInteger, nullable=False),
    Column("applied", Text),
    Column("presence", Text, nullable=False),
    Column("observed", Text),
    Column("differences", Text, nullable=False),
    Column("refresh_wanted_time", BigInteger),
    Column("list_time", BigInteger),
    Column("call_time", BigInteger, nullable=False),
    Column("calls", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("apply_time", BigInteger),
    Column("delete_time", BigInteger),
    Column("revision", BigInteger, nullable=False),
    Index("webhook_configs_by_account", "account", "name"),
)

webhook_keys = Table(
    "webhook_keys",
    metadata,
    Column("name", Name, primary_key=True),
    Column("webhook_config", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("digest", LargeBinary, nullable=False),
    Column("sealed_key", LargeBinary, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("apply_time", BigInteger),
    Column("last_use_time", BigInteger),
    Column("retire_time", BigInteger),
    Index("webhook_keys_by_config", "webhook_config", "number", unique=True),
    # A key serves one config.
    Index("webhook_keys_by_digest", "digest", unique=True),
)

unmanaged_webhooks = Table(
    "unmanaged_webhooks",
    metadata,
    Column("name", Name, primary_key=True),
    Column("account", Text, nullable=False),
    Column("merchant_gateway_id", Text, nullable=False),
    Column("merchant_id", Text, nullable=False),
    Column("acceptor_id", Text, nullable=False),
    Column("terminal_id", Text, nullable=False),
    Column("notification_configuration_code", Text, nullable=False),
    Column("observed", Text, nullable=False),
    Index("unmanaged_webhooks_by_account", "account", "name"),
)
