"""`mintmark tokens`: the payment tokens."""

from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.cli.output import (
    Column,
    Form,
    Limit,
    Output,
    enum_word,
    form_of,
    json_line,
    line,
    show,
    show_list,
)
from adapters.cli.session import connect, request_id
from adapters.cli.words import enum_number, enum_numbers, parent

tokens = typer.Typer(help="Payment tokens.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="merchantGateways/{g}/merchants/{m}/tokens/{t}")]


def refresh_word(token: Any) -> str:
    """Whether it is to be read again, and whether that was not possible the last time."""
    if token.refreshed_generation >= token.refresh_generation:
        return ""
    return "failing" if token.refresh_error else "due"


COLUMNS: list[Column] = [
    ("name", lambda token: token.name),
    ("provider", lambda token: enum_word(token, "provider")),
    ("state", lambda token: token.state_text or enum_word(token, "state")),
    ("card", lambda token: f"{token.card.bin}…{token.card.last_digits}" if token.card.bin else ""),
    ("refresh", refresh_word),
    ("disabled", lambda token: token.disable_reason if token.HasField("disable_time") else ""),
    ("deliveries", lambda token: str(token.delivery_count)),
]


@tokens.command("list")
def list_tokens(
    merchant_gateway: Annotated[str | None, typer.Option(help="Only this merchant gateway's.")] = None,
    merchant: Annotated[str | None, typer.Option(help="Only this merchant's.")] = None,
    provider: Annotated[str | None, typer.Option(help="D1_ECOM or TSH.")] = None,
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; repeat for several.")] = None,
    refresh_due: Annotated[bool, typer.Option("--refresh-due", help="Only those to be read again.")] = False,
    disabled: Annotated[bool, typer.Option("--disabled", help="Only those that we disabled.")] = False,
    limit: Limit = 0,
    output: Output = None,
) -> None:
    """List tokens."""
    from mintmark.v1 import tokens_pb2, tokens_pb2_grpc

    request = tokens_pb2.ListTokensRequest(
        parent=parent(("merchantGateways", merchant_gateway), ("merchants", merchant)),
        states=enum_numbers(tokens_pb2.TokenState.DESCRIPTOR, state, "--state"),
        refresh_due=refresh_due,
        disabled=disabled,
    )
    if provider:
        request.provider = enum_number(tokens_pb2.TokenProvider.DESCRIPTOR, provider, "--provider")
    with connect() as session:
        stub = tokens_pb2_grpc.TokensServiceStub(session.channel)
        show_list(session.pages(stub.ListTokens, request, lambda page: page.tokens, limit), COLUMNS, output)


@tokens.command("show")
def show_token(name: Name, output: Output = None) -> None:
    """Show one token."""
    from mintmark.v1 import tokens_pb2, tokens_pb2_grpc

    with connect() as session:
        stub = tokens_pb2_grpc.TokensServiceStub(session.channel)
        show(session.call(stub.GetToken, tokens_pb2.GetTokenRequest(name=name)).token, output)


@tokens.command("disable")
def disable_token(
    name: Name,
    reason: Annotated[str, typer.Option(help="Why, for those who look at it later.")],
    etag: Annotated[str, typer.Option(help="Only if this is still its etag.")] = "",
    output: Output = None,
) -> None:
    """Take a token out of use on our side."""
    from mintmark.v1 import tokens_pb2, tokens_pb2_grpc

    request = tokens_pb2.DisableTokenRequest(request_id=request_id(), name=name, reason=reason, etag=etag)
    with connect() as session:
        stub = tokens_pb2_grpc.TokensServiceStub(session.channel)
        show(session.call(stub.DisableToken, request).token, output)


@tokens.command("enable")
def enable_token(
    name: Name,
    etag: Annotated[str, typer.Option(help="Only if this is still its etag.")] = "",
    output: Output = None,
) -> None:
    """Take a disabled token into use again."""
    from mintmark.v1 import tokens_pb2, tokens_pb2_grpc

    request = tokens_pb2.EnableTokenRequest(request_id=request_id(), name=name, etag=etag)
    with connect() as session:
        stub = tokens_pb2_grpc.TokensServiceStub(session.channel)
        show(session.call(stub.EnableToken, request).token, output)


@tokens.command("refresh")
def refresh_token(name: Name, output: Output = None) -> None:
    """Have a token read again at its partner now."""
    from mintmark.v1 import tokens_pb2, tokens_pb2_grpc

    request = tokens_pb2.RefreshTokenRequest(request_id=request_id(), name=name)
    with connect() as session:
        stub = tokens_pb2_grpc.TokensServiceStub(session.channel)
        show(session.call(stub.RefreshToken, request).token, output)


@tokens.command("import")
def import_tokens(
    file: Annotated[Path | None, typer.Argument(help="JSON lines, one token a line; `-` or none reads stdin.")] = None,
    output: Output = None,
) -> None:
    """Make tokens known that existed before Mintmark.

    A line is a JSON object such as {"merchantGatewayId": "MGW_000001", "merchantId": "10610027312", "tokenId": "t1",
    "provider": "D1_ECOM", "stateText": "ACTIVE", "card": {"bin": "453421", "lastDigits": "2366", "expiry": "0430"}}.
    All lines are read before the first is sent; tokens that are known already stay as they are.
    """
    from adapters.cli.token_imports import read_tokens, send_tokens

    entries = read_tokens(file)
    with connect() as session:
        total = send_tokens(session, entries)
    if form_of(output) is Form.JSON:
        # Counts of 0 are counts: canonical JSON would leave them out.
        json_line({"createdCount": total.created_count, "existingCount": total.existing_count})
    else:
        line(f"{total.created_count} are new, {total.existing_count} were known")
