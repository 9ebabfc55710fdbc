"""Which notifications: the options that `notifications list` and `replays create` share."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from adapters.cli.refusals import usage
from adapters.cli.words import enum_numbers, seconds

if TYPE_CHECKING:
    from google.protobuf.timestamp_pb2 import Timestamp
    from mintmark.v1 import notifications_pb2

States = Annotated[list[str] | None, typer.Option("--state", help="Only in this state; repeat for several.")]
Kinds = Annotated[list[str] | None, typer.Option("--kind", help="Only of this kind; repeat for several.")]
Partners = Annotated[list[str] | None, typer.Option("--partner", help="Only of D1 or TSH; repeat for several.")]
MerchantGateway = Annotated[str, typer.Option("--merchant-gateway", help="Only this merchant gateway's.")]
Merchant = Annotated[str, typer.Option("--merchant", help="Only this merchant's.")]
TokenId = Annotated[str, typer.Option("--token", help="Only about this token id.")]
Device = Annotated[str, typer.Option("--device", help="Only about this device id.")]
Issuer = Annotated[str, typer.Option("--issuer", help="Only to this issuer.")]
Card = Annotated[str, typer.Option("--card", help="Only about this card id (of an issuer).")]
CorrelationId = Annotated[str, typer.Option("--correlation-id", help="Only with this correlation id.")]
Sender = Annotated[str, typer.Option("--sender", help="Only from clients/{c}, apiKeys/{k} or partnerAccounts/{a}.")]
Since = Annotated[
    str, typer.Option("--since", help="Only stored at this time or later: 2026-11-25T03:00:00Z, or 90m or 2d ago.")
]
Until = Annotated[str, typer.Option("--until", help="Only stored before this time; as --since.")]
Reasons = Annotated[
    list[str] | None, typer.Option("--quarantine-reason", help="Only kept for this reason; repeat for several.")
]
Resource = Annotated[str, typer.Option("--resource", help="Only of the resource with this name and those below it.")]
Flags = Annotated[list[str] | None, typer.Option("--flag", help="Only with this flag; repeat for several.")]


def notification_filter(
    *,
    states: list[str] | None,
    kinds: list[str] | None,
    partners: list[str] | None,
    merchant_gateway: str,
    merchant: str,
    token_id: str,
    device: str,
    issuer: str,
    card: str,
    correlation_id: str,
    sender: str,
    since: str,
    until: str,
    reasons: list[str] | None,
    resource: str,
    flags: list[str] | None,
) -> "notifications_pb2.NotificationFilter":
    """The filter that the options say. Raises Refused (usage)."""
    from mintmark.v1 import notifications_pb2 as pb

    return pb.NotificationFilter(
        states=enum_numbers(pb.NotificationState.DESCRIPTOR, states, "--state"),
        kinds=enum_numbers(pb.NotificationKind.DESCRIPTOR, kinds, "--kind"),
        partners=enum_numbers(pb.Partner.DESCRIPTOR, partners, "--partner"),
        merchant_gateway_id=merchant_gateway,
        merchant_id=merchant,
        token_id=token_id,
        device_id=device,
        issuer_id=issuer,
        card_id=card,
        correlation_id=correlation_id,
        sender=sender,
        start_time=moment(since, "--since"),
        end_time=moment(until, "--until"),
        quarantine_reasons=enum_numbers(pb.QuarantineReason.DESCRIPTOR, reasons, "--quarantine-reason"),
        resource=resource,
        flags=enum_numbers(pb.NotificationFlag.DESCRIPTOR, flags, "--flag"),
    )


def moment(text: str, option: str) -> "Timestamp | None":
    """A time: RFC 3339, or how long ago, such as `90m`. None for nothing. Raises Refused (usage)."""
    from google.protobuf.timestamp_pb2 import Timestamp

    if not text:
        return None
    made = Timestamp()
    if "T" not in text:
        made.FromSeconds(max(0, int(time.time()) - seconds(text, option)))
        return made
    try:
        made.FromJsonString(text)
    except ValueError:
        raise usage(f"{option}: {text!r} is no time such as 2026-11-25T03:00:00Z") from None
    return made
