import base64
import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st
from jwcrypto.jwk import JWK
from jwcrypto.jws import JWS
from jwcrypto.jwt import JWT

from server.keys import keyring
from server.keys.keyring import SIGNING_KEYS_KEPT, Keyring
from server.keys.signing import LARGEST_TOKEN, Signer

CLAIMS: dict[str, str | int] = {"iss": "https://mintmark.test", "sub": "clients/a", "exp": 1_800_000_000}

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def segment(value: object) -> str:
    return encoded(json.dumps(value).encode())


def private_jwk(path: Path) -> JWK:
    return JWK(**json.loads(path.read_text())["signing_keys"][-1]["jwk"])


def signed_elsewhere(path: Path, header: Mapping[str, object], payload: bytes | str) -> str:
    """A token with our private key, made by another implementation."""
    token = JWS(payload)
    token.allowed_algs = ["ES256"]
    token.add_signature(private_jwk(path), None, json.dumps(header), None)
    return str(token.serialize(compact=True))


def good_header(ring: Keyring) -> dict[str, object]:
    return {"typ": "at+jwt", "alg": "ES256", "kid": ring.signing_key.kid}


@given(claims=st.dictionaries(TEXT, TEXT | st.integers(-(2**53), 2**53), max_size=10))
def test_what_is_signed_verifies(claims: dict[str, str | int], ring: Keyring) -> None:
    signer = Signer(ring)
    assert signer.verify(signer.sign(claims)) == claims


def test_another_implementation_verifies_our_tokens(ring: Keyring) -> None:
    signer = Signer(ring)
    [public] = signer.jwks()
    for _ in range(20):
        token = JWT(jwt=signer.sign(CLAIMS), key=JWK(**asdict(public)), algs=["ES256"], expected_type="JWS")
        assert json.loads(token.claims) == CLAIMS
        assert json.loads(token.header) == good_header(ring)


def test_we_verify_the_tokens_of_another_implementation(ring: Keyring, keyring_path: Path) -> None:
    for _ in range(20):
        token = signed_elsewhere(keyring_path, good_header(ring), json.dumps(CLAIMS))
        assert Signer(ring).verify(token) == CLAIMS


HEADERS: list[object] = [
    {"alg": "none"},
    {"alg": "HS256"},
    {"alg": "ES384"},
    {"alg": "es256"},
    {"typ": "JWT"},
    {"typ": "application/at+jwt"},
    {"typ": None},
    {"crit": ["exp"], "exp": 1},
    {"jku": "https://elsewhere.test/jwks"},
    {"jwk": {}},
    {"x5c": []},
    {"x5u": "https://elsewhere.test"},
    {"x5t": "AA"},
    {"x5t#S256": "AA"},
    {"b64": False},
    {"kid": "another"},
    {"kid": 1},
    {"kid": ["a"]},
    {"kid": None},
]


def signed_by_hand(ring: Keyring, header: str, payload: str) -> str:
    """A token with a right signature over any two segments: libraries refuse to make bad ones."""
    signature = ring.signing_key.private.sign(f"{header}.{payload}".encode(), ec.ECDSA(SHA256()))
    raw = b"".join(number.to_bytes(32, "big") for number in decode_dss_signature(signature))
    return f"{header}.{payload}.{encoded(raw)}"


@pytest.mark.parametrize("change", HEADERS)
def test_any_other_header_is_refused_though_the_signature_is_right(change: dict[str, object], ring: Keyring) -> None:
    assert Signer(ring).verify(signed_by_hand(ring, segment(good_header(ring)), segment(CLAIMS))) == CLAIMS
    assert Signer(ring).verify(signed_by_hand(ring, segment({**good_header(ring), **change}), segment(CLAIMS))) is None


@pytest.mark.parametrize("missing", ["alg", "typ", "kid"])
def test_a_header_that_lacks_a_member_is_refused(missing: str, ring: Keyring) -> None:
    header = good_header(ring)
    del header[missing]
    assert Signer(ring).verify(signed_by_hand(ring, segment(header), segment(CLAIMS))) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"7", b"null", b'"x"', b"{", b"\xff", b"[" * 380, b"9" * 380])
