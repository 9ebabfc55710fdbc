"""What of an account is about calls to D1."""

import base64
from dataclasses import replace

from mintmark.v1 import accounts_pb2 as pb

from server.domain import d1_accounts as domain
from server.domain.accounts import Account
from server.domain.d1_accounts import D1Api, DetailsFields
from server.domain.sibs_accounts import KeptSecret
from server.domain.violations import FieldsInvalid
from server.ports import Assertions, Hasher, KeyUnfit, Sealer
from server.services import partner_secrets

FIELDS = tuple(field.name for field in pb.D1TokenDetailsFields.DESCRIPTOR.fields)


def to_proto(api: D1Api) -> pb.D1Api:
    """Without its key, which is never shown."""
    return pb.D1Api(
        base_url=api.base_url,
        token_path=api.token_path,
        key_id=api.key_id,
        issuer=api.issuer,
        subject=api.subject,
        audience=api.audience,
        assertion_life_seconds=api.assertion_life,
        token_details_path=api.token_details_path,
        token_details_fields=pb.D1TokenDetailsFields(
            **{name: getattr(api.token_details_fields, name) for name in FIELDS}
        ),
    )


def api_of(given: pb.D1Api) -> D1Api:
    """What an account states, with the defaults where it states nothing."""
    stated = {name: getattr(given.token_details_fields, name) for name in FIELDS}
    return D1Api(
        base_url=given.base_url.rstrip("/"),
        token_path=given.token_path or domain.DEFAULT_TOKEN_PATH,
        key_id=given.key_id,
        issuer=given.issuer,
        subject=given.subject,
        audience=given.audience,
        assertion_life=given.assertion_life_seconds or domain.DEFAULT_ASSERTION_LIFE_S,
        token_details_path=given.token_details_path or domain.DEFAULT_DETAILS_PATH,
        token_details_fields=DetailsFields(**{name: text for name, text in stated.items() if text}),
    )


def with_key(
    account: Account, given: pb.D1Api, where: str, hasher: Hasher, sealer: Sealer, assertions: Assertions
) -> Account:
    """The account with the key that is stated, sealed, and a keyed digest that tells whether it changed. Raises
    FieldsInvalid for a key that cannot sign."""
    if not given.signing_key:
        return account
    try:
        key = assertions.read(given.signing_key)
    except KeyUnfit as unfit:
        raise FieldsInvalid([(f"{where}.d1_api.{domain.SIGNING_KEY}", str(unfit), "key")]) from None
    context = partner_secrets.context(account.name, domain.SIGNING_KEY)
    digest = hasher.identity_hash(b"partner secret", context, key).hex()
    sealed = base64.b64encode(sealer.seal(key, context)).decode()
    return replace(account, d1_api_secrets=(KeptSecret(domain.SIGNING_KEY, digest, sealed),))
