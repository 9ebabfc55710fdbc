import json
import os
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from operator import methodcaller
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwk import JWK

from server.keys import base64url, keyring
from server.keys.keyring import KEY_BYTES, SIGNING_KEYS_KEPT, KeyringInvalid
from tests.vectors import vector_json

Document = dict[str, Any]

SINGLE_KEYS = ("identity_key", "api_key_hash_key", "client_secret_pepper", "page_token_key", "cache_key")


def edit(path: Path, change: Callable[[Document], object]) -> None:
    document = json.loads(path.read_text())
    change(document)
    path.write_text(json.dumps(document))


def test_a_new_keyring_is_for_its_owner_alone_and_loads(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    previous = os.umask(0)
    try:
        keyring.create(path)
    finally:
        os.umask(previous)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ring = keyring.load(path)
    single = [getattr(ring, name) for name in SINGLE_KEYS]
    assert [len(key) for key in single] == [KEY_BYTES] * 5
    assert len({*single, ring.sealing_key.key}) == 6
    assert list(tmp_path.iterdir()) == [path]


def test_creating_never_overwrites(keyring_path: Path) -> None:
    before = keyring_path.read_bytes()
    with pytest.raises(FileExistsError):
        keyring.create(keyring_path)
    assert keyring_path.read_bytes() == before


def test_creating_never_replaces_a_dangling_link(tmp_path: Path) -> None:
    link = tmp_path / "keyring.json"
    link.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        keyring.create(link)


def test_creating_twice_at_once_leaves_one_whole_keyring(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"

    def attempt(_: int) -> bool:
        try:
            keyring.create(path)
        except FileExistsError:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
    keyring.load(path)


@pytest.mark.parametrize("mode", [0o640, 0o620, 0o604, 0o610, 0o644, 0o666])
def test_a_file_open_to_others_is_refused(keyring_path: Path, mode: int) -> None:
    keyring_path.chmod(mode)
    with pytest.raises(KeyringInvalid, match=f"mode 0{mode:o}.*chmod 600"):
        keyring.load(keyring_path)
    with pytest.raises(KeyringInvalid):
        keyring.rotate(keyring_path)


def test_a_read_only_file_is_fine(keyring_path: Path) -> None:
    keyring_path.chmod(0o400)
    keyring.load(keyring_path)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for path in (tmp_path / "absent", tmp_path, pipe):
        with pytest.raises(KeyringInvalid, match=str(path)):
            keyring.load(path)
    with pytest.raises(KeyringInvalid):
        keyring.rotate(tmp_path / "absent")


def test_rotation_adds_keys_and_keeps_every_sealing_key(keyring_path: Path) -> None:
    first = keyring.load(keyring_path)
    assert [keyring.rotate(keyring_path) for _ in range(8)] == [False, True] * 4
    ring = keyring.load(keyring_path)
    assert stat.S_IMODE(keyring_path.stat().st_mode) == 0o600
    assert len(ring.sealing_keys) == 5
    assert ring.sealing_keys[0] == first.sealing_key
    assert ring.sealing_key == ring.sealing_keys[-1]
    assert len(ring.signing_keys) == SIGNING_KEYS_KEPT
    assert ring.signing_key == ring.signing_keys[-1]
    assert first.signing_key not in ring.signing_keys
    assert [getattr(ring, name) for name in SINGLE_KEYS] == [getattr(first, name) for name in SINGLE_KEYS]


def test_new_keys_are_known_before_they_are_used(keyring_path: Path) -> None:
    """Cores share a keyring: one that has loaded it after the first step reads what one after the second writes."""
    first = keyring.load(keyring_path)
    assert keyring.rotate(keyring_path) is False
    knows = keyring.load(keyring_path)
    assert (knows.sealing_key, knows.signing_key) == (first.sealing_key, first.signing_key)
    assert keyring.rotate(keyring_path) is True
    uses = keyring.load(keyring_path)
    assert uses.sealing_key.key_id in {key.key_id for key in knows.sealing_keys} - {first.sealing_key.key_id}
    assert uses.signing_key.kid in {key.kid for key in knows.signing_keys} - {first.signing_key.kid}


def test_rotations_at_once_lose_no_key(keyring_path: Path) -> None:
    with ThreadPoolExecutor(6) as pool:
        list(pool.map(keyring.rotate, [keyring_path] * 6))
    assert len(keyring.load(keyring_path).sealing_keys) == 4, "three rotations of two steps"


def test_rotation_follows_a_link_to_the_file(keyring_path: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.json"
    link.symlink_to(keyring_path)
    keyring.rotate(link)
    assert link.is_symlink()
    assert len(keyring.load(keyring_path).sealing_keys) == 2


def test_a_newest_key_marked_inactive_gives_way_to_the_one_before(keyring_path: Path) -> None:
    first = keyring.load(keyring_path)
    keyring.rotate(keyring_path)
    keyring.rotate(keyring_path)

    def deactivate(document: Document) -> None:
        document["sealing_keys"][-1]["active"] = False
        document["signing_keys"][-1]["active"] = False

    edit(keyring_path, deactivate)
    ring = keyring.load(keyring_path)
    assert (ring.sealing_key, ring.signing_key) == (first.sealing_key, first.signing_key)


DAMAGES: dict[str, Callable[[Document], object]] = {
    "another version": lambda d: d.update(version=2),
    "no sealing keys": lambda d: d.update(sealing_keys=[]),
    "sealing keys no list": lambda d: d.update(sealing_keys={}),
    "sealing key no object": lambda d: d.update(sealing_keys=["x"]),
    "no active sealing key": lambda d: d["sealing_keys"][0].update(active=False),
    "active is a number": lambda d: d["sealing_keys"][0].update(active=1),
    "short sealing key": lambda d: d["sealing_keys"][0].update(key=base64url.encode(b"k" * 16)),
    "sealing key id twice": lambda d: d["sealing_keys"].append(d["sealing_keys"][0]),
    "sealing key id too long": lambda d: d["sealing_keys"][0].update(key_id="00" * 5),
    "sealing key id no hexadecimal": lambda d: d["sealing_keys"][0].update(key_id="zz" * 4),
    "no signing keys": lambda d: d.pop("signing_keys"),
    "no active signing key": lambda d: d["signing_keys"][0].update(active=False),
    "signing key twice": lambda d: d["signing_keys"].append(d["signing_keys"][0]),
    "signing key without jwk": lambda d: d["signing_keys"][0].pop("jwk"),
    "another curve": lambda d: d["signing_keys"][0]["jwk"].update(crv="P-521"),
    "another kid": lambda d: d["signing_keys"][0]["jwk"].update(kid="newest"),
    "public key of another": lambda d: d["signing_keys"][0]["jwk"].update(x=base64url.encode(b"x" * 32)),
    "zero private key": lambda d: d["signing_keys"][0]["jwk"].update(d=base64url.encode(bytes(32))),
    "private key past the order": lambda d: d["signing_keys"][0]["jwk"].update(d=base64url.encode(b"\xff" * 32)),
    "padded key": lambda d: d.update(cache_key=d["cache_key"] + "="),
    "key of no text": lambda d: d.update(cache_key=7),
    **{f"no {name}": methodcaller("pop", name) for name in SINGLE_KEYS},
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_keyring_is_refused_and_its_values_are_not_told(keyring_path: Path, damage: str) -> None:
    document = json.loads(keyring_path.read_text())
    values = [*(document[name] for name in SINGLE_KEYS), document["sealing_keys"][0]["key"]]
    edit(keyring_path, DAMAGES[damage])
    with pytest.raises(KeyringInvalid) as refused:
        keyring.load(keyring_path)
    assert str(keyring_path) in str(refused.value)
    assert not any(value in str(refused.value) for value in values)


@given(content=st.binary(max_size=200) | st.text(max_size=50).map(str.encode) | st.just(b"[" * 100_000))
def test_any_other_content_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    path.touch(0o600)
    path.write_bytes(content)
    with pytest.raises(KeyringInvalid):
        keyring.load(path)


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "keyring.json"
    path.touch(0o600)
    os.truncate(path, keyring.LARGEST_FILE + 1)
    with pytest.raises(KeyringInvalid, match="larger"):
        keyring.load(path)


def test_a_keyring_that_cannot_be_written_leaves_nothing_behind(
    keyring_path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = keyring_path.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("server.keys.keyring.os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        keyring.rotate(keyring_path)
    with pytest.raises(OSError, match="No space"):
        keyring.create(tmp_path / "another.json")
    assert list(tmp_path.iterdir()) == [keyring_path]
    assert keyring_path.read_bytes() == before


def test_no_key_is_in_the_text_of_a_keyring(keyring_path: Path) -> None:
    ring = keyring.load(keyring_path)
    secrets = [*(getattr(ring, name) for name in SINGLE_KEYS), ring.sealing_key.key]
    assert not any(repr(secret) in repr(ring) for secret in secrets)
    assert "private" not in repr(ring)


def test_thumbprint_of_rfc_7638_section_3_1() -> None:
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj"
        "hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQ"
        "vRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzK"
        "nqDKgw"
    )
    members = {"kty": "RSA", "e": "AQAB", "n": modulus}
    assert keyring.thumbprint(members) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_thumbprint_of_the_cookbook_key_is_the_libraries() -> None:
    jwk = vector_json("rfc7520/jwk/3_1.ec_public_key.json")
    members = {name: jwk[name] for name in ("crv", "kty", "x", "y")}
    assert keyring.thumbprint(members) == JWK(**jwk).thumbprint()


def test_the_kid_is_the_thumbprint_that_a_library_computes(keyring_path: Path) -> None:
    [entry] = json.loads(keyring_path.read_text())["signing_keys"]
    assert JWK(**entry["jwk"]).thumbprint() == entry["jwk"]["kid"]


@given(value=st.binary(max_size=70))
def test_base64url_has_one_text_for_each_value(value: bytes) -> None:
    text = base64url.encode(value)
    assert base64url.decode(text) == value
    for other in (text + "=", text + "\n", " " + text, text + "+", text + "é"):
        with pytest.raises(ValueError, match="base64url"):
            base64url.decode(other)


@pytest.mark.parametrize("text", ["A", "AB", "AAB", "AAAAA"])
def test_base64url_refuses_unused_bits_and_impossible_lengths(text: str) -> None:
    with pytest.raises(ValueError, match=r"base64|padding"):
        base64url.decode(text)