def test_a_header_that_is_no_object_is_refused(content: bytes, ring: Keyring) -> None:
    assert Signer(ring).verify(signed_by_hand(ring, encoded(content), segment(CLAIMS))) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"7", b"null", b'"x"', b"{", b"\xff", b"[" * 5000, b"9" * 5000])
def test_a_payload_that_is_no_object_is_refused(content: bytes, ring: Keyring) -> None:
    assert Signer(ring).verify(signed_by_hand(ring, segment(good_header(ring)), encoded(content))) is None


def test_a_long_header_is_refused_unread(ring: Keyring) -> None:
    header = encoded(json.dumps(good_header(ring)).encode() + b" " * 400)
    assert Signer(ring).verify(signed_by_hand(ring, header, segment(CLAIMS))) is None


@given(data=st.data())
def test_any_changed_character_breaks_the_token(data: st.DataObject, ring: Keyring) -> None:
    signer = Signer(ring)
    token = signer.sign(CLAIMS)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from("ABCXYZabcxyz0189-_.=+/ \n\0\u00e9\ud800").filter(lambda it: it != token[at]))
    assert signer.verify(token[:at] + other + token[at + 1 :]) is None


@given(text=st.text(max_size=200) | st.from_regex(r"[A-Za-z0-9_-]{0,40}(\.[A-Za-z0-9_-]{0,40}){0,5}", fullmatch=True))
def test_no_other_text_is_a_token(text: str, ring: Keyring) -> None:
    assert Signer(ring).verify(text) is None


def test_a_token_has_three_parts_and_no_padding(ring: Keyring) -> None:
    signer = Signer(ring)
    token = signer.sign(CLAIMS)
    signed, _, _ = token.rpartition(".")
    for other in (signed, f"{signed}.", f"{token}.", f".{token}", f"{token}=", f"{token}==", f" {token}", f"{token}\n"):
        assert signer.verify(other) is None


@pytest.mark.parametrize("raw", [b"", bytes(64), b"\xff" * 64, b"\1" * 63, b"\1" * 65])
def test_a_signature_out_of_form_is_refused(raw: bytes, ring: Keyring) -> None:
    assert Signer(ring).verify(f"{segment(good_header(ring))}.{segment(CLAIMS)}.{encoded(raw)}") is None


def test_a_signature_in_der_is_refused(ring: Keyring) -> None:
    signed = f"{segment(good_header(ring))}.{segment(CLAIMS)}"
    der = ring.signing_key.private.sign(signed.encode(), ec.ECDSA(SHA256()))
    assert Signer(ring).verify(f"{signed}.{encoded(der)}") is None


def test_a_token_past_the_size_is_neither_made_nor_read(ring: Keyring) -> None:
    signer = Signer(ring)
    with pytest.raises(ValueError, match="longer"):
        signer.sign({"scope": "s" * LARGEST_TOKEN})
    payload = segment({"scope": "s" * LARGEST_TOKEN})
    assert signer.verify(signed_by_hand(ring, segment(good_header(ring)), payload)) is None


def test_after_rotation_the_new_key_signs_and_the_last_three_verify(keyring_path: Path) -> None:
    tokens = []
    for _ in range(SIGNING_KEYS_KEPT + 1):
        tokens.append(Signer(keyring.load(keyring_path)).sign(CLAIMS))
        keyring.rotate(keyring_path)
        keyring.rotate(keyring_path)
    tokens.append(Signer(keyring.load(keyring_path)).sign(CLAIMS))
    newest = Signer(keyring.load(keyring_path))
    assert [newest.verify(token) == CLAIMS for token in tokens] == [False, False, True, True, True]
    assert newest.jwks()[0].kid == keyring.load(keyring_path).signing_key.kid
    assert len({key.kid for key in newest.jwks()}) == SIGNING_KEYS_KEPT


def test_another_keyrings_token_is_refused(ring: Keyring, tmp_path: Path) -> None:
    keyring.create(tmp_path / "another.json")
    other = keyring.load(tmp_path / "another.json")
    assert Signer(ring).verify(Signer(other).sign(CLAIMS)) is None
    assert Signer(ring).verify(signed_by_hand(other, segment(good_header(ring)), segment(CLAIMS))) is None
