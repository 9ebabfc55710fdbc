"""The tables. Columns are named as the fields of the domain's dataclasses; times are microseconds since the epoch."""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text
from sqlalchemy.types import TypeEngine

# The newest migration. The core starts without Alembic when the database says the same.
REVISION = "0007"

# Byte order, as Python and SQLite sort, whatever the database's locale is.
Name: TypeEngine[str] = Text().with_variant(Text(collation="C"), "postgresql")

# INTEGER makes it SQLite's own row id, so that events lie in their order.
Sequence: TypeEngine[int] = BigInteger().with_variant(Integer(), "sqlite")

metadata = MetaData()

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
    Index("notifications_by_correlation_id", "correlation_id"),
    Index("notifications_by_token_id", "token_id"),
)

identities = Table(
    "identities",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("notification", Text, nullable=False),
    Column("known_since", BigInteger, nullable=False),
    Column("applied", Boolean, nullable=False),
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
    Index("events_by_notification", "notification"),
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
)

# What only one core may do at a time, and who does it until when, on the database's clock.
leases = Table(
    "leases",
    metadata,
    Column("name", Name, primary_key=True),
    Column("holder", Text, nullable=False),
    Column("expire_time", BigInteger, nullable=False),
)

payments = Table(
    "payments",
    metadata,
    Column("name", Name, primary_key=True),
    Column("merchant_payment_id", Text, nullable=False),
    Column("token", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("merchant_gateway_id", Text, nullable=False),
    Column("merchant_id", Text, nullable=False),
    Column("currency_code", Text, nullable=False),
    Column("minor_amount", BigInteger, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    # Whoever may have been charged keeps the merchant's own id to itself.
    Column("merchant_payment_key", Text, unique=True),
    Column("authorized_minor_amount", BigInteger, nullable=False),
    Column("captured_minor_amount", BigInteger, nullable=False),
    Column("refunded_minor_amount", BigInteger, nullable=False),
    Column("unresolved_minor_amount", BigInteger, nullable=False),
    Column("in_doubt", Boolean, nullable=False),
    Column("settled", Boolean, nullable=False),
    Column("duplicate_charge", Boolean, nullable=False),
    Column("redirect_expire_time", BigInteger),
    Column("decline", Text),
    Column("card", Text),
    Column("evidence_count", BigInteger, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("sealed_details", LargeBinary, nullable=False),
    Column("sealed_redirect_url", LargeBinary, nullable=False),
    Index("payments_by_merchant_payment_id", "merchant_payment_id"),
    Index("payments_by_token", "token", "name"),
)

payment_operations = Table(
    "payment_operations",
    metadata,
    Column("name", Name, primary_key=True),
    Column("payment", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("minor_amount", BigInteger, nullable=False),
    Column("currency_code", Text, nullable=False),
    Column("amount_unit", Text, nullable=False),
    Column("reference", Text, nullable=False),
    Column("partner_merchant_id", Text, nullable=False),
    Column("stored_payment_method_id", Text, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("send_before", BigInteger, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("update_time", BigInteger, nullable=False),
    Column("parent", Text, nullable=False),
    Column("parent_transaction_id", Text, nullable=False),
    Column("confirmed_minor_amount", BigInteger),
    Column("partner_transaction_id", Text),
    Column("partner_reference", Text, nullable=False),
    Column("auth_code", Text, nullable=False),
    Column("doubt", Text),
    Column("decline", Text),
    Column("attempt_count", Integer, nullable=False),
    Column("in_flight_until", BigInteger, nullable=False),
    Column("action_required", Boolean, nullable=False),
    Column("hinted", Boolean, nullable=False),
    Column("redirect_expire_time", BigInteger),
    Column("attend_time", BigInteger),
    # At the partner nothing of ours is told apart but by these.
    Index("payment_operations_by_reference", "account", "reference", unique=True),
    Index("payment_operations_by_transaction", "account", "partner_transaction_id", unique=True),
    Index("payment_operations_by_payment", "payment", "number", unique=True),
    Index("payment_operations_by_attend_time", "attend_time"),
    Index("payment_operations_by_day", "account", "currency_code", "create_time"),
)

payment_attempts = Table(
    "payment_attempts",
    metadata,
    Column("name", Name, primary_key=True),
    Column("operation", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("client", Text, nullable=False),
    Column("request_id", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("begin_time", BigInteger, nullable=False),
    Column("send_by", BigInteger, nullable=False),
    Column("outcome", Text, nullable=False),
    Column("report_time", BigInteger),
    Index("payment_attempts_by_request", "client", "request_id", unique=True),
)

payment_evidence = Table(
    "payment_evidence",
    metadata,
    Column("name", Name, primary_key=True),
    Column("payment", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("time", BigInteger, nullable=False),
    Column("state_before", Text, nullable=False),
    Column("state_after", Text, nullable=False),
    Column("summary", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("partner_transaction_id", Text, nullable=False),
    Column("digest", LargeBinary),
    Column("sealed_body", LargeBinary, nullable=False),
    Index("payment_evidence_by_digest", "payment", "digest", unique=True),
)

tasks = Table(
    "tasks",
    metadata,
    Column("name", Name, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("payment", Text, nullable=False),
    Column("operation", Text, nullable=False),
    Column("due_time", BigInteger, nullable=False),
    Column("create_time", BigInteger, nullable=False),
    Column("correlation_id", Text, nullable=False),
    Column("partner_transaction_id", Text, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("fence", BigInteger, nullable=False),
    Column("holder", Text, nullable=False),
    Column("lease_expire_time", BigInteger),
    Index("tasks_by_due_time", "due_time"),
    Index("tasks_by_payment", "payment"),
)
