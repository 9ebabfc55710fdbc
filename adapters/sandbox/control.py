"""What the control API is told: each body as a type, everything else refused with a clear text."""

from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct

from adapters.sandbox import bursts

Share = Annotated[float, Meta(ge=0, le=1)]
Deadline = Annotated[float, Meta(gt=0, le=86_400)]
Url = Annotated[str, Meta(pattern=r"^https?://[^/?#\s]+$")]

T = TypeVar("T", bound=Struct)


class ControlInvalid(Exception):
    """The control call is wrong. The text says how."""


class SendD1(Struct, rename="camel", forbid_unknown_fields=True):
    """POST /notifications/d1-token-update."""

    merchant_gateway_id: str = ""
    merchant_id: str = ""
    token_id: str = ""
    update_type: str = ""
    correlation_id: str = ""
    # How often it is sent again, with the same correlation id.
    repeat: Annotated[int, Meta(ge=0, le=1000)] = 0
    # Our own seconds, after which the twin gives up.
    deadline: Deadline = 30.0


class SendTsh(Struct, rename="camel", forbid_unknown_fields=True):
    """POST /notifications/tsh/{kind}."""

    # Fields of the body; null leaves a field out. What is not given is made up.
    fields: dict[str, Any] = {}
    correlation_id: str = ""
    repeat: Annotated[int, Meta(ge=0, le=1000)] = 0
    # First the notification, then one about the same that is an hour older.
    out_of_order: bool = False
    # Give the time a minute of three digits.
    malformed_timestamp: bool = False
    deadline: Deadline = 30.0


class StartBurst(Struct, rename="camel", forbid_unknown_fields=True):
    """POST /bursts."""

    count: Annotated[int, Meta(ge=1, le=1_000_000)]
    concurrency: Annotated[int, Meta(ge=1, le=256)] = 16
    repeats: Share = 0.0
    disorder: Share = 0.0
    malformed: Share = 0.0
    unknown: Share = 0.0
    seed: int = 0
    kinds: dict[str, Annotated[float, Meta(ge=0)]] = {}
    merchant_gateway_id: str = ""
    merchant_id: str = ""
    tsh_merchant_id: str = ""
    deadline: Deadline | None = None

    def shape(self) -> bursts.Shape:
        """The burst's shape. Raises ControlInvalid for kinds that no twin sends."""
        strangers = sorted(set(self.kinds) - set(bursts.KINDS))
        if strangers:
            raise ControlInvalid(f"kinds: {', '.join(strangers)}: the twins send {', '.join(bursts.KINDS)}")
        if self.kinds and not sum(self.kinds.values()):
            raise ControlInvalid("kinds: at least one must have a weight above 0")
        given = {name: getattr(self, name) for name in self.__struct_fields__ if name != "kinds"}
        return bursts.Shape(**given, kinds=self.kinds or bursts.MIX)


class Configure(Struct, rename="camel", forbid_unknown_fields=True):
    """POST /configure; what is not given stays."""

    target_url: Url | None = None
    client_id: str | None = None
    client_secret: str | None = None
    api_key: str | None = None
    tsh_prefix: Annotated[str, Meta(pattern=r"^(/[^?#\s]*[^/?#\s])?$")] | None = None
    issuer_prefix: Annotated[str, Meta(pattern=r"^/[^?#\s]*[^/?#\s]$")] | None = None
    cards_prefix: Annotated[str, Meta(pattern=r"^/[^?#\s]*[^/?#\s]$")] | None = None
    consumers_prefix: Annotated[str, Meta(pattern=r"^/[^?#\s]*[^/?#\s]$")] | None = None
    # The issuer's public keys as a JWK Set, where they are not to be fetched.
    card_keys: dict[str, Any] | None = None
    token_path: Annotated[str, Meta(pattern=r"^/[^?#\s]+$")] | None = None
    issuer_token_path: Annotated[str, Meta(pattern=r"^/[^?#\s]+$")] | None = None
    speed: Annotated[float, Meta(gt=0, le=10_000)] | None = None


def parse(body: bytes, kind: type[T]) -> T:
    """The body as `kind`; an empty one is an empty object. Raises ControlInvalid."""
    try:
        return msgspec.json.decode(body or b"{}", type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ControlInvalid(str(error)) from None
    except RecursionError:
        raise ControlInvalid("JSON is nested too deeply") from None
