"""How D1's calls about an issuer's cards are answered, as operators state it."""

import ipaddress
from dataclasses import dataclass
from enum import StrEnum

DEFAULT_TIMEOUT_MILLISECONDS = 3_000
DEFAULT_ATTEMPTS = 3
DEFAULT_WINDOW_HOURS = 24
NEVER = -1


class CardVerificationMode(StrEnum):
    OFF = "OFF"
    WITHOUT_SECURITY_CODE = "WITHOUT_SECURITY_CODE"
    WITH_SECURITY_CODE = "WITH_SECURITY_CODE"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """A public key on P-256 that card data is encrypted for, pinned by its thumbprint (RFC 7638)."""

    public_key: str
    thumbprint: str
    key_id: str


@dataclass(frozen=True, slots=True)
class CardDirectory:
    """The issuer's own card system."""

    address: str
    public_key: PublicKey
    timeout_milliseconds: int


@dataclass(frozen=True, slots=True)
class D1Issuer:
    """What an operator states of an issuer's cards. `security_code_attempts_window_hours` may be NEVER."""

    d1_public_keys: tuple[PublicKey, ...]
    card_verification: CardVerificationMode
    store_security_codes: bool
    tell_credentials: bool
    tell_credentials_without_security_code: bool
    tell_consumers: bool
    security_code_attempts: int
    security_code_attempts_window_hours: int
    directory: CardDirectory | None


def violations(stated: D1Issuer, where: str) -> list[tuple[str, str, str]]:
    """What is wrong with it, each as a field, a description and a rule."""
    found = []
    checks_codes = stated.store_security_codes or stated.directory is not None
    if stated.card_verification is CardVerificationMode.WITH_SECURITY_CODE and not checks_codes:
        text = "WITH_SECURITY_CODE needs store_security_codes or a directory: else nobody checks the codes"
        found.append((f"{where}.card_verification", text, "required"))
    if stated.tell_credentials and not stated.d1_public_keys:
        found.append((f"{where}.d1_public_keys", "must be given with tell_credentials", "required"))
    if stated.tell_credentials_without_security_code and not stated.tell_credentials:
        found.append((f"{where}.tell_credentials_without_security_code", "only with tell_credentials", "required"))
    seen: set[str] = set()
    for place, key in enumerate(stated.d1_public_keys):
        if key.key_id in seen:
            text = f"the kid {key.key_id!r} is stated twice: each key needs one of its own"
            found.append((f"{where}.d1_public_keys[{place}].key_id", text, "unique"))
        seen.add(key.key_id)
    if stated.directory and (problem := address_problem(stated.directory.address)):
        found.append((f"{where}.directory.address", problem, "address"))
    return found


def address_problem(text: str) -> str:
    """Why a directory cannot be there; empty where it can."""
    host, colon, port = text.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    name = host[1:-1] if bracketed else host
    if not colon or not name or (":" in name) != bracketed:
        return "must be host:port, an IPv6 address in brackets"
    if not port.isascii() or not port.isdigit() or not 0 < int(port) < 65_536:
        return "must end in a port from 1 to 65535"
    if bracketed:
        try:
            ipaddress.IPv6Address(name)
        except ValueError:
            return "has no IPv6 address between the brackets"
    return ""
