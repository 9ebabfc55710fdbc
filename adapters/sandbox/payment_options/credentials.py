"""What merchants authenticate with; the twin gives them out, as the partner does."""

import base64
import hmac
import json
import os
import secrets
from pathlib import Path

import msgspec
from msgspec import Struct

from adapters.settings import SettingsInvalid

MERCHANT_ID = "JP00000328"


class Credentials(Struct, frozen=True):
    """The whole `Authorization` value, the `x-api-key` and the merchant id."""

    authorization: str
    x_api_key: str
    merchant_id: str

    def fit(self, authorization: str, x_api_key: str) -> bool:
        """Whether a caller has both."""
        pairs = ((authorization, self.authorization), (x_api_key, self.x_api_key))
        matches = [hmac.compare_digest(given.encode("utf-8", "replace"), known.encode()) for given, known in pairs]
        return all(matches)


def ensure(path: Path) -> Credentials:
    """The credentials in the file, which is made if missing. Raises SettingsInvalid where it is no such file."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Credentials)
    except FileNotFoundError:
        pass
    except msgspec.DecodeError as error:
        raise SettingsInvalid(f"MINTMARK_SANDBOX_PAYMENT_OPTIONS_FILE: {path.name}: {error}") from None
    encoded = base64.b64encode(secrets.token_hex(24).encode()).decode()
    made = Credentials(f"Basic {encoded}", secrets.token_urlsafe(32), MERCHANT_ID)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(msgspec.to_builtins(made), file)
    fresh.replace(path)
    return made
