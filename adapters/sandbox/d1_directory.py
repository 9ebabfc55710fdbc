"""D1's calls to an issuer that only the issuer's own system answers: Deliver OTP, activate a physical card (contract,
sections 3.11 and 3.14). The one-time password is never logged and never written down."""

import re
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote

from adapters.sandbox.d1_calls import Answered, D1Calls
from adapters.sandbox.target import NotConfigured, Target

VALID_FOR = timedelta(minutes=10)
_PLACEHOLDER = re.compile(r"\{([A-Za-z]+)\}")


def new_value() -> str:
    """A one-time password of six digits."""
    return f"{secrets.randbelow(1_000_000):06}"


class D1DirectoryCalls:
    """Makes the calls, at the paths that the gateway has them at."""

    def __init__(self, calls: D1Calls, target: Target) -> None:
        self._calls = calls
        self._target = target

    async def deliver_one_time_password(
        self, ids: Mapping[str, str], otp: Mapping[str, str], channel: str, now: datetime, correlation_id: str = ""
    ) -> Answered:
        """POST at the OTP path; a card id that the path does not have goes into the query. Raises NotConfigured."""
        if not self._target.otp_path:
            raise NotConfigured("Thales documents no path of Deliver OTP: set MINTMARK_ISSUER_OTP_PATH, also here")
        path, left = _filled(self._target.otp_path, ids)
        body: dict[str, Any] = {
            "otp": {**otp, "expirationDate": (now + VALID_FOR).strftime("%d/%m/%Y %H:%M:%S")},
            "deliveryChannel": channel,
            "digitalCardRequestor": {"id": "40010030273", "walletId": "WALLET", "name": "a wallet"},
            "deviceInformation": {"digitalCardStorageType": "SE", "deviceName": "a phone"},
        }
        query = {"cardId": left["cardId"]} if left.get("cardId") else None
        return await self._calls.call("POST", path, query=query, body=body, correlation_id=correlation_id)

    async def activate_card(self, issuer_id: str, card_id: str, correlation_id: str = "") -> Answered:
        """POST .../physicalCards/{cardId}/activate."""
        template = f"{self._target.cards_prefix}/issuers/{{issuerId}}/physicalCards/{{cardId}}/activate"
        path, _ = _filled(template, {"issuerId": issuer_id, "cardId": card_id})
        return await self._calls.call("POST", path, body={}, correlation_id=correlation_id)


def _filled(template: str, ids: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """The path with the ids in it, and those that it has no place for. Raises NotConfigured."""
    names = _PLACEHOLDER.findall(template)
    if missing := [name for name in names if not ids.get(name)]:
        raise NotConfigured(f"the path is {template}: give {' and '.join(missing)}")
    path = _PLACEHOLDER.sub(lambda found: quote(ids[found[1]], safe=""), template)
    return path, {name: text for name, text in ids.items() if name not in names}
