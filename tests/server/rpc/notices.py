"""Notifications as the gateway hands them over."""

import hashlib
import json
import uuid
from collections.abc import Sequence
from typing import Any

from mintmark.v1 import notifications_pb2 as pb

from tests.server.rpc.running import RunningCore

Kind = pb.NotificationKind
MERCHANT = "10610027312"


def _record(
    kind: Kind.ValueType, sender: str, told: dict[str, str], correlation_id: str | None, **fields: Any
) -> pb.NotificationRecord:
    body = json.dumps({**told, **{key: fields.get(key, "") for key in ("merchant_id", "token_id", "device_id")}})
    defaults = {
        "kind": kind,
        "sender": sender,
        "correlation_id": correlation_id or str(uuid.uuid4()),
        "correlation_id_given": correlation_id is not None,
        "body": body.encode(),
        "content_digest": hashlib.sha256(body.encode()).digest(),
    }
    return pb.NotificationRecord(**{**defaults, **fields})


def own_id() -> str:
    return str(uuid.uuid4())


def d1(
    sender: str,
    gateway: str,
    token_id: str = "t-1",  # noqa: S107  a payment token
    *,
    update_type: str = "TOKEN_METADATA_UPDATED",
    correlation_id: str | None = "",
    merchant_id: str = MERCHANT,
    **fields: Any,
) -> pb.NotificationRecord:
    """A D1 notify-update. An empty correlation id stands for a new one, None for none given."""
    return _record(
        Kind.NOTIFICATION_KIND_D1_TOKEN_UPDATE,
        sender,
        {"updateType": update_type},
        own_id() if correlation_id == "" else correlation_id,
        merchant_gateway_id=gateway,
        merchant_id=merchant_id,
        token_id=token_id,
        d1_token_update=pb.D1TokenUpdate(update_type=update_type),
        **fields,
    )


def tsh(
    sender: str, what: str, told: dict[str, str], *, correlation_id: str | None = "", **fields: Any
) -> pb.NotificationRecord:
    """A TSH notification: `what` is such as `binding_update`. Correlation ids as for `d1`."""
    content: dict[str, Any]
    match what.partition("_")[0]:
        case "binding":
            content = {"tsh_binding": pb.TshBinding(**told)}
            fields = {"token_id": "t-1", "device_id": "d-1", **fields}
        case "token":
            content = {"tsh_token": pb.TshToken(**told)}
            fields = {"token_id": "t-1", **fields}
        case _:
            content = {"tsh_merchant": pb.TshMerchant(**told)}
    return _record(
        Kind.Value(f"NOTIFICATION_KIND_TSH_{what.upper()}"),
        sender,
        told,
        own_id() if correlation_id == "" else correlation_id,
        **{"merchant_id": MERCHANT, **content, **fields},
    )


def issuer(
    sender: str, issuer_id: str, what: str, told: dict[str, Any], *, correlation_id: str | None = "", **ids: str
) -> pb.NotificationRecord:
    """What D1 tells an issuer: `what` is such as `card_operation`. Correlation ids as for `d1`."""
    fields: dict[str, Any] = {"operation_id": "op-1", **ids}
    said = json.dumps({**told, **ids}, sort_keys=True).encode()
    return pb.NotificationRecord(
        kind=Kind.Value(f"NOTIFICATION_KIND_D1_{what.upper()}"),
        sender=sender,
        correlation_id=correlation_id or own_id(),
        correlation_id_given=correlation_id is not None,
        body=said,
        content_digest=hashlib.sha256(said).digest(),
        issuer_id=issuer_id,
        d1_issuer_operation=pb.D1IssuerOperation(**told),
        **fields,
    )


def record(core: RunningCore, *records: pb.NotificationRecord) -> Sequence[pb.RecordResult]:
    """Hands a batch over; one result a record."""
    results = core.gateway.records.RecordNotifications(pb.RecordNotificationsRequest(records=records)).results
    assert len(results) == len(records)
    return results


def told(results: Sequence[pb.RecordResult]) -> list[tuple[str, str]]:
    """Outcomes and states in words."""
    return [
        (
            pb.RecordOutcome.Name(each.outcome).removeprefix("RECORD_OUTCOME_"),
            pb.NotificationState.Name(each.state).removeprefix("NOTIFICATION_STATE_"),
        )
        for each in results
    ]
