"""Public keys as operators state them: on P-256, public, for encryption, or refused with what to do."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from server.keys.public_keys import EncryptionKeys
from server.ports import KeyUnfit, ReadPublicKey

# The partner's documented public key; its kid is its thumbprint.
REFERENCE = {
    "kty": "EC",
    "kid": "ASDsL-Jx2XOkRnFtqW-QblWY-mDnQW2LgapadFx75tA",
    "crv": "P-256",
    "x": "UbInEqNbZZZ9SJptBwKTKO6qslSyuWvMkVK44Bx_d8U",
    "y": "PUxeHMNVL0VRxOYJrkHcpe6sap7IG-Are0QborZDngI",
}
THUMBPRINT = REFERENCE["kid"]
KEYS = EncryptionKeys()
PRIVATE = ec.generate_private_key(ec.SECP256R1())


def pem(key: Any) -> str:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return str(key.public_bytes(serialization.Encoding.PEM, form).decode())


def certificate(key_agreement: bool) -> str:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "d1")])
    usage = x509.KeyUsage(not key_agreement, False, False, False, key_agreement, False, False, False, False)
    now = datetime.now(UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(PRIVATE.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=2))
        .not_valid_after(now - timedelta(days=1))
        .add_extension(usage, critical=True)
        .sign(PRIVATE, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM).decode()


def jwk(**members: Any) -> str:
    return json.dumps({name: value for name, value in (REFERENCE | members).items() if value is not None})


def test_the_kid_is_what_is_given_else_the_keys_own_else_the_thumbprint() -> None:
    assert KEYS.read(jwk(), "") == ReadPublicKey(THUMBPRINT, THUMBPRINT)
    assert KEYS.read(jwk(kid="D1.TEST 01"), "") == ReadPublicKey("D1.TEST 01", THUMBPRINT)
    assert KEYS.read(jwk(kid="D1.TEST 01"), "mine") == ReadPublicKey("mine", THUMBPRINT)
    assert KEYS.read(jwk(kid=None, use="enc", alg="ECDH-ES"), "") == ReadPublicKey(THUMBPRINT, THUMBPRINT)


def test_a_pem_key_and_its_certificate_are_one_key_whatever_the_certificates_dates() -> None:
    key, other = KEYS.read(pem(PRIVATE.public_key()), ""), KEYS.read(certificate(key_agreement=True), "")
    assert key == other
    assert key.key_id == key.thumbprint


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello", "neither PEM nor a JSON object"),
        ("[]", "neither PEM nor a JSON object"),
        ("[" * 8_000, "neither PEM nor a JSON object"),
        (jwk()[:-1] + ', "x": "AAAA"}', "each name once"),
        (json.dumps({"keys": [REFERENCE]}), "is a JWK Set"),
        (jwk(d="AAAA"), "is private"),
        (jwk(kty="RSA"), "P-256"),
        (jwk(crv="P-384"), "P-256"),
        (jwk(use="sig"), "is not for encryption"),
        (jwk(alg="ECDH-ES+A256KW"), "is not for encryption"),
        (jwk(key_ops=["sign"]), "is not for encryption"),
        (jwk(key_ops="sign"), "is not for encryption"),
        (jwk(x=REFERENCE["y"]), "on P-256: export it again"),
        (jwk(x="AAAA"), "on P-256: export it again"),
        (jwk(x=None), "on P-256: export it again"),
        (jwk(x=7), "on P-256: export it again"),
        (jwk(kid=7), "kid"),
        (jwk(kid="a\u0001"), "kid"),
        (jwk(kid="a" * 129), "1 to 128"),
        (pem(ec.generate_private_key(ec.SECP384R1()).public_key()), "not on P-256"),
        (pem(rsa.generate_private_key(65_537, 2_048).public_key()), "not on P-256"),
        (pem(PRIVATE.public_key()) * 2, "exactly one PEM block"),
        (pem(PRIVATE.public_key()).replace("M", "!"), "not readable PEM"),
        ("-----BEGIN {0} KEY-----\nAAAA\n-----END {0} KEY-----".format("PRIVATE"), "is private"),
        (certificate(key_agreement=False), "not for key agreement"),
    ],
    ids=range(25),
)
def test_what_cannot_be_used_is_refused_with_what_to_do(text: str, said: str) -> None:
    with pytest.raises(KeyUnfit, match=said) as refused:
        KEYS.read(text, "")
    assert REFERENCE["x"] not in str(refused.value)
