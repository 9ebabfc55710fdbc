"""Every setting of the core: the one place in server that reads the environment."""

import hashlib
import os
import tempfile
from collections.abc import Mapping
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import quote

from pydantic import AfterValidator, Field, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from server.domain.retention import Periods

LONGEST_SOCKET_PATH = 100
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
MICROS = 1_000_000
# No partner sends anything again after so long, so what is younger than this must be recognised.
LONGEST_RETRY_WINDOW = "60d"
LONGEST_SPAN = "36500d"


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


def _database_url(value: str) -> str:
    if value and not value.startswith(("sqlite:///", "postgresql://")):
        raise ValueError("must begin with sqlite:/// or postgresql://")
    return value


def _span(value: str) -> str:
    if len(value) > 9 or not value[:-1].isascii() or not value[:-1].isdigit() or value[-1] not in SECONDS:
        raise ValueError("must be a whole number with a unit: s, m, h or d, such as 90d")
    if span(value) > span(LONGEST_SPAN):
        raise ValueError(f"must be {LONGEST_SPAN} at most")
    return value


def span(text: str) -> int:
    """The microseconds of a span such as `90d`."""
    return int(text[:-1]) * SECONDS[text[-1]] * MICROS


def _at_least(least: str) -> AfterValidator:
    """The bound keeps a slip of the pen from removing what cannot be brought back."""

    def check(value: str) -> str:
        if span(value) < span(least):
            raise ValueError(f"must be {least} at least")
        return value

    return AfterValidator(check)


Address = Annotated[str, AfterValidator(_address)]
Span = Annotated[str, AfterValidator(_span)]
DatabaseUrl = Annotated[str, AfterValidator(_database_url)]


def is_loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    if address.startswith("unix:") or host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


