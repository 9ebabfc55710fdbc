"""The keyring: a JSON file of mode 0600 that holds every key of the core.

    {"version": 1,
     "sealing_keys": [{"key_id": "5f0c9a1e", "key": "<32 bytes>", "active": true}],
     "signing_keys": [{"active": true, "jwk": {"kty": "EC", "crv": "P-256", "kid": ..., "x": ..., "y": ..., "d": ...}}],
     "identity_key": ..., "api_key_hash_key": ..., "client_secret_pepper": ..., "page_token_key": ..., "cache_key": ...}

Byte values are base64url. Keys are listed oldest first: the last active one seals or signs, every one opens or
verifies. Whoever loses the file loses everything that is sealed; `identity_key` never rotates, or repeats would be new.
"""

import fcntl
import hashlib
import json
import os
import secrets
import stat
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric import ec

from server.keys import base64url

T = TypeVar("T")

VERSION = 1
KEY_BYTES = 32
KEY_ID_BYTES = 4
SIGNING_KEYS_KEPT = 3
LARGEST_FILE = 1024 * 1024

_SINGLE_KEYS = ("identity_key", "api_key_hash_key", "client_secret_pepper", "page_token_key", "cache_key")


class KeyringInvalid(Exception):
    """The file cannot be used as a keyring. The text says why and never holds a value."""


