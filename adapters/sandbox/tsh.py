"""TSH: its five notifications (contract, sections 4.2 to 4.6)."""

import secrets
import uuid
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from adapters.sandbox.notifications import TSH, Notification, new_correlation_id, timestamp

BINDING_CREATION = "tsh-binding-creation"
BINDING_UPDATE = "tsh-binding-update"
TOKEN_CREATION = "tsh-token-creation"
TOKEN_UPDATE = "tsh-token-update"
MERCHANT_UPDATE = "tsh-merchant-update"

PATHS = {
    BINDING_CREATION: "/notify-binding-creation",
    BINDING_UPDATE: "/notify-binding-update",
    TOKEN_CREATION: "/notify-token-creation",
    TOKEN_UPDATE: "/notify-token-update",
    MERCHANT_UPDATE: "/notify-merchant-update",
}
MERCHANT = "merchant-0001"

DEVICE_TYPES = ("PHONE", "TABLET", "WATCH", "TV", "WEARABLE_DEVICE")
APP_TYPES = ("IOS", "ANDROID", "WEB")
IDV_METHODS = (
    *("OTP_SMS", "OTP_EMAIL", "OTP_ONLINE_BANKING", "APP_TO_APP"),
    *("OUTBOUND_CALL", "CUSTOMER_SERVICE", "NONE", "UNKNOWN"),
)
BINDING_STATES = ("ACTIVE", "SUSPENDED", "DELETED")
TOKEN_STATES = ("ACTIVE", "SUSPENDED", "DELETED")
INITIATORS = ("TSP", "DEVICE")
SCHEMES = ("VISA", "MASTERCARD")
# The field of each kind whose list of values is open: where a burst puts a value that nobody knows.
OPEN_FIELDS = {
    BINDING_CREATION: "deviceType",
    BINDING_UPDATE: "bindingState",
    TOKEN_UPDATE: "tokenState",
    MERCHANT_UPDATE: "scheme",
}
TIME_FIELDS = {
    BINDING_CREATION: "creationTimestamp",
    BINDING_UPDATE: "lastUpdateTimestamp",
    TOKEN_CREATION: "creationTimestamp",
    TOKEN_UPDATE: "lastUpdateTimestamp",
    MERCHANT_UPDATE: "lastUpdateTimestamp",
}


def new_token_id() -> str:
    """A token id of the documented form."""
    return f"COFTG-V-{uuid.uuid4()}"


def new_device_id() -> str:
    """A device id of the documented length, 24."""
    return secrets.token_hex(12)


def notification(kind: str, at: datetime, fields: Mapping[str, Any], correlation_id: str = "") -> Notification:
    """A notification of `kind` as of `at`. `fields` win over what is made up; None leaves a field out."""
    body = {**_fields(kind, at, fields), **fields}
    body = {name: value for name, value in body.items() if value is not None}
    return Notification(
        kind=kind,
        feed=TSH,
        path=PATHS[kind],
        correlation_id=correlation_id or new_correlation_id(),
        body=body,
        merchant_id=_text(body.get("merchantId")),
        token_id=_text(body.get("tokenId")),
        device_id=_text(body.get("deviceId")),
    )


def _fields(kind: str, at: datetime, given: Mapping[str, Any]) -> dict[str, Any]:
    made: dict[str, Any] = {"merchantId": MERCHANT, TIME_FIELDS[kind]: timestamp(at)}
    if kind == MERCHANT_UPDATE:
        return {**made, "scheme": SCHEMES[0], "trId": "40000000080"}
    token = _text(given.get("tokenId")) or new_token_id()
    made["tokenId"] = token
    if kind in (BINDING_CREATION, BINDING_UPDATE):
        made |= {"deviceId": new_device_id(), "deviceType": DEVICE_TYPES[0], "appType": APP_TYPES[1]}
        made["vProvisionedTokenId"] = token.removeprefix("COFTG-V-")[:36]
        if kind == BINDING_CREATION:
            return {**made, "selectedIdvMethod": IDV_METHODS[3]}
        return {**made, "bindingState": BINDING_STATES[0], "eventInitiator": INITIATORS[0]}
    made |= {"cardBin": "453421", "cardLastDigits": "2366", "cardExpiryDate": "0430"}
    made |= {"tokenLastDigits": "5589", "tokenExpiryDate": "1032"}
    if kind == TOKEN_UPDATE:
        made["tokenState"] = TOKEN_STATES[0]
    return made


def _text(value: Any) -> str:
    return "" if value is None else str(value)
