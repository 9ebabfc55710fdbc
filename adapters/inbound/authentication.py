"""Whose access token or API key it is. Nothing here asks the core: what it says is at most 5 s old."""

import hmac
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import Generic, TypeVar

from mintmark.v1 import accounts_pb2, principals_pb2

from adapters.inbound.basic import pairs
from adapters.inbound.clock_guard import Passed
from adapters.inbound.failed_authentications import Claim, source
from adapters.inbound.principals import ApiKey, Client, Principals
from adapters.inbound.problems import FORBIDDEN, Problem, unauthenticated, unavailable
from adapters.inbound.request import Request
from adapters.inbound.slow_hashes import SlowHashes
from adapters.jose.access_tokens import LONGEST_TOKEN, AccessToken, AccessTokenInvalid

LONGEST_KEY = 512
PARTNER_SCOPE = "d1-notify"
KEPT_TOKENS = 4096
CHALLENGE_BEARER = 'Bearer realm="mintmark"'
CHALLENGE_API_KEY = 'APIKEY realm="mintmark"'
CHALLENGE_BASIC = 'Basic realm="mintmark", charset="UTF-8"'

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class Remembered(Generic[K, V]):
    """The newest `size` things found out; all forgotten when the principals change."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._version = -1
        self._held: dict[K, V] = {}

    def get(self, key: K, version: int) -> V | None:
        if version != self._version:
            self._held.clear()
            self._version = version
        return self._held.get(key)

    def put(self, key: K, value: V) -> None:
        if len(self._held) >= self._size:
            self._held.pop(next(iter(self._held)))
        self._held[key] = value


@dataclass(frozen=True, slots=True)
class Caller:
    """A client with the scopes of the access token that it called with, as far as it still has them."""

    client: Client
    scopes: frozenset[str]


class Authentication:
    """Access tokens (D1) and API keys (TSH)."""

    def __init__(self, principals: Principals, *, basic: bool) -> None:
        self._principals = principals
        self._basic = basic
        self._tokens: Remembered[str, AccessToken] = Remembered(KEPT_TOKENS)
        self._slow_hashes = SlowHashes()

    def check_fresh(self) -> None:
        """Raises Problem (503) while nobody can know what was revoked."""
        if not self._principals.fresh:
            raise Problem(unavailable("Callers cannot be checked right now; send it again"))

    def bearer(self, request: Request) -> Caller:
        """The client of the access token. Raises Problem: 401, or 503 where nobody can know."""
        self.check_fresh()
        scheme, text = request.authorization
        if scheme != "bearer" or not text or len(text) > LONGEST_TOKEN:
            raise Problem(unauthenticated(CHALLENGE_BEARER))
        token = self._verified(text)
        # Whatever else is wrong with it: such as that it has expired, which a client learns by a 401.
        request.claim = Claim(f"clients/{token.client_id}", certain=True)
        client = self._principals.by_client_id.get(token.client_id)
        if client is None or token.jwt_id in self._principals.revoked:
            raise Problem(unauthenticated(f'{CHALLENGE_BEARER}, error="invalid_token"'))
        passed = self._principals.guard.has_passed(token.expire_time)
        if passed is Passed.UNSURE:
            raise Problem(unavailable("The time is not certain right now; send it again"))
        if passed is Passed.YES:
            raise Problem(unauthenticated(f'{CHALLENGE_BEARER}, error="invalid_token"'))
        return Caller(client, token.scopes & client.scopes)

    def d1(self, request: Request, certified: Iterable[accounts_pb2.Account]) -> Client | str:
        """The client of the access token, or the name of the account that the caller is: `certified` are those with
        OAuth switched off. Raises Problem: 401, 403 without D1's scope, or 503 where nobody can know."""
        self.check_fresh()
        for account in certified:
            expected = account.client_certificate_common_name
            if request.common_name == expected if expected else request.from_loopback:
                return account.name
        caller = self.bearer(request)
        if PARTNER_SCOPE not in caller.scopes:
            raise Problem(FORBIDDEN)
        return caller.client

    def knows(self, request: Request) -> bool:
        """Whether the access token is a good one, as far as is known here: where the core decides who may do what."""
        try:
            self.bearer(request)
        except Problem:
            return False
        return True

    def _verified(self, text: str) -> AccessToken:
        known = self._tokens.get(text, self._principals.version)
        if known is not None:
            return known
        try:
            if self._principals.verifier is None:
                raise AccessTokenInvalid
            token = self._principals.verifier.verify(text)
        except AccessTokenInvalid:
            raise Problem(unauthenticated(f'{CHALLENGE_BEARER}, error="invalid_token"')) from None
        self._tokens.put(text, token)
        return token

    async def api_key(self, request: Request) -> ApiKey:
        """The API key that the caller has shown. Raises Problem: 401, 503 where nobody can know, or 429."""
        self.check_fresh()
        scheme, text = request.authorization
        if scheme == "apikey" and text:
            found = await self._find(text, request)
            if found:
                return _shown(request, found)
        elif scheme == "basic" and self._basic:
            for name, key in pairs(text):
                request.claim = Claim(name)
                found = await self._find(key, request)
                if found and hmac.compare_digest(found.api_key_id.encode(), name.encode("utf-8", "surrogatepass")):
                    return _shown(request, found)
        raise Problem(unauthenticated(f"{CHALLENGE_API_KEY}, {CHALLENGE_BASIC}" if self._basic else CHALLENGE_API_KEY))

    async def _find(self, key: str, request: Request) -> ApiKey | None:
        """The API key with this text, by its hash: a keyed hash tells nothing by the time that looking it up takes."""
        if not 0 < len(key) <= LONGEST_KEY:
            return None
        content = key.encode("utf-8", "surrogatepass")
        fast = hmac.digest(self._principals.api_key_hash_key, content, "sha256")
        found = self._held(principals_pb2.KEY_HASH_HMAC_SHA256, fast)
        scrypt = principals_pb2.KEY_HASH_SCRYPT
        if found or not self._principals.any_slow_hash:
            return found
        salt = self._principals.api_key_hash_key
        found = self._held(scrypt, await self._slow_hashes.of(content, salt, source(request.peer)))
        if found:
            self._slow_hashes.was_good(content, salt)
        return found

    def _held(self, kind: int, key_hash: bytes) -> ApiKey | None:
        found = self._principals.by_key_hash.get((kind, key_hash))
        return found if found and hmac.compare_digest(found.key_hash, key_hash) else None


def _shown(request: Request, key: ApiKey) -> ApiKey:
    """The key, known to be the caller's: the core may still say that it is revoked."""
    request.claim = Claim(key.name, certain=True)
    return key
