"""Public keys of the gateways: published by them, and told to whoever encrypts card data."""

from collections.abc import Sequence

from server.domain import card_keys
from server.domain.card_keys import CardKey, PublishedKey
from server.ports import Transaction
from server.services.card_house import CardHouse


def live(house: CardHouse) -> list[CardKey]:
    """The keys that gateways have, the current one first. Raises StoreUnavailable."""
    return card_keys.live(house.store.view.cards.keys(), house.now_outside())


def publish(house: CardHouse, transaction: Transaction, keys: Sequence[PublishedKey], hash_key_id: str) -> None:
    """Makes the keys of a gateway known, the current one first. Safe to repeat. Raises FieldInvalid."""
    now = house.now(transaction)
    shelf, hash_shelf = transaction.cards.keys, transaction.cards.hash_keys
    # Found first, then locked: two gateways that tell at once are heard one after the other.
    held = shelf.get_many([*(key.name for key in shelf.all()), *(key.name for key in keys)])
    hash_keys = hash_shelf.get_many([key.name for key in hash_shelf.all()])
    after = card_keys.published(held, keys, now)
    hash_key = card_keys.published_hash_key(hash_keys, hash_key_id, now)
    by_name = sorted(after, key=lambda key: key.name)
    shelf.insert([key for key in by_name if key.name not in held])
    shelf.update([key for key in by_name if key.name in held])
    if hash_key.name in hash_keys:
        hash_shelf.update([hash_key])
    else:
        hash_shelf.insert([hash_key])
