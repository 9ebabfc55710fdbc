"""Who may call, mirrored from the core: clients, API keys, accounts, keys of access tokens, revocations."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import grpc
import structlog
from mintmark.v1 import accounts_pb2, principals_pb2, principals_pb2_grpc

from adapters.clock import Clock
from adapters.core import AioAccessToken, CredentialsMissing
from adapters.inbound.clock_guard import ClockGuard, Passed
from adapters.jose.access_tokens import Key, Verifier
from adapters.logs import fault

STALE_AFTER = 5.0
# Revoked access tokens are forgotten so long after their end, and looked through so often.
REVOKED_KEPT, REVOKED_CHECKED = 3600.0, 60.0
ANY = "*"
FIRST_PAUSE, LONGEST_PAUSE = 0.1, 1.0


@dataclass(frozen=True, slots=True)
class Client:
    """A client that may call now."""

    name: str
    client_id: str
    scopes: frozenset[str]
    merchant_gateway_ids: frozenset[str]
    issuer_ids: frozenset[str] = frozenset()

    def speaks_for_gateway(self, merchant_gateway_id: str) -> bool:
        """Whether the gateway is one of the client's."""
        return ANY in self.merchant_gateway_ids or merchant_gateway_id in self.merchant_gateway_ids

    def speaks_for_issuer(self, issuer_id: str) -> bool:
        """Whether the issuer is one of the client's."""
        return ANY in self.issuer_ids or issuer_id in self.issuer_ids


@dataclass(frozen=True, slots=True)
class ApiKey:
    """An API key that is not revoked."""

    name: str
    api_key_id: str
    merchant_gateway_id: str
    hash: "principals_pb2.KeyHash.ValueType"
    key_hash: bytes


@dataclass(slots=True)
class Principals:
    """The mirror. Everything is as the core said last; `heard_at` is when it said anything, on the monotonic clock."""

    clock: Clock
    guard: ClockGuard = field(init=False)
    heard_at: float | None = None
    clients: dict[str, Client] = field(default_factory=dict)
    by_client_id: dict[str, Client] = field(default_factory=dict)
    api_keys: dict[str, ApiKey] = field(default_factory=dict)
    # Whether there is a key that was taken over from elsewhere.
    any_slow_hash: bool = False
    by_key_hash: dict[tuple[int, bytes], ApiKey] = field(default_factory=dict)
    accounts: dict[str, accounts_pb2.Account] = field(default_factory=dict)
    merchant_gateway_ids: frozenset[str] = frozenset()
    issuer_ids: frozenset[str] = frozenset()
    revoked: dict[str, float] = field(default_factory=dict)
    jwks: list[dict[str, str]] = field(default_factory=list)
    issuer: str = ""
    audience: str = ""
    api_key_hash_key: bytes = b""
    verifier: Verifier | None = None
    _parts: principals_pb2.WatchPrincipalsResponse = field(default_factory=principals_pb2.WatchPrincipalsResponse)
    forgot_at: float = 0.0
    # Rises with every change, so that what was derived can be thrown away.
    version: int = 0

    def __post_init__(self) -> None:
        self.guard = ClockGuard(self.clock)

    @property
    def fresh(self) -> bool:
        """Whether the core has spoken within 5 s. If not, nobody knows what was revoked since."""
        return self.heard_at is not None and self.clock.monotonic() - self.heard_at <= STALE_AFTER

    def certificate_accounts(self, merchant_gateway_id: str) -> list[accounts_pb2.Account]:
        """The D1 accounts of a gateway with OAuth switched off."""
        certified = self._certified(accounts_pb2.ACCOUNT_PROVIDER_D1_ECOM)
        return [account for account in certified if account.merchant_gateway_id == merchant_gateway_id]

    def issuer_certificate_accounts(self, issuer_id: str) -> list[accounts_pb2.Account]:
        """The D1 accounts of an issuer with OAuth switched off."""
        certified = self._certified(accounts_pb2.ACCOUNT_PROVIDER_D1_ISSUER)
        return [account for account in certified if account.issuer_id == issuer_id]

    def issuer_account(self, issuer_id: str) -> accounts_pb2.Account | None:
        """The account of an issuer; None where it has none."""
        of_issuers = accounts_pb2.ACCOUNT_PROVIDER_D1_ISSUER
        found = (account for account in self.accounts.values() if account.provider == of_issuers)
        return next((account for account in found if account.issuer_id == issuer_id), None)

    def _certified(self, provider: "accounts_pb2.AccountProvider.ValueType") -> Iterator[accounts_pb2.Account]:
        by_certificate = accounts_pb2.INBOUND_AUTHENTICATION_CERTIFICATE
        for account in self.accounts.values():
            if account.provider == provider and account.inbound_authentication == by_certificate:
                yield account

    def begin_watch(self) -> None:
        """A new watch begins: parts of a snapshot that an old one left are worth nothing."""
        self._parts.Clear()

    def age(self) -> float:
        """Seconds since the core last said anything; infinite before it has."""
        return float("inf") if self.heard_at is None else self.clock.monotonic() - self.heard_at

    def apply(self, message: principals_pb2.WatchPrincipalsResponse) -> None:
        """Takes in one message of WatchPrincipals."""
        if message.HasField("database_time"):
            self.guard.database_says(message.database_time.ToMicroseconds() / 1e6)
        if message.snapshot:
            # What was known holds until the whole snapshot is there: a part of it would lock out all others.
            self._parts.MergeFrom(message)
            if not message.snapshot_complete:
                return
            message, self._parts = self._parts, principals_pb2.WatchPrincipalsResponse()
            self._begin_anew(message)
        for client in message.clients:
            self.clients[client.name] = _client(client)
        for key in message.api_keys:
            self.api_keys[key.name] = ApiKey(key.name, key.api_key_id, key.merchant_gateway_id, key.hash, key.key_hash)
        for account in message.accounts:
            self.accounts[account.name] = account
        for name in message.removed_names:
            for held in (self.clients, self.api_keys, self.accounts):
                held.pop(name, None)
        for token in message.revoked_access_tokens:
            self.revoked[token.jwt_id] = token.expire_time.ToMicroseconds() / 1e6
        self._forget_revoked()
        if message.jwks:
            self._take_keys(message)
        if message.clients or message.api_keys or message.accounts or message.removed_names or message.snapshot:
            self._index()
        self.heard_at = self.clock.monotonic()

    def _begin_anew(self, message: principals_pb2.WatchPrincipalsResponse) -> None:
        self.clients, self.api_keys, self.accounts, self.revoked = {}, {}, {}, {}
        self.api_key_hash_key = message.api_key_hash_key
        self.issuer, self.audience = message.access_token_issuer, message.access_token_audience

    def _take_keys(self, message: principals_pb2.WatchPrincipalsResponse) -> None:
        names = ("kid", "kty", "crv", "x", "y", "alg", "use")
        self.jwks = [{name: getattr(key, name) for name in names} for key in message.jwks]
        self.verifier = Verifier((Key(key.kid, key.x, key.y) for key in message.jwks), self.issuer, self.audience)
        self.version += 1

    def _index(self) -> None:
        self.by_client_id = {client.client_id: client for client in self.clients.values()}
        self.any_slow_hash = any(key.hash == principals_pb2.KEY_HASH_SCRYPT for key in self.api_keys.values())
        self.by_key_hash = {(key.hash, key.key_hash): key for key in self.api_keys.values()}
        gateways = {gateway for client in self.clients.values() for gateway in client.merchant_gateway_ids}
        gateways |= {key.merchant_gateway_id for key in self.api_keys.values()}
        gateways |= {account.merchant_gateway_id for account in self.accounts.values()}
        self.merchant_gateway_ids = frozenset(gateways - {ANY, ""})
        issuers = {issuer for client in self.clients.values() for issuer in client.issuer_ids}
        issuers |= {
            account.issuer_id
            for account in self.accounts.values()
            if account.provider == accounts_pb2.ACCOUNT_PROVIDER_D1_ISSUER
        }
        self.issuer_ids = frozenset(issuers - {ANY, ""})
        self.version += 1

    def _forget_revoked(self) -> None:
        """Forgets those whose end has surely passed: a clock that jumped must not bring one back."""
        now = self.clock.monotonic()
        if now - self.forgot_at < REVOKED_CHECKED:
            return
        self.forgot_at = now
        self.revoked = {
            jwt_id: end
            for jwt_id, end in self.revoked.items()
            if self.guard.has_passed(end + REVOKED_KEPT) is not Passed.YES
        }


