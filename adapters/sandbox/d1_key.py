"""D1's own key pair: Mintmark encrypts card data for it, and the twin alone can open that."""

import json
import os
from pathlib import Path

from jwcrypto.common import JWException
from jwcrypto.jwe import JWE
from jwcrypto.jwk import JWK

from adapters.sandbox.target import NotConfigured

ALG, ENC, CURVE = "ECDH-ES", "A256GCM", "P-256"


class Unreadable(Exception):
    """It is not a JWE for D1's key in the profile of the contract (section 6.2). The text says what is wrong."""


class D1Key:
    """The key pair in `path` (0600), made when it is first needed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._key: JWK | None = None

    def public(self) -> dict[str, str]:
        """The public JWK as D1 would give it to an issuer. Its `kid` is its thumbprint, as that of Thales' example.

        Raises NotConfigured where the file cannot be read or written.
        """
        key = self._held()
        return {**key.export_public(as_dict=True), "kid": self.thumbprint()}

    def thumbprint(self) -> str:
        """SHA-256 in base64url (RFC 7638). Raises NotConfigured."""
        return str(self._held().thumbprint())

    def open(self, compact: str) -> bytes:
        """What was encrypted for D1. Raises Unreadable, NotConfigured."""
        key = self._held()
        jwe = JWE()
        jwe.allowed_algs = [ALG, ENC]
        try:
            jwe.deserialize(compact)
            header = json.loads(jwe.objects["protected"])
        except (JWException, ValueError, KeyError):
            raise Unreadable("it is no compact JWE") from None
        if (header.get("alg"), header.get("enc")) != (ALG, ENC):
            raise Unreadable(f"it is not {ALG} and {ENC}")
        if header.get("kid") != self.thumbprint():
            raise Unreadable("its kid is not that of D1's key")
        try:
            jwe.decrypt(key)
        except (JWException, ValueError, TypeError):
            raise Unreadable("it does not open with D1's key") from None
        return bytes(jwe.payload)

    def _held(self) -> JWK:
        if self._key is None:
            try:
                self._key = self._read() or self._made()
            except (OSError, JWException, ValueError) as error:
                raise NotConfigured(f"D1's key {self._path} cannot be used ({type(error).__name__})") from None
        return self._key

    def _read(self) -> JWK | None:
        try:
            key = JWK.from_json(self._path.read_text())
        except FileNotFoundError:
            return None
        if key.get("crv") != CURVE or not key.has_private:
            raise ValueError("not a private key on the curve")
        return key

    def _made(self) -> JWK:
        made = JWK.generate(kty="EC", crv=CURVE)
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fresh = self._path.with_name(self._path.name + ".new")
        with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(made.export_private())
        fresh.replace(self._path)
        return made


def encrypted(card: bytes, jwk: dict[str, str]) -> str:
    """A compact JWE for a public JWK of the issuer's, as D1 makes it. Raises Unreadable for a key that is none."""
    try:
        key = JWK(**jwk)
        header = {"alg": ALG, "enc": ENC, "kid": str(jwk["kid"])}
        return str(JWE(card, protected=header, recipient=key).serialize(compact=True))
    except (JWException, ValueError, TypeError, KeyError):
        raise Unreadable("the issuer's key is no public JWK with a kid") from None
