"""`mintmark clients`: those who call us with access tokens."""

from typing import TYPE_CHECKING, Annotated

import typer

from adapters.cli.output import (
    Column,
    Form,
    Limit,
    Output,
    enum_word,
    form_of,
    json_line,
    json_object,
    line,
    note,
    show,
    show_list,
    time_text,
)
from adapters.cli.refusals import usage
from adapters.cli.session import connect, request_id
from adapters.cli.words import resource_name, seconds, secret_from_stdin

if TYPE_CHECKING:
    from mintmark.v1 import clients_pb2

clients = typer.Typer(help="Those who call us with access tokens.", no_args_is_help=True)

Id = Annotated[str, typer.Argument(metavar="ID", help="The client id.")]
SecretStdin = Annotated[bool, typer.Option("--secret-stdin", help="Take over a secret that exists: read from stdin.")]
Weak = Annotated[bool, typer.Option("--weak", help="Allow a taken-over secret of under 16 characters.")]

COLUMNS: list[Column] = [
    ("client id", lambda client: client.client_id),
    ("state", lambda client: enum_word(client, "state")),
    ("scopes", lambda client: " ".join(client.scopes)),
    ("merchant gateways", lambda client: " ".join(client.merchant_gateway_ids)),
    ("merchants", lambda client: " ".join(client.merchant_ids)),
    ("issuers", lambda client: " ".join(client.issuer_ids)),
    ("secrets", lambda client: str(len(client.secrets))),
    ("created", lambda client: time_text(client, "create_time")),
]


@clients.command("create")
def create_client(
    client_id: Id,
    scope: Annotated[list[str] | None, typer.Option(help="A scope that it may have; repeat for several.")] = None,
    merchant_gateway: Annotated[
        list[str] | None, typer.Option(help="A merchant gateway that it may speak for and see; repeat; * is all.")
    ] = None,
    merchant: Annotated[
        list[str] | None, typer.Option(help="A merchant of these gateways; repeat; none means all of them.")
    ] = None,
    issuer: Annotated[list[str] | None, typer.Option(help="An issuer; repeat; * is all.")] = None,
    display_name: Annotated[str, typer.Option(help="For people.")] = "",
    secret_stdin: SecretStdin = False,
    weak: Weak = False,
    output: Output = None,
) -> None:
    """Create a client and show its secret, once.

    A secret taken over with --secret-stdin is repeated for scripts only (--output json), not on a terminal.
    """
    from mintmark.v1 import clients_pb2, clients_pb2_grpc

    if not scope:
        raise usage("--scope: give at least one, such as d1-notify for a partner or tokens.read for a service")
    _check_weak(secret_stdin, weak)
    request = clients_pb2.CreateClientRequest(
        request_id=request_id(),
        client_id=client_id,
        display_name=display_name,
        scopes=scope,
        merchant_gateway_ids=merchant_gateway or (),
        merchant_ids=merchant or (),
        issuer_ids=issuer or (),
        taken_over_secret=secret_from_stdin() if secret_stdin else "",
        allow_weak_secret=weak,
    )
    with connect() as session:
        stub = clients_pb2_grpc.ClientsServiceStub(session.channel)
        _show_secret(session.call(stub.CreateClient, request), request.taken_over_secret, output)


@clients.command("list")
def list_clients(limit: Limit = 0, output: Output = None) -> None:
    """List clients."""
    from mintmark.v1 import clients_pb2, clients_pb2_grpc

    with connect() as session:
        stub = clients_pb2_grpc.ClientsServiceStub(session.channel)
        pages = session.pages(stub.ListClients, clients_pb2.ListClientsRequest(), lambda page: page.clients, limit)
        show_list(pages, COLUMNS, output)


@clients.command("show")
def show_client(client_id: Id, output: Output = None) -> None:
    """Show one client."""
    from mintmark.v1 import clients_pb2, clients_pb2_grpc

    request = clients_pb2.GetClientRequest(name=resource_name("clients", client_id))
    with connect() as session:
        stub = clients_pb2_grpc.ClientsServiceStub(session.channel)
        show(session.call(stub.GetClient, request).client, output)


