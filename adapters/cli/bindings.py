"""`mintmark bindings`: the devices bound to tokens."""

from typing import Annotated

import typer

from adapters.cli.output import Column, Limit, Output, enum_word, show, show_list, time_text
from adapters.cli.session import connect
from adapters.cli.words import enum_numbers, parent

bindings = typer.Typer(help="Devices bound to tokens.", no_args_is_help=True)

COLUMNS: list[Column] = [
    ("name", lambda binding: binding.name),
    ("state", lambda binding: binding.state_text or enum_word(binding, "state")),
    ("device", lambda binding: binding.device_type_text),
    ("app", lambda binding: binding.app_type_text),
    ("updated", lambda binding: time_text(binding, "update_time")),
    ("deliveries", lambda binding: str(binding.delivery_count)),
]


@bindings.command("list")
def list_bindings(
    merchant_gateway: Annotated[str | None, typer.Option(help="Only this merchant gateway's.")] = None,
    merchant: Annotated[str | None, typer.Option(help="Only this merchant's.")] = None,
    token: Annotated[str | None, typer.Option(help="Only this token id's.")] = None,
    device: Annotated[str, typer.Option(help="Only this device id's.")] = "",
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; repeat for several.")] = None,
    limit: Limit = 0,
    output: Output = None,
) -> None:
    """List bindings."""
    from mintmark.v1 import bindings_pb2, bindings_pb2_grpc

    request = bindings_pb2.ListBindingsRequest(
        parent=parent(("merchantGateways", merchant_gateway), ("merchants", merchant), ("tokens", token)),
        device_id=device,
        states=enum_numbers(bindings_pb2.BindingState.DESCRIPTOR, state, "--state"),
    )
    with connect() as session:
        stub = bindings_pb2_grpc.BindingsServiceStub(session.channel)
        show_list(session.pages(stub.ListBindings, request, lambda page: page.bindings, limit), COLUMNS, output)


@bindings.command("show")
def show_binding(
    name: Annotated[str, typer.Argument(help="merchantGateways/{g}/merchants/{m}/tokens/{t}/bindings/{device}")],
    output: Output = None,
) -> None:
    """Show one binding."""
    from mintmark.v1 import bindings_pb2, bindings_pb2_grpc

    with connect() as session:
        stub = bindings_pb2_grpc.BindingsServiceStub(session.channel)
        show(session.call(stub.GetBinding, bindings_pb2.GetBindingRequest(name=name)).binding, output)
