"""AccessTokensService."""

from collections.abc import Callable, Sequence
from typing import Protocol

from mintmark.v1 import access_tokens_pb2 as pb
from prometheus_client import Counter

from server.domain.refusals import ClientCredentialsInvalid, ScopeInvalid, TooManyCalls
from server.rpc.calls import Call
from server.rpc.words import timestamp
from server.services.access_tokens import EXPIRES_IN_S, AccessTokens


class PublicKey(Protocol):
    """A public key as RFC 7517 writes it."""

    @property
    def kid(self) -> str: ...
    @property
    def kty(self) -> str: ...
    @property
    def crv(self) -> str: ...
    @property
    def x(self) -> str: ...
    @property
    def y(self) -> str: ...
    @property
    def alg(self) -> str: ...
    @property
    def use(self) -> str: ...


Jwks = Callable[[], Sequence[PublicKey]]

ASKED = Counter("mintmark_access_token_requests_total", "Access tokens asked for, by the answer.", ("outcome",))


def jwk(key: PublicKey) -> pb.JsonWebKey:
    return pb.JsonWebKey(kid=key.kid, kty=key.kty, crv=key.crv, x=key.x, y=key.y, alg=key.alg, use=key.use)


class AccessTokenMethods:
    """The methods of AccessTokensService, behind the wrapper of every call."""

    def __init__(self, access_tokens: AccessTokens, jwks: Jwks) -> None:
        self._access_tokens = access_tokens
        self._jwks = jwks

    def IssueAccessToken(self, request: pb.IssueAccessTokenRequest, call: Call) -> pb.IssueAccessTokenResponse:
        try:
            issued = self._access_tokens.issue(
                request.client_id, request.client_secret, tuple(request.scopes), call.deadline
            )
        except (ClientCredentialsInvalid, ScopeInvalid):
            ASKED.labels("refused").inc()
            raise
        except TooManyCalls:
            ASKED.labels("shed").inc()
            raise
        ASKED.labels("issued").inc()
        return pb.IssueAccessTokenResponse(
            access_token=issued.access_token,
            expires_in=EXPIRES_IN_S,
            token_type="Bearer",  # noqa: S106  a type, not a secret
            scopes=issued.scopes,
            expire_time=timestamp(issued.expire_time),
        )

    def RevokeAccessToken(self, request: pb.RevokeAccessTokenRequest, call: Call) -> pb.RevokeAccessTokenResponse:
        self._access_tokens.revoke(call.caller, request.access_token)
        return pb.RevokeAccessTokenResponse()

    def IntrospectAccessToken(
        self, request: pb.IntrospectAccessTokenRequest, call: Call
    ) -> pb.IntrospectAccessTokenResponse:
        claims = self._access_tokens.introspect(call.caller, request.access_token)
        if claims is None:
            return pb.IntrospectAccessTokenResponse(active=False)
        return pb.IntrospectAccessTokenResponse(
            active=True,
            client_id=claims.client_id,
            scopes=sorted(claims.scopes),
            issue_time=timestamp(claims.issue_time),
            expire_time=timestamp(claims.expire_time),
            jwt_id=claims.jwt_id,
            issuer=self._access_tokens.issuer,
            token_type="Bearer",  # noqa: S106  a type, not a secret
            audience=self._access_tokens.audience,
        )

    def GetJwks(self, _request: pb.GetJwksRequest, _call: Call) -> pb.GetJwksResponse:
        return pb.GetJwksResponse(keys=[jwk(key) for key in self._jwks()])
