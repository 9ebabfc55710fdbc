"""What lists can be asked for. Empty fields mean any; `reach` is always the caller's and always narrows."""

from dataclasses import dataclass

from server.domain.acquirer_tellings import AcquirerState
from server.domain.bindings import BindingState
from server.domain.callers import Reach
from server.domain.card_accesses import CardDataAccessResult, CardDataPurpose
from server.domain.cards import CardState
from server.domain.consumers import ConsumerState
from server.domain.digital_cards import DigitalCardState
from server.domain.issuer_operations import IssuerOperationKind, IssuerOperationState
from server.domain.notification_filters import ANY_NOTIFICATION, NotificationFilter
from server.domain.payment_subscriptions import SubscriptionState
from server.domain.payments import PaymentState
from server.domain.tokens import TokenProvider, TokenState
from server.domain.webhook_configs import WebhookConfigState


@dataclass(frozen=True, slots=True)
class Page:
    """Where a page begins (after this name) and how many it holds at most."""

    after: str = ""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class TokenQuery:
    reach: Reach
    merchant_gateway_id: str = ""
    merchant_id: str = ""
    provider: TokenProvider | None = None
    states: frozenset[TokenState] = frozenset()
    refresh_due: bool = False
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class BindingQuery:
    reach: Reach
    merchant_gateway_id: str = ""
    merchant_id: str = ""
    token_id: str = ""
    device_id: str = ""
    states: frozenset[BindingState] = frozenset()


@dataclass(frozen=True, slots=True)
class MerchantQuery:
    reach: Reach
    merchant_gateway_id: str = ""


@dataclass(frozen=True, slots=True)
class NotificationQuery:
    """The newest first, or the oldest."""

    reach: Reach
    filter: NotificationFilter = ANY_NOTIFICATION
    oldest_first: bool = False


@dataclass(frozen=True, slots=True)
class ReplayQuery:
    """Replays, the newest first; an empty client means everybody's."""

    client: str = ""


@dataclass(frozen=True, slots=True)
class PaymentQuery:
    reach: Reach
    states: frozenset[PaymentState] = frozenset()
    merchant_gateway_id: str = ""
    merchant_id: str = ""
    token: str = ""
    merchant_payment_id: str = ""
    account: str = ""
    in_doubt: bool = False
    duplicate_charge: bool = False


@dataclass(frozen=True, slots=True)
class PaymentSubscriptionQuery:
    reach: Reach
    states: frozenset[SubscriptionState] = frozenset()
    merchant_gateway_id: str = ""
    merchant_id: str = ""
    token: str = ""
    merchant_subscription_id: str = ""
    overdue: bool = False


@dataclass(frozen=True, slots=True)
class UnknownChargeQuery:
    """Of one account, or of all."""

    reach: Reach
    account: str = ""


@dataclass(frozen=True, slots=True)
class WebhookConfigQuery:
    """No states means any but DELETED."""

    reach: Reach
    states: frozenset[WebhookConfigState] = frozenset()
    account: str = ""
    merchant_gateway_id: str = ""
    merchant_id: str = ""


@dataclass(frozen=True, slots=True)
class UnmanagedWebhookQuery:
    """Of one account, or of all."""

    reach: Reach
    account: str = ""


@dataclass(frozen=True, slots=True)
class AcquirerTransactionQuery:
    reach: Reach
    states: frozenset[AcquirerState] = frozenset()
    account: str = ""
    merchant_gateway_id: str = ""
    merchant_id: str = ""
    transaction_id: str = ""
    merchant_reference: str = ""
    payment: str = ""
    contested: bool = False


@dataclass(frozen=True, slots=True)
class IssuerOperationQuery:
    reach: Reach
    issuer_id: str = ""
    kinds: frozenset[IssuerOperationKind] = frozenset()
    states: frozenset[IssuerOperationState] = frozenset()
    card_id: str = ""
    digital_card_id: str = ""
    operation_id: str = ""


@dataclass(frozen=True, slots=True)
class DigitalCardQuery:
    reach: Reach
    issuer_id: str = ""
    card_id: str = ""
    states: frozenset[DigitalCardState] = frozenset()


@dataclass(frozen=True, slots=True)
class ConsumerQuery:
    reach: Reach
    issuer_id: str = ""
    states: frozenset[ConsumerState] = frozenset()


@dataclass(frozen=True, slots=True)
class UnreadableNotificationQuery:
    """Of one webhook config, or of all; the newest first."""

    reach: Reach
    webhook_config: str = ""


@dataclass(frozen=True, slots=True)
class CardQuery:
    reach: Reach
    issuer_id: str = ""
    consumer_id: str = ""
    states: frozenset[CardState] = frozenset()
    last_digits: str = ""


@dataclass(frozen=True, slots=True)
class CardAccessQuery:
    """The newest first. `card` is a name."""

    reach: Reach
    issuer_id: str = ""
    card: str = ""
    purposes: frozenset[CardDataPurpose] = frozenset()
    results: frozenset[CardDataAccessResult] = frozenset()
