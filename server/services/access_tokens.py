"""Access tokens: issuing, checking, revoking."""

import hmac
import threading
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, replace

from server.domain import clients, names
from server.domain.callers import Caller
from server.domain.clients import Client, ClientState
from server.domain.events import Event, EventKind
from server.domain.principals import RevokedAccessToken
from server.domain.refusals import AccessTokenInvalid, ClientCredentialsInvalid
from server.ports import Clock, Hasher, Ids, Signer, Store, Transaction
from server.services.principals import Directory
from server.services.slow_secrets import SlowSecrets

SECOND = 1_000_000
EXPIRES_IN_S = 900
# The promise ends before the token does, so that a call that begins in time is not refused on arrival.
GRACE_S = 30
VERIFIED_LIMIT = 10_000
INTROSPECT_ANY = "access_tokens.introspect"


@dataclass(frozen=True, slots=True)
class Issued:
    """A new access token; `expire_time` in microseconds is when the promise ends."""

    access_token: str
    scopes: tuple[str, ...]
    expire_time: int


@dataclass(frozen=True, slots=True)
class Claims:
    """What an access token of ours says. Times are microseconds."""

    client_id: str
    scopes: frozenset[str]
    jwt_id: str
    issue_time: int
    expire_time: int


class AccessTokens:
    """Issues access tokens and tells whom they belong to. They carry, and must carry, `issuer` and `audience`."""

    def __init__(
        self,
        store: Store,
        directory: Directory,
        hasher: Hasher,
        signer: Signer,
        clock: Clock,
        ids: Ids,
        *,
        issuer: str,
        audience: str,
    ) -> None:
        self._store = store
        self._directory = directory
        self._hasher = hasher
        self._signer = signer
        self._clock = clock
        self._ids = ids
        self.issuer = issuer
        self.audience = audience
        self._lock = threading.Lock()
        # A token's signature does not change, so it is checked once.
        self._verified: OrderedDict[str, Claims] = OrderedDict()
        self._slow = SlowSecrets(
            lambda secret: hasher.hash_client_secret(secret, taken_over=True),
            hasher.made_secret().encode(),
            clock.monotonic,
        )
        self._decoy = hasher.hash_client_secret("no client has this secret", taken_over=False)

    def issue(self, client_id: str, secret: str, asked: Collection[str], deadline: float) -> Issued:
        """Raises ClientCredentialsInvalid, ScopeInvalid, StoreUnavailable; TooManyCalls where a secret cannot be looked
        at before the deadline, on the monotonic clock. A new token each time."""
        now = self._clock.now()
        client = self._directory.principals.clients.get(names.client(client_id))
        if not self._matches(client, secret, now, deadline) or client is None or client.state is not ClientState.ACTIVE:
            raise ClientCredentialsInvalid
        scopes = clients.granted(client, asked)
        issued = now // SECOND
        token = self._signer.sign(
            {
                "iss": self.issuer,
                "aud": self.audience,
                "sub": client.client_id,
                "client_id": client.client_id,
                "iat": issued,
                "exp": issued + EXPIRES_IN_S + GRACE_S,
                "jti": self._ids.jwt_id(),
                "scope": " ".join(scopes),
            }
        )
        return Issued(token, scopes, (issued + EXPIRES_IN_S) * SECOND)

    def _matches(self, client: Client | None, secret: str, now: int, deadline: float) -> bool:
        """Whether the secret is one of the client's; takes as long for a client that does not exist as for one whose
        secrets we made."""
        if client is None:
            self._hasher.verify_client_secret(secret, self._decoy, taken_over=False)
            return False
        live = client.live_secrets(now)
        matches = [
            self._hasher.verify_client_secret(secret, each.secret_hash, taken_over=False)
            for each in live
            if not each.taken_over
        ]
        taken_over = [each.secret_hash for each in live if each.taken_over]
        if any(matches) or not taken_over:
            return any(matches)
        # One hash for all of them: it depends on the secret and the keyring alone.
        computed = self._slow.hash_of(client.client_id, secret, deadline).encode()
        right = any(hmac.compare_digest(computed, each.encode()) for each in taken_over)
        if right:
            self._slow.was_right(client.client_id, secret)
        return right

    def caller(self, access_token: str, correlation_id: str, *, begun: bool = False) -> Caller:
        """Whom an access token belongs to, with what the client may do now. Raises AccessTokenInvalid.

        A call that has `begun` goes on when its token expires, but not when that is revoked or the client disabled.
        """
        claims = self._claims(access_token)
        if claims is None:
            raise AccessTokenInvalid("not one of ours")
        if not begun and claims.expire_time <= self._clock.now():
            raise AccessTokenInvalid("expired")
        principals = self._directory.principals
        if claims.jwt_id in principals.revoked:
            raise AccessTokenInvalid("revoked")
        client = principals.clients.get(names.client(claims.client_id))
        if client is None or client.state is not ClientState.ACTIVE:
            raise AccessTokenInvalid("its client is disabled or gone")
        # What was taken from the client since is not in the token any more.
        scopes = claims.scopes & frozenset(client.scopes)
        return Caller(client.name, scopes, client.reach, claims.jwt_id, correlation_id)

    def introspect(self, caller: Caller, access_token: str) -> Claims | None:
        """What an active access token says; None for one that is not, or that the caller may not ask about."""
        try:
            owner = self.caller(access_token, caller.correlation_id)
        except AccessTokenInvalid:
            return None
        if owner.client != caller.client and INTROSPECT_ANY not in caller.scopes:
            return None
        claims = self._claims(access_token)
        return replace(claims, scopes=owner.scopes) if claims else None

    def revoke(self, caller: Caller, access_token: str) -> None:
        """Revokes an access token of the caller's own; leaves anything else alone (RFC 7009 section 2.2)."""
        claims = self._claims(access_token)
        now = self._clock.now()
        if claims is None or names.client(claims.client_id) != caller.client or claims.expire_time <= now:
            return
        if claims.jwt_id in self._directory.principals.revoked:
            return
        token = RevokedAccessToken(claims.jwt_id, caller.client, claims.expire_time)
        event = Event(
            kind=EventKind.ACCESS_TOKEN_REVOKED,
            resource=caller.client,
            time=now,
            correlation_id=caller.correlation_id,
            actor=caller.client,
        )

        def run(transaction: Transaction) -> None:
            if transaction.revoke_access_token(token):
                transaction.append(event)

        self._store.write(caller.client, run)

    def _claims(self, access_token: str) -> Claims | None:
        with self._lock:
            known = self._verified.get(access_token)
        if known:
            return known
        verified = self._signer.verify(access_token)
        if verified is None or verified.get("iss") != self.issuer or verified.get("aud") != self.audience:
            return None
        match verified:
            case {
                "client_id": str(client_id),
                "scope": str(scope),
                "jti": str(jwt_id),
                "iat": int(issued),
                "exp": int(expires),
            }:
                claims = Claims(client_id, frozenset(scope.split()), jwt_id, issued * SECOND, expires * SECOND)
            case _:
                return None
        with self._lock:
            self._verified[access_token] = claims
            while len(self._verified) > VERIFIED_LIMIT:
                self._verified.popitem(last=False)
        return claims
