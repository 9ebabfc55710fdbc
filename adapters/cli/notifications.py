"""`mintmark notifications`: what partners sent us."""

import json
from typing import TYPE_CHECKING, Annotated

import typer

from adapters.cli import notification_filters as filters
from adapters.cli.output import (
    Column,
    Form,
    Limit,
    Output,
    enum_word,
    form_of,
    json_text,
    line,
    show,
    show_list,
    time_text,
)
from adapters.cli.session import connect, request_id
from adapters.cli.words import resource_name

if TYPE_CHECKING:
    from mintmark.v1 import notifications_pb2

notifications = typer.Typer(help="What partners sent us.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="notifications/{id}, or the id alone")]

COLUMNS: list[Column] = [
    ("name", lambda notification: notification.name),
    ("received", lambda notification: time_text(notification, "receive_time")),
    ("kind", lambda notification: enum_word(notification, "kind")),
    ("state", lambda notification: enum_word(notification, "state")),
    ("quarantine", lambda notification: enum_word(notification, "quarantine_reason")),
    ("resource", lambda notification: notification.resource),
    ("sender", lambda notification: notification.sender),
    ("deliveries", lambda notification: str(notification.delivery_count)),
]
DIFFERENCES: list[Column] = [
    ("field", lambda difference: difference.path),
    ("before", lambda difference: difference.before),
    ("after", lambda difference: difference.after),
]


@notifications.command("list")
def list_notifications(
    state: filters.States = None,
    kind: filters.Kinds = None,
    partner: filters.Partners = None,
    merchant_gateway: filters.MerchantGateway = "",
    merchant: filters.Merchant = "",
    token: filters.TokenId = "",
    device: filters.Device = "",
    issuer: filters.Issuer = "",
    card: filters.Card = "",
    correlation_id: filters.CorrelationId = "",
    sender: filters.Sender = "",
    since: filters.Since = "",
    until: filters.Until = "",
    quarantine_reason: filters.Reasons = None,
    resource: filters.Resource = "",
    flag: filters.Flags = None,
    limit: Limit = 0,
    output: Output = None,
) -> None:
    """List notifications, the newest first."""
    from mintmark.v1 import notifications_pb2, notifications_pb2_grpc

    chosen = filters.notification_filter(
        states=state,
        kinds=kind,
        partners=partner,
        merchant_gateway=merchant_gateway,
        merchant=merchant,
        token_id=token,
        device=device,
        issuer=issuer,
        card=card,
        correlation_id=correlation_id,
        sender=sender,
        since=since,
        until=until,
        reasons=quarantine_reason,
        resource=resource,
        flags=flag,
    )
    request = notifications_pb2.ListNotificationsRequest(**{field.name: value for field, value in chosen.ListFields()})
    with connect() as session:
        stub = notifications_pb2_grpc.NotificationsServiceStub(session.channel)
        pages = session.pages(stub.ListNotifications, request, lambda page: page.notifications, limit)
        show_list(pages, COLUMNS, output)


@notifications.command("show")
def show_notification(name: Name, output: Output = None) -> None:
    """Show one notification with its body, card numbers cut."""
    from mintmark.v1 import notifications_pb2, notifications_pb2_grpc

    request = notifications_pb2.GetNotificationRequest(name=resource_name("notifications", name))
    with connect() as session:
        stub = notifications_pb2_grpc.NotificationsServiceStub(session.channel)
        found = session.call(stub.GetNotification, request).notification
    if form_of(output) is Form.JSON:
        show(found, output)
        return
    body = found.redacted_body
    found.ClearField("redacted_body")
    show(found, output)
    line("")
    line(readable(body))


def readable(body: str) -> str:
    """A body for people: JSON one field a line, anything else as it came. What a terminal would obey is escaped."""
    try:
        text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        text = body
    return "".join(each if each.isprintable() or each == "\n" else repr(each)[1:-1] for each in text)


@notifications.command("replay")
def replay_notification(
    name: Name,
    apply: Annotated[bool, typer.Option("--apply", help="Make it real; else only show what would change.")] = False,
    output: Output = None,
) -> None:
    """Decide one notification again by today's rules, and show what differs."""
    from mintmark.v1 import notifications_pb2, notifications_pb2_grpc

    name = resource_name("notifications", name)
    with connect() as session:
        stub = notifications_pb2_grpc.NotificationsServiceStub(session.channel)
        if apply:
            request = notifications_pb2.ReplayNotificationRequest(request_id=request_id(), name=name)
            replay = session.call(stub.ReplayNotification, request).replay
        else:
            planning = notifications_pb2.PlanNotificationReplayRequest(name=name)
            replay = session.call(stub.PlanNotificationReplay, planning).replay
    if form_of(output) is Form.JSON:
        line(json_text(replay))
        return
    line(said(replay, applied=apply))
    if replay.differences:
        show_list(replay.differences, DIFFERENCES, output)


def said(replay: "notifications_pb2.NotificationReplay", *, applied: bool) -> str:
    """What a replay found, in a line."""
    if not replay.differs:
        return f"{replay.notification}: nothing differs"
    before, after = decision_text(replay.before), decision_text(replay.after)
    became = before if before == after else f"{before} -> {after}"
    end = "replayed" if applied else "nothing was changed: repeat with --apply to replay it"
    return f"{replay.notification}: {became}; {end}"


def decision_text(decision: "notifications_pb2.NotificationDecision") -> str:
    """A decision in a few words: the state, why, and what is odd."""
    from mintmark.v1 import notifications_pb2

    words = [enum_word(decision, "state"), enum_word(decision, "quarantine_reason")]
    flags = [notifications_pb2.NotificationFlag.Name(flag) for flag in decision.flags]
    words += [flag.removeprefix("NOTIFICATION_FLAG_") for flag in flags]
    return " ".join(word for word in words if word)
