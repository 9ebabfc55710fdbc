"""`mintmark consumers`: the cardholders of card issuers, and what D1 is told of them."""

from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.cli.output import Column, Limit, Output, enum_word, show, show_list, time_text
from adapters.cli.private_files import STDIN
from adapters.cli.session import Session, connect, request_id
from adapters.cli.words import enum_numbers

consumers = typer.Typer(help="The cardholders of card issuers: what D1 is told of them.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="issuers/{i}/consumers/{c}; `consumers list` shows names.")]
PersonalData = Annotated[
    Path,
    typer.Option(
        "--personal-data",
        help="A YAML or JSON file that only you may read (0600): first_name, last_name, email and what else "
        "PersonalData has; - is stdin.",
    ),
]
OwnRequestId = Annotated[
    str, typer.Option("--request-id", help="A UUID; the same command with it again does it only once.")
]

COLUMNS: list[Column] = [
    ("name", lambda consumer: consumer.name),
    ("state", lambda consumer: enum_word(consumer, "state")),
    ("registered", lambda consumer: time_text(consumer, "create_time")),
    ("changed", lambda consumer: time_text(consumer, "update_time")),
]


@consumers.command("register")
def register_consumer(
    issuer: Annotated[str, typer.Argument(help="The issuer, as D1 writes it.")],
    consumer: Annotated[str, typer.Argument(help="The issuer's id of the consumer.")],
    personal_data: PersonalData = STDIN,
    own_request_id: OwnRequestId = "",
    output: Output = None,
) -> None:
    """Make a consumer known, with its personal data from a file or stdin; it may be empty."""
    from mintmark.v1 import consumers_pb2 as pb

    from adapters.cli.personal_files import read_person

    request = pb.RegisterConsumerRequest(
        request_id=own_request_id or request_id(),
        issuer_id=issuer,
        consumer_id=consumer,
        personal_data=read_person(personal_data),
    )
    with connect() as session:
        _show_done(session.call(_stub(session).RegisterConsumer, request).consumer, output)


@consumers.command("replace")
def replace_consumer(
    name: Name, personal_data: PersonalData = STDIN, own_request_id: OwnRequestId = "", output: Output = None
) -> None:
    """Give a consumer other personal data, in place of all that is kept."""
    from mintmark.v1 import consumers_pb2 as pb

    from adapters.cli.personal_files import read_person

    request = pb.ReplaceConsumerRequest(
        request_id=own_request_id or request_id(), name=name, personal_data=read_person(personal_data)
    )
    with connect() as session:
        _show_done(session.call(_stub(session).ReplaceConsumer, request).consumer, output)


@consumers.command("suspend")
def suspend_consumer(name: Name, own_request_id: OwnRequestId = "", output: Output = None) -> None:
    """Take a consumer out of use: D1 is not told of it, and its cards verify as invalid."""
    from mintmark.v1 import consumers_pb2 as pb

    request = pb.SuspendConsumerRequest(request_id=own_request_id or request_id(), name=name)
    with connect() as session:
        show(session.call(_stub(session).SuspendConsumer, request).consumer, output)


@consumers.command("resume")
def resume_consumer(name: Name, own_request_id: OwnRequestId = "", output: Output = None) -> None:
    """Take a suspended consumer into use again."""
    from mintmark.v1 import consumers_pb2 as pb

    request = pb.ResumeConsumerRequest(request_id=own_request_id or request_id(), name=name)
    with connect() as session:
        show(session.call(_stub(session).ResumeConsumer, request).consumer, output)


@consumers.command("delete")
def delete_consumer(name: Name, own_request_id: OwnRequestId = "", output: Output = None) -> None:
    """Delete a consumer for good: its personal data is erased. Its cards have to be deleted before."""
    from mintmark.v1 import consumers_pb2 as pb

    request = pb.DeleteConsumerRequest(request_id=own_request_id or request_id(), name=name)
    with connect() as session:
        show(session.call(_stub(session).DeleteConsumer, request).consumer, output)


@consumers.command("show")
def show_consumer(name: Name, output: Output = None) -> None:
    """Show one consumer with its personal data."""
    from mintmark.v1 import consumers_pb2 as pb

    with connect() as session:
        show(session.call(_stub(session).GetConsumer, pb.GetConsumerRequest(name=name)).consumer, output)


@consumers.command("list")
def list_consumers(
    issuer: Annotated[str, typer.Option(help="Only this issuer's.")] = "",
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; repeat for several.")] = None,
    limit: Limit = 0,
    output: Output = None,
) -> None:
    """List consumers, without personal data."""
    from mintmark.v1 import consumers_pb2 as pb

    request = pb.ListConsumersRequest(
        issuer_id=issuer, states=enum_numbers(pb.ConsumerState.DESCRIPTOR, state, "--state")
    )
    with connect() as session:
        method = _stub(session).ListConsumers
        show_list(session.pages(method, request, lambda page: page.consumers, limit), COLUMNS, output)


def _show_done(consumer: Any, output: Output) -> None:
    """What was done, without the person: whoever typed the command has it, and terminals keep what they show."""
    consumer.ClearField("personal_data")
    show(consumer, output)


def _stub(session: Session) -> Any:
    from mintmark.v1 import consumers_pb2_grpc

    return consumers_pb2_grpc.ConsumersServiceStub(session.channel)
