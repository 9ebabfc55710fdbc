"""`mintmark merchants`: the merchants that partners reported on."""

from typing import Annotated

import typer

from adapters.cli.output import Column, Limit, Output, show, show_list, time_text
from adapters.cli.session import connect
from adapters.cli.words import parent

merchants = typer.Typer(help="Merchants that partners reported on.", no_args_is_help=True)

COLUMNS: list[Column] = [
    ("name", lambda merchant: merchant.name),
    (
        "registrations",
        lambda merchant: ", ".join(
            f"{item.scheme_text} {item.error_code or item.token_requestor_id or item.mastercard_service_id}".strip()
            for item in merchant.scheme_registrations
        ),
    ),
    ("updated", lambda merchant: time_text(merchant, "update_time")),
    ("deliveries", lambda merchant: str(merchant.delivery_count)),
]


@merchants.command("list")
def list_merchants(
    merchant_gateway: Annotated[str | None, typer.Option(help="Only this merchant gateway's.")] = None,
    limit: Limit = 0,
    output: Output = None,
) -> None:
    """List merchants."""
    from mintmark.v1 import merchants_pb2, merchants_pb2_grpc

    request = merchants_pb2.ListMerchantsRequest(parent=parent(("merchantGateways", merchant_gateway)))
    with connect() as session:
        stub = merchants_pb2_grpc.MerchantsServiceStub(session.channel)
        show_list(session.pages(stub.ListMerchants, request, lambda page: page.merchants, limit), COLUMNS, output)


@merchants.command("show")
def show_merchant(
    name: Annotated[str, typer.Argument(help="merchantGateways/{g}/merchants/{m}")], output: Output = None
) -> None:
    """Show one merchant."""
    from mintmark.v1 import merchants_pb2, merchants_pb2_grpc

    with connect() as session:
        stub = merchants_pb2_grpc.MerchantsServiceStub(session.channel)
        show(session.call(stub.GetMerchant, merchants_pb2.GetMerchantRequest(name=name)).merchant, output)
