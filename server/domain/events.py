"""What happened: kinds, and an event on its way to its number."""

from dataclasses import dataclass, field
from enum import StrEnum


class EventKind(StrEnum):
    """The same words as `mintmark.v1.EventKind`, which says what each means."""

    TOKEN_CREATED = "TOKEN_CREATED"
    TOKEN_IMPORTED = "TOKEN_IMPORTED"
    TOKEN_UPDATED = "TOKEN_UPDATED"
    TOKEN_REFRESH_REQUESTED = "TOKEN_REFRESH_REQUESTED"
    TOKEN_CREATION_FAILED = "TOKEN_CREATION_FAILED"
    TOKEN_DISABLED = "TOKEN_DISABLED"
    TOKEN_ENABLED = "TOKEN_ENABLED"
    BINDING_CREATED = "BINDING_CREATED"
    BINDING_UPDATED = "BINDING_UPDATED"
    MERCHANT_UPDATED = "MERCHANT_UPDATED"
    NOTIFICATION_QUARANTINED = "NOTIFICATION_QUARANTINED"
    CLIENT_CREATED = "CLIENT_CREATED"
    CLIENT_UPDATED = "CLIENT_UPDATED"
    CLIENT_SECRET_ROTATED = "CLIENT_SECRET_ROTATED"
    CLIENT_DISABLED = "CLIENT_DISABLED"
    CLIENT_ENABLED = "CLIENT_ENABLED"
    API_KEY_CREATED = "API_KEY_CREATED"
    API_KEY_REVOKED = "API_KEY_REVOKED"
    ACCOUNT_CREATED = "ACCOUNT_CREATED"
    ACCOUNT_UPDATED = "ACCOUNT_UPDATED"
    ACCOUNT_DELETED = "ACCOUNT_DELETED"
    ACCESS_TOKEN_REVOKED = "ACCESS_TOKEN_REVOKED"
    RETENTION_PINNED = "RETENTION_PINNED"
    SUBSCRIPTION_PASSED = "SUBSCRIPTION_PASSED"
    SUBSCRIPTION_CREATED = "SUBSCRIPTION_CREATED"
    SUBSCRIPTION_UPDATED = "SUBSCRIPTION_UPDATED"
    SUBSCRIPTION_DELETED = "SUBSCRIPTION_DELETED"
    NOTIFICATION_REPLAYED = "NOTIFICATION_REPLAYED"
    REPLAY_CREATED = "REPLAY_CREATED"
    REPLAY_FINISHED = "REPLAY_FINISHED"
    PAYMENT_CREATED = "PAYMENT_CREATED"
    PAYMENT_UPDATED = "PAYMENT_UPDATED"
    PAYMENT_IN_DOUBT = "PAYMENT_IN_DOUBT"
    PAYMENT_CHARGED_AFTER_ALL = "PAYMENT_CHARGED_AFTER_ALL"
    PAYMENT_DUPLICATE_CHARGE = "PAYMENT_DUPLICATE_CHARGE"
    PAYMENT_EVIDENCE_DISAGREES = "PAYMENT_EVIDENCE_DISAGREES"
    PAYMENTS_HELD = "PAYMENTS_HELD"
    PAYMENTS_RELEASED = "PAYMENTS_RELEASED"
    PAYMENT_UNKNOWN_CHARGE = "PAYMENT_UNKNOWN_CHARGE"
    WEBHOOK_CONFIG_CREATED = "WEBHOOK_CONFIG_CREATED"
    WEBHOOK_CONFIG_UPDATED = "WEBHOOK_CONFIG_UPDATED"
    WEBHOOK_CONFIG_DELETED = "WEBHOOK_CONFIG_DELETED"
    WEBHOOK_KEY_ROTATED = "WEBHOOK_KEY_ROTATED"
    WEBHOOK_CONFIG_DRIFTED = "WEBHOOK_CONFIG_DRIFTED"
    WEBHOOK_KEY_REMOVED = "WEBHOOK_KEY_REMOVED"
    ACQUIRER_TRANSACTION_UPDATED = "ACQUIRER_TRANSACTION_UPDATED"
    ACQUIRER_TRANSACTION_CONTESTED = "ACQUIRER_TRANSACTION_CONTESTED"
    ACQUIRER_NOTIFICATION_UNREADABLE = "ACQUIRER_NOTIFICATION_UNREADABLE"
    ACQUIRER_TEST_RECEIVED = "ACQUIRER_TEST_RECEIVED"
    PAYMENT_SUBSCRIPTION_CREATED = "PAYMENT_SUBSCRIPTION_CREATED"
    PAYMENT_SUBSCRIPTION_UPDATED = "PAYMENT_SUBSCRIPTION_UPDATED"
    PAYMENT_SUBSCRIPTION_OVERDUE = "PAYMENT_SUBSCRIPTION_OVERDUE"
    ISSUER_OPERATION_UPDATED = "ISSUER_OPERATION_UPDATED"
    DIGITAL_CARD_UPDATED = "DIGITAL_CARD_UPDATED"
    CARD_REGISTERED = "CARD_REGISTERED"
    CARD_UPDATED = "CARD_UPDATED"
    CARD_REJECTED = "CARD_REJECTED"
    CARD_DELETED = "CARD_DELETED"
    CARD_VERIFICATION_ATTEMPTS_EXCEEDED = "CARD_VERIFICATION_ATTEMPTS_EXCEEDED"
    CONSUMER_REGISTERED = "CONSUMER_REGISTERED"
    CONSUMER_UPDATED = "CONSUMER_UPDATED"
    CONSUMER_DELETED = "CONSUMER_DELETED"


# After one of these, what is kept in memory to authenticate callers is out of date.
OF_PRINCIPALS = frozenset(
    {
        EventKind.CLIENT_CREATED,
        EventKind.CLIENT_UPDATED,
        EventKind.CLIENT_SECRET_ROTATED,
        EventKind.CLIENT_DISABLED,
        EventKind.CLIENT_ENABLED,
        EventKind.API_KEY_CREATED,
        EventKind.API_KEY_REVOKED,
        EventKind.ACCOUNT_CREATED,
        EventKind.ACCOUNT_UPDATED,
        EventKind.ACCOUNT_DELETED,
        EventKind.ACCESS_TOKEN_REVOKED,
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `sequence` is 0 until the store numbers it; `snapshot` is the resource after it."""

    kind: EventKind
    resource: str
    time: int
    merchant_gateway_id: str = ""
    merchant_id: str = ""
    correlation_id: str = ""
    notification: str = ""
    actor: str = ""
    details: dict[str, str] = field(default_factory=dict)
    snapshot: object | None = None
    sequence: int = 0
    issuer_id: str = ""


def cursor(generation: str, sequence: int) -> str:
    """How a place in the order of events is written: the store's generation, and the last event before it."""
    return f"{generation}.{sequence}"


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events to show; empty fields mean any."""

    kinds: frozenset[EventKind] = frozenset()
    merchant_gateway_id: str = ""
    merchant_id: str = ""
    resource: str = ""
    issuer_id: str = ""
    card_id: str = ""

    def shows(self, event: Event) -> bool:
        return (
            (not self.kinds or event.kind in self.kinds)
            and (not self.merchant_gateway_id or event.merchant_gateway_id == self.merchant_gateway_id)
            and (not self.merchant_id or event.merchant_id == self.merchant_id)
            and (not self.issuer_id or event.issuer_id == self.issuer_id)
            and (not self.card_id or getattr(event.snapshot, "card_id", "") == self.card_id)
            and (not self.resource or event.resource == self.resource or event.resource.startswith(f"{self.resource}/"))
        )
