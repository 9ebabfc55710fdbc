"""Who calls: an access token in the metadata, or, in development on loopback, nobody in particular."""

import re
import uuid

import grpc

from server.domain import scopes
from server.domain.callers import ANY, Caller, Reach
from server.domain.refusals import AccessTokenInvalid, ScopeMissing
from server.rpc.policies import Policy
from server.services.access_tokens import AccessTokens

ANONYMOUS = Caller("", frozenset(), Reach())
DEVELOPMENT = Caller(
    "clients/development",
    scopes.INTERNAL | scopes.PARTNER,
    Reach(frozenset({ANY}), frozenset(), frozenset({ANY})),
)
# So many digits in a row could be a card number, and this text goes into logs and events.
CARD_NUMBER = re.compile(r"[0-9]{13}")
CORRELATION_ID = re.compile(r"[A-Za-z0-9._~:@/+=-]{1,128}")


class Authenticator:
    """Finds out who calls. With `development`, a caller without a token gets every scope that is not a role's."""

    def __init__(self, access_tokens: AccessTokens, *, development: bool) -> None:
        self._access_tokens = access_tokens
        self._development = development

    def caller(self, policy: Policy, metadata: dict[str, str], correlation_id: str, *, begun: bool = False) -> Caller:
        """Raises AccessTokenInvalid, ScopeMissing, StoreUnavailable. A call that has `begun` outlives its token."""
        if policy.anonymous:
            return ANONYMOUS
        authorization = metadata.get("authorization", "")
        if not authorization and self._development:
            caller = DEVELOPMENT
        else:
            caller = self._access_tokens.caller(bearer(authorization), correlation_id, begun=begun)
        if policy.scope and policy.scope not in caller.scopes:
            raise ScopeMissing(policy.scope)
        return Caller(caller.client, caller.scopes, caller.reach, caller.jwt_id, correlation_id)


def bearer(authorization: str) -> str:
    """The token of an `authorization` value (RFC 6750 section 2.1). Raises AccessTokenInvalid."""
    scheme, _, token = authorization.partition(" ")
    if not authorization:
        raise AccessTokenInvalid("none was sent")
    if scheme.lower() != "bearer" or not token.strip():
        raise AccessTokenInvalid("the authorization is not of the form `Bearer <token>`")
    return token.strip()


def metadata_of(context: grpc.ServicerContext) -> dict[str, str]:
    """The caller's text metadata; of a key sent twice the last value."""
    return {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}


def correlation_id_of(metadata: dict[str, str]) -> str:
    """The caller's correlation id where it is fit for a log, else a new one."""
    given = metadata.get("x-correlation-id", "")
    fit = CORRELATION_ID.fullmatch(given) and not CARD_NUMBER.search(given)
    return given if fit else str(uuid.uuid4())
