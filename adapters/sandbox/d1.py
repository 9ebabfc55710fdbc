"""D1 eCom: notify-update of a token (contract, section 2.2)."""

import uuid
from urllib.parse import quote

from adapters.sandbox.notifications import D1, Notification, new_correlation_id

TOKEN_UPDATE = "d1-token-update"
# The contract's path values. Their real update types are not published; these have the expected form.
MERCHANT_GATEWAY = "MGW_000001"
MERCHANT = "10610027312"
UPDATE_TYPES = ("TOKEN_METADATA_UPDATED", "TOKEN_STATE_UPDATED")


def token_update(
    merchant_gateway_id: str = "",
    merchant_id: str = "",
    token_id: str = "",
    update_type: str = "",
    correlation_id: str = "",
) -> Notification:
    """A notify-update; what is not given is made up, the token new."""
    gateway = merchant_gateway_id or MERCHANT_GATEWAY
    merchant = merchant_id or MERCHANT
    token = token_id or str(uuid.uuid4())
    path = "/".join(
        ("", "merchant-gateways", _part(gateway), "merchants", _part(merchant), "tokens", _part(token), "notify-update")
    )
    return Notification(
        kind=TOKEN_UPDATE,
        feed=D1,
        path=path,
        correlation_id=correlation_id or new_correlation_id(),
        body={"updateType": update_type or UPDATE_TYPES[0]},
        merchant_gateway_id=gateway,
        merchant_id=merchant,
        token_id=token,
    )


def _part(identifier: str) -> str:
    return quote(identifier, safe="")
