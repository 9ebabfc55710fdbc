"""The keys that gateways make hashes of card numbers with: HMAC-SHA-256, over issuer and number.

With BIN and last four digits known there are few numbers left to try, so the key is as secret as the numbers: only
gateways hold it, and the core, which holds the hashes, never does.
"""

import hmac
import re
import secrets
from dataclasses import dataclass, field

from adapters.jose.key_lists import listed
from adapters.jose.public_keys import KeyInvalid
from adapters.jose.strict import octets, text_of

KEY_BYTES = 32
WANTED = 'give {"keys": [{"id": "...", "key": "..."}]}, the current one first'
ID_RULE = "1 to 64 of A-Z a-z 0-9 . _ -"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# What is hashed, and how: with another number no card is found any more.
_FORMAT = b"mintmark card number 1"
_LENGTH_BYTES = 4


@dataclass(frozen=True, slots=True)
class NumberHash:
    """A hash of a card number, 32 bytes, and the id of the key that it was made with."""

    key_id: str
    hash: bytes = field(repr=False)


class HashKeys:
    """The keys of a file `{"keys": [{"id": "...", "key": "<32 bytes in base64url>"}]}`.

    Order counts: the first is current, the one that cards are kept under; the others find what is kept under them
    still. So a key is replaced as a key of cards is (adapters.jose.keys.PrivateKeys).
    """

    def __init__(self, text: str) -> None:
        """Raises KeyInvalid, and holds either all keys or none."""
        self._keys: dict[str, bytes] = {}
        for index, entry in enumerate(listed(text, "list of keys", WANTED), start=1):
            key_id, key = _read(entry, index)
            if key_id in self._keys:
                raise KeyInvalid(f"key {index} has the id {key_id!r} of an earlier one: give each its own")
            if key in self._keys.values():
                raise KeyInvalid(f"key {index} is the same as an earlier one: take one of them out")
            self._keys[key_id] = key

    @property
    def current(self) -> str:
        """The id of the key that cards are to be kept under."""
        return next(iter(self._keys))

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of all keys, the current one first."""
        return tuple(self._keys)

    def hash(self, issuer_id: str, number: str) -> NumberHash:
        """The hash of a number under the current key."""
        return self.hashes(issuer_id, number)[0]

    def hashes(self, issuer_id: str, number: str) -> list[NumberHash]:
        """The hashes of a number under each key, the current one first.

        Each part goes behind its length, so that no two pairs of issuer and number hash the same bytes.
        """
        parts = (_FORMAT, issuer_id.encode(), number.encode())
        framed = b"".join(len(part).to_bytes(_LENGTH_BYTES, "big") + part for part in parts)
        return [NumberHash(key_id, hmac.digest(key, framed, "sha256")) for key_id, key in self._keys.items()]


def new_hash_key(key_id: str | None) -> dict[str, str]:
    """A new key for such a file, named `key_id`, else at random. Raises KeyInvalid.

    It is a secret: write it only where the keys of gateways are kept.
    """
    if key_id is not None and not _ID.fullmatch(key_id):
        raise KeyInvalid(f"an id must be {ID_RULE}: give another")
    return {"id": key_id or secrets.token_hex(8), "key": text_of(secrets.token_bytes(KEY_BYTES))}


def _read(entry: object, index: int) -> tuple[str, bytes]:
    if not isinstance(entry, dict) or entry.keys() != {"id", "key"}:
        raise KeyInvalid(f"key {index} is not an object of id and key: give both and nothing else")
    key_id = entry["id"]
    if not isinstance(key_id, str) or not _ID.fullmatch(key_id):
        raise KeyInvalid(f"key {index} has no id of {ID_RULE}: give it one")
    try:
        key = octets(entry["key"])
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise KeyInvalid(f"key {index} (id {key_id!r}) is not {KEY_BYTES} bytes in base64url without padding")
    return key_id, key