@dataclass(frozen=True, slots=True)
class SealingKey:
    """An AES-256-GCM key and the short id that everything sealed with it carries."""

    key_id: bytes
    key: bytes = field(repr=False)
    active: bool = True


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An ES256 key (RFC 7518 section 3.4). `kid` is the RFC 7638 thumbprint, `x` and `y` are base64url."""

    kid: str
    x: str
    y: str
    private: ec.EllipticCurvePrivateKey = field(repr=False, compare=False)
    active: bool = True


@dataclass(frozen=True, slots=True)
class Keyring:
    """Every key, oldest first. Single keys have 32 bytes."""

    sealing_keys: tuple[SealingKey, ...]
    signing_keys: tuple[SigningKey, ...]
    identity_key: bytes = field(repr=False)
    api_key_hash_key: bytes = field(repr=False)
    client_secret_pepper: bytes = field(repr=False)
    page_token_key: bytes = field(repr=False)
    cache_key: bytes = field(repr=False)

    @property
    def sealing_key(self) -> SealingKey:
        """The one that seals: the newest active one."""
        return next(key for key in reversed(self.sealing_keys) if key.active)

    @property
    def signing_key(self) -> SigningKey:
        """The one that signs: the newest active one."""
        return next(key for key in reversed(self.signing_keys) if key.active)


def thumbprint(members: Mapping[str, str]) -> str:
    """The RFC 7638 thumbprint of a JWK, given exactly its required members."""
    canonical = json.dumps(dict(members), sort_keys=True, separators=(",", ":"))
    return base64url.encode(hashlib.sha256(canonical.encode()).digest())


def create(path: Path) -> None:
    """Writes a new keyring, whole or not at all. Raises FileExistsError where there is one, OSError where it cannot."""
    with _alone_in_folder(path) as folder:
        if os.path.lexists(path):
            raise FileExistsError(f"keyring {path}: exists already and is never overwritten")
        _write(path, folder, _new_keyring())


def load(path: Path) -> Keyring:
    """The keyring of a file. Raises KeyringInvalid where it is absent, open to others, damaged or lacks a key."""
    try:
        return _parse(_read(path))
    except OSError as error:
        raise KeyringInvalid(f"keyring {path}: cannot be read: {error.strerror}") from None
    except KeyringInvalid as error:
        raise KeyringInvalid(f"keyring {path}: {error}") from None


def rotate(path: Path) -> bool:
    """The next step of a rotation: adds new keys that open and verify only, or, where they wait, puts them to use.

    Two steps, because several cores share a keyring: every core must know a key before the first one uses it, or what
    one has sealed or signed is unreadable to the others. Returns whether new keys are in use from the next load on.
    Every sealing key stays, of the signing keys the newest three. Not a repeatable call: each is the next step. Raises
    KeyringInvalid like `load`, and OSError where it cannot write; the file is then as it was.
    """
    try:
        target = path.resolve(strict=True)
    except (OSError, RuntimeError):
        raise KeyringInvalid(f"keyring {path}: cannot be read") from None
    with _alone_in_folder(target) as folder:
        keyring = load(target)
        waiting = not keyring.signing_keys[-1].active or not keyring.sealing_keys[-1].active
        _write(target, folder, _put_to_use(keyring) if waiting else _with_new_keys(keyring))
        return waiting


def _put_to_use(keyring: Keyring) -> Keyring:
    return replace(
        keyring,
        sealing_keys=(*keyring.sealing_keys[:-1], replace(keyring.sealing_keys[-1], active=True)),
        signing_keys=(*keyring.signing_keys[:-1], replace(keyring.signing_keys[-1], active=True)),
    )


def _with_new_keys(keyring: Keyring) -> Keyring:
    sealing = replace(_new_sealing_key({key.key_id for key in keyring.sealing_keys}), active=False)
    signing = replace(_new_signing_key(), active=False)
    return replace(
        keyring,
        sealing_keys=(*keyring.sealing_keys, sealing),
        signing_keys=(*keyring.signing_keys, signing)[-SIGNING_KEYS_KEPT:],
    )


def _new_keyring() -> Keyring:
    single = {name: secrets.token_bytes(KEY_BYTES) for name in _SINGLE_KEYS}
    return Keyring(sealing_keys=(_new_sealing_key(set()),), signing_keys=(_new_signing_key(),), **single)


def _new_sealing_key(taken_ids: set[bytes]) -> SealingKey:
    key_id = secrets.token_bytes(KEY_ID_BYTES)
    while key_id in taken_ids:
        key_id = secrets.token_bytes(KEY_ID_BYTES)
    return SealingKey(key_id, secrets.token_bytes(KEY_BYTES))


def _new_signing_key() -> SigningKey:
    return _signing_key(ec.generate_private_key(ec.SECP256R1()), active=True)


def _signing_key(private: ec.EllipticCurvePrivateKey, *, active: bool) -> SigningKey:
    point = private.public_key().public_numbers()
    x, y = (base64url.encode(coordinate.to_bytes(KEY_BYTES, "big")) for coordinate in (point.x, point.y))
    kid = thumbprint({"crv": "P-256", "kty": "EC", "x": x, "y": y})
    return SigningKey(kid=kid, x=x, y=y, private=private, active=active)


@contextmanager
def _alone_in_folder(path: Path) -> Iterator[int]:
    """Keeps others from changing keyrings in the folder, so that two rotations at once don't lose a key."""
    folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(folder, fcntl.LOCK_EX)
        yield folder
    finally:
        os.close(folder)


def _write(path: Path, folder: int, keyring: Keyring) -> None:
    content = json.dumps(_as_json(keyring), indent=2).encode() + b"\n"
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(descriptor, 0o600)
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    os.fsync(folder)


def _as_json(keyring: Keyring) -> dict[str, object]:
    return {
        "version": VERSION,
        "sealing_keys": [
            {"key_id": key.key_id.hex(), "key": base64url.encode(key.key), "active": key.active}
            for key in keyring.sealing_keys
        ],
        "signing_keys": [{"active": key.active, "jwk": _private_jwk(key)} for key in keyring.signing_keys],
        **{name: base64url.encode(getattr(keyring, name)) for name in _SINGLE_KEYS},
    }


def _private_jwk(key: SigningKey) -> dict[str, str]:
    private = key.private.private_numbers().private_value.to_bytes(KEY_BYTES, "big")
    return {"kty": "EC", "crv": "P-256", "kid": key.kid, "x": key.x, "y": key.y, "d": base64url.encode(private)}


