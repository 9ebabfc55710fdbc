"""Every setting of the roles in adapters and of the command: the one place here that reads the environment."""

import hashlib
import os
import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

LONGEST_SOCKET_PATH = 100
# Paths of the gateway that no setting moves.
FIXED_PATHS = (
    "/oauth2/revoke",
    "/oauth2/introspect",
    "/.well-known/",
    "/v1/",
    "/docs/",
    "/openapi.json",
    "/problems/",
    "/payment-options/",
)
WELL_KNOWN = ("/.well-known/jwks.json", "/.well-known/oauth-authorization-server")


# The ids that a path of D1's towards issuers may hold, and the path's letters besides.
_PLACEHOLDER = re.compile(r"\{([A-Za-z]{1,64})\}")
_PATH_TEMPLATE = re.compile(r"(/([A-Za-z0-9._~:-]+|\{[A-Za-z]{1,64}\}))+")
_OTP_IDS = {"issuerId", "consumerId", "cardId"}


class SettingsInvalid(Exception):
    """One or more settings are wrong. The text names all of them."""


def _address(value: str) -> str:
    if value.startswith("unix:"):
        if not value.removeprefix("unix:"):
            raise ValueError("name a path after unix:")
        return value
    host, colon, port = value.rpartition(":")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError("must be host:port or unix:/path")
    return value


def _path(value: str) -> str:
    if not value.startswith("/") or value.endswith("/"):
        raise ValueError("must begin with / and not end with it")
    return value


def _prefix(value: str) -> str:
    return value if value == "" else _path(value)


def path_ids(template: str) -> list[str]:
    """The names of the ids in a path's template, in their order."""
    return _PLACEHOLDER.findall(template)


def _path_template(value: str) -> str:
    if value and not _PATH_TEMPLATE.fullmatch(value):
        raise ValueError("must be a path whose parts are text or an id in braces, such as /issuers/{issuerId}/otp")
    names = path_ids(value)
    if len(set(names)) < len(names):
        raise ValueError("must hold each id once")
    if value and "issuerId" not in names:
        raise ValueError("must hold {issuerId}")
    return value


def _otp_path(value: str) -> str:
    names = set(path_ids(_path_template(value)))
    if value and (not names <= _OTP_IDS or names == {"issuerId"}):
        raise ValueError("must hold {consumerId} or {cardId} besides {issuerId}, and no other id")
    return value


def _loopback(value: str) -> str:
    host = _address(value).rpartition(":")[0].strip("[]")
    if not value.startswith("unix:") and host not in {"localhost", "::1"} and not host.startswith("127."):
        raise ValueError("must be on loopback: whoever reaches it can send in the partners' names")
    return value


Address = Annotated[str, AfterValidator(_address)]
LoopbackAddress = Annotated[str, AfterValidator(_loopback)]
OptionalLoopbackAddress = Annotated[str, AfterValidator(lambda value: value and _loopback(value))]
HttpPath = Annotated[str, AfterValidator(_path)]
HttpPrefix = Annotated[str, AfterValidator(_prefix)]
PathTemplate = Annotated[str, AfterValidator(_path_template)]
OtpPath = Annotated[str, AfterValidator(_otp_path)]


