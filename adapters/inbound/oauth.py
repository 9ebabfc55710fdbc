"""OAuth 2.0 for those who call us: tokens (RFC 6749 section 4.4), revocation (RFC 7009), introspection (RFC 7662),
keys (RFC 7517) and metadata (RFC 8414). The core decides everything; this only reads and answers HTTP."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar
from urllib.parse import quote

import grpc
import structlog
from google.protobuf.timestamp_pb2 import Timestamp
from mintmark.v1 import access_tokens_pb2 as pb
from mintmark.v1 import access_tokens_pb2_grpc as pb_grpc

from adapters import core
from adapters.inbound import basic, correlation, form
from adapters.inbound.failed_authentications import Claim
from adapters.inbound.limits import Limits
from adapters.inbound.principals import Principals
from adapters.inbound.problems import NO_STORE, Answer, Header, Problem, error, json_answer, unavailable
from adapters.inbound.request import Request

TIMEOUT = 5.0
LONGEST_CLIENT_ID, LONGEST_SECRET, LONGEST_SCOPE, MOST_SCOPES = 256, 1024, 256, 64
LONGEST_TOKEN = 8192
SCOPE_PUNCTUATION = "!#$%&'()*+,-./:;<=>?@[]^_`{|}~"
BASIC: Header = (b"www-authenticate", b'Basic realm="mintmark", charset="UTF-8"')
BEARER: Header = (b"www-authenticate", b'Bearer realm="mintmark", error="invalid_token"')
PUBLIC: Header = (b"cache-control", b"public, max-age=300")

Request_ = TypeVar("Request_")
Response_ = TypeVar("Response_")


@dataclass(frozen=True, slots=True)
class Paths:
    """Where the endpoints are, and the issuer: our public URL without a path."""

    issuer: str
    ecom_token: str
    issuer_token: str
    revoke: str = "/oauth2/revoke"
    introspect: str = "/oauth2/introspect"
    jwks: str = "/.well-known/jwks.json"
    metadata: str = "/.well-known/oauth-authorization-server"


class OAuth:
    """The endpoints. `internal` is the core's internal listener; revocation and introspection go to the public one,
    with the client's own access token, so that the core sees who asks."""

    def __init__(
        self, internal: grpc.aio.Channel, public: grpc.aio.Channel, principals: Principals, limits: Limits, paths: Paths
    ) -> None:
        self._internal = pb_grpc.AccessTokensServiceStub(internal)
        self._public = pb_grpc.AccessTokensServiceStub(public)
        self._principals = principals
        self._limits = limits
        self._paths = paths

    async def ecom_token(self, request: Request) -> Answer:
        """The token endpoint for D1 eCom: `expires_in` is a number."""
        issued = await self._token(request)
        return _token_answer(issued, issued.expires_in)

    async def issuer_token(self, request: Request) -> Answer:
        """The token endpoint for D1 issuers: `expires_in` is a string."""
        issued = await self._token(request)
        return _token_answer(issued, str(issued.expires_in))

    async def revoke(self, request: Request) -> Answer:
        """RFC 7009: 200 whether or not there was such a token."""
        fields = await form.read(request, self._limits)
        metadata = await self._caller(request, fields)
        token = fields.get("token", "")
        if not token:
            raise Problem(_refused("invalid_request"))
        if len(token) <= LONGEST_TOKEN:
            await _as_caller(self._public.RevokeAccessToken, pb.RevokeAccessTokenRequest(access_token=token), metadata)
        return Answer(200, (*NO_STORE, (b"content-length", b"0")))

    async def introspect(self, request: Request) -> Answer:
        """RFC 7662: `active` alone where the token is not active or not the caller's to see."""
        fields = await form.read(request, self._limits)
        metadata = await self._caller(request, fields)
        token = fields.get("token", "")
        if not token:
            raise Problem(_refused("invalid_request"))
        found = pb.IntrospectAccessTokenResponse()
        if len(token) <= LONGEST_TOKEN:
            question = pb.IntrospectAccessTokenRequest(access_token=token)
            found = await _as_caller(self._public.IntrospectAccessToken, question, metadata)
        if not found.active:
            return json_answer(200, {"active": False}, *NO_STORE)
        facts = {
            "active": True,
            "scope": " ".join(found.scopes),
            "client_id": found.client_id,
            "sub": found.client_id,
            "token_type": found.token_type,
            "exp": found.expire_time.seconds,
            "iat": found.issue_time.seconds,
            "iss": found.issuer,
            "aud": found.audience,
            "jti": found.jwt_id,
        }
        return json_answer(200, facts, *NO_STORE)

    async def jwks(self, _request: Request) -> Answer:
        """The keys that verify our access tokens."""
        if not self._principals.jwks:
            raise Problem(unavailable("The keys are not known yet; ask again"))
        return json_answer(200, {"keys": self._principals.jwks}, PUBLIC)

    async def metadata(self, _request: Request) -> Answer:
        """RFC 8414."""
        paths, methods = self._paths, ["client_secret_basic", "client_secret_post"]
        facts = {
            "issuer": paths.issuer,
            "token_endpoint": paths.issuer + paths.ecom_token,
            "jwks_uri": paths.issuer + paths.jwks,
            "response_types_supported": [],
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": methods,
            "revocation_endpoint": paths.issuer + paths.revoke,
            "revocation_endpoint_auth_methods_supported": methods,
            "introspection_endpoint": paths.issuer + paths.introspect,
            "introspection_endpoint_auth_methods_supported": methods,
        }
        return json_answer(200, facts, PUBLIC)

    async def _token(self, request: Request) -> pb.IssueAccessTokenResponse:
        fields = await form.read(request, self._limits)
        grant = fields.get("grant_type", "")
        candidates = _candidates(request, fields)
        if not grant:
            raise Problem(_refused("invalid_request"))
        if grant != "client_credentials":
            raise Problem(_refused("unsupported_grant_type"))
        return await self._issue(
            request, candidates, [_scope(text) for text in fields.get("scope", "").split()[:MOST_SCOPES]]
        )

    async def _issue(
        self, request: Request, candidates: Sequence[tuple[str, str]], scopes: Sequence[str]
    ) -> pb.IssueAccessTokenResponse:
        """An access token for the first pair of id and secret that the core accepts. One that it has no time for keeps
        out none of the others: the right one may be known to it."""
        busy: Answer | None = None
        metadata = correlation.metadata(request.correlation_id)
        for client_id, secret in candidates:
            question = pb.IssueAccessTokenRequest(client_id=client_id, client_secret=secret, scopes=scopes)
            try:
                issued: pb.IssueAccessTokenResponse = await self._internal.IssueAccessToken(
                    question, metadata=metadata, timeout=TIMEOUT
                )
            except grpc.aio.AioRpcError as failed:
                code = failed.code()
                if code is grpc.StatusCode.UNAUTHENTICATED:
                    continue
                if code is grpc.StatusCode.RESOURCE_EXHAUSTED:
                    busy = _core_trouble(failed)
                    continue
                if code is not grpc.StatusCode.INVALID_ARGUMENT:
                    raise Problem(_core_trouble(failed)) from None
                if core.reason(failed) == "SCOPE_INVALID":
                    raise Problem(_refused("invalid_scope")) from None
            else:
                return issued
        raise Problem(busy or error(401, "invalid_client", BASIC, *NO_STORE))

    async def _caller(self, request: Request, fields: dict[str, str]) -> tuple[tuple[str, str], ...]:
        """The metadata to call the core with in the caller's name."""
        scheme, text = request.authorization
        if scheme == "bearer" and text.isascii() and text.isprintable() and len(text) <= LONGEST_TOKEN:
            if "client_secret" in fields:
                raise Problem(_refused("invalid_request"))
            access_token = text
        else:
            access_token = (await self._issue(request, _candidates(request, fields), ())).access_token
        return (("authorization", f"Bearer {access_token}"), *correlation.metadata(request.correlation_id))