def _read(path: Path) -> bytes:
    # Without O_NONBLOCK a named pipe in the keyring's place would hold up the start for ever.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    with os.fdopen(descriptor, "rb") as file:
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise KeyringInvalid("not a regular file")
        if found.st_mode & 0o077:
            mode = stat.S_IMODE(found.st_mode)
            raise KeyringInvalid(f"mode {mode:04o} lets others than its owner at it; run chmod 600 on it")
        content = file.read(LARGEST_FILE + 1)
    if len(content) > LARGEST_FILE:
        raise KeyringInvalid(f"larger than {LARGEST_FILE} bytes")
    return content


def _parse(content: bytes) -> Keyring:
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        raise KeyringInvalid("not JSON") from None
    members = _object(document, "the document")
    if members.get("version") != VERSION:
        raise KeyringInvalid(f"version is not {VERSION}")
    keyring = Keyring(
        sealing_keys=_each(members, "sealing_keys", _parse_sealing_key),
        signing_keys=_each(members, "signing_keys", _parse_signing_key),
        **{name: _key_bytes(members, name, name) for name in _SINGLE_KEYS},
    )
    _check_ring("sealing_keys", [(key.key_id, key.active) for key in keyring.sealing_keys])
    _check_ring("signing_keys", [(key.kid, key.active) for key in keyring.signing_keys])
    return keyring


def _check_ring(name: str, ids_and_active: list[tuple[object, bool]]) -> None:
    if len({key_id for key_id, _ in ids_and_active}) != len(ids_and_active):
        raise KeyringInvalid(f"{name} has the same key id twice")
    if not any(active for _, active in ids_and_active):
        raise KeyringInvalid(f"{name} has no active key")


def _parse_sealing_key(members: dict[str, object], where: str) -> SealingKey:
    try:
        key_id = bytes.fromhex(_text(members, "key_id", where))
    except ValueError:
        key_id = b""
    if len(key_id) != KEY_ID_BYTES:
        raise KeyringInvalid(f"{where}.key_id is not {2 * KEY_ID_BYTES} hexadecimal digits")
    return SealingKey(key_id, _key_bytes(members, "key", f"{where}.key"), _active(members, where))


def _parse_signing_key(members: dict[str, object], where: str) -> SigningKey:
    jwk = _object(members.get("jwk"), f"{where}.jwk")
    if (jwk.get("kty"), jwk.get("crv")) != ("EC", "P-256"):
        raise KeyringInvalid(f"{where}.jwk is not an EC key on P-256")
    scalar = int.from_bytes(_key_bytes(jwk, "d", f"{where}.jwk.d"), "big")
    try:
        private = ec.derive_private_key(scalar, ec.SECP256R1())
    except ValueError:
        raise KeyringInvalid(f"{where}.jwk.d is out of range") from None
    key = _signing_key(private, active=_active(members, where))
    if (jwk.get("x"), jwk.get("y"), jwk.get("kid")) != (key.x, key.y, key.kid):
        raise KeyringInvalid(f"{where}.jwk does not belong together: x, y and kid must follow from d")
    return key


def _object(value: object, where: str) -> dict[str, object]:
    if not isinstance(value, dict):
        raise KeyringInvalid(f"{where} is not an object")
    return value


def _text(members: dict[str, object], name: str, where: str) -> str:
    value = members.get(name)
    if not isinstance(value, str):
        raise KeyringInvalid(f"{where} is missing or not text")
    return value


def _active(members: dict[str, object], where: str) -> bool:
    value = members.get("active")
    if not isinstance(value, bool):
        raise KeyringInvalid(f"{where}.active is missing or not true or false")
    return value


def _key_bytes(members: dict[str, object], name: str, where: str) -> bytes:
    try:
        value = base64url.decode(_text(members, name, where))
    except ValueError:
        value = b""
    if len(value) != KEY_BYTES:
        raise KeyringInvalid(f"{where} is not {KEY_BYTES} bytes in base64url without padding")
    return value


def _each(members: dict[str, object], name: str, parse: Callable[[dict[str, object], str], T]) -> tuple[T, ...]:
    items = members.get(name)
    if not isinstance(items, list):
        raise KeyringInvalid(f"{name} is missing or not a list")
    return tuple(parse(_object(item, f"{name}[{at}]"), f"{name}[{at}]") for at, item in enumerate(items))