def _client(client: principals_pb2.PrincipalClient) -> Client:
    return Client(
        client.name,
        client.client_id,
        frozenset(client.scopes),
        frozenset(client.merchant_gateway_ids),
        frozenset(client.issuer_ids),
    )


async def watch(principals: Principals, channel: grpc.aio.Channel, access_token: AioAccessToken) -> None:
    """Follows WatchPrincipals for ever, and begins again whenever the stream ends."""
    log = structlog.get_logger()
    stub = principals_pb2_grpc.PrincipalsServiceStub(channel)
    pause = FIRST_PAUSE
    while True:
        call = None
        try:
            metadata = await access_token.metadata()
            call = stub.WatchPrincipals(principals_pb2.WatchPrincipalsRequest(), metadata=metadata)
            principals.begin_watch()
            while True:
                # The core sends a heartbeat every second: silence means that the connection is dead.
                message = await asyncio.wait_for(call.read(), STALE_AFTER)
                if not isinstance(message, principals_pb2.WatchPrincipalsResponse):
                    break
                principals.apply(message)
                pause = FIRST_PAUSE
        except CredentialsMissing as missing:
            log.warning("no credentials yet", why=str(missing))
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNAUTHENTICATED:
                access_token.forget()
            log.warning("the watch of principals ended", code=error.code().name)
        except TimeoutError:
            log.warning("the core is silent")
        except Exception as wrong:
            # Without the watch nobody could be authenticated until somebody restarts the gateway.
            log.error("a fault of ours in the watch of principals", **fault(wrong))
        finally:
            if call is not None:
                with contextlib.suppress(Exception):
                    call.cancel()
        await asyncio.sleep(pause)
        pause = min(2 * pause, LONGEST_PAUSE)
