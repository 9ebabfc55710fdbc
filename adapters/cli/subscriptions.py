"""`mintmark subscriptions`: places in the stream of events that Mintmark keeps for its clients."""

import json
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapters.cli.events import LONGEST_PAUSE, PASSING, ended_by_ctrl_c, event_line
from adapters.cli.output import Column, Form, Limit, Output, form_of, json_text, line, note, show, show_list, time_text
from adapters.cli.refusals import Refused, usage
from adapters.cli.session import Session, connect, request_id
from adapters.cli.words import enum_numbers, parent, seconds, segment

if TYPE_CHECKING:
    from google.protobuf.duration_pb2 import Duration
    from mintmark.v1 import events_pb2, subscriptions_pb2

subscriptions = typer.Typer(help="Places in the stream of events, kept for clients.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="clients/C/subscriptions/S, or S alone for one's own.")]
Kinds = Annotated[list[str] | None, typer.Option("--kind", help="Only of this kind; repeat for several.")]
Gateway = Annotated[str | None, typer.Option("--merchant-gateway", help="Only of this merchant gateway.")]
Merchant = Annotated[str | None, typer.Option("--merchant", help="Only of this merchant.")]
Issuer = Annotated[str | None, typer.Option("--issuer", help="Only of this issuer.")]
Card = Annotated[str | None, typer.Option("--card", help="Only about this card id.")]
Resource = Annotated[str | None, typer.Option("--resource", help="Only of this resource and those below it.")]
Lease = Annotated[
    str, typer.Option("--lease", help="How long events are left to who pulled them, such as 30s or 5m; 600 s at most.")
]

# One call waits so long; --follow repeats it. It leaves room below the time that a call may take.
WAIT_S = 8

COLUMNS: list[Column] = [
    ("name", lambda each: each.name),
    ("lag", lambda each: str(each.lag)),
    ("outstanding", lambda each: str(each.outstanding_count)),
    ("oldest", lambda each: time_text(each, "oldest_unacknowledged_time")),
    ("acknowledged", lambda each: time_text(each, "last_acknowledge_time")),
    ("acknowledged cursor", lambda each: each.acknowledged_cursor),
]


@subscriptions.command("create")
def create_subscription(
    subscription_id: Annotated[str, typer.Argument(metavar="ID", help="The id, unique among one's own.")],
    start: Annotated[
        str, typer.Option("--from", metavar="CURSOR", help="Begin after this cursor; 0 is the oldest kept; else now.")
    ] = "",
    kind: Kinds = None,
    merchant_gateway: Gateway = None,
    merchant: Merchant = None,
    issuer: Issuer = None,
    card: Card = None,
    resource: Resource = None,
    lease: Lease = "30s",
    output: Output = None,
) -> None:
    """Create a subscription of one's own."""
    from mintmark.v1 import subscriptions_pb2, subscriptions_pb2_grpc

    request = subscriptions_pb2.CreateSubscriptionRequest(
        request_id=request_id(),
        subscription_id=subscription_id,
        filter=_filter(kind, merchant_gateway, merchant, issuer, card, resource),
        start_cursor=start,
        lease_duration=_duration(lease),
    )
    with connect() as session:
        stub = subscriptions_pb2_grpc.SubscriptionsServiceStub(session.channel)
        show(session.call(stub.CreateSubscription, request).subscription, output)


@subscriptions.command("list")
def list_subscriptions(
    client: Annotated[str | None, typer.Option(help="Only those of this client.")] = None,
    limit: Limit = 0,
    output: Output = None,
) -> None:
    """List subscriptions and how far they are behind: one's own, or all where nothing limits what one sees."""
    from mintmark.v1 import subscriptions_pb2, subscriptions_pb2_grpc

    request = subscriptions_pb2.ListSubscriptionsRequest(parent=parent(("clients", client)))
    with connect() as session:
        stub = subscriptions_pb2_grpc.SubscriptionsServiceStub(session.channel)
        show_list(
            session.pages(stub.ListSubscriptions, request, lambda page: page.subscriptions, limit), COLUMNS, output
        )


@subscriptions.command("show")
def show_subscription(name: Name, output: Output = None) -> None:
    """Show one subscription."""
    from mintmark.v1 import subscriptions_pb2, subscriptions_pb2_grpc

    with connect() as session:
        stub = subscriptions_pb2_grpc.SubscriptionsServiceStub(session.channel)
        request = subscriptions_pb2.GetSubscriptionRequest(name=_name(session, name))
        show(session.call(stub.GetSubscription, request).subscription, output)


@subscriptions.command("update")
def update_subscription(
    name: Name,
    kind: Kinds = None,
    merchant_gateway: Gateway = None,
    merchant: Merchant = None,
    issuer: Issuer = None,
    card: Card = None,
    resource: Resource = None,
    everything: Annotated[bool, typer.Option("--everything", help="No filter any more.")] = False,
    lease: Annotated[str | None, typer.Option("--lease", help="How long events are left to who pulled them.")] = None,
    output: Output = None,
) -> None:
    """Replace the whole filter, or the lease, of one's own subscription."""
    from google.protobuf.field_mask_pb2 import FieldMask
    from mintmark.v1 import subscriptions_pb2, subscriptions_pb2_grpc

    filtered = any(value is not None for value in (kind, merchant_gateway, merchant, issuer, card, resource))
    if filtered and everything:
        raise usage("--everything goes without --kind, --merchant-gateway, --merchant, --issuer, --card and --resource")
    mask = (["filter"] if filtered or everything else []) + (["lease_duration"] if lease else [])
    if not mask:
        raise usage(
            "say what to change: --kind, --merchant-gateway, --merchant, --issuer, --card, --resource, --everything "
            "or --lease"
        )
    wanted = subscriptions_pb2.Subscription(
        filter=_filter(kind, merchant_gateway, merchant, issuer, card, resource),
        lease_duration=_duration(lease) if lease else None,
    )
    with connect() as session:
        wanted.name = _name(session, name)
        stub = subscriptions_pb2_grpc.SubscriptionsServiceStub(session.channel)
        request = subscriptions_pb2.UpdateSubscriptionRequest(
            request_id=request_id(), subscription=wanted, update_mask=FieldMask(paths=mask)
        )
        show(session.call(stub.UpdateSubscription, request).subscription, output)


@subscriptions.command("delete")
def delete_subscription(name: Name) -> None:
    """Delete a subscription; it no longer holds up the removal of old events."""
    from mintmark.v1 import subscriptions_pb2, subscriptions_pb2_grpc

    with connect() as session:
        stub = subscriptions_pb2_grpc.SubscriptionsServiceStub(session.channel)
        request = subscriptions_pb2.DeleteSubscriptionRequest(request_id=request_id(), name=_name(session, name))
        session.call(stub.DeleteSubscription, request)


@subscriptions.command("seek")
def seek_subscription(
    name: Name,
    cursor: Annotated[str, typer.Argument(metavar="CURSOR", help="0 is the oldest kept, now passes over everything.")],
    output: Output = None,
) -> None:
    """Move one's own subscription to a cursor; stop those who pull first."""
    from mintmark.v1 import subscriptions_pb2, subscriptions_pb2_grpc

    with connect() as session:
        stub = subscriptions_pb2_grpc.SubscriptionsServiceStub(session.channel)
        request = subscriptions_pb2.SeekSubscriptionRequest(
            request_id=request_id(), name=_name(session, name), cursor=cursor
        )
        show(session.call(stub.SeekSubscription, request).subscription, output)


@subscriptions.command("pull")
def pull_events(
    name: Name,
    limit: Annotated[int, typer.Option("--max", min=1, max=1000, help="So many events at most, or at once.")] = 100,
    acknowledge: Annotated[
        bool, typer.Option("--acknowledge", help="Acknowledge them once they are printed; else they come again.")
    ] = False,
    follow: Annotated[bool, typer.Option("--follow", help="Keep on until Ctrl-C.")] = False,
    output: Output = None,
) -> None:
    """Print events of one's own subscription, one a line."""
    from mintmark.v1 import subscriptions_pb2, subscriptions_pb2_grpc

    as_json = form_of(output) is Form.JSON
    with ended_by_ctrl_c(), connect(streams=True) as session:
        stub = subscriptions_pb2_grpc.SubscriptionsServiceStub(session.channel)
        request = subscriptions_pb2.PullEventsRequest(name=_name(session, name), max_events=limit)
        if follow:
            request.wait.seconds = WAIT_S
        pause = 0.0
        worked = False
        while True:
            try:
                answer = session.call(stub.PullEvents, request)
                for each in answer.events:
                    line(json_text(each) if as_json else _line(each))
                if acknowledge and answer.events:
                    _acknowledge(session, stub, request.name, [each.event.sequence for each in answer.events])
                worked, pause = True, 0.0
            except Refused as refused:
                if not (follow and worked) or refused.reason not in PASSING:
                    raise
                if refused.reason == "ACCESS_TOKEN_INVALID":
                    session.forget_access_token()
                pause = min(LONGEST_PAUSE, 2 * pause or 0.25)
                note(f"{refused.text}; going on in {pause:g} s")
                time.sleep(pause)
            if not follow:
                return


@subscriptions.command("acknowledge")
def acknowledge_events(
    name: Name,
    sequence: Annotated[list[int], typer.Argument(metavar="SEQUENCE...", help="The sequences of the events.")],
) -> None:
    """Acknowledge events of one's own subscription: of each resource the oldest ones first, or together."""
    from mintmark.v1 import subscriptions_pb2_grpc

    with connect() as session:
        stub = subscriptions_pb2_grpc.SubscriptionsServiceStub(session.channel)
        note(f"{_acknowledge(session, stub, _name(session, name), sequence)} acknowledged")


def _acknowledge(session: Session, stub: Any, name: str, sequences: list[int]) -> int:
    from mintmark.v1 import subscriptions_pb2

    request = subscriptions_pb2.AcknowledgeEventsRequest(name=name, sequences=sequences)
    answer: subscriptions_pb2.AcknowledgeEventsResponse = session.call(stub.AcknowledgeEvents, request)
    return answer.acknowledged_count


def _line(pulled: "subscriptions_pb2.PulledEvent") -> str:
    again = f"  delivery {pulled.delivery_count}" if pulled.delivery_count > 1 else ""
    return f"{event_line(pulled.event)}{again}"


def _name(session: Session, text: str) -> str:
    """A name from a name, or from the id of one of our own."""
    if text.startswith("clients/"):
        return text
    credentials = session.settings.credentials("admin")
    # In development mode those without credentials are the client `development`.
    own = json.loads(credentials.read_text())["client_id"] if credentials.is_file() else "development"
    return f"clients/{segment(own)}/subscriptions/{segment(text)}"


def _filter(
    kind: list[str] | None,
    merchant_gateway: str | None,
    merchant: str | None,
    issuer: str | None,
    card: str | None,
    resource: str | None,
) -> "events_pb2.EventFilter":
    from mintmark.v1 import events_pb2

    return events_pb2.EventFilter(
        kinds=enum_numbers(events_pb2.EventKind.DESCRIPTOR, kind, "--kind"),
        merchant_gateway_id=merchant_gateway or "",
        merchant_id=merchant or "",
        issuer_id=issuer or "",
        card_id=card or "",
        resource=resource or "",
    )


def _duration(text: str) -> "Duration":
    from google.protobuf.duration_pb2 import Duration

    return Duration(seconds=seconds(text, "--lease"))
