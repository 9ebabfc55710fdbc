"""`mintmark issuer-operations`: what Thales D1 tells card issuers of operations."""

from typing import Annotated, Any

import typer

from adapters.cli.output import Column, Limit, Output, enum_word, show, show_list, time_text
from adapters.cli.session import Session, connect
from adapters.cli.words import enum_numbers

issuer_operations = typer.Typer(
    help="What Thales D1 tells card issuers: operations on cards, digital cards and consumers.", no_args_is_help=True
)

Name = Annotated[
    str,
    typer.Argument(
        help="The whole name, such as issuers/{i}/cards/{c}/operations/{o}; `issuer-operations list` shows names."
    ),
]


def _about(operation: Any) -> str:
    return str(operation.digital_card_id or operation.consumer_id or operation.card_id)


def _state(operation: Any) -> str:
    # What is not on our list is shown as it came.
    return str(operation.state_text) or enum_word(operation, "state")


COLUMNS: list[Column] = [
    ("name", lambda operation: operation.name),
    ("kind", lambda operation: enum_word(operation, "kind")),
    ("about", _about),
    ("operation", lambda operation: operation.operation),
    ("state", _state),
    ("error", lambda operation: operation.error_code or operation.error),
    ("at D1", lambda operation: time_text(operation, "partner_order_time")),
    ("changed", lambda operation: time_text(operation, "update_time")),
    ("deliveries", lambda operation: str(operation.delivery_count)),
]


@issuer_operations.command("list")
def list_operations(
    issuer: Annotated[str, typer.Option(help="Only this issuer's.")] = "",
    kind: Annotated[list[str] | None, typer.Option(help="Only of this kind; repeat for several.")] = None,
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; repeat for several.")] = None,
    card: Annotated[str, typer.Option(help="Only of this card id.")] = "",
    digital_card: Annotated[str, typer.Option(help="Only of this digital card id.")] = "",
    operation_id: Annotated[
        str, typer.Option(help="Only with this id of D1's; of authorisations the retrieval reference number.")
    ] = "",
    limit: Limit = 0,
    output: Output = None,
) -> None:
    """List operations."""
    from mintmark.v1 import issuer_operations_pb2 as pb

    request = pb.ListIssuerOperationsRequest(
        issuer_id=issuer,
        kinds=enum_numbers(pb.IssuerOperationKind.DESCRIPTOR, kind, "--kind"),
        states=enum_numbers(pb.IssuerOperationState.DESCRIPTOR, state, "--state"),
        card_id=card,
        digital_card_id=digital_card,
        operation_id=operation_id,
    )
    with connect() as session:
        method = _stub(session).ListIssuerOperations
        show_list(session.pages(method, request, lambda page: page.issuer_operations, limit), COLUMNS, output)


@issuer_operations.command("show")
def show_operation(name: Name, output: Output = None) -> None:
    """Show one operation."""
    from mintmark.v1 import issuer_operations_pb2 as pb

    with connect() as session:
        request = pb.GetIssuerOperationRequest(name=name)
        show(session.call(_stub(session).GetIssuerOperation, request).issuer_operation, output)


def _stub(session: Session) -> Any:
    from mintmark.v1 import issuer_operations_pb2_grpc

    return issuer_operations_pb2_grpc.IssuerOperationsServiceStub(session.channel)
