"""API keys for those who manage them."""

from dataclasses import dataclass

from server.domain import api_keys, clients
from server.domain.api_keys import ApiKey
from server.domain.callers import Caller
from server.domain.events import Event, EventKind
from server.domain.queries import Page
from server.domain.refusals import ResourceExists, ResourceNotFound, SecretInUse
from server.ports import Hasher, Store, Transaction


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key on its way to its hash. `shown` is empty for one that was taken over: its owner has it.

    `made_hash` is the hash that the same key has where it was made here.
    """

    key_hash: str
    made_hash: str
    taken_over: bool
    shown: str


def new_key(hasher: Hasher, taken_over: str, *, allow_weak: bool) -> NewKey:
    """Makes a key of 256 bits, or takes one over. Raises SecretTooWeak. Too slow for the writer's thread."""
    if taken_over:
        clients.check_strength(taken_over, allow_weak=allow_weak)
    key = taken_over or hasher.made_secret()
    made_hash = hasher.hash_api_key(key, taken_over=False).hex()
    key_hash = hasher.hash_api_key(key, taken_over=True).hex() if taken_over else made_hash
    return NewKey(key_hash, made_hash, bool(taken_over), "" if taken_over else key)


def get(store: Store, name: str) -> ApiKey:
    """Raises ResourceNotFound."""
    found = store.view.api_key(name)
    if found is None:
        raise ResourceNotFound(name)
    return found


def list_page(store: Store, page: Page) -> list[ApiKey]:
    return store.view.api_keys(page)


def create(transaction: Transaction, caller: Caller, key: ApiKey, made_hash: str) -> ApiKey:
    """Raises ResourceExists where the id is taken, SecretInUse where the key is, made here or taken over."""
    held = transaction.api_keys.all()
    if any(each.name == key.name for each in held):
        raise ResourceExists(key.name)
    if any(each.key_hash in (key.key_hash, made_hash) for each in held):
        raise SecretInUse
    transaction.api_keys.insert([key])
    transaction.append(_event(EventKind.API_KEY_CREATED, key, caller, key.create_time))
    return key


def revoke(transaction: Transaction, caller: Caller, name: str, now: int) -> ApiKey:
    """Raises ResourceNotFound."""
    held = transaction.api_keys.get(name)
    if held is None:
        raise ResourceNotFound(name)
    after = api_keys.revoke(held, now)
    if after is not held:
        transaction.api_keys.update([after])
        transaction.append(_event(EventKind.API_KEY_REVOKED, after, caller, now))
    return after


def _event(kind: EventKind, key: ApiKey, caller: Caller, now: int) -> Event:
    return Event(kind=kind, resource=key.name, time=now, correlation_id=caller.correlation_id, actor=caller.client)
