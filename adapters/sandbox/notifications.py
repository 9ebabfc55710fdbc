"""A notification as a twin sends it."""

import json
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

D1 = "d1"
# Towards issuers: single calls, of which no repeat is documented, and batches.
D1_ISSUER = "d1-issuer"
D1_ISSUER_BATCHES = "d1-issuer-batches"
TSH = "tsh"


@dataclass(frozen=True, slots=True)
class Notification:
    """One notification, ready to be sent. A repeat is the same object sent again."""

    kind: str
    feed: str
    # Under the target's URL, percent-encoded.
    path: str
    correlation_id: str
    body: Mapping[str, Any]
    merchant_gateway_id: str = ""
    merchant_id: str = ""
    token_id: str = ""
    device_id: str = ""
    issuer_id: str = ""
    card_id: str = ""

    @property
    def content(self) -> bytes:
        """The body's bytes; the same for each sending."""
        return json.dumps(self.body, ensure_ascii=False).encode()


def new_correlation_id() -> str:
    """36 characters, within what both D1 and TSH document."""
    return str(uuid.uuid4())


def timestamp(at: datetime) -> str:
    """A time as TSH prints it: `2017-11-10T09:08:24.479Z`."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{at.microsecond // 1000:03d}Z"


def malformed(text: str) -> str:
    """The same time with a minute of three digits, as the contract's own example has it: `11:012:41`."""
    head, colon, rest = text.partition(":")
    return f"{head}{colon}0{rest}"