def _candidates(request: Request, fields: dict[str, str]) -> list[tuple[str, str]]:
    """The pairs of client id and secret that the caller may mean. Raises Problem for two methods at once."""
    if request.header(b"authorization"):
        if "client_secret" in fields:
            raise Problem(_refused("invalid_request"))
        scheme, text = request.authorization
        found = basic.pairs(text) if scheme == "basic" else []
    else:
        found = [(fields.get("client_id", ""), fields.get("client_secret", ""))]
    # The spelling that stands for the others too: an id that is form-encoded is the same client's.
    if found and found[-1][1]:
        request.claim = Claim(found[-1][0])
    return [
        (name, secret)
        for name, secret in found
        if 0 < len(name) <= LONGEST_CLIENT_ID and 0 < len(secret) <= LONGEST_SECRET
    ]


def _scope(text: str) -> str:
    """A scope as RFC 6749 section 3.3 writes it. What is no scope becomes one that nobody has: whether that counts
    depends on the client, and a partner with the right secret must not be told that it is wrong."""
    return quote(text, safe=SCOPE_PUNCTUATION)[:LONGEST_SCOPE]


def _refused(code: str) -> Answer:
    return error(400, code, *NO_STORE)


def _core_trouble(failed: grpc.aio.AioRpcError) -> Answer:
    structlog.get_logger().warning("the core did not answer about access tokens", code=failed.code().name)
    return unavailable("temporarily_unavailable")


async def _as_caller(
    method: Callable[..., Awaitable[Response_]], question: Request_, metadata: tuple[tuple[str, str], ...]
) -> Response_:
    try:
        return await method(question, metadata=metadata, timeout=TIMEOUT)
    except grpc.aio.AioRpcError as failed:
        match failed.code():
            case grpc.StatusCode.UNAUTHENTICATED:
                raise Problem(error(401, "invalid_token", BEARER, *NO_STORE)) from None
            case grpc.StatusCode.PERMISSION_DENIED:
                raise Problem(error(403, "insufficient_scope", *NO_STORE)) from None
            case _:
                raise Problem(_core_trouble(failed)) from None


def _token_answer(issued: pb.IssueAccessTokenResponse, expires_in: int | str) -> Answer:
    facts = {
        "access_token": issued.access_token,
        "expires_in": expires_in,
        "token_type": issued.token_type,
        "scope": " ".join(issued.scopes),
        "expires_at": _milliseconds(issued.expire_time),
    }
    return json_answer(200, facts, *NO_STORE)


def _milliseconds(time: Timestamp) -> str:
    """Such as `2023-06-06T05:05:59.711Z`."""
    return f"{time.ToDatetime().isoformat(timespec='milliseconds')}Z"
