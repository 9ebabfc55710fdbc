"""`mintmark events`: what happened, as it happens."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from adapters.cli.output import Form, Output, enum_word, form_of, json_text, line, note
from adapters.cli.refusals import Refused, translated
from adapters.cli.session import Session, connect
from adapters.cli.words import enum_numbers

if TYPE_CHECKING:
    from mintmark.v1 import events_pb2

events = typer.Typer(help="What happened.", no_args_is_help=True)

# A stream that breaks begins again at its cursor; these are worth waiting for.
PASSING = {"UNREACHABLE", "SHUTTING_DOWN", "STORE_UNAVAILABLE", "TOO_MANY_CALLS", "ACCESS_TOKEN_INVALID"}
LONGEST_PAUSE = 5.0
# How long a tail that is to end by itself waits for a core that is gone.
PATIENCE = 30.0
HEAD_SECONDS = 5.0


@events.callback()
def _events() -> None:
    """What happened. A callback keeps `tail` a subcommand."""


@events.command("tail")
def tail_events(
    start: Annotated[
        str, typer.Option("--from", metavar="CURSOR", help="Begin after this cursor; 0 is the oldest kept; else now.")
    ] = "",
    until_caught_up: Annotated[
        bool, typer.Option("--until-caught-up", help="End when there is nothing newer.")
    ] = False,
    kind: Annotated[list[str] | None, typer.Option(help="Only of this kind; repeat for several.")] = None,
    merchant_gateway: Annotated[str, typer.Option(help="Only of this merchant gateway.")] = "",
    merchant: Annotated[str, typer.Option(help="Only of this merchant.")] = "",
    issuer: Annotated[str, typer.Option(help="Only of this issuer.")] = "",
    card: Annotated[str, typer.Option(help="Only about this card id.")] = "",
    resource: Annotated[str, typer.Option(help="Only of the resource with this name and those below it.")] = "",
    output: Output = None,
) -> None:
    """Follow events, one a line; a broken stream goes on from its cursor."""
    from mintmark.v1 import events_pb2

    chosen = events_pb2.EventFilter(
        kinds=enum_numbers(events_pb2.EventKind.DESCRIPTOR, kind, "--kind"),
        merchant_gateway_id=merchant_gateway,
        merchant_id=merchant,
        issuer_id=issuer,
        card_id=card,
        resource=resource,
    )
    as_json = form_of(output) is Form.JSON
    with ended_by_ctrl_c(), connect(streams=True) as session:
        for event in follow(session, start, chosen, until_caught_up=until_caught_up):
            line(json_text(event) if as_json else event_line(event))


@contextmanager
def ended_by_ctrl_c() -> Iterator[None]:
    """Ctrl-C ends the process at once: as an exception it could get lost in a callback of gRPC's. Lines are whole."""
    before = signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def event_line(event: "events_pb2.Event") -> str:
    """An event for people: its place, time, kind, resource, and what else there is to say."""
    at = event.time.ToJsonString()[11:19]
    snapshot = event.WhichOneof("snapshot")
    state = getattr(event, snapshot).state_text if snapshot in ("token", "binding") else ""
    said = " ".join(f"{key}={value}" for key, value in sorted(event.details.items()))
    parts = [f"{event.sequence:>6}", at, f"{enum_word(event, 'kind'):<24}", event.resource, state, said]
    return "  ".join(part for part in parts if part)


def follow(
    session: Session,
    cursor: str,
    chosen: "events_pb2.EventFilter",
    *,
    until_caught_up: bool,
    tell: Callable[[str], None] = note,
) -> Iterator["events_pb2.Event"]:
    """Events after `cursor`, each at least once. Reconnects from the last cursor once a stream has worked, and says so
    by `tell`.

    Raises Refused where the first connection fails, the cursor is out of range, or, with `until_caught_up`, the core
    stays away for 30 s.
    """
    from mintmark.v1 import events_pb2, events_pb2_grpc

    stub = events_pb2_grpc.EventsServiceStub(session.channel)
    worked = False
    pause = 0.0
    gone_since = 0.0
    while True:
        try:
            metadata = session.metadata()
            with translated(session.address):
                request = events_pb2.StreamEventsRequest(cursor=cursor, filter=chosen)
                stream = stub.StreamEvents(request, metadata=metadata)
                for message in stream:
                    worked, pause, gone_since = True, 0.0, 0.0
                    yield from message.events
                    cursor = message.cursor or cursor
                    if until_caught_up and message.caught_up:
                        stream.cancel()
                        return
            broken = Refused("the stream ended", reason="UNREACHABLE")
        except Refused as refused:
            broken = refused
        if not worked or broken.reason not in PASSING:
            raise broken
        gone_since = gone_since or time.monotonic()
        if until_caught_up and time.monotonic() - gone_since > PATIENCE:
            raise broken
        if broken.reason == "ACCESS_TOKEN_INVALID":
            session.forget_access_token()
        if pause:
            tell(f"{broken.text}; going on from {cursor} in {pause:g} s")
        time.sleep(pause)
        pause = min(LONGEST_PAUSE, 2 * pause or 0.25)


def head(session: Session) -> str:
    """The cursor after the newest event: the first heartbeat of a stream has it, within a second. Raises Refused."""
    from google.protobuf.duration_pb2 import Duration
    from mintmark.v1 import events_pb2, events_pb2_grpc

    stub = events_pb2_grpc.EventsServiceStub(session.channel)
    metadata = session.metadata()
    with translated(session.address):
        request = events_pb2.StreamEventsRequest(heartbeat_interval=Duration(seconds=1))
        stream = stub.StreamEvents(request, metadata=metadata, timeout=HEAD_SECONDS)
        for message in stream:
            stream.cancel()
            return message.cursor
    return "0"
