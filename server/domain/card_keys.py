"""The public keys that card data is encrypted for, and the names of those that card numbers are hashed with, as
gateways publish them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from server.domain import names
from server.domain.refusals import FieldInvalid

# Who has not been heard of for so long has the key no more. Gateways publish every few minutes.
LIVE = 3600 * 1_000_000


@dataclass(frozen=True, slots=True)
class CardKey:
    """A public key. `first_current_time` is when a gateway first said that it is the one to encrypt for; 0 before."""

    name: str
    kid: str
    jwk_json: str
    thumbprint: str
    publish_time: int
    first_current_time: int = 0


@dataclass(frozen=True, slots=True)
class CardHashKey:
    """What is known of a key that card numbers are hashed with: its id, and since when it was said to be current."""

    name: str
    hash_key_id: str
    publish_time: int
    first_current_time: int


@dataclass(frozen=True, slots=True)
class PublishedKey:
    """A public key as a gateway publishes it."""

    kid: str
    jwk_json: str
    thumbprint: str

    @property
    def name(self) -> str:
        return names.card_key(self.kid)


def live(keys: Iterable[CardKey], now: int) -> list[CardKey]:
    """The keys that a gateway was heard to have in the last hour, the current one first, then the newest."""
    heard = [key for key in keys if now - key.publish_time <= LIVE]
    return sorted(heard, key=lambda key: (-key.first_current_time, -key.publish_time, key.kid))


def current(keys: Iterable[CardKey], now: int) -> str:
    """The id of the key to encrypt for; empty where no gateway has one."""
    heard = live(keys, now)
    return heard[0].kid if heard else ""


def current_hash_key(keys: Iterable[CardHashKey], now: int) -> str:
    """The id of the key to hash with; empty where no gateway has one."""
    heard = [key for key in keys if now - key.publish_time <= LIVE]
    return max(heard, key=lambda key: (key.first_current_time, key.hash_key_id)).hash_key_id if heard else ""


def published(held: Mapping[str, CardKey], keys: Sequence[PublishedKey], now: int) -> list[CardKey]:
    """The keys, given by name, after a gateway published its own, the current one first.

    A key keeps the time at which it first became current: one that was followed by another never comes before that
    again. Raises FieldInvalid where a key has the id of another.
    """
    after = []
    for place, key in enumerate(keys):
        known = held.get(key.name)
        if known is not None and known.thumbprint != key.thumbprint:
            raise FieldInvalid("jwks_json", f"the kid {key.kid!r} is another key's; each key needs one of its own")
        first = known.first_current_time if known else 0
        if place == 0 and not first:
            # Later than any other, also where clocks stood still.
            first = max([now, *(each.first_current_time + 1 for each in held.values())])
        base = known or CardKey(key.name, key.kid, key.jwk_json, key.thumbprint, now)
        after.append(replace(base, publish_time=max(now, base.publish_time), first_current_time=first))
    return after


def published_hash_key(held: Mapping[str, CardHashKey], hash_key_id: str, now: int) -> CardHashKey:
    """The hash key after a gateway said that it hashes with it now."""
    name = names.card_hash_key(hash_key_id)
    known = held.get(name)
    if known is not None:
        return replace(known, publish_time=max(now, known.publish_time))
    first = max([now, *(each.first_current_time + 1 for each in held.values())])
    return CardHashKey(name, hash_key_id, now, first)
