"""How an account calls D1: where to, in whose name, and where things stand in the answers."""

import re
from dataclasses import dataclass

from server.domain import payment_options
from server.domain.sibs_accounts import KeptSecret

DEFAULT_TOKEN_PATH = "/authz/v1/oauth2/token"
DEFAULT_DETAILS_PATH = "/merchant-gateways/{merchantGatewayId}/merchants/{merchantId}/tokens/{tokenId}"
DEFAULT_ASSERTION_LIFE_S = 300
SHORTEST_ASSERTION_LIFE_S = 60
CLOCKS_DIFFER_S = 10
# The secret of such an account, as its messages name it.
SIGNING_KEY = "signing_key"

_PLACES = frozenset({"merchantGatewayId", "merchantId", "tokenId"})
_PLACE = re.compile(r"\{([A-Za-z]*)\}")
# RFC 3986, section 3.3, without percent-encoding: what is written is what is sent.
_PATH = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@-]+)+")


@dataclass(frozen=True, slots=True)
class DetailsFields:
    """Where things stand in the answer: names of JSON fields, with dots between those that are in one another."""

    state: str = "tokenState"
    card_bin: str = "cardBin"
    card_last_digits: str = "cardLastDigits"
    card_expiry: str = "cardExpiryDate"
    token_last_digits: str = "tokenLastDigits"
    token_expiry: str = "tokenExpiryDate"
    payment_account_reference: str = "paymentAccountReference"


@dataclass(frozen=True, slots=True)
class D1Api:
    """What an operator states of calls to D1, the key excepted. Empty `issuer`: the merchant gateway; empty `subject`
    and `audience`: none. `assertion_life` is in seconds."""

    base_url: str
    token_path: str
    key_id: str
    issuer: str
    subject: str
    audience: str
    assertion_life: int
    token_details_path: str
    token_details_fields: DetailsFields

    @property
    def token_url(self) -> str:
        return f"{self.base_url}{self.token_path}"

    def claims(self, merchant_gateway_id: str, now: int, jwt_id: str) -> dict[str, str | int]:
        """What an assertion says that is made now (RFC 7523, section 3). `now` is in microseconds."""
        # D1's clock may be behind ours: neither is it to be from the future, nor good for longer than D1 takes.
        issued = now // 1_000_000 - CLOCKS_DIFFER_S
        optional = {"sub": self.subject, "aud": self.audience}
        return {
            "iss": self.issuer or merchant_gateway_id,
            **{name: text for name, text in optional.items() if text},
            "iat": issued,
            "exp": issued + self.assertion_life,
            "jti": jwt_id,
        }

    def stated(self) -> tuple[str, ...]:
        """Everything that an access token is had for, but for the key."""
        return (self.token_url, self.key_id, self.issuer, self.subject, self.audience)


def violations(stated: D1Api, where: str) -> list[tuple[str, str, str]]:
    """What is wrong with it, each as a field, a description and a rule."""
    found = []
    if problem := payment_options.base_url_problem(stated.base_url):
        found.append((f"{where}.base_url", problem, "url"))
    if problem := path_problem(stated.token_details_path):
        found.append((f"{where}.token_details_path", problem, "url"))
    if stated.assertion_life < SHORTEST_ASSERTION_LIFE_S:
        found.append((f"{where}.assertion_life_seconds", "must be 60 to 900, or 0 for 300", "int32.gte"))
    return found


def path_problem(path: str) -> str:
    """Why something cannot be the path of a token's details; empty where it can."""
    places = _PLACE.findall(path)
    unknown = sorted(set(places) - _PLACES)
    if unknown:
        return f"knows no {{{unknown[0]}}}, only {', '.join(f'{{{place}}}' for place in sorted(_PLACES))}"
    if "tokenId" not in places:
        return "must say where {tokenId} goes"
    plain = _PLACE.sub("x", path)
    if not _PATH.fullmatch(plain) or any(part in (".", "..") for part in plain.split("/")):
        return "must be a path that begins with /, without a query"
    return ""


def changed_secrets(before: tuple[KeptSecret, ...], after: tuple[KeptSecret, ...]) -> tuple[str, ...]:
    """How a plan names the secrets that differ."""
    one, other = ({secret.name: secret.digest for secret in each} for each in (before, after))
    return tuple(f"d1_api.{name}" for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name))
