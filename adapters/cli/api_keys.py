"""`mintmark api-keys`: the keys that TSH authenticates with."""

from typing import Annotated

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
from adapters.cli.words import resource_name, secret_from_stdin

api_keys = typer.Typer(help="Keys that TSH authenticates with.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The id of the key, for people; not the key itself.")]

COLUMNS: list[Column] = [
    ("name", lambda key: key.api_key_id),
    ("state", lambda key: enum_word(key, "state")),
    ("merchant gateway", lambda key: key.merchant_gateway_id),
    ("merchants", lambda key: " ".join(key.merchant_ids)),
    ("taken over", lambda key: "yes" if key.taken_over else ""),
    ("created", lambda key: time_text(key, "create_time")),
    ("revoked", lambda key: time_text(key, "revoke_time")),
]


@api_keys.command("create")
def create_api_key(
    name: Name,
    merchant_gateway: Annotated[str, typer.Option(help="The merchant gateway that it belongs to.")],
    merchant: Annotated[
        list[str] | None, typer.Option(help="A merchant that it may speak for; repeat; none means all.")
    ] = None,
    secret_stdin: Annotated[
        bool, typer.Option("--secret-stdin", help="Take over a key that exists: read from stdin.")
    ] = False,
    weak: Annotated[bool, typer.Option("--weak", help="Allow a taken-over key of under 16 characters.")] = False,
    output: Output = None,
) -> None:
    """Create an API key and show it, once.

    A key taken over with --secret-stdin is repeated for scripts only (--output json), not on a terminal.
    """
    from mintmark.v1 import api_keys_pb2, api_keys_pb2_grpc

    if weak and not secret_stdin:
        raise usage("--weak goes with --secret-stdin: keys that Mintmark makes are strong")
    request = api_keys_pb2.CreateApiKeyRequest(
        request_id=request_id(),
        api_key_id=name,
        merchant_gateway_id=merchant_gateway,
        merchant_ids=merchant or (),
        taken_over_key=secret_from_stdin() if secret_stdin else "",
        allow_weak_key=weak,
    )
    with connect() as session:
        answer = session.call(api_keys_pb2_grpc.ApiKeysServiceStub(session.channel).CreateApiKey, request)
    if form_of(output) is Form.JSON:
        key = answer.key or request.taken_over_key
        json_line({"api_key": key, "description": json_object(answer.api_key)})
    elif answer.key:
        line(f"api_key: {answer.key}")
        note("The key is shown this once; Mintmark keeps only its hash.")
    else:
        line(f"name: {answer.api_key.name}")
        note("The key is the one that you gave.")


@api_keys.command("list")
def list_api_keys(limit: Limit = 0, output: Output = None) -> None:
    """List API keys, without the keys."""
    from mintmark.v1 import api_keys_pb2, api_keys_pb2_grpc

    request = api_keys_pb2.ListApiKeysRequest()
    with connect() as session:
        stub = api_keys_pb2_grpc.ApiKeysServiceStub(session.channel)
        show_list(session.pages(stub.ListApiKeys, request, lambda page: page.api_keys, limit), COLUMNS, output)


@api_keys.command("show")
def show_api_key(name: Name, output: Output = None) -> None:
    """Show one API key, without the key."""
    from mintmark.v1 import api_keys_pb2, api_keys_pb2_grpc

    request = api_keys_pb2.GetApiKeyRequest(name=resource_name("apiKeys", name))
    with connect() as session:
        show(session.call(api_keys_pb2_grpc.ApiKeysServiceStub(session.channel).GetApiKey, request).api_key, output)


@api_keys.command("revoke")
def revoke_api_key(name: Name, output: Output = None) -> None:
    """Revoke an API key: refused everywhere within 5 s, and for ever."""
    from mintmark.v1 import api_keys_pb2, api_keys_pb2_grpc

    request = api_keys_pb2.RevokeApiKeyRequest(name=resource_name("apiKeys", name))
    with connect() as session:
        stub = api_keys_pb2_grpc.ApiKeysServiceStub(session.channel)
        show(session.call(stub.RevokeApiKey, request).api_key, output)
