"""Clients: those who call with access tokens, their scopes, bindings and secrets."""

from collections.abc import Collection
from dataclasses import dataclass, replace
from enum import StrEnum

from server.domain import names, scopes
from server.domain.callers import ANY, Reach
from server.domain.refusals import (
    BindingInvalid,
    ClientProtected,
    EtagMismatch,
    FieldInvalid,
    ScopeInvalid,
    SecretsFull,
    SecretTooWeak,
)

MOST_LIVE_SECRETS = 2
SHORTEST_STRONG_SECRET = 16
ADMIN = "admin"
ROLE_PREFIX = "role."


class ClientState(StrEnum):
    ACTIVE = "ACTIVE"
    DISABLED = "DISABLED"


@dataclass(frozen=True, slots=True)
class ClientSecret:
    """A secret, as a hash only. `expire_time` in microseconds; None while it has no end."""

    secret_id: str
    secret_hash: str
    create_time: int
    expire_time: int | None = None
    taken_over: bool = False

    def live(self, now: int) -> bool:
        return self.expire_time is None or now < self.expire_time


@dataclass(frozen=True, slots=True)
class Client:
    """Someone who calls us. Times are microseconds."""

    name: str
    client_id: str
    display_name: str
    scopes: tuple[str, ...]
    merchant_gateway_ids: tuple[str, ...]
    merchant_ids: tuple[str, ...]
    issuer_ids: tuple[str, ...]
    state: ClientState
    secrets: tuple[ClientSecret, ...]
    create_time: int
    update_time: int
    revision: int = 1

    @property
    def reach(self) -> Reach:
        return Reach(frozenset(self.merchant_gateway_ids), frozenset(self.merchant_ids), frozenset(self.issuer_ids))

    @property
    def partner(self) -> bool:
        """Whether this is a partner, whose scope texts are aliases for what it has."""
        return bool(self.scopes) and set(self.scopes) <= scopes.PARTNER

    def live_secrets(self, now: int) -> tuple[ClientSecret, ...]:
        return tuple(secret for secret in self.secrets if secret.live(now))


def check_strength(secret: str, *, allow_weak: bool) -> None:
    """Raises SecretTooWeak for a taken-over secret that is short and not allowed to be."""
    if len(secret) < SHORTEST_STRONG_SECRET and not allow_weak:
        raise SecretTooWeak


def check(client: Client) -> None:
    """Raises FieldInvalid, ScopeInvalid or BindingInvalid where a client cannot be like this."""
    if not client.scopes:
        raise FieldInvalid("scopes", "at least one", "repeated.min_items")
    for scope in client.scopes:
        if scope not in scopes.ALL:
            raise ScopeInvalid(scope)
        if (scope in scopes.ROLES) != client.client_id.startswith(ROLE_PREFIX):
            raise ScopeInvalid(scope)
    given = set(client.scopes)
    if given & scopes.PARTNER and ANY in client.merchant_gateway_ids:
        raise BindingInvalid("a partner's client must name its merchant gateways; * is for internal clients")
    if given & scopes.PARTNER and not given <= scopes.PARTNER:
        raise BindingInvalid("a partner's client has partner scopes only; make another client for internal ones")
    if given & scopes.ADMINISTRATIVE and not client.reach.everything:
        raise BindingInvalid(
            "clients, API keys and accounts are not limited to merchant gateways: a client with a scope for them must "
            "be bound to the merchant gateway * and to no merchants"
        )
    if client.merchant_ids and not client.merchant_gateway_ids:
        raise BindingInvalid("merchants are bound within merchant gateways; name those too")


def check_etag(client: Client, etag: str) -> None:
    if etag and etag != str(client.revision):
        raise EtagMismatch(client.name)


def check_unprotected(client: Client) -> None:
    """Raises ClientProtected for the administrator and the roles, without which nobody could undo it."""
    if client.client_id == ADMIN or client.client_id in scopes.ROLES:
        raise ClientProtected(client.name)


def new(client_id: str, display_name: str, scope_texts: Collection[str], reach: Reach, now: int) -> Client:
    client = Client(
        name=names.client(client_id),
        client_id=client_id,
        display_name=display_name,
        scopes=tuple(sorted(scope_texts)),
        merchant_gateway_ids=tuple(sorted(reach.merchant_gateway_ids)),
        merchant_ids=tuple(sorted(reach.merchant_ids)),
        issuer_ids=tuple(sorted(reach.issuer_ids)),
        state=ClientState.ACTIVE,
        secrets=(),
        create_time=now,
        update_time=now,
    )
    check(client)
    return client


def rotate(client: Client, secret: ClientSecret, old_lifetime: int, now: int) -> Client:
    """The client with a new secret; the old ones end after `old_lifetime` microseconds, at once for 0.

    Raises SecretsFull where two are live and are to go on.
    """
    live = client.live_secrets(now)
    if old_lifetime <= 0:
        kept: tuple[ClientSecret, ...] = ()
    elif len(live) >= MOST_LIVE_SECRETS:
        raise SecretsFull(client.name)
    else:
        ends = now + old_lifetime
        kept = tuple(
            replace(old, expire_time=ends if old.expire_time is None else min(old.expire_time, ends)) for old in live
        )
    return replace(client, secrets=(*kept, secret), update_time=now, revision=client.revision + 1)


def with_state(client: Client, state: ClientState, now: int) -> Client:
    """The client enabled or disabled; as it is where it is so already. Raises ClientProtected."""
    if client.state is state:
        return client
    if state is ClientState.DISABLED:
        check_unprotected(client)
    return replace(client, state=state, update_time=now, revision=client.revision + 1)


def granted(client: Client, asked: Collection[str]) -> tuple[str, ...]:
    """The scopes that an access token gets. None asked for means all; a partner's texts are aliases for what it has.

    Raises ScopeInvalid where an internal client asks for what it does not have.
    """
    if client.partner or not asked:
        return client.scopes
    for scope in asked:
        if scope not in client.scopes:
            raise ScopeInvalid(scope)
    return tuple(sorted(set(asked)))
