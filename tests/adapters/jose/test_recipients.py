"""What is encrypted for a pinned key opens in two other JOSE libraries, and what they encrypt opens here."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import jwskate
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID
from joserfc import jwe as joserfc
from joserfc.jwk import ECKey

from adapters.jose.encryption import LONGEST_JWE, Recipient, looks_encrypted_for
from adapters.jose.keys import KeyInvalid, PrivateKeys
from tests.adapters.jose.composed import ALICE, BOB, EPK, decoded, encoded, private

KID = "D1.TEST.ENC 01"
OURS = PrivateKeys(json.dumps({"keys": [{**BOB, "kid": KID}]}))
PUBLIC = {name: BOB[name] for name in ("kty", "crv", "x", "y")}
PLAINTEXT = b'{"pan":"1234567891234567","exp":"1223"}'
# The partner's documented public key; its kid is its thumbprint.
REFERENCE = {
    "kty": "EC",
    "kid": "ASDsL-Jx2XOkRnFtqW-QblWY-mDnQW2LgapadFx75tA",
    "crv": "P-256",
    "x": "UbInEqNbZZZ9SJptBwKTKO6qslSyuWvMkVK44Bx_d8U",
    "y": "PUxeHMNVL0VRxOYJrkHcpe6sap7IG-Are0QborZDngI",
}
ALGORITHMS = ["ECDH-ES", "A256GCM"]
# jwskate names the key's own kid in the header.
NAMED = jwskate.Jwk({**PUBLIC, "kid": KID})


def recipient(**members: Any) -> Recipient:
    return Recipient.from_jwk(json.dumps(PUBLIC | members), None)


def by_joserfc(compact: str) -> bytes:
    opened = joserfc.decrypt_compact(compact, ECKey.import_key(dict(BOB)), algorithms=ALGORITHMS).plaintext
    assert opened is not None
    return opened


def by_jwskate(compact: str) -> bytes:
    return bytes(jwskate.JweCompact(compact).decrypt(jwskate.Jwk(BOB), alg="ECDH-ES"))


@pytest.mark.parametrize("opens", [by_joserfc, by_jwskate])
def test_others_open_ours(opens: Callable[[str], bytes]) -> None:
    made = Recipient.from_jwk(json.dumps(PUBLIC), KID)
    for plaintext in (b"x", PLAINTEXT, bytes(5_000), "é€😀".encode()):
        assert opens(made.encrypt(plaintext)) == plaintext


def from_joserfc(header: dict[str, Any]) -> str:
    return joserfc.encrypt_compact(header, PLAINTEXT, ECKey.import_key(dict(PUBLIC)), algorithms=ALGORITHMS)


def from_jwskate(header: dict[str, Any]) -> str:
    extra = {name: value for name, value in header.items() if name not in ("alg", "enc", "kid")}
    return str(jwskate.JweCompact.encrypt(PLAINTEXT, NAMED, enc="A256GCM", alg="ECDH-ES", extra_headers=extra))


@pytest.mark.parametrize("makes", [from_joserfc, from_jwskate])
def test_ours_opens_what_others_make(makes: Callable[[dict[str, Any]], str]) -> None:
    header = {"alg": "ECDH-ES", "enc": "A256GCM", "kid": KID}
    for more in ({}, {"typ": "JOSE", "cty": "json"}):
        opened = OURS.opener().open(makes(header | more))
        assert (opened.kid, opened.plaintext) == (KID, PLAINTEXT)


def test_ours_opens_what_names_both_parties() -> None:
    """jwskate leaves them out of the key that it derives."""
    parties = {"apu": encoded(b"D1"), "apv": encoded(b"Mintmark")}
    made = from_joserfc({"alg": "ECDH-ES", "enc": "A256GCM", "kid": KID, **parties})
    assert OURS.opener().open(made).plaintext == PLAINTEXT


def test_a_fixed_ephemeral_key_of_another_library() -> None:
    """The keys of RFC 7518 appendix C."""
    made = jwskate.JweCompact.encrypt(PLAINTEXT, NAMED, enc="A256GCM", alg="ECDH-ES", epk=jwskate.Jwk(ALICE))
    assert json.loads(decoded(str(made).partition(".")[0]))["epk"] == EPK
    assert OURS.opener().open(str(made)).plaintext == PLAINTEXT


def test_the_header_is_the_contracts_and_nothing_repeats() -> None:
    made = OURS.recipient(KID)
    opener = OURS.opener()
    compacts = [made.encrypt(PLAINTEXT) for _ in range(300)]
    headers = [json.loads(decoded(each.partition(".")[0])) for each in compacts]
    for compact, header in zip(compacts, headers, strict=True):
        assert opener.open(compact).plaintext == PLAINTEXT
        assert header.keys() == {"alg", "enc", "kid", "epk"}
        assert (header["alg"], header["enc"], header["kid"]) == ("ECDH-ES", "A256GCM", KID)
        assert header["epk"].keys() == {"kty", "crv", "x", "y"}
        parts = compact.split(".")
        assert (parts[1], len(decoded(parts[2])), len(decoded(parts[4]))) == ("", 12, 16)
    assert len({header["epk"]["x"] for header in headers}) == 300
    assert len({compact.split(".")[2] for compact in compacts}) == 300
    assert len({compact.split(".")[3] for compact in compacts}) == 300


def test_lengths() -> None:
    made = recipient()
    for wrong in (b"", bytes(LONGEST_JWE), bytes(LONGEST_JWE + 1), bytes(6_200)):
        with pytest.raises(ValueError, match="a plaintext has"):
            made.encrypt(wrong)
    assert len(made.encrypt(bytes(5_800))) <= LONGEST_JWE


@pytest.mark.parametrize("kid", ["a", "€" * 128, "😀" * 128, 'G0D43."TEST"\\CMS ENC'])
def test_any_kid_survives_the_way(kid: str) -> None:
    keys = PrivateKeys(json.dumps({"keys": [{**BOB, "kid": kid}]}))
    made = keys.recipient(kid).encrypt(PLAINTEXT)
    assert looks_encrypted_for(made) == keys.opener().open(made).kid == kid


def test_the_partners_reference_key() -> None:
    made = Recipient.from_jwk(json.dumps(REFERENCE), None)
    assert made.kid == made.thumbprint == REFERENCE["kid"]
    without = {name: value for name, value in REFERENCE.items() if name != "kid"}
    assert Recipient.from_jwk(json.dumps(without), None).kid == REFERENCE["kid"]
    assert looks_encrypted_for(made.encrypt(b"{}")) == REFERENCE["kid"]
    assert jwskate.Jwk(without).thumbprint() == REFERENCE["kid"]


def test_the_kid() -> None:
    assert recipient(kid="theirs").kid == "theirs"
    assert recipient(kid="theirs").thumbprint == recipient().kid
    assert Recipient.from_jwk(json.dumps({**PUBLIC, "kid": "theirs"}), "pinned").kid == "pinned"
    assert Recipient.from_pem(pem(BOB), None).kid == recipient().thumbprint
    assert Recipient.from_pem(pem(BOB), "pinned").kid == "pinned"


@pytest.mark.parametrize("members", [{"use": "enc"}, {"alg": "ECDH-ES"}, {"key_ops": []}, {"x5c": ["AAAA"]}])
def test_public_keys_that_are_taken(members: dict[str, Any]) -> None:
    assert recipient(**members).thumbprint == recipient().thumbprint


SECRET = BOB["d"]


def wrong(text: str, make: Callable[[str, str | None], Recipient], kid: str | None = None) -> str:
    with pytest.raises(KeyInvalid) as caught:
        make(text, kid)
    said = str(caught.value)
    assert SECRET not in said
    assert BOB["x"] not in said
    assert (caught.value.__cause__, len(said) < 300) == (None, True)
    return said


@pytest.mark.parametrize(
    ("jwk", "said"),
    [
        ("", "not a JSON object"),
        ("[]", "not a JSON object"),
        ("{", "not a JSON object"),
        ("[" * 9000, "not a JSON object"),
        (json.dumps(PUBLIC)[:-1] + ', "x": "AA"}', "each name once"),
        ({"keys": [PUBLIC]}, "JWK Set"),
        ({**PUBLIC, "d": SECRET}, "private"),
        ({**PUBLIC, "d": None}, "private"),
        ({**PUBLIC, "kty": "RSA"}, "kty EC"),
        ({"kty": "oct", "k": SECRET}, "kty EC"),
        ({**PUBLIC, "crv": "P-384"}, "crv"),
        ({**PUBLIC, "use": "sig"}, "use"),
        ({**PUBLIC, "use": None}, "use"),
        ({**PUBLIC, "alg": "ES256"}, "alg"),
        ({**PUBLIC, "alg": "ECDH-ES+A256KW"}, "alg"),
        ({**PUBLIC, "key_ops": ["verify"]}, "key_ops"),
        ({**PUBLIC, "key_ops": "verify"}, "key_ops"),
        ({**PUBLIC, "key_ops": [1]}, "key_ops"),
        ({**PUBLIC, "y": PUBLIC["x"]}, "on P-256"),
        ({**PUBLIC, "x": PUBLIC["x"] + "="}, "on P-256"),
        ({**PUBLIC, "x": encoded(b"\0" + decoded(PUBLIC["x"]))}, "on P-256"),
        ({name: value for name, value in PUBLIC.items() if name != "y"}, "on P-256"),
        ({**PUBLIC, "kid": ""}, "a kid that is not"),
        ({**PUBLIC, "kid": 7}, "a kid that is not"),
        ({**PUBLIC, "kid": "a\nb"}, "a kid that is not"),
        ({**PUBLIC, "x5c": ["A" * 20_000]}, "more than"),
    ],
    ids=range(26),
)
def test_public_keys_that_are_refused(jwk: dict[str, Any] | str, said: str) -> None:
    text = jwk if isinstance(jwk, str) else json.dumps(jwk)
    assert said in wrong(text, Recipient.from_jwk)
    if said != "a kid that is not":  # then the pinned one is good instead
        assert "'pinned'" in wrong(text, Recipient.from_jwk, "pinned")


@pytest.mark.parametrize("kid", ["", "a" * 129, "a\tb", "\x7f", "\ud800"])
def test_a_pinned_kid_that_is_none(kid: str) -> None:
    assert "a kid must be" in wrong(json.dumps(PUBLIC), Recipient.from_jwk, kid)
    assert "a kid must be" in wrong(pem(BOB), Recipient.from_pem, kid)


def pem(jwk: dict[str, str]) -> str:
    return spki(private(jwk).public_key())


def spki(public: Any) -> str:
    shape = serialization.PublicFormat.SubjectPublicKeyInfo
    return str(public.public_bytes(serialization.Encoding.PEM, shape).decode())


def private_pem(shape: serialization.PrivateFormat) -> str:
    plain = serialization.NoEncryption()
    return private(BOB).private_bytes(serialization.Encoding.PEM, shape, plain).decode()


def certificate(public: Any, *, agreement: bool | None = None) -> str:
    """A certificate that ran out in 2001, signed by Alice; with keyUsage where `agreement` is given."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "D1.TEST.ENC")])
    ends = datetime(2001, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, public, 7, ends - timedelta(days=1), ends)
    if agreement is not None:
        usage = x509.KeyUsage(not agreement, False, False, False, agreement, False, False, False, False)
        made = made.add_extension(usage, critical=True)
    return made.sign(private(ALICE), hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def test_pem() -> None:
    ours = private(BOB).public_key()
    for text in (
        pem(BOB),
        OURS.pem(KID),
        pem(BOB).replace("\n", "\r\n"),
        f"subject=D1\n{certificate(ours)}",
        certificate(ours, agreement=True),
    ):
        made = Recipient.from_pem(text, KID)
        assert made.thumbprint == recipient().thumbprint
        assert by_joserfc(made.encrypt(PLAINTEXT)) == PLAINTEXT


P384 = ec.generate_private_key(ec.SECP384R1()).public_key()
RSA = rsa.generate_private_key(65537, 2048).public_key()
ED25519 = ed25519.Ed25519PrivateKey.generate().public_key()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "exactly one"),
        (json.dumps(PUBLIC), "exactly one"),
        (pem(BOB) + pem(ALICE), "exactly one"),
        (certificate(private(BOB).public_key()) + pem(BOB), "exactly one"),
        (pem(BOB).replace("PUBLIC KEY", "EC PARAMETERS"), "exactly one"),
        (private_pem(serialization.PrivateFormat.PKCS8), "private"),
        (private_pem(serialization.PrivateFormat.TraditionalOpenSSL), "private"),
        (pem(BOB) + private_pem(serialization.PrivateFormat.PKCS8), "private"),
        (pem(BOB)[:60] + pem(BOB)[70:], "not readable"),
        (pem(BOB) + "\ud800", "not readable"),
        (pem(BOB).replace("PUBLIC KEY", "CERTIFICATE"), "not readable"),
        (spki(P384), "not on P-256"),
        (spki(RSA), "not on P-256"),
        (spki(ED25519), "not on P-256"),
        (certificate(P384), "not on P-256"),
        (certificate(private(BOB).public_key(), agreement=False), "keyUsage"),
        (pem(BOB) + " " * 20_000, "more than"),
    ],
    ids=range(17),
)
def test_pem_that_is_refused(text: str, said: str) -> None:
    assert said in wrong(text, Recipient.from_pem)
    assert "'pinned'" in wrong(text, Recipient.from_pem, "pinned")
