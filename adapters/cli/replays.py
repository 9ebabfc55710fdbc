"""`mintmark replays`: many notifications decided again by today's rules."""

import time
from typing import TYPE_CHECKING, Annotated

import typer

from adapters.cli import notification_filters as filters
from adapters.cli.notifications import decision_text
from adapters.cli.output import (
    Column,
    Limit,
    Output,
    enum_word,
    note,
    show,
    show_list,
    time_text,
)
from adapters.cli.session import Session, connect, request_id
from adapters.cli.words import resource_name

if TYPE_CHECKING:
    from mintmark.v1 import notifications_pb2, replays_pb2

replays = typer.Typer(help="Many notifications decided again by today's rules.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="replays/{id}, or the id alone")]
Follow = Annotated[bool, typer.Option("--follow", help="Show the progress until it ends.")]

LOOK_SECONDS = 0.5

COLUMNS: list[Column] = [
    ("name", lambda replay: replay.name),
    ("created", lambda replay: time_text(replay, "create_time")),
    ("state", lambda replay: enum_word(replay, "state")),
    ("dry run", lambda replay: "yes" if replay.dry_run else "no"),
    ("examined", lambda replay: str(replay.examined_count)),
    ("different", lambda replay: str(replay.different_count)),
    ("applied", lambda replay: str(replay.applied_count)),
    ("refused", lambda replay: str(replay.refused_count)),
    ("by", lambda replay: replay.client),
    ("reason", lambda replay: replay.reason),
]
RESULTS: list[Column] = [
    ("notification", lambda result: result.replay.notification),
    ("before", lambda result: decision_text(result.replay.before)),
    ("after", lambda result: decision_text(result.replay.after)),
    ("differences", lambda result: "\n".join(map(_difference, result.replay.differences))),
    ("applied", lambda result: "yes" if result.applied else ""),
    ("refused", lambda result: result.cause),
]


def _difference(difference: "notifications_pb2.FieldDifference") -> str:
    return f"{difference.path}: {difference.before or '-'} -> {difference.after or '-'}"


@replays.command("create")
def create_replay(
    reason: Annotated[str, typer.Option("--reason", help="Why, for those who look at it later.")],
    apply: Annotated[bool, typer.Option("--apply", help="Make it real; else only find out what would change.")] = False,
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
    follow: Follow = False,
    output: Output = None,
) -> None:
    """Decide all notifications that match again, in the background, the oldest first."""
    from mintmark.v1 import replays_pb2, replays_pb2_grpc

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
    request = replays_pb2.CreateReplayRequest(request_id=request_id(), filter=chosen, dry_run=not apply, reason=reason)
    with connect() as session:
        stub = replays_pb2_grpc.ReplaysServiceStub(session.channel)
        made = session.call(stub.CreateReplay, request).replay
        show(_followed(session, made) if follow else made, output)


@replays.command("list")
def list_replays(limit: Limit = 0, output: Output = None) -> None:
    """List replays, the newest first."""
    from mintmark.v1 import replays_pb2, replays_pb2_grpc

    with connect() as session:
        stub = replays_pb2_grpc.ReplaysServiceStub(session.channel)
        request = replays_pb2.ListReplaysRequest()
        show_list(session.pages(stub.ListReplays, request, lambda page: page.replays, limit), COLUMNS, output)


@replays.command("show")
def show_replay(name: Name, follow: Follow = False, output: Output = None) -> None:
    """Show one replay with its progress."""
    with connect() as session:
        found = _read(session, resource_name("replays", name))
        show(_followed(session, found) if follow else found, output)


@replays.command("results")
def list_results(name: Name, limit: Limit = 0, output: Output = None) -> None:
    """List the notifications that differ or could not be replayed."""
    from mintmark.v1 import replays_pb2, replays_pb2_grpc

    request = replays_pb2.ListReplayResultsRequest(name=resource_name("replays", name))
    with connect() as session:
        stub = replays_pb2_grpc.ReplaysServiceStub(session.channel)
        show_list(session.pages(stub.ListReplayResults, request, lambda page: page.results, limit), RESULTS, output)


@replays.command("cancel")
def cancel_replay(name: Name, output: Output = None) -> None:
    """End a replay where it stands; what it has changed stays."""
    from mintmark.v1 import replays_pb2, replays_pb2_grpc

    request = replays_pb2.CancelReplayRequest(request_id=request_id(), name=resource_name("replays", name))
    with connect() as session:
        stub = replays_pb2_grpc.ReplaysServiceStub(session.channel)
        show(session.call(stub.CancelReplay, request).replay, output)


def _read(session: Session, name: str) -> "replays_pb2.Replay":
    from mintmark.v1 import replays_pb2, replays_pb2_grpc

    stub = replays_pb2_grpc.ReplaysServiceStub(session.channel)
    return session.call(stub.GetReplay, replays_pb2.GetReplayRequest(name=name)).replay


def _followed(session: Session, replay: "replays_pb2.Replay") -> "replays_pb2.Replay":
    """The replay once it has ended; each new count is told on stderr."""
    from mintmark.v1 import replays_pb2

    told = ""
    while True:
        progress = _progress(replay)
        if progress != told:
            note(progress)
            told = progress
        if replay.state != replays_pb2.REPLAY_STATE_RUNNING:
            return replay
        time.sleep(LOOK_SECONDS)
        replay = _read(session, replay.name)


def _progress(replay: "replays_pb2.Replay") -> str:
    total = f" of {replay.total_count}" if replay.HasField("total_count") else ""
    return (
        f"{replay.examined_count}{total} examined, {replay.different_count} different, "
        f"{replay.applied_count} applied, {replay.refused_count} refused"
    )
