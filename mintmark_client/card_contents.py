"""Card data, and its encryption for the gateways. It leaves this process only as a JWE."""

import json
import re
from dataclasses import dataclass, field

from mintmark.v1 import card_keys_pb2

from mintmark_client.errors import Fault

ALG, ENC, CURVE = "ECDH-ES", "A256GCM", "P-256"
LONGEST_NAME = 128
_NUMBER = re.compile(r"[0-9]{10,19}", re.ASCII)
_EXPIRY = re.compile(r"(0[1-9]|1[0-2])[0-9]{2}", re.ASCII)
_SECURITY_CODE = re.compile(r"[0-9]{3,4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class CardData:
    """What is printed on a card: `number` of 10 to 19 digits, `expiry` as MMYY, and as the issuer wishes the name (128
    characters), the security code (only where the issuer's account says that they are stored), and number and expiry
    of the other scheme of a co-badged card.

    It never shows what it holds: not in `repr`, not in an error. Raises ValueError for what has not its form.
    """

    number: str = field(repr=False)
    expiry: str = field(repr=False)
    name: str = field(default="", repr=False)
    security_code: str = field(default="", repr=False)
    auxiliary_number: str = field(default="", repr=False)
    auxiliary_expiry: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not _NUMBER.fullmatch(self.number):
            raise ValueError("a card number has 10 to 19 digits")
        if not _EXPIRY.fullmatch(self.expiry):
            raise ValueError("an expiry date is MMYY")
        if len(self.name) > LONGEST_NAME:
            raise ValueError(f"a name has {LONGEST_NAME} characters at most")
        if self.security_code and not _SECURITY_CODE.fullmatch(self.security_code):
            raise ValueError("a security code has 3 or 4 digits")
        if bool(self.auxiliary_number) != bool(self.auxiliary_expiry):
            raise ValueError("auxiliary number and auxiliary expiry date belong together")
        if self.auxiliary_number and not _NUMBER.fullmatch(self.auxiliary_number):
            raise ValueError("an auxiliary card number has 10 to 19 digits")
        if self.auxiliary_expiry and not _EXPIRY.fullmatch(self.auxiliary_expiry):
            raise ValueError("an auxiliary expiry date is MMYY")

    def encrypted(self, key: card_keys_pb2.CardKey) -> str:
        """A compact JWE for the key: ECDH-ES, A256GCM, P-256; another one each time.

        Raises Fault for a key that is none.
        """
        # Who registers no cards needs no library for it.
        from jwcrypto.common import JWException
        from jwcrypto.jwe import JWE
        from jwcrypto.jwk import JWK

        try:
            public = JWK.from_json(key.jwk_json)
            if public.get("crv") != CURVE or public.has_private:
                raise ValueError("another curve")
            jwe = JWE(self._json(), protected={"alg": ALG, "enc": ENC, "kid": key.kid}, recipient=public)
            return str(jwe.serialize(compact=True))
        except (JWException, ValueError, TypeError):
            raise Fault(f"the card key {key.kid!r} is no public key on {CURVE}") from None

    def _json(self) -> bytes:
        fields = {
            "pan": self.number,
            "exp": self.expiry,
            "name": self.name,
            "cvv": self.security_code,
            "auxiliaryPan": self.auxiliary_number,
            "auxiliaryExp": self.auxiliary_expiry,
        }
        return json.dumps({name: value for name, value in fields.items() if value}).encode()
