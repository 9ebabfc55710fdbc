"""Public keys that others gave us, as operators state them: JWK, PEM, certificate."""

import re

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwcrypto.common import JWException
from jwcrypto.jwk import JWK

from server.domain.strict_json import json_object
from server.keys import base64url
from server.ports.keys import KeyUnfit, ReadPublicKey

_KINDS = re.compile(r"-----BEGIN ([A-Z0-9 ]+)-----")
_KID = re.compile("[ -~]{1,128}")
_SIGNING = {"sign", "verify"}
COORDINATE_BYTES = 32


class EncryptionKeys:
    """Reads public keys on P-256 for ECDH-ES (RFC 7518 sections 4.6 and 6.2)."""

    def read(self, text: str, kid: str) -> ReadPublicKey:
        """Raises KeyUnfit."""
        own, key = _from_pem(text) if "-----BEGIN" in text else _from_jwk(text)
        thumbprint = str(key.thumbprint())
        named = kid or own or thumbprint
        if not _KID.fullmatch(named):
            raise KeyUnfit("has a kid that is not 1 to 128 printable ASCII characters: give another in key_id")
        return ReadPublicKey(named, thumbprint)


def _from_jwk(text: str) -> tuple[str, JWK]:
    try:
        stated = json_object(text)
    except ValueError:
        raise KeyUnfit("is neither PEM nor a JSON object with each name once: give one public JWK") from None
    if "keys" in stated:
        raise KeyUnfit("is a JWK Set: give the one JWK that is meant")
    if "d" in stated:
        raise KeyUnfit("is private: give only its public members (kty, crv, x, y, kid)")
    if stated.get("kty") != "EC" or stated.get("crv") != "P-256":
        raise KeyUnfit("is not of kty EC on P-256: only ECDH-ES on P-256 is spoken")
    uses = stated.get("key_ops", [])
    for_signing = not isinstance(uses, list) or any(each in _SIGNING for each in uses if isinstance(each, str))
    if stated.get("use", "enc") != "enc" or stated.get("alg", "ECDH-ES") != "ECDH-ES" or for_signing:
        raise KeyUnfit("is not for encryption with ECDH-ES (use, alg, key_ops): give another")
    own = stated.get("kid", "")
    if not isinstance(own, str):
        raise KeyUnfit("has a kid that is not a text: give another")
    try:
        for name in ("x", "y"):
            if len(base64url.decode(stated[name])) != COORDINATE_BYTES:
                raise ValueError(name)
        key = JWK(**{name: stated[name] for name in ("kty", "crv", "x", "y")})
        # Whether the point is on the curve is looked at only here.
        key.get_op_key("verify")
    except (JWException, ValueError, TypeError, KeyError):
        raise KeyUnfit("has no x and y that are on P-256: export it again") from None
    return own, key


def _from_pem(text: str) -> tuple[str, JWK]:
    kinds = _KINDS.findall(text)
    if any("PRIVATE KEY" in kind for kind in kinds):
        raise KeyUnfit("is private: give its PUBLIC KEY or CERTIFICATE block")
    if kinds not in (["PUBLIC KEY"], ["CERTIFICATE"]):
        raise KeyUnfit("is not exactly one PEM block PUBLIC KEY or CERTIFICATE: give one")
    try:
        public = _of_certificate(text) if kinds == ["CERTIFICATE"] else load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as broken:
        raise KeyUnfit(f"is not readable PEM ({type(broken).__name__}): export it again") from None
    if not isinstance(public, EllipticCurvePublicKey) or not isinstance(public.curve, SECP256R1):
        raise KeyUnfit("is not on P-256: only ECDH-ES on P-256 is spoken")
    return "", JWK.from_pyca(public)


def _of_certificate(text: str) -> object:
    """The key is what is pinned: a certificate's dates and issuer are not looked at."""
    certificate = x509.load_pem_x509_certificate(text.encode())
    try:
        usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return certificate.public_key()
    # RFC 5280 section 4.2.1.3.
    if not usage.key_agreement:
        raise KeyUnfit("is in a certificate that is not for key agreement (keyUsage): give another")
    return certificate.public_key()
