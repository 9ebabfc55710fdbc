"""Keys that sign assertions (ES256): made for development, where nobody gives one."""

from jwcrypto.jwk import JWK

ALG = "ES256"


def new_signing_key() -> dict[str, str]:
    """A new private JWK on P-256. It is a secret."""
    made: dict[str, str] = JWK.generate(kty="EC", crv="P-256").export_private(as_dict=True)
    return made | {"use": "sig", "alg": ALG}


def public_part(jwk: dict[str, str]) -> dict[str, str]:
    """What of a private JWK may be given to others."""
    return {name: text for name, text in jwk.items() if name != "d"}
