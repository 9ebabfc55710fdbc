"""How to reach D1 on behalf of an account: what a claimed task carries, and nothing else does. The key stays here."""

import base64
from dataclasses import dataclass

from server.domain.accounts import Account
from server.domain.d1_accounts import SIGNING_KEY, D1Api
from server.ports import Assertions, Hasher, Ids, Sealer
from server.services import partner_secrets

# The first access token, and another one where D1 does not take it.
ASSERTIONS = 2


@dataclass(frozen=True, slots=True)
class D1Endpoint:
    """Where to ask, and what access tokens are had for. `revision` changes with any of it and tells nothing of the
    key."""

    account: str
    api: D1Api
    assertions: tuple[str, ...]
    revision: str


def endpoint(
    hasher: Hasher, sealer: Sealer, signer: Assertions, ids: Ids, account: Account, now: int
) -> D1Endpoint | None:
    """None where the account does not say how D1 is called. `now` is in microseconds: the assertions begin then."""
    api = account.d1_api
    kept = next((secret for secret in account.d1_api_secrets if secret.name == SIGNING_KEY), None)
    if api is None or kept is None:
        return None
    key = sealer.open(base64.b64decode(kept.sealed), partner_secrets.context(account.name, SIGNING_KEY))
    made = tuple(
        signer.sign(key, api.key_id, api.claims(account.merchant_gateway_id, now, ids.jwt_id()))
        for _ in range(ASSERTIONS)
    )
    stated = (*api.stated(), account.merchant_gateway_id, kept.digest)
    revision = hasher.identity_hash(b"token source", *(text.encode() for text in stated))[:16].hex()
    return D1Endpoint(account.name, api, made, revision)
