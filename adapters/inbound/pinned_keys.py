"""Others' public keys, as accounts pin them."""

from mintmark.v1 import accounts_pb2

from adapters.jose.encryption import Recipient
from adapters.jose.public_keys import KeyInvalid


def recipient(pinned: accounts_pb2.D1PublicKey) -> Recipient:
    """Who to encrypt for. Raises KeyInvalid, also for a key that is not the one with the thumbprint."""
    read = Recipient.from_pem if "-----BEGIN" in pinned.public_key else Recipient.from_jwk
    found = read(pinned.public_key, pinned.key_id or None)
    if found.thumbprint != pinned.thumbprint:
        raise KeyInvalid(f"the key for kid {found.kid!r} is not the one that its thumbprint pins")
    return found
