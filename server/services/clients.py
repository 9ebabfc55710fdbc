"""Clients for those who manage them."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from server.domain import clients, names
from server.domain.callers import ANY, Caller, Reach
from server.domain.clients import Client, ClientSecret, ClientState
from server.domain.events import Event, EventKind
from server.domain.queries import Page
from server.domain.refusals import ResourceExists, ResourceNotFound
from server.domain.scopes import INTERNAL
from server.ports import Hasher, Ids, Store, Transaction


@dataclass(frozen=True, slots=True)
class NewSecret:
    """A secret on its way to its hash. `shown` is empty for one that was taken over: its owner has it."""

    kept: ClientSecret
    shown: str


def new_secret(hasher: Hasher, ids: Ids, taken_over: str, *, allow_weak: bool, now: int) -> NewSecret:
    """Makes a secret of 256 bits, or takes one over. Raises SecretTooWeak. Too slow for the writer's thread."""
    if taken_over:
        clients.check_strength(taken_over, allow_weak=allow_weak)
    secret = taken_over or hasher.made_secret()
    secret_hash = hasher.hash_client_secret(secret, taken_over=bool(taken_over))
    kept = ClientSecret(ids.secret_id(), secret_hash, now, taken_over=bool(taken_over))
    return NewSecret(kept, "" if taken_over else secret)


def get(store: Store, name: str) -> Client:
    """Raises ResourceNotFound."""
    found = store.view.client(name)
    if found is None:
        raise ResourceNotFound(name)
    return found


def list_page(store: Store, page: Page) -> list[Client]:
    return store.view.clients(page)


def create(
    transaction: Transaction,
    caller: Caller,
    client_id: str,
    display_name: str,
    scopes: Collection[str],
    reach: Reach,
    secret: ClientSecret,
    now: int,
) -> Client:
    """Raises ResourceExists, ScopeInvalid, BindingInvalid."""
    client = replace(clients.new(client_id, display_name, scopes, reach, now), secrets=(secret,))
    if transaction.clients.get(client.name) is not None:
        raise ResourceExists(client.name)
    transaction.clients.insert([client])
    transaction.append(_event(EventKind.CLIENT_CREATED, client, caller, now))
    return client


def update(
    transaction: Transaction, caller: Caller, name: str, etag: str, changes: Mapping[str, object], now: int
) -> Client:
    """Sets the given fields. Raises ResourceNotFound, EtagMismatch, ClientProtected, ScopeInvalid, BindingInvalid."""
    held = _held(transaction, name)
    clients.check_etag(held, etag)
    if set(changes) - {"display_name"}:
        clients.check_unprotected(held)
    after = replace(held, **changes)  # type: ignore[arg-type]  # the field mask's rule names the fields
    clients.check(after)
    if after == held:
        return held
    after = replace(after, update_time=now, revision=held.revision + 1)
    return _save(transaction, caller, EventKind.CLIENT_UPDATED, after, now)


def rotate(
    transaction: Transaction, caller: Caller, name: str, secret: ClientSecret, old_lifetime: int, now: int
) -> Client:
    """Raises ResourceNotFound, SecretsFull."""
    held = _held(transaction, name)
    after = clients.rotate(held, secret, old_lifetime, now)
    return _save(transaction, caller, EventKind.CLIENT_SECRET_ROTATED, after, now)


def set_state(transaction: Transaction, caller: Caller, name: str, state: ClientState, now: int) -> Client:
    """Raises ResourceNotFound, ClientProtected."""
    held = _held(transaction, name)
    after = clients.with_state(held, state, now)
    if after is held:
        return held
    kind = EventKind.CLIENT_ENABLED if state is ClientState.ACTIVE else EventKind.CLIENT_DISABLED
    return _save(transaction, caller, kind, after, now)


def bootstrap(transaction: Transaction, secrets: Mapping[str, ClientSecret], now: int) -> list[str]:
    """Makes those of the house's own clients that are missing: the administrator and the roles. Returns who is new."""
    made = []
    for client_id, secret in sorted(secrets.items()):
        if transaction.clients.get(names.client(client_id)) is not None:
            continue
        if client_id == clients.ADMIN:
            scopes: Collection[str] = INTERNAL
            reach = Reach(frozenset({ANY}), frozenset(), frozenset({ANY}))
        else:
            scopes, reach = {client_id}, Reach()
        client = replace(clients.new(client_id, "", scopes, reach, now), secrets=(secret,))
        transaction.clients.insert([client])
        transaction.append(_event(EventKind.CLIENT_CREATED, client, HOUSE, now))
        made.append(client_id)
    return made


def grant_new_scopes(transaction: Transaction, now: int) -> bool:
    """Gives the administrator the scopes that this version has and an earlier one had not; whether there were any.

    Nobody else could: the house's own clients are protected.
    """
    held = _held(transaction, names.client(clients.ADMIN))
    scopes = tuple(sorted({*held.scopes, *INTERNAL}))
    if set(scopes) == set(held.scopes):
        return False
    after = replace(held, scopes=scopes, update_time=now, revision=held.revision + 1)
    _save(transaction, HOUSE, EventKind.CLIENT_UPDATED, after, now)
    return True


HOUSE = Caller("", frozenset(), Reach())


def put_secret(transaction: Transaction, client_id: str, secret: ClientSecret, now: int) -> None:
    """Makes a secret the only one of a client of the house: for a credentials file that was given or was lost."""
    held = _held(transaction, names.client(client_id))
    _save(transaction, HOUSE, EventKind.CLIENT_SECRET_ROTATED, clients.rotate(held, secret, 0, now), now)


def _held(transaction: Transaction, name: str) -> Client:
    held = transaction.clients.get(name)
    if held is None:
        raise ResourceNotFound(name)
    return held


def _save(transaction: Transaction, caller: Caller, kind: EventKind, after: Client, now: int) -> Client:
    transaction.clients.update([after])
    transaction.append(_event(kind, after, caller, now))
    return after


def _event(kind: EventKind, client: Client, caller: Caller, now: int) -> Event:
    return Event(kind=kind, resource=client.name, time=now, correlation_id=caller.correlation_id, actor=caller.client)
