"""`mintmark notifications`: what partners sent us."""

from typing import Annotated

import typer

from adapters.cli.output import Column, Limit, Output, enum_word, show, show_list, time_text
from adapters.cli.session import connect
from adapters.cli.words import enum_numbers, resource_name

notifications = typer.Typer(help="What partners sent us.", no_args_is_help=True)

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


@notifications.command("list")
def list_notifications(
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; repeat for several.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only of this kind; repeat for several.")] = None,
    merchant_gateway: Annotated[str, typer.Option(help="Only this merchant gateway's.")] = "",
    merchant: Annotated[str, typer.Option(help="Only this merchant's.")] = "",
    token: Annotated[str, typer.Option(help="Only about this token id.")] = "",
    device: Annotated[str, typer.Option(help="Only about this device id.")] = "",
    correlation_id: Annotated[str, typer.Option(help="Only with this correlation id.")] = "",
    limit: Limit = 0,
    output: Output = None,
) -> None:
    """List notifications, the newest first."""
    from mintmark.v1 import notifications_pb2, notifications_pb2_grpc

    request = notifications_pb2.ListNotificationsRequest(
        states=enum_numbers(notifications_pb2.NotificationState.DESCRIPTOR, state, "--state"),
        kinds=enum_numbers(notifications_pb2.NotificationKind.DESCRIPTOR, kind, "--kind"),
        merchant_gateway_id=merchant_gateway,
        merchant_id=merchant,
        token_id=token,
        device_id=device,
        correlation_id=correlation_id,
    )
    with connect() as session:
        stub = notifications_pb2_grpc.NotificationsServiceStub(session.channel)
        pages = session.pages(stub.ListNotifications, request, lambda page: page.notifications, limit)
        show_list(pages, COLUMNS, output)


@notifications.command("show")
def show_notification(
    name: Annotated[str, typer.Argument(help="notifications/{id}, or the id alone")], output: Output = None
) -> None:
    """Show one notification with its body, card numbers cut."""
    from mintmark.v1 import notifications_pb2, notifications_pb2_grpc

    request = notifications_pb2.GetNotificationRequest(name=resource_name("notifications", name))
    with connect() as session:
        stub = notifications_pb2_grpc.NotificationsServiceStub(session.channel)
        show(session.call(stub.GetNotification, request).notification, output)
