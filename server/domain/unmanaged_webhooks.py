"""Webhooks that the acquirer has and that we know nothing of."""

from dataclasses import dataclass

from server.domain.webhook_configs import Observed


@dataclass(frozen=True, slots=True)
class UnmanagedWebhook:
    """One of them, with what the acquirer was asked for when it listed it. Its key is never kept."""

    name: str
    account: str
    merchant_gateway_id: str
    merchant_id: str
    acceptor_id: str
    terminal_id: str
    notification_configuration_code: str
    observed: Observed
