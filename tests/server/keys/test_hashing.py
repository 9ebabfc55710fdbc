import hashlib
import hmac
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.keys.hashing import Hasher
from server.keys.keyring import Keyring

PARTS = st.lists(st.binary(max_size=12), max_size=5)


@given(one=PARTS, other=PARTS)
def test_identities_are_equal_only_for_equal_parts(one: list[bytes], other: list[bytes], ring: Keyring) -> None:
    hasher = Hasher(ring)
    assert (hasher.identity_hash(*one) == hasher.identity_hash(*other)) == (one == other)


@pytest.mark.parametrize(
    ("one", "other"), [((b"ab", b"c"), (b"a", b"bc")), ((b"a",), (b"a", b"")), ((), (b"",)), ((b"\0" * 8,), (b"", b""))]
)
def test_parts_cannot_be_shifted(one: tuple[bytes, ...], other: tuple[bytes, ...], ring: Keyring) -> None:
    assert Hasher(ring).identity_hash(*one) != Hasher(ring).identity_hash(*other)


def test_an_identity_stays_the_same_for_ever(ring: Keyring) -> None:
    fixed = Keyring(ring.sealing_keys, ring.signing_keys, b"i" * 32, *[bytes(32)] * 4)
    framed = bytes(7) + b"\x01a" + bytes(7) + b"\x02bc"
    assert Hasher(fixed).identity_hash(b"a", b"bc") == hmac.digest(b"i" * 32, framed, "sha256")


def test_a_made_secret_has_256_bits_and_a_prefix(ring: Keyring) -> None:
    hasher = Hasher(ring)
    made = {hasher.made_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(re.fullmatch("mmk_[A-Za-z0-9_-]{43}", secret) for secret in made)
    assert Hasher(ring, random=lambda size: b"\xff" * size).made_secret() == "mmk_" + "_" * 42 + "8"


def test_api_keys_hash_as_the_protocol_says(ring: Keyring) -> None:
    hasher = Hasher(ring)
    made = hmac.new(ring.api_key_hash_key, "clé".encode(), hashlib.sha256).digest()
    taken_over = hashlib.scrypt("clé".encode(), salt=ring.api_key_hash_key, n=16384, r=8, p=1, dklen=32)
    assert hasher.hash_api_key("clé", taken_over=False) == made
    assert hasher.hash_api_key("clé", taken_over=True) == taken_over


def test_scrypt_of_rfc_7914_section_12(ring: Keyring) -> None:
    """The vector with our N, r and p; its output is longer, and scrypt's first 32 bytes don't depend on that."""
    fixed = Keyring(ring.sealing_keys, ring.signing_keys, bytes(32), b"SodiumChloride", *[bytes(32)] * 3)
    expected = "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2"
    assert Hasher(fixed).hash_api_key("pleaseletmein", taken_over=True).hex() == expected


@pytest.mark.parametrize("taken_over", [False, True])
def test_only_the_secret_itself_verifies(taken_over: bool, ring: Keyring) -> None:
    hasher = Hasher(ring)
    secret_hash = hasher.hash_client_secret("s3cret", taken_over=taken_over)
    assert re.fullmatch("[0-9a-f]{64}", secret_hash)
    assert hasher.verify_client_secret("s3cret", secret_hash, taken_over=taken_over)
    for other in ("s3creT", "s3cret ", "", "\0s3cret", "\ud800"):
        assert not hasher.verify_client_secret(other, secret_hash, taken_over=taken_over)
    assert not hasher.verify_client_secret("s3cret", secret_hash, taken_over=not taken_over)
    for other_hash in ("", secret_hash[:-1], secret_hash.upper(), "é"):
        assert not hasher.verify_client_secret("s3cret", other_hash, taken_over=taken_over)


def test_hashes_depend_on_the_keyring_and_on_the_purpose(ring: Keyring) -> None:
    hasher = Hasher(ring)
    other = Hasher(Keyring(ring.sealing_keys, ring.signing_keys, *[bytes(32)] * 5))
    assert hasher.identity_hash(b"x") != other.identity_hash(b"x")
    assert hasher.hash_client_secret("x", taken_over=False) != other.hash_client_secret("x", taken_over=False)
    assert hasher.hash_client_secret("x", taken_over=False) != hasher.hash_api_key("x", taken_over=False).hex()