class Settings(BaseSettings):
    """The settings, each from the environment variable `MINTMARK_` plus its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="MINTMARK_", extra="ignore", frozen=True)

    http_address: Address = "127.0.0.1:8080"
    grpc_address: Address = "127.0.0.1:50051"
    admin_address: Address = "127.0.0.1:9090"
    internal_address: str = ""
    sandbox_address: LoopbackAddress = "127.0.0.1:8090"
    # The core's: read here only to know whether there may be other gateways.
    database_url: str = Field(default="", repr=False)
    redis_url: str = Field(default="", pattern=r"^((redis|rediss|unix)://.+)?$")
    data_dir: Path = Path("data")
    credentials_file: Path | None = None
    public_url: str = Field(default="", pattern=r"^(https?://[^/?#\s]+)?$")
    development: bool = False
    clock_file: Path | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    # Traces: where spans go, and how much of what begins here is traced.
    traces: Literal["none", "otlp", "file"] = "none"
    traces_endpoint: str = Field(default="http://127.0.0.1:4317", pattern=r"^https?://[^/?#\s]+$")
    traces_file: Path | None = None
    traces_ratio: float = Field(default=1.0, ge=0, le=1)

    # The sandbox: where its twins send to (empty: this gateway), what they authenticate with, and how many times
    # faster than the partners they wait between retries.
    sandbox_target: str = Field(default="", pattern=r"^(https?://[^/?#\s]+)?$")
    sandbox_client_file: Path | None = None
    sandbox_api_key_file: Path | None = None
    sandbox_speed: float = Field(default=1.0, gt=0, le=10_000)
    # The PaymentOptions twin: what merchants authenticate with, a listener of its own besides the sandbox's, and the
    # hosts (separated by commas) that it may send webhooks to besides loopback.
    sandbox_payment_options_file: Path | None = None
    sandbox_payment_options_address: OptionalLoopbackAddress = ""
    sandbox_webhook_hosts: str = Field(default="", pattern=r"^[A-Za-z0-9.,-]*$")

    # TLS of the gateway's own listener, and the authority that partners' client certificates come from.
    http_tls_certificate: Path | None = None
    http_tls_key: Path | None = None
    http_client_ca: Path | None = None
    # TLS towards the core: its authority for both listeners, and our certificate for the internal one (mTLS).
    grpc_ca: Path | None = None
    internal_certificate: Path | None = None
    internal_key: Path | None = None

    # TLS towards issuers' own systems: their authority, and our certificate.
    directory_ca_file: Path | None = None
    directory_certificate_file: Path | None = None
    directory_key_file: Path | None = None

    # Where partners find us. Paths are given to Thales at onboarding.
    ecom_token_path: HttpPath = "/oauth2/token"
    issuer_token_path: HttpPath = "/authz/d1/v1/oauth2/token"
    tsh_prefix: HttpPrefix = "/tsh-cof"
    issuer_notifications_prefix: HttpPrefix = "/notifications/d1"
    issuer_cards_prefix: HttpPrefix = "/cms/api/v1"
    issuer_consumers_prefix: HttpPrefix = "/banking/d1/v1"
    card_keys_path: HttpPath = "/.well-known/card-keys.json"
    # Paths that Thales does not document, as templates with {issuerId}; without one the call is not served.
    issuer_otp_path: OtpPath = ""
    issuer_authenticate_path: PathTemplate = ""
    issuer_authentication_result_path: PathTemplate = ""
    tsh_basic: bool = False

    # The gateway's own keys of issuers' cards: what card data is encrypted for, and what numbers are hashed with.
    card_keys_file: Path | None = None
    card_number_hash_keys_file: Path | None = None

    # Limits of what comes in over HTTP; bytes, seconds, counts.
    http_request_line_limit: int = Field(default=8 * 1024, ge=256)
    http_header_limit: int = Field(default=32 * 1024, ge=1024)
    http_header_count_limit: int = Field(default=64, ge=8)
    http_header_timeout: float = Field(default=5.0, gt=0)
    http_body_timeout: float = Field(default=10.0, gt=0)
    http_keep_alive_timeout: float = Field(default=15.0, gt=0)
    http_body_limit: int = Field(default=64 * 1024, ge=1024)
    http_batch_body_limit: int = Field(default=1024 * 1024, ge=1024, le=1024 * 1024)
    http_batch_item_limit: int = Field(default=1000, ge=1, le=10_000)
    http_token_body_limit: int = Field(default=8 * 1024, ge=256)
    http_token_field_limit: int = Field(default=32, ge=4)
    http_json_depth_limit: int = Field(default=32, ge=4, le=256)
    http_connection_limit: int = Field(default=1000, ge=1)
    http_request_limit: int = Field(default=512, ge=1)
    http_stream_limit: int = Field(default=32, ge=1, le=64)
    http_stream_timeout: float = Field(default=60.0, gt=0)
    http_failed_authentication_limit: int = Field(default=10, ge=1, le=10_000)
    shutdown_timeout: float = Field(default=10.0, gt=0)

    # The dispatcher: tasks worked on at once, and seconds to finish them when stopped.
    dispatcher_concurrency: int = Field(default=64, ge=1, le=256)
    dispatcher_shutdown_timeout: float = Field(default=20.0, gt=0)

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        wrong = []
        if (self.http_tls_certificate is None) != (self.http_tls_key is None):
            wrong.append("MINTMARK_HTTP_TLS_CERTIFICATE and MINTMARK_HTTP_TLS_KEY: both or neither")
        if self.http_client_ca and not self.http_tls_certificate:
            wrong.append("MINTMARK_HTTP_CLIENT_CA: needs MINTMARK_HTTP_TLS_CERTIFICATE and MINTMARK_HTTP_TLS_KEY")
        if (self.internal_certificate is None) != (self.internal_key is None):
            wrong.append("MINTMARK_INTERNAL_CERTIFICATE and MINTMARK_INTERNAL_KEY: both or neither")
        if (self.directory_certificate_file is None) != (self.directory_key_file is None):
            wrong.append("MINTMARK_DIRECTORY_CERTIFICATE_FILE and MINTMARK_DIRECTORY_KEY_FILE: both or neither")
        if self.ecom_token_path == self.issuer_token_path:
            wrong.append("MINTMARK_ECOM_TOKEN_PATH and MINTMARK_ISSUER_TOKEN_PATH: must differ, as their answers do")
        for name in ("ecom_token_path", "issuer_token_path", "tsh_prefix"):
            if f"{getattr(self, name)}/".startswith(FIXED_PATHS):
                wrong.append(f"MINTMARK_{name.upper()}: the gateway serves something else there")
        # Below it everything begins with a version: at the root that would be REST's.
        if f"{self.issuer_notifications_prefix}/v1/".startswith(FIXED_PATHS):
            wrong.append("MINTMARK_ISSUER_NOTIFICATIONS_PREFIX: the gateway serves something else there")
        if f"{self.issuer_cards_prefix}/issuers/".startswith(FIXED_PATHS):
            wrong.append("MINTMARK_ISSUER_CARDS_PREFIX: the gateway serves something else there")
        if f"{self.issuer_consumers_prefix}/issuers/".startswith(FIXED_PATHS):
            wrong.append("MINTMARK_ISSUER_CONSUMERS_PREFIX: the gateway serves something else there")
        if self.card_keys_path in WELL_KNOWN or (
            f"{self.card_keys_path}/".startswith(FIXED_PATHS) and not self.card_keys_path.startswith("/.well-known/")
        ):
            wrong.append("MINTMARK_CARD_KEYS_PATH: the gateway serves something else there")
        wrong += self._paths_of_directories()
        if wrong:
            raise ValueError("\n  ".join(wrong))
        return self

    def _paths_of_directories(self) -> list[str]:
        wrong, seen = [], {self.ecom_token_path, self.issuer_token_path}
        for name in ("issuer_otp_path", "issuer_authenticate_path", "issuer_authentication_result_path"):
            template = getattr(self, name)
            shape = _PLACEHOLDER.sub("{}", template)
            below = f"{self.issuer_notifications_prefix}/"
            if template and (f"{template}/".startswith((*FIXED_PATHS, below)) or shape in seen):
                wrong.append(f"MINTMARK_{name.upper()}: the gateway serves something else there")
            seen.add(shape)
        return wrong

    @property
    def pid_dir(self) -> Path:
        """The folder of pid files and of the supervisor's lock."""
        return self.data_dir.resolve() / "run"

    @property
    def run_dir(self) -> Path:
        """The folder of sockets: the same, or another where its path is too long for a unix socket."""
        folder = self.pid_dir
        if len(str(folder / "dispatcher.admin.sock").encode()) <= LONGEST_SOCKET_PATH:
            return folder
        digest = hashlib.sha256(str(self.data_dir.resolve()).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"mintmark-{os.getuid()}-{digest}"

    @property
    def core_internal_address(self) -> str:
        """Where the core's internal listener is, as gRPC writes it."""
        return self.internal_address or f"unix:{self.run_dir / 'internal.sock'}"

    def credentials(self, client: str) -> Path:
        """The file with the credentials of `client`, such as `admin` or `role.gateway`."""
        return self.credentials_file or self.data_dir / "credentials" / f"{client}.json"

    @property
    def embedded(self) -> bool:
        """Whether everything is in the data folder, so that what is missing may be made there."""
        return not self.database_url or self.database_url.startswith("sqlite:")

    @property
    def card_keys(self) -> Path:
        """The file with the private keys that card data is encrypted for."""
        return self.card_keys_file or self.data_dir / "card_keys.json"

    @property
    def card_number_hash_keys(self) -> Path:
        """The file with the keys that card numbers are hashed with."""
        return self.card_number_hash_keys_file or self.data_dir / "card_number_hash_keys.json"

    @property
    def spool_dir(self) -> Path:
        """Where the dispatcher keeps what partners answered until the core knows it."""
        return self.data_dir / "spool"

    @property
    def traces_path(self) -> Path:
        """The file that spans go to with `MINTMARK_TRACES=file`."""
        return self.traces_file or self.data_dir / "traces.jsonl"

    @property
    def sandbox_target_url(self) -> str:
        """The URL that the twins send to, without a path; empty where the gateway listens on a unix socket."""
        if self.sandbox_target or self.http_address.startswith("unix:"):
            return self.sandbox_target
        host, _, port = self.http_address.rpartition(":")
        host = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104  compared, not bound
        return f"{'https' if self.http_tls_certificate else 'http'}://{host}:{port}"

    @property
    def sandbox_client(self) -> Path:
        """The file with the D1 twin's client id and secret."""
        return self.sandbox_client_file or self.data_dir / "credentials" / "sandbox.d1.json"

    @property
    def sandbox_api_key(self) -> Path:
        """The file with the TSH twin's API key."""
        return self.sandbox_api_key_file or self.data_dir / "credentials" / "sandbox.tsh.json"

    @property
    def sandbox_payment_options(self) -> Path:
        """The file with the PaymentOptions twin's credentials; the twin makes it."""
        return self.sandbox_payment_options_file or self.data_dir / "credentials" / "sandbox.payment_options.json"

    @property
    def sandbox_webhook_host_names(self) -> frozenset[str]:
        """The hosts besides loopback that twins may send webhooks to."""
        return frozenset(name for name in self.sandbox_webhook_hosts.lower().split(",") if name)


def child_environment(overrides: Mapping[str, str]) -> dict[str, str]:
    """The environment for a role that we start: our own, and `overrides` over it.

    Without MINTMARK_CREDENTIALS_FILE, which is one client's: each role has a file of its own in the data folder.
    """
    return {name: value for name, value in os.environ.items() if name != "MINTMARK_CREDENTIALS_FILE"} | dict(overrides)


def load(overrides: Mapping[str, object] | None = None) -> Settings:
    """Reads the settings; `overrides` win over the environment.

    Raises SettingsInvalid with one text that names every wrong setting, never its value.
    """
    try:
        return Settings(**dict(overrides or {}))  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        lines = []
        for item in error.errors():
            where = f"MINTMARK_{str(item['loc'][0]).upper()}: " if item["loc"] else ""
            lines.append(where + item["msg"].removeprefix("Value error, "))
        raise SettingsInvalid("these settings are wrong:\n  " + "\n  ".join(lines)) from None


def hide_opentelemetry() -> None:
    """Takes `OTEL_*` out of this process's environment: its SDK reads them by itself, and only our settings count."""
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        del os.environ[name]
