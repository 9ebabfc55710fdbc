"""Points on P-256 (FIPS 186-4 appendix D.1.2.3), the one curve of the keys that encrypt card data."""

from dataclasses import dataclass

from adapters.jose.strict import octets, text_of

COORDINATE_BYTES = 32
# The field, and the last coefficient of y^2 = x^3 - 3x + b. All of it is public: nothing here needs constant time.
_P = 2**256 - 2**224 + 2**192 + 2**96 - 1
_B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B


@dataclass(frozen=True, slots=True)
class Point:
    """A point on the curve; `x` and `y` are base64url of 32 bytes each (RFC 7518 sections 6.2.1.2 and 6.2.1.3)."""

    x: str
    y: str

    @classmethod
    def read(cls, x: object, y: object) -> "Point":
        """The point with the coordinates of a JWK. Raises ValueError for any that is not on the curve."""
        return cls.at(coordinate(x), coordinate(y))

    @classmethod
    def at(cls, across: int, up: int) -> "Point":
        """The point with these coordinates. Raises ValueError for any that is not on the curve.

        A cofactor of 1 makes this the whole check: each point on the curve is in the one group, and the point at
        infinity has no coordinates.
        """
        if max(across, up) >= _P or (up * up - across * across * across + 3 * across - _B) % _P:
            raise ValueError("not on the curve")
        return cls(text_of(across.to_bytes(COORDINATE_BYTES, "big")), text_of(up.to_bytes(COORDINATE_BYTES, "big")))

    def jwk(self) -> dict[str, str]:
        """The members that RFC 7638 section 3.2 hashes, and no other."""
        return {"kty": "EC", "crv": "P-256", "x": self.x, "y": self.y}


def coordinate(text: object) -> int:
    """The number that a base64url text of exactly 32 bytes stands for. Raises ValueError."""
    decoded = octets(text)
    if len(decoded) != COORDINATE_BYTES:
        raise ValueError("not 32 bytes")
    return int.from_bytes(decoded, "big")
