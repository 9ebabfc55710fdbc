"""What we authenticate with at partners: kept sealed, opened only for a task that was claimed."""

from server.domain.accounts import Account
from server.ports import Sealer


def context(account: str, field: str) -> bytes:
    """What a sealed secret is bound to: it opens for this account and field only."""
    return f"{account}#{field}".encode()


def opened(sealer: Sealer, account: Account) -> tuple[str, str]:
    """The values of the Authorization and the x-api-key headers."""
    authorization = sealer.open(account.sealed_authorization, context(account.name, "authorization"))
    api_key = sealer.open(account.sealed_api_key, context(account.name, "api_key"))
    return authorization.decode(), api_key.decode()
