"""How to reach the acquirer on behalf of an account: what a claimed task carries, and nothing else does."""

import base64
from dataclasses import dataclass

from server.domain.accounts import Account
from server.domain.sibs_accounts import (
    ACCESS_TOKEN,
    CLIENT_ID,
    CLIENT_SECRET,
    PAYMENTS_ACCESS_TOKEN,
    FieldNames,
    Sibs,
)
from server.ports import Hasher, Sealer
from server.services import partner_secrets


@dataclass(frozen=True, slots=True)
class TokenSource:
    """Where an access token comes from: one that does not expire, or client credentials. `revision` changes with any of
    it and tells nothing of the secrets."""

    access_token: str = ""
    token_url: str = ""
    client_id: str = ""
    client_secret: str = ""
    scope: str = ""
    revision: str = ""


@dataclass(frozen=True, slots=True)
class AcquirerEndpoint:
    """Where to ask, with what, and in whose name."""

    account: str
    base_url: str
    path_prefix: str
    version_id: str
    acquirer_id: str
    client_id: str
    token_source: TokenSource
    user_id: str
    user_organization_id: str
    field_names: FieldNames


def configuration(hasher: Hasher, sealer: Sealer, account: Account, actor: str) -> AcquirerEndpoint | None:
    """The configuration API; None where the account has none. `actor` is the client that asked, such as `clients/x`."""
    return _endpoint(hasher, sealer, account, actor, payments=False)


def payments(hasher: Hasher, sealer: Sealer, account: Account, actor: str) -> AcquirerEndpoint | None:
    """The payments API, which tells the status of transactions; None where the account does not say where it is."""
    if account.sibs is None or not account.sibs.payments_base_url:
        return None
    return _endpoint(hasher, sealer, account, actor, payments=True)


def _endpoint(
    hasher: Hasher, sealer: Sealer, account: Account, actor: str, *, payments: bool
) -> AcquirerEndpoint | None:
    sibs = account.sibs
    if sibs is None:
        return None
    asking = actor.removeprefix("clients/")
    return AcquirerEndpoint(
        account=account.name,
        base_url=sibs.payments_base_url if payments else sibs.base_url,
        path_prefix=sibs.payments_path_prefix if payments else sibs.path_prefix,
        version_id=sibs.version_id,
        acquirer_id=sibs.acquirer_id,
        client_id=_secret(sealer, account, CLIENT_ID),
        token_source=_token_source(hasher, sealer, account, sibs, payments=payments),
        user_id=sibs.user_id or asking,
        user_organization_id=sibs.user_organization_id or asking,
        field_names=sibs.field_names,
    )


def _token_source(hasher: Hasher, sealer: Sealer, account: Account, sibs: Sibs, *, payments: bool) -> TokenSource:
    if payments and sibs.payments_token_apart:
        return TokenSource(
            access_token=_secret(sealer, account, PAYMENTS_ACCESS_TOKEN),
            revision=_revision(hasher, account, PAYMENTS_ACCESS_TOKEN),
        )
    credentials = sibs.client_credentials
    if credentials is None:
        return TokenSource(
            access_token=_secret(sealer, account, ACCESS_TOKEN), revision=_revision(hasher, account, ACCESS_TOKEN)
        )
    stated = (credentials.token_url, credentials.client_id, credentials.scope)
    return TokenSource(
        token_url=credentials.token_url,
        client_id=credentials.client_id,
        client_secret=_secret(sealer, account, CLIENT_SECRET),
        scope=credentials.scope,
        revision=_revision(hasher, account, CLIENT_SECRET, *stated),
    )


def _secret(sealer: Sealer, account: Account, name: str) -> str:
    kept = next((secret for secret in account.sibs_secrets if secret.name == name), None)
    if kept is None:
        return ""
    return sealer.open(base64.b64decode(kept.sealed), partner_secrets.context(account.name, name)).decode()


def _revision(hasher: Hasher, account: Account, secret: str, *stated: str) -> str:
    digests = [each.digest for each in account.sibs_secrets if each.name == secret]
    return hasher.identity_hash(b"token source", *(text.encode() for text in (*stated, *digests)))[:16].hex()
