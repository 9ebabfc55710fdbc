import io
from pathlib import Path

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from server.keys import keyring
from server.keys.keyring import Keyring, SealingKey
from server.keys.sealing import HEADER_BYTES, NONCE_BYTES, TAG_BYTES, SealBroken, Sealer
from tests.vectors import vector_json


@given(plaintext=st.binary(max_size=200), context=st.binary(max_size=50))
def test_what_is_sealed_opens_in_its_context_only(plaintext: bytes, context: bytes, ring: Keyring) -> None:
    sealer = Sealer(ring)
    sealed = sealer.seal(plaintext, context)
    assert sealer.open(sealed, context) == plaintext
    assert len(sealed) == HEADER_BYTES + NONCE_BYTES + len(plaintext) + TAG_BYTES
    with pytest.raises(SealBroken):
        sealer.open(sealed, context + b"\0")


@given(data=st.data(), plaintext=st.binary(max_size=60))
def test_any_flipped_bit_breaks_the_seal(data: st.DataObject, plaintext: bytes, ring: Keyring) -> None:
    sealer = Sealer(ring)
    sealed = bytearray(sealer.seal(plaintext, b"context"))
    sealed[data.draw(st.integers(0, len(sealed) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises(SealBroken):
        sealer.open(bytes(sealed), b"context")


@given(data=st.data(), plaintext=st.binary(max_size=60))
def test_any_cut_or_added_byte_breaks_the_seal(data: st.DataObject, plaintext: bytes, ring: Keyring) -> None:
    sealer = Sealer(ring)
    sealed = sealer.seal(plaintext, b"context")
    for damaged in (sealed[: data.draw(st.integers(0, len(sealed) - 1))], sealed + b"\0", sealed[1:]):
        with pytest.raises(SealBroken):
            sealer.open(damaged, b"context")


@given(sealed=st.binary(max_size=100))
def test_no_other_bytes_open(sealed: bytes, ring: Keyring) -> None:
    with pytest.raises(SealBroken):
        Sealer(ring).open(sealed, b"")


@given(rest=st.binary(max_size=60))
def test_no_other_bytes_open_behind_a_right_header(rest: bytes, ring: Keyring) -> None:
    sealer = Sealer(ring)
    with pytest.raises(SealBroken):
        sealer.open(sealer.seal(b"", b"")[:HEADER_BYTES] + rest, b"")


def test_header_and_context_cannot_be_shifted_into_each_other(ring: Keyring) -> None:
    sealer = Sealer(ring)
    sealed = sealer.seal(b"secret", b"\x01context")
    with pytest.raises(SealBroken):
        sealer.open(sealed, b"context")


def test_each_seal_has_its_own_nonce(ring: Keyring) -> None:
    sealer = Sealer(ring)
    assert len({sealer.seal(b"same", b"same") for _ in range(100)}) == 100


def test_after_rotation_the_new_key_seals_and_the_old_one_opens(keyring_path: Path, ring: Keyring) -> None:
    old = Sealer(ring)
    sealed = old.seal(b"body", b"context")
    keyring.rotate(keyring_path)
    keyring.rotate(keyring_path)
    new = Sealer(keyring.load(keyring_path))
    assert new.open(sealed, b"context") == b"body"
    with pytest.raises(SealBroken, match="not in the keyring"):
        old.open(new.seal(b"body", b"context"), b"context")


def test_another_keyring_opens_nothing(ring: Keyring, tmp_path: Path) -> None:
    keyring.create(tmp_path / "another.json")
    with pytest.raises(SealBroken):
        Sealer(keyring.load(tmp_path / "another.json")).open(Sealer(ring).seal(b"body", b""), b"")


def test_the_same_key_id_with_another_key_opens_nothing(ring: Keyring) -> None:
    def sealer(key: bytes) -> Sealer:
        return Sealer(Keyring((SealingKey(b"same", key),), ring.signing_keys, *[bytes(32)] * 5))

    with pytest.raises(SealBroken):
        sealer(b"b" * 32).open(sealer(b"a" * 32).seal(b"body", b""), b"")


def wycheproof() -> list[dict[str, str]]:
    """The cases with our sizes of key, nonce and tag."""
    groups = vector_json("wycheproof/aes_gcm_test.json")["testGroups"]
    ours = [group for group in groups if (group["keySize"], group["ivSize"], group["tagSize"]) == (256, 96, 128)]
    return [case for group in ours for case in group["tests"]]


def test_the_primitive_agrees_with_wycheproof() -> None:
    cases = wycheproof()
    assert len(cases) >= 66
    for case in cases:
        cipher = AESGCM(bytes.fromhex(case["key"]))
        nonce, aad, message, ciphertext = (bytes.fromhex(case[name]) for name in ("iv", "aad", "msg", "ct"))
        whole = ciphertext + bytes.fromhex(case["tag"])
        if case["result"] == "valid":
            assert cipher.encrypt(nonce, message, aad) == whole
            assert cipher.decrypt(nonce, whole, aad) == message
        else:
            with pytest.raises(InvalidTag):
                cipher.decrypt(nonce, whole, aad)


def test_a_seal_is_the_primitive_behind_its_header(ring: Keyring) -> None:
    for case in wycheproof():
        key, nonce, context, message = (bytes.fromhex(case[name]) for name in ("key", "iv", "aad", "msg"))
        sealing = Keyring((SealingKey(b"keys", key),), ring.signing_keys, *[bytes(32)] * 5)
        sealed = Sealer(sealing, random=io.BytesIO(nonce).read).seal(message, context)
        header = b"\x01keys"
        assert sealed == header + nonce + AESGCM(key).encrypt(nonce, message, header + context)
