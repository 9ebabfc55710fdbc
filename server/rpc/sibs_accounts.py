"""What of an account is about the SIBS acquirer."""

import base64
from dataclasses import replace

from mintmark.v1 import accounts_pb2 as pb

from server.domain import sibs_accounts as domain
from server.domain.accounts import Account
from server.domain.sibs_accounts import ClientCredentials, FieldNames, KeptSecret, Sibs
from server.ports import Hasher, Sealer
from server.services import partner_secrets


def to_proto(sibs: Sibs) -> pb.SibsAccount:
    """Without its secrets, which are never shown."""
    credentials = sibs.client_credentials
    return pb.SibsAccount(
        base_url=sibs.base_url,
        path_prefix=sibs.path_prefix,
        version_id=sibs.version_id,
        acquirer_id=sibs.acquirer_id,
        client_credentials=pb.SibsClientCredentials(
            token_url=credentials.token_url, client_id=credentials.client_id, scope=credentials.scope
        )
        if credentials
        else None,
        payments_base_url=sibs.payments_base_url,
        payments_path_prefix=sibs.payments_path_prefix,
        payments_token_apart=sibs.payments_token_apart,
        user_id=sibs.user_id,
        user_organization_id=sibs.user_organization_id,
        field_names=pb.SibsFieldNames(
            value=sibs.field_names.value, key=sibs.field_names.key, algorithm=sibs.field_names.algorithm
        ),
        code_without_hyphens=sibs.code_without_hyphens,
        delete_by_update=sibs.delete_by_update,
        acknowledgement_status_code=sibs.acknowledgement_status_code,
        support_email=sibs.support_email,
        webhook_url_prefixes=sibs.webhook_url_prefixes,
        heal_drift=sibs.heal_drift,
        test_transaction_ids=sibs.test_transaction_ids,
    )


def sibs_of(given: pb.SibsAccount) -> Sibs:
    """What an account states, with the defaults where it states nothing."""
    names = FieldNames()
    credentials = given.client_credentials
    return Sibs(
        base_url=given.base_url.rstrip("/"),
        path_prefix=given.path_prefix,
        version_id=given.version_id or domain.DEFAULT_VERSION,
        acquirer_id=given.acquirer_id,
        client_credentials=ClientCredentials(credentials.token_url, credentials.client_id, credentials.scope)
        if given.HasField("client_credentials")
        else None,
        payments_base_url=given.payments_base_url.rstrip("/"),
        payments_path_prefix=given.payments_path_prefix or domain.DEFAULT_PAYMENTS_PREFIX,
        payments_token_apart=given.payments_token_apart,
        user_id=given.user_id,
        user_organization_id=given.user_organization_id,
        field_names=FieldNames(
            given.field_names.value or names.value,
            given.field_names.key or names.key,
            given.field_names.algorithm or names.algorithm,
        ),
        code_without_hyphens=given.code_without_hyphens,
        delete_by_update=given.delete_by_update,
        acknowledgement_status_code=given.acknowledgement_status_code or domain.DEFAULT_ACKNOWLEDGEMENT,
        support_email=given.support_email,
        webhook_url_prefixes=tuple(sorted(given.webhook_url_prefixes)),
        heal_drift=given.heal_drift,
        test_transaction_ids=tuple(sorted(given.test_transaction_ids)) or domain.DEFAULT_TEST_IDS,
    )


def with_secrets(account: Account, given: pb.SibsAccount, hasher: Hasher, sealer: Sealer) -> Account:
    """The account with the secrets that are stated, each sealed, and a keyed digest that tells whether it changed."""
    stated = {
        domain.CLIENT_ID: given.client_id,
        domain.ACCESS_TOKEN: given.access_token,
        domain.CLIENT_SECRET: given.client_credentials.client_secret,
        domain.PAYMENTS_ACCESS_TOKEN: given.payments_access_token,
    }
    kept = []
    for name in sorted(name for name, secret in stated.items() if secret):
        context, secret = partner_secrets.context(account.name, name), stated[name].encode()
        digest = hasher.identity_hash(b"partner secret", context, secret).hex()
        kept.append(KeptSecret(name, digest, base64.b64encode(sealer.seal(secret, context)).decode()))
    return replace(account, sibs_secrets=tuple(kept))