class Settings(BaseSettings):
    """The settings, each from the environment variable `MINTMARK_` plus its name in capitals."""

    model_config = SettingsConfigDict(env_prefix="MINTMARK_", extra="ignore", frozen=True)

    grpc_address: Address = "127.0.0.1:50051"
    http_address: Address = "127.0.0.1:8080"
    admin_address: Address = "127.0.0.1:9090"
    internal_address: str = ""
    database_url: DatabaseUrl = ""
    redis_url: str = Field(default="", pattern=r"^((redis|rediss|unix)://.+)?$")
    data_dir: Path = Path("data")
    public_url: str = Field(default="", pattern=r"^(https?://[^/?#\s]+)?$")
    development: bool = False
    clock_file: Path | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    keyring_file: Path | None = None
    admin_secret_file: Path | None = None
    shutdown_timeout: float = Field(default=10.0, gt=0)

    # Traces: where spans go, and how much of what begins here is traced.
    traces: Literal["none", "otlp", "file"] = "none"
    traces_endpoint: str = Field(default="http://127.0.0.1:4317", pattern=r"^https?://[^/?#\s]+$")
    traces_file: Path | None = None
    traces_ratio: float = Field(default=1.0, ge=0, le=1)
    # What is kept for how long; what is older is exported, where there is a folder, and removed.
    retention_events: Annotated[Span, _at_least("7d")] = "90d"
    retention_pin_limit: Span = "30d"
    retention_notifications: Annotated[Span, _at_least("7d")] = "90d"
    retention_quarantined: Annotated[Span, _at_least("7d")] = "90d"
    retention_requests: Annotated[Span, _at_least("1d")] = "30d"
    retention_identities: Annotated[Span, _at_least(LONGEST_RETRY_WINDOW)] = "400d"
    retention_acquirer_transactions: Annotated[Span, _at_least(LONGEST_RETRY_WINDOW)] = "400d"
    retention_card_data_accesses: Annotated[Span, _at_least("7d")] = "400d"
    retention_export_dir: Path | None = None
    # Payments, in seconds.
    payment_send_within: float = Field(default=300.0, ge=1, le=86400)
    payment_send_by: float = Field(default=15.0, gt=0, le=60)
    payment_call_timeout: float = Field(default=15.0, gt=0, le=60)
    payment_resolve_after: float = Field(default=900.0, ge=0)
    payment_action_window: float = Field(default=1800.0, gt=0)
    payment_page_window: float = Field(default=1800.0, gt=0)
    payment_cycle_overdue_after: float = Field(default=86400.0, ge=0)
    task_lease: float = Field(default=60.0, gt=0)
    # Webhook configs: how long a key is kept after its last use, and how often the acquirer is asked what it has.
    webhook_key_keep: Annotated[Span, _at_least(LONGEST_RETRY_WINDOW)] = "62d"
    webhook_refresh: Span = "1d"

    # TLS of the public listener, and mutual TLS of the internal one where it is not a unix socket.
    grpc_certificate: Path | None = None
    grpc_key: Path | None = None
    internal_certificate: Path | None = None
    internal_key: Path | None = None
    internal_client_ca: Path | None = None

    @model_validator(mode="after")
    def _fit_together(self) -> Self:
        wrong = []
        if self.development and not (is_loopback(self.grpc_address) and is_loopback(self.http_address)):
            wrong.append("MINTMARK_DEVELOPMENT: only with addresses on loopback")
        if self.clock_file and not self.development:
            wrong.append("MINTMARK_CLOCK_FILE: only with MINTMARK_DEVELOPMENT=1")
        if (self.grpc_certificate is None) != (self.grpc_key is None):
            wrong.append("MINTMARK_GRPC_CERTIFICATE and MINTMARK_GRPC_KEY: both or neither")
        kept = max(span(self.retention_notifications), span(self.retention_quarantined))
        if span(self.retention_identities) < kept:
            wrong.append("MINTMARK_RETENTION_IDENTITIES: must be no shorter than notifications are kept")
        mutual = (self.internal_certificate, self.internal_key, self.internal_client_ca)
        if self.internal_address and not self.internal_address.startswith("unix:") and not all(mutual):
            wrong.append(
                "MINTMARK_INTERNAL_ADDRESS: a network address needs MINTMARK_INTERNAL_CERTIFICATE, "
                "MINTMARK_INTERNAL_KEY and MINTMARK_INTERNAL_CLIENT_CA"
            )
        if self.task_lease < 3 * self.payment_call_timeout:
            wrong.append("MINTMARK_TASK_LEASE: at least three times MINTMARK_PAYMENT_CALL_TIMEOUT")
        if wrong:
            raise ValueError("\n  ".join(wrong))
        return self

    @property
    def run_dir(self) -> Path:
        """The folder of sockets and pid files, short enough for a unix socket's path."""
        folder = self.data_dir.resolve() / "run"
        if len(str(folder / "dispatcher.admin.sock").encode()) <= LONGEST_SOCKET_PATH:
            return folder
        digest = hashlib.sha256(str(self.data_dir.resolve()).encode()).hexdigest()[:16]
        return Path(tempfile.gettempdir()) / f"mintmark-{os.getuid()}-{digest}"

    @property
    def internal_listener(self) -> str:
        """Where the internal listener is, as gRPC writes it."""
        return self.internal_address or f"unix:{self.run_dir / 'internal.sock'}"

    @property
    def database(self) -> str:
        """The database's URL: the given one, or a SQLite file in the data folder."""
        file = self.data_dir.resolve() / "mintmark.sqlite"
        return self.database_url or f"sqlite:///{quote(str(file))}"

    @property
    def embedded(self) -> bool:
        """Whether everything is in the data folder, so that what is missing may be made there."""
        return self.database.startswith("sqlite:")

    @property
    def keyring(self) -> Path:
        return self.keyring_file or self.data_dir / "keyring.json"

    @property
    def traces_path(self) -> Path:
        """The file that spans go to with `MINTMARK_TRACES=file`."""
        return self.traces_file or self.data_dir / "traces.jsonl"

    @property
    def high_water_file(self) -> Path:
        """Outlives the database that it is about: leave it where it is when a backup is put back."""
        return self.data_dir / "high_water.json"

    @property
    def issuer(self) -> str:
        """The `iss` of access tokens."""
        return self.public_url or f"http://{self.http_address}"

    @property
    def periods(self) -> Periods:
        return Periods(
            events=span(self.retention_events),
            pin_limit=span(self.retention_pin_limit),
            notifications=span(self.retention_notifications),
            quarantined_notifications=span(self.retention_quarantined),
            requests=span(self.retention_requests),
            identities=span(self.retention_identities),
            acquirer_transactions=span(self.retention_acquirer_transactions),
            card_accesses=span(self.retention_card_data_accesses),
        )

    def credentials(self, client: str) -> Path:
        """The file with the credentials of `client`, such as `admin` or `role.gateway`."""
        return self.data_dir / "credentials" / f"{client}.json"


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
