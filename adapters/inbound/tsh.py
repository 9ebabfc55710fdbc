"""Thales TSH, card on file: the five notifications of its client API."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mintmark.v1 import notifications_pb2 as pb

from adapters.inbound import json
from adapters.inbound.authentication import CHALLENGE_API_KEY, Authentication
from adapters.inbound.limits import Limits
from adapters.inbound.problems import Answer
from adapters.inbound.received import Received, store
from adapters.inbound.recorder import Recorder
from adapters.inbound.request import Request

DEVICE_TYPES = ("PHONE", "TABLET", "WATCH", "TV", "WEARABLE_DEVICE")
APP_TYPES = ("IOS", "ANDROID", "WEB")
IDV_METHODS = (
    "OTP_SMS",
    "OTP_EMAIL",
    "OTP_ONLINE_BANKING",
    "APP_TO_APP",
    "OUTBOUND_CALL",
    "CUSTOMER_SERVICE",
    "NONE",
    "UNKNOWN",
)
STATES = ("ACTIVE", "SUSPENDED", "DELETED")
SCHEMES = ("MASTERCARD", "VISA")
LONGEST_ERROR = 128

Reader = Callable[[Received, pb.NotificationRecord], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the five notifications: its path below the prefix, and how its fields are read."""

    path: str
    kind: "pb.NotificationKind.ValueType"
    read: Reader


@dataclass(frozen=True, slots=True)
class Tsh:
    """The endpoints."""

    authentication: Authentication
    recorder: Recorder
    limits: Limits

    async def notify(self, request: Request, kind: Kind) -> Answer:
        """204 once it is stored. Raises Problem and NotStored."""
        correlation_id = request.correlation
        sender = await self.authentication.api_key(request)
        request.authenticated()
        request.check_content_type(b"application/json")
        received = Received.of(await request.body(self.limits.body), correlation_id, self.limits.json_depth)
        record = pb.NotificationRecord(
            kind=kind.kind,
            sender=sender.name,
            correlation_id=correlation_id.text,
            correlation_id_given=correlation_id.given,
        )
        if not received.problem:
            record.merchant_id = received.mandatory("merchantId", 1, 128)
            kind.read(received, record)
        if received.problem:
            record.ClearField("content")
        received.quarantine_cut_identifiers(record.merchant_id, record.token_id, record.device_id)
        return await store(self.recorder, record, received, CHALLENGE_API_KEY)


def _binding(received: Received, record: pb.NotificationRecord) -> pb.TshBinding:
    record.token_id = received.mandatory("tokenId", 1, 128)
    record.device_id = received.mandatory("deviceId", 1, 24)
    return pb.TshBinding(
        device_type=received.optional("deviceType", 0, 32, DEVICE_TYPES),
        app_type=received.optional("appType", 0, 32, APP_TYPES),
        visa_provisioned_token_id=received.optional("vProvisionedTokenId", 1, 36),
        creation_timestamp=received.optional("creationTimestamp", 0, 64),
    )


def _binding_creation(received: Received, record: pb.NotificationRecord) -> None:
    content = _binding(received, record)
    content.idv_method = received.mandatory("selectedIdvMethod", 0, 32, IDV_METHODS)
    record.tsh_binding.CopyFrom(content)


def _binding_update(received: Received, record: pb.NotificationRecord) -> None:
    content = _binding(received, record)
    content.binding_state = received.mandatory("bindingState", 0, 64, STATES)
    content.event_initiator = received.mandatory("eventInitiator", 0, 32)
    content.last_update_timestamp = received.optional("lastUpdateTimestamp", 0, 64)
    record.tsh_binding.CopyFrom(content)


def _token(received: Received) -> pb.TshToken:
    return pb.TshToken(
        card_bin=received.optional("cardBin", 6, 8),
        card_last_digits=received.optional("cardLastDigits", 0, 5),
        card_expiry=received.optional("cardExpiryDate", 0, 4),
        token_last_digits=received.optional("tokenLastDigits", 0, 5),
        token_expiry=received.optional("tokenExpiryDate", 0, 4),
        payment_account_reference=received.optional("par", 0, 29),
        visa_provisioned_token_id=received.optional("vProvisionedTokenId", 1, 36),
        error_code=_error_code(received.fields),
    )


def _token_creation(received: Received, record: pb.NotificationRecord) -> None:
    record.token_id = received.optional("tokenId", 1, 128)
    content = _token(received)
    content.creation_timestamp = received.optional("creationTimestamp", 0, 64)
    record.tsh_token.CopyFrom(content)


def _token_update(received: Received, record: pb.NotificationRecord) -> None:
    record.token_id = received.mandatory("tokenId", 1, 128)
    content = _token(received)
    content.token_state = received.mandatory("tokenState", 0, 64, STATES)
    content.last_update_timestamp = received.optional("lastUpdateTimestamp", 0, 64)
    record.tsh_token.CopyFrom(content)


def _merchant_update(received: Received, record: pb.NotificationRecord) -> None:
    record.tsh_merchant.CopyFrom(
        pb.TshMerchant(
            scheme=received.mandatory("scheme", 0, 32, SCHEMES),
            token_requestor_id=received.optional("trId", 1, 32),
            mastercard_service_id=received.optional("mcServiceId", 1, 256),
            last_update_timestamp=received.optional("lastUpdateTimestamp", 0, 64),
            error_code=_error_code(received.fields),
        )
    )


def _error_code(fields: dict[str, Any]) -> str:
    """The code of the error object, or its text where it has no code. Its names are not documented."""
    for name, value in fields.items():
        if "error" not in name.lower():
            continue
        inner = value if isinstance(value, dict) else {"": value}
        by_name = {key.lower(): each for key, each in inner.items()}
        for key in ("errorcode", "code", "errormessage", "message", "errordescription", "description", ""):
            text = by_name.get(key)
            if isinstance(text, json.Number):
                text = text.text
            if isinstance(text, str) and text:
                return json.storable(text)[:LONGEST_ERROR]
        if value:
            return "UNREADABLE"
    return ""


KINDS = (
    Kind("/notify-binding-creation", pb.NOTIFICATION_KIND_TSH_BINDING_CREATION, _binding_creation),
    Kind("/notify-binding-update", pb.NOTIFICATION_KIND_TSH_BINDING_UPDATE, _binding_update),
    Kind("/notify-token-creation", pb.NOTIFICATION_KIND_TSH_TOKEN_CREATION, _token_creation),
    Kind("/notify-token-update", pb.NOTIFICATION_KIND_TSH_TOKEN_UPDATE, _token_update),
    Kind("/notify-merchant-update", pb.NOTIFICATION_KIND_TSH_MERCHANT_UPDATE, _merchant_update),
)
