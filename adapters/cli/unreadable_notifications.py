"""`mintmark unreadable-notifications`: what the acquirer sent and no key opens."""

from typing import Annotated, Any

import typer

from adapters.cli.output import Column, Form, Limit, Output, form_of, line, show, show_list, time_text
from adapters.cli.session import Session, connect, request_id
from adapters.cli.words import resource_name

unreadable_notifications = typer.Typer(
    help="Notifications of the acquirer's that no key of their webhook config opens.", no_args_is_help=True
)

COLUMNS: list[Column] = [
    ("notification", lambda kept: kept.name),
    ("bytes", lambda kept: str(kept.size)),
    ("deliveries", lambda kept: str(kept.delivery_count)),
    ("received", lambda kept: time_text(kept, "receive_time")),
    ("last delivery", lambda kept: time_text(kept, "last_delivery_time")),
    ("correlation id", lambda kept: kept.correlation_id),
]


@unreadable_notifications.command("list")
def list_unreadable(
    webhook_config: Annotated[str, typer.Option(help="Only of this webhook config.")] = "",
    limit: Limit = 0,
    output: Output = None,
) -> None:
    """List them, the newest first."""
    from mintmark.v1 import acquirer_notifications_pb2 as pb

    config = resource_name("webhookConfigs", webhook_config) if webhook_config else ""
    request = pb.ListUnreadableNotificationsRequest(webhook_config=config)
    with connect() as session:
        method = _stub(session).ListUnreadableNotifications
        show_list(session.pages(method, request, lambda page: page.unreadable_notifications, limit), COLUMNS, output)


@unreadable_notifications.command("open")
def open_unreadable(
    webhook_config: Annotated[str, typer.Argument(help="webhookConfigs/{w}, or its id alone.")], output: Output = None
) -> None:
    """Try those of a webhook config again. What opens is applied, as if it came now."""
    from mintmark.v1 import acquirer_notifications_pb2 as pb

    name = resource_name("webhookConfigs", webhook_config)
    request = pb.OpenUnreadableNotificationsRequest(request_id=request_id(), webhook_config=name)
    with connect() as session:
        answer = session.call(_stub(session).OpenUnreadableNotifications, request)
    if form_of(output) is Form.JSON:
        show(answer, output)
    else:
        line(f"{answer.opened_count} were opened, {answer.unreadable_count} no key opens still")


def _stub(session: Session) -> Any:
    from mintmark.v1 import acquirer_notifications_pb2_grpc

    return acquirer_notifications_pb2_grpc.UnreadableNotificationsServiceStub(session.channel)
