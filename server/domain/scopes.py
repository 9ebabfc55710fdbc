"""The scopes that an access token can carry."""

INTERNAL = frozenset(
    {
        "tokens.read",
        "tokens.write",
        "bindings.read",
        "merchants.read",
        "notifications.read",
        "notifications.replay",
        "events.read",
        "subscriptions.read",
        "subscriptions.write",
        "access_tokens.introspect",
        "clients.read",
        "clients.write",
        "api_keys.read",
        "api_keys.write",
        "accounts.read",
        "accounts.write",
        "retention.read",
        "payments.read",
        "payments.write",
        "payments.resolve",
        "payments.operate",
        "webhook_configs.read",
        "webhook_configs.write",
        "acquirer_transactions.read",
        "acquirer_transactions.write",
        "issuer_operations.read",
        "digital_cards.read",
        "cards.read",
        "cards.write",
        "card_data_accesses.read",
        "consumers.read",
        "consumers.write",
    }
)
# What these open belongs to no merchant gateway in particular, and whoever may write clients may give what they like.
ADMINISTRATIVE = frozenset(
    {
        "clients.read",
        "clients.write",
        "api_keys.read",
        "api_keys.write",
        "accounts.read",
        "accounts.write",
        "payments.operate",
    }
)
PARTNER = frozenset({"d1-notify"})
ROLES = frozenset({"role.gateway", "role.dispatcher"})
ALL = INTERNAL | PARTNER | ROLES
