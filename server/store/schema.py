"""The tables. Columns are named as the fields of the domain's dataclasses; times are microseconds since the epoch."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text, text
from sqlalchemy.types import TypeEngine

# The newest migration. The core starts without Alembic when the database says the same.
REVISION = "0019"

# Byte order, as Python and SQLite sort, whatever the database's locale is.
Name: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")

# INTEGER makes it SQLite's own row id, so that events lie in their order.
Sequence: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData()

# Of notifications: stale ones, and those that a replay has changed.
APART = "(state = 'STALE' OR replay_time IS NOT NULL)"


# Of tokens: those that are to be read again.
REFRESH_DUE = "refreshed_generation < refresh_generation"


def partial(name: str, *columns: str, where: str) -> Index:
    """An index of the rows for which `where` holds; a query must say the same words to use it."""
    return Index(name, *columns, sqlite_where=text(where), postgresql_where=text(where))


store_head = Table(
    "store_head",
    metadata,
    # One row. `sequence` is the number of the newest event.
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("generation", Text, nullable=False),
    Column("sequence", BigInteger, nullable=False),
    # The newest event that retention has removed.
    Column("removed_sequence", BigInteger, nullable=False),
    # A keyed digest that only the keyring of the first start makes; NULL before that.
    Column("keyring_mark", LargeBinary),
    # Part of the cache's keys, and until when nobody may use the cache.
    Column("cache_epoch", BigInteger, nullable=False, server_default="0"),
    Column("cache_pause_time", BigInteger, nullable=False, server_default="0"),
    # The database that payments were last sent from, as far as it can be told from others; empty before that.
    Column("database_identity", Text, nullable=False),
)

tokens = Table(
    "tokens",
    metadata,
    Column("name", Name, primary_key=True),
    Column("merchant_gateway_id", Text, nullable=False),
    Column("merchant_id", Text, nullable=False),
    Column("token_id", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_text", Text, nullable=False),
    Column("card_bin", Text, nullable=False),
    Column("card_last_digits", Text, nullable=False),
    Column("card_expiry", Text, nullable=False),
    Column("token_last_digits", Text, nullable=False),
    Column("token_expiry", Text, nullable=False),
    Column("payment_account_reference", Text, nullable=False),
    Column("visa_provisioned_token_id", Text, nullable=False),
    Column("refresh_generation", BigInteger, nullable=False),
    Column("refreshed_generation", BigInteger, nullable=False),
    Column("delivery_count", BigInteger, nullable=False),
    Column("last_update_type", Text, nullable=False),
    Column("disable_time", BigInteger),
    Column("disable_reason", Text, nullable=False),
    Column("partner_create_time_text", Text, nullable=False),
    Column("partner_update_time_text", Text, nullable=False),
    Column("partner_order_time", BigInteger),
    Column("last_content", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("refresh_time", BigInteger),
    Column("refresh_error", Text, nullable=False, server_default=""),
    partial("tokens_to_refresh", "merchant_gateway_id", "name", where=REFRESH_DUE),
)

bindings = Table(
    "bindings",
    metadata,
    Column("name", Name, primary_key=True),
    Column("merchant_gateway_id", Text, nullable=False),
    Column("merchant_id", Text, nullable=False),
    Column("token_id", Text, nullable=False),
    Column("device_id", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_text", Text, nullable=False),
    Column("device_type_text", Text, nullable=False),
    Column("app_type_text", Text, nullable=False),
    Column("idv_method_text", Text, nullable=False),
    Column("event_initiator_text", Text, nullable=False),
    Column("visa_provisioned_token_id", Text, nullable=False),
    Column("delivery_count", BigInteger, nullable=False),
    Column("partner_create_time_text", Text, nullable=False),
    Column("partner_update_time_text", Text, nullable=False),
    Column("partner_order_time", BigInteger),
    Column("last_content", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Index("bindings_by_device", "device_id", "name"),
)

merchants = Table(
    "merchants",
    metadata,
    Column("name", Name, primary_key=True),
    Column("merchant_gateway_id", Text, nullable=False),
    Column("merchant_id", Text, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("scheme_registrations", Text, nullable=False),
    Column("delivery_count", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
)

issuer_operations = Table(
    "issuer_operations",
    metadata,
    Column("name", Name, primary_key=True),
    Column("issuer_id", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("operation_id", Text, nullable=False),
    Column("card_id", Text, nullable=False),
    Column("digital_card_id", Text, nullable=False),
    Column("consumer_id", Text, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("operation", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("state_text", Text, nullable=False),
    Column("digital_card_ids", Text, nullable=False),
    Column("start_time_text", Text, nullable=False),
    Column("end_time_text", Text, nullable=False),
    Column("partner_order_time", BigInteger),
    Column("details_json", Text, nullable=False),
    Column("message", Text, nullable=False),
    Column("error_code", Text, nullable=False),
    Column("error", Text, nullable=False),
    Column("input_file_name", Text, nullable=False),
    Column("issuer_request_id", Text, nullable=False),
    Column("delivery_count", BigInteger, nullable=False),
    Column("last_content", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Index("issuer_operations_by_card_id", "card_id", "name"),
    Index("issuer_operations_by_digital_card_id", "digital_card_id", "name"),
    Index("issuer_operations_by_operation_id", "operation_id", "name"),
)

notifications = Table(
    "notifications",
    metadata,
    Column("name", Name, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("quarantine_reason", Text),
    Column("flags", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("merchant_gateway_id", Text, nullable=False),
    Column("merchant_id", Text, nullable=False),
    Column("token_id", Text, nullable=False),
    Column("device_id", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("receive_time", BigInteger, nullable=False),
    Column("delivery_count", BigInteger, nullable=False),
    Column("last_delivery_time", BigInteger, nullable=False),
    Column("body_size", Integer, nullable=False),
    Column("sealed_body", LargeBinary, nullable=False),
    Column("sealed_record", LargeBinary),
    Column("resource_revision", BigInteger, nullable=False, server_default=text("0")),
    Column("replay_time", BigInteger),
    Column("partner_notification_id", Text, nullable=False, server_default=""),
    Column("webhook_config", Text, nullable=False, server_default=""),
    Column("issuer_id", Text, nullable=False, server_default=""),
    Column("card_id", Text, nullable=False, server_default=""),
    Column("digital_card_id", Text, nullable=False, server_default=""),
    Column("consumer_id", Text, nullable=False, server_default=""),
    Column("operation_id", Text, nullable=False, server_default=""),
    partial("notifications_by_card_id", "card_id", "name", where="card_id <> ''"),
    Index("notifications_by_correlation_id", "correlation_id"),
    # Retention looks for the oldest of these few.
    partial("notifications_in_quarantine", "name", where="state = 'QUARANTINED'"),
    # With the name, so that the newest come first without sorting what may be many.
    Index("notifications_by_token_id", "token_id", "name"),
    Index("notifications_by_merchant_id", "merchant_id", "name"),
    partial("notifications_by_device_id", "device_id", "name", where="device_id <> ''"),
    # Nearly all are applied: those are found by their time.
    partial("notifications_by_state", "state", "name", where="state <> 'APPLIED'"),
    partial("notifications_with_flags", "name", where="flags <> '[]'"),
    # Those whose place in their resource's history no event of that resource tells.
    partial("notifications_apart", "resource", where=APART),
)

identities = Table(
    "identities",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("notification", Text, nullable=False),
    Column("known_since", BigInteger, nullable=False),
    Column("applied", Boolean, nullable=False),
    Index("identities_by_known_since", "known_since"),
)

events = Table(
    "events",
    metadata,
    Column("sequence", Sequence, primary_key=True, autoincrement=False),
    Column("kind", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("merchant_gateway_id", Text, nullable=False),
    Column("merchant_id", Text, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("notification", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("details", Text, nullable=False),
    Column("snapshot", Text, nullable=False),
    Column("issuer_id", Text, nullable=False, server_default=""),
    Index("events_by_notification", "notification"),
    partial("events_by_resource", "resource", "sequence", where="snapshot <> ''"),
)

clients = Table(
    "clients",
    metadata,
    Column("name", Name, primary_key=True),
    Column("client_id", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("scopes", Text, nullable=False),
    Column("merchant_gateway_ids", Text, nullable=False),
    Column("merchant_ids", Text, nullable=False),
    Column("issuer_ids", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("secrets", Text, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("name", Name, primary_key=True),
    Column("api_key_id", Text, nullable=False),
    Column("merchant_gateway_id", Text, nullable=False),
    Column("merchant_ids", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("taken_over", Boolean, nullable=False),
    Column("key_hash", Text, nullable=False, unique=True),
    Column("create_time", BigInteger, nullable=False),
    Column("revoke_time", BigInteger),
)

accounts = Table(
    "accounts",
    metadata,
    Column("name", Name, primary_key=True),
    Column("account_id", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("display_name", Text, nullable=False),
    Column("mode", Text, nullable=False),
    Column("merchant_gateway_id", Text, nullable=False),
    Column("merchant_ids", Text, nullable=False),
    Column("inbound_authentication", Text, nullable=False),
    Column("client_certificate_common_name", Text, nullable=False),
    Column("payment_options", Text),
    Column("authorization_digest", Text, nullable=False),
    Column("api_key_digest", Text, nullable=False),
    Column("sealed_authorization", LargeBinary, nullable=False),
    Column("sealed_api_key", LargeBinary, nullable=False),
    Column("held", Boolean, nullable=False),
    Column("hold_reason", Text, nullable=False),
    Column("sibs", Text),
    Column("sibs_secrets", Text, nullable=False, server_default=text("'[]'")),
    Column("issuer_id", Text, nullable=False, server_default=""),
    Column("d1_api", Text),
    Column("d1_api_secrets", Text, nullable=False, server_default=text("'[]'")),
    Column("d1_issuer", Text),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
)

revoked_access_tokens = Table(
    "revoked_access_tokens",
    metadata,
    Column("jwt_id", Text, primary_key=True),
    Column("client", Text, nullable=False),
    Column("expire_time", BigInteger, nullable=False),
)

requests = Table(
    "requests",
    metadata,
    Column("client", Text, primary_key=True),
    Column("method", Text, primary_key=True),
    Column("request_id", Text, primary_key=True),
    Column("fingerprint", LargeBinary, nullable=False),
    Column("response", LargeBinary, nullable=False),
    Column("time", BigInteger, nullable=False),
    Index("requests_by_time", "time"),
)

# What only one core may do at a time, and who does it until when, on the database's clock.
leases = Table(
    "leases",
    metadata,
    Column("name", Name, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expire_time", BigInteger, nullable=False),
)

# What retention has warned of, and when last.
retention_warnings = Table(
    "retention_warnings",
    metadata,
    Column("name", Name, primary_key=True),
    Column("time", BigInteger, nullable=False),
)

subscriptions = Table(
    "subscriptions",
    metadata,
    Column("name", Name, primary_key=True),
    Column("client", Text, nullable=False),
    Column("subscription_id", Text, nullable=False),
    Column("kinds", Text, nullable=False),
    Column("merchant_gateway_id", Text, nullable=False),
    Column("merchant_id", Text, nullable=False),
    Column("resource", Text, nullable=False),
    Column("lease_duration", BigInteger, nullable=False),
    Column("scanned_sequence", BigInteger, nullable=False),
    Column("scan_time", BigInteger, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("last_acknowledge_time", BigInteger),
    Column("revision", BigInteger, nullable=False),
    Column("issuer_id", Text, nullable=False, server_default=""),
    Column("card_id", Text, nullable=False, server_default=""),
)

deliveries = Table(
    "deliveries",
    metadata,
    Column("subscription", Text, primary_key=True),
    Column("sequence", BigInteger, primary_key=True, autoincrement=False),
    Column("resource", Text, nullable=False),
    Column("lease_expire_time", BigInteger),
    Column("delivery_count", BigInteger, nullable=False),
    Index("deliveries_by_resource", "subscription", "resource", "sequence"),
)

replays = Table(
    "replays",
    metadata,
    Column("name", Name, primary_key=True),
    Column("client", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("dry_run", Boolean, nullable=False),
    Column("filter", Text, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("end_reason", Text, nullable=False),
    Column("end_time", BigInteger),
    Column("total_count", BigInteger),
    Column("examined_count", BigInteger, nullable=False),
    Column("different_count", BigInteger, nullable=False),
    Column("applied_count", BigInteger, nullable=False),
    Column("refused_count", BigInteger, nullable=False),
    Column("result_count", BigInteger, nullable=False),
    Column("position", Text, nullable=False),
    partial("replays_running", "name", where="state = 'RUNNING'"),
)

replay_results = Table(
    "replay_results",
    metadata,
    Column("replay", Name, primary_key=True),
    Column("name", Name, primary_key=True),
    Column("before", Text, nullable=False),
    Column("after", Text, nullable=False),
    Column("differences", Text, nullable=False),
    Column("applied", Boolean, nullable=False),
    Column("cause", Text, nullable=False),
)
