"""How an account speaks with the SIBS acquirer: where to, with what, and what stands for what a config leaves empty."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from server.domain import payment_options

DEFAULT_VERSION = "v1"
DEFAULT_PAYMENTS_PREFIX = "/api/v1/payments"
DEFAULT_ACKNOWLEDGEMENT = "200"
DEFAULT_TEST_IDS = ("test",)

# The secrets of an account, as its messages name them.
CLIENT_ID = "client_id"
ACCESS_TOKEN = "access_token"
CLIENT_SECRET = "client_credentials.client_secret"
PAYMENTS_ACCESS_TOKEN = "payments_access_token"
SECRETS = (CLIENT_ID, ACCESS_TOKEN, CLIENT_SECRET, PAYMENTS_ACCESS_TOKEN)


@dataclass(frozen=True, slots=True)
class ClientCredentials:
    """Where access tokens come from; the secret is apart."""

    token_url: str
    client_id: str
    scope: str


@dataclass(frozen=True, slots=True)
class FieldNames:
    """Names of JSON fields that the acquirer's documentation does not tell for certain."""

    value: str = "value"
    key: str = "key"
    algorithm: str = "algorithm"


@dataclass(frozen=True, slots=True)
class Sibs:
    """What an operator states of an account with the acquirer, its secrets excepted. Empty `user_id` and
    `user_organization_id`: the client that asked."""

    base_url: str
    path_prefix: str
    version_id: str
    acquirer_id: str
    client_credentials: ClientCredentials | None
    payments_base_url: str
    payments_path_prefix: str
    payments_token_apart: bool
    user_id: str
    user_organization_id: str
    field_names: FieldNames
    code_without_hyphens: bool
    delete_by_update: bool
    acknowledgement_status_code: str
    support_email: str
    webhook_url_prefixes: tuple[str, ...]
    heal_drift: bool
    test_transaction_ids: tuple[str, ...]

    @property
    def needed_secrets(self) -> tuple[str, ...]:
        """The secrets that such an account cannot do without; it keeps no others."""
        source = CLIENT_SECRET if self.client_credentials else ACCESS_TOKEN
        apart = (PAYMENTS_ACCESS_TOKEN,) if self.payments_token_apart else ()
        return (CLIENT_ID, source, *apart)


@dataclass(frozen=True, slots=True)
class KeptSecret:
    """A secret of an account: a keyed digest that tells whether it changed, and the sealed value in Base64."""

    name: str
    digest: str
    sealed: str


def kept_secrets(stated: Sibs, secrets: Mapping[str, KeptSecret]) -> tuple[KeptSecret, ...]:
    """Those of the secrets that such an account needs, in the order of their names."""
    return tuple(secrets[name] for name in sorted(stated.needed_secrets) if name in secrets)


def changed_secrets(before: Iterable[KeptSecret], after: Iterable[KeptSecret]) -> tuple[str, ...]:
    """How a plan names the secrets that differ."""
    one, other = ({secret.name: secret.digest for secret in each} for each in (before, after))
    return tuple(f"sibs.{name}" for name in sorted(one.keys() | other.keys()) if one.get(name) != other.get(name))


def violations(stated: Sibs, where: str) -> list[tuple[str, str, str]]:
    """What is wrong with it, each as a field, a description and a rule."""
    found = []
    if problem := payment_options.base_url_problem(stated.base_url):
        found.append((f"{where}.base_url", problem, "url"))
    if stated.payments_base_url and (problem := payment_options.base_url_problem(stated.payments_base_url)):
        found.append((f"{where}.payments_base_url", problem, "url"))
    if stated.payments_token_apart and not stated.payments_base_url:
        found.append((f"{where}.payments_token_apart", "only with payments_base_url", "required"))
    if credentials := stated.client_credentials:
        if problem := token_url_problem(credentials.token_url):
            found.append((f"{where}.client_credentials.token_url", problem, "url"))
        if not credentials.client_id:
            found.append((f"{where}.client_credentials.client_id", "must be given", "required"))
    for place, prefix in enumerate(stated.webhook_url_prefixes):
        problem = payment_options.prefix_problem(prefix) or webhook_url_problem(prefix)
        if problem:
            found.append((f"{where}.webhook_url_prefixes[{place}]", problem, "url"))
    names = (stated.field_names.value, stated.field_names.key, stated.field_names.algorithm)
    if len(set(names)) < len(names):
        found.append((f"{where}.field_names", "must be three different names", "unique"))
    return found


def token_url_problem(text: str) -> str:
    """Why a URL cannot be a token endpoint's; empty where it can."""
    return _problem(text)


def webhook_url_problem(text: str) -> str:
    """Why notifications cannot be sent to a URL; empty where they can."""
    return _problem(text)


def _problem(text: str) -> str:
    if any(char <= " " or char == "\\" or char >= "\x7f" for char in text):
        return "is not a URL"
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return "is not a URL"
    if not parts.hostname:
        return "is not a URL"
    if parts.username is not None or parts.password is not None:
        return "must not hold a user or a password"
    if parts.fragment or text.endswith("#"):
        return "must not hold a fragment"
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return payment_options.base_url_problem(f"{parts.scheme}://{host}")
