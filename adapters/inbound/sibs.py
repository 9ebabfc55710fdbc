"""What the SIBS acquirer sends: notifications encrypted with the key of a webhook config, one address for each config.

The gateway knows no key: it checks the form of what came, and passes on what it cannot read. A valid tag is all that
authenticates a notification, so nothing of it but the route's template is logged, counted or traced.
"""

import base64
import binascii
import re
from dataclasses import dataclass, replace

import grpc
import structlog
from mintmark.v1 import acquirer_notifications_pb2 as pb
from mintmark.v1 import acquirer_notifications_pb2_grpc

from adapters.core import AioAccessToken, CredentialsMissing
from adapters.inbound import spans
from adapters.inbound.failed_authentications import Claim
from adapters.inbound.limits import Limits
from adapters.inbound.problems import NOT_FOUND, Answer, Problem, error, json_answer
from adapters.inbound.recorder import NotStored
from adapters.inbound.request import Request

PATH = re.compile(rb"/sibs/notifications/[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
TEMPLATE = "/sibs/notifications/{config}"
IV_HEADER = b"x-initialization-vector"
TAG_HEADER = b"x-authentication-tag"
IV_BYTES = 12
TAG_BYTES = 16
TIMEOUT = 5.0
BLANK = b" \t\r\n"

IV_WRONG = error(400, "X-Initialization-Vector must be 12 bytes in Base64")
TAG_WRONG = error(400, "X-Authentication-Tag must be 16 bytes in Base64")
BODY_WRONG = error(400, "The body must be Base64")
# Only the acquirer could have made one that can be.
UNREADABLE = replace(error(400, "The notification cannot be decrypted"), unproved=True)
MALFORMED = error(400, "The notification is not a JSON object with a notificationID")


class _NotBase64(ValueError):
    """Not Base64, or one of the other spellings of the same bytes."""


def decoded(text: bytes) -> bytes:
    """The bytes that a text stands for (RFC 4648 section 4: padded, and nothing hidden in its last bits). Raises
    _NotBase64."""
    try:
        found = base64.b64decode(text, validate=True)
    except binascii.Error:
        raise _NotBase64 from None
    if base64.b64encode(found) != text:
        raise _NotBase64
    return found


def acknowledgement(status_code: str, notification_id: str) -> Answer:
    """Exactly what the acquirer takes for success."""
    return json_answer(200, {"statusCode": status_code, "statusMsg": "Success", "notificationID": notification_id})


@dataclass(frozen=True, slots=True)
class SibsNotifications:
    """The endpoint. `traced` where the core is to know which request a notification came with."""

    channel: grpc.aio.Channel
    access_token: AioAccessToken
    limits: Limits
    traced: bool = False

    async def receive(self, request: Request) -> Answer:
        """The acknowledgement once it is stored, a repeat gets the same one; 404 where there is no such config, 400 for
        what has not the right form or opens with no key. Raises Problem and NotStored."""
        request.check_encoding()
        initialization_vector = _header(request, IV_HEADER, IV_BYTES, IV_WRONG)
        tag = _header(request, TAG_HEADER, TAG_BYTES, TAG_WRONG)
        try:
            ciphertext = decoded((await request.body(self.limits.body)).strip(BLANK))
        except _NotBase64:
            raise Problem(BODY_WRONG) from None
        if not ciphertext:
            raise Problem(BODY_WRONG)
        record = pb.RecordAcquirerNotificationRequest(
            webhook_config_id=request.raw_path.rpartition(b"/")[2].decode("ascii"),
            ciphertext=ciphertext,
            initialization_vector=initialization_vector,
            authentication_tag=tag,
            correlation_id=request.correlation.text,
            correlation_id_given=request.correlation.given,
            trace_context=spans.traceparent() if self.traced else "",
        )
        try:
            told = await self._record(record)
        except (grpc.aio.AioRpcError, CredentialsMissing) as failed:
            code = failed.code().name if isinstance(failed, grpc.aio.AioRpcError) else str(failed)
            structlog.get_logger().warning("not recorded", code=code, correlation_id=record.correlation_id)
            raise NotStored from None
        match told.outcome:
            case pb.ACQUIRER_NOTIFICATION_OUTCOME_ACKNOWLEDGED:
                return acknowledgement(told.acknowledgement_status_code, told.notification_id)
            case pb.ACQUIRER_NOTIFICATION_OUTCOME_UNREADABLE:
                request.claim = Claim(f"webhookConfigs/{record.webhook_config_id}", certain=True)
                return UNREADABLE
            case pb.ACQUIRER_NOTIFICATION_OUTCOME_MALFORMED:
                return MALFORMED
            case pb.ACQUIRER_NOTIFICATION_OUTCOME_CONFIG_UNKNOWN:
                return NOT_FOUND
            case _:
                raise NotStored

    async def _record(self, record: pb.RecordAcquirerNotificationRequest) -> pb.RecordAcquirerNotificationResponse:
        try:
            return await self._call(record)
        except grpc.aio.AioRpcError as failed:
            if failed.code() is not grpc.StatusCode.UNAUTHENTICATED:
                raise
            self.access_token.forget()
        return await self._call(record)

    async def _call(self, record: pb.RecordAcquirerNotificationRequest) -> pb.RecordAcquirerNotificationResponse:
        stub = acquirer_notifications_pb2_grpc.AcquirerNotificationsServiceStub(self.channel)
        return await stub.RecordAcquirerNotification(
            record, metadata=await self.access_token.metadata(), timeout=TIMEOUT
        )


def _header(request: Request, name: bytes, size: int, wrong: Answer) -> bytes:
    """The bytes of a header that must be there once. Raises Problem."""
    try:
        found = decoded(request.header(name).strip(BLANK)) if request.times(name) == 1 else b""
    except _NotBase64:
        found = b""
    if len(found) != size:
        raise Problem(wrong)
    return found