@clients.command("update")
def update_client(
    client_id: Id,
    scope: Annotated[list[str] | None, typer.Option(help="The scopes, all of them; repeat for several.")] = None,
    merchant_gateway: Annotated[list[str] | None, typer.Option(help="The merchant gateways; repeat.")] = None,
    merchant: Annotated[list[str] | None, typer.Option(help="The merchants; repeat; '' alone means all.")] = None,
    issuer: Annotated[list[str] | None, typer.Option(help="The issuers; repeat; '' alone means none.")] = None,
    display_name: Annotated[str | None, typer.Option(help="For people.")] = None,
    output: Output = None,
) -> None:
    """Replace a client's scopes, bindings or display name; what is not given stays."""
    from google.protobuf.field_mask_pb2 import FieldMask
    from mintmark.v1 import clients_pb2, clients_pb2_grpc

    client = clients_pb2.Client(name=resource_name("clients", client_id))
    given = {
        "scopes": scope,
        "merchant_gateway_ids": merchant_gateway,
        "merchant_ids": merchant,
        "issuer_ids": issuer,
    }
    mask = [field for field, values in given.items() if values is not None]
    for field in mask:
        getattr(client, field).extend(value for value in given[field] or () if value)
    if display_name is not None:
        client.display_name = display_name
        mask.append("display_name")
    if not mask:
        raise usage("say what to change: --scope, --merchant-gateway, --merchant, --issuer or --display-name")
    request = clients_pb2.UpdateClientRequest(request_id=request_id(), client=client, update_mask=FieldMask(paths=mask))
    with connect() as session:
        stub = clients_pb2_grpc.ClientsServiceStub(session.channel)
        show(session.call(stub.UpdateClient, request).client, output)


@clients.command("rotate")
def rotate_client(
    client_id: Id,
    keep_old: Annotated[
        str,
        typer.Option(
            "--old-secret-lifetime",
            help="How long the old secret goes on: 90s, 30m, 24h, 7d; 0 ends all old ones at once.",
        ),
    ] = "24h",
    secret_stdin: SecretStdin = False,
    weak: Weak = False,
    output: Output = None,
) -> None:
    """Give a client a new secret and show it, once."""
    from google.protobuf.duration_pb2 import Duration
    from mintmark.v1 import clients_pb2, clients_pb2_grpc

    _check_weak(secret_stdin, weak)
    request = clients_pb2.RotateClientSecretRequest(
        request_id=request_id(),
        name=resource_name("clients", client_id),
        old_secret_lifetime=Duration(seconds=seconds(keep_old, "--old-secret-lifetime")),
        taken_over_secret=secret_from_stdin() if secret_stdin else "",
        allow_weak_secret=weak,
    )
    with connect() as session:
        stub = clients_pb2_grpc.ClientsServiceStub(session.channel)
        _show_secret(session.call(stub.RotateClientSecret, request), request.taken_over_secret, output)


@clients.command("disable")
def disable_client(client_id: Id, output: Output = None) -> None:
    """Disable a client: refused everywhere within 5 s."""
    from mintmark.v1 import clients_pb2, clients_pb2_grpc

    request = clients_pb2.DisableClientRequest(request_id=request_id(), name=resource_name("clients", client_id))
    with connect() as session:
        stub = clients_pb2_grpc.ClientsServiceStub(session.channel)
        show(session.call(stub.DisableClient, request).client, output)


@clients.command("enable")
def enable_client(client_id: Id, output: Output = None) -> None:
    """Enable a disabled client."""
    from mintmark.v1 import clients_pb2, clients_pb2_grpc

    request = clients_pb2.EnableClientRequest(request_id=request_id(), name=resource_name("clients", client_id))
    with connect() as session:
        stub = clients_pb2_grpc.ClientsServiceStub(session.channel)
        show(session.call(stub.EnableClient, request).client, output)


def _check_weak(secret_stdin: bool, weak: bool) -> None:
    if weak and not secret_stdin:
        raise usage("--weak goes with --secret-stdin: secrets that Mintmark makes are strong")


def _show_secret(
    answer: "clients_pb2.CreateClientResponse | clients_pb2.RotateClientSecretResponse",
    taken_over: str,
    output: Form | None,
) -> None:
    """Shows the credentials. A script finds the secret always, one that it gave too; a terminal only a new one."""
    if form_of(output) is Form.JSON:
        secret = answer.client_secret or taken_over
        credentials = {"client_id": answer.client.client_id, "client_secret": secret}
        json_line({**credentials, "client": json_object(answer.client)})
        return
    line(f"client_id: {answer.client.client_id}")
    if answer.client_secret:
        line(f"client_secret: {answer.client_secret}")
        note("The secret is shown this once; Mintmark keeps only its hash.")
    else:
        note("The secret is the one that you gave.")
