"""`mintmark payments create-hosted-page`: a payment through a page of the partner's."""

from pathlib import Path
from typing import Annotated

import typer

from adapters.cli.output import Output, note
from adapters.cli.payments import details_of, money_of, payments_stub, wait_and_show
from adapters.cli.session import connect, request_id
from adapters.cli.words import seconds


def create_hosted_page(
    merchant_gateway: Annotated[str, typer.Option(help="The merchant gateway of the account that it goes through.")],
    merchant: Annotated[str, typer.Option(help="The merchant that is paid.")],
    merchant_payment_id: Annotated[str, typer.Option(help="The merchant's own id, such as an order number.")],
    amount: Annotated[str, typer.Option(help="Minor units and currency, such as 1250EUR for 12.50 EUR.")],
    details: Annotated[Path, typer.Option(help="A JSON file with the HostedPageDetails: addresses, return URLs.")],
    store_payment_method: Annotated[
        bool, typer.Option("--store-payment-method", help="Have the card stored: it becomes a token that can pay.")
    ] = False,
    own_request_id: Annotated[
        str, typer.Option("--request-id", help="A UUID; the same command with it again makes one page only.")
    ] = "",
    timeout: Annotated[str, typer.Option(help="How long to wait for the link, such as 30s.")] = "30s",
    output: Output = None,
) -> None:
    """Have a page made on which the payer pays, and show the payment with its link (redirect_url).

    Exit code 1 where there is no answer in time: `payments show` has it later.
    """
    from mintmark.v1 import payments_pb2

    request = payments_pb2.CreateHostedPaymentPageRequest(
        request_id=own_request_id or request_id(),
        merchant_gateway_id=merchant_gateway,
        merchant_id=merchant,
        merchant_payment_id=merchant_payment_id,
        amount=money_of(amount),
        details=details_of(details, payments_pb2.HostedPageDetails()),
        store_payment_method=store_payment_method,
    )
    patience = seconds(timeout, "--timeout")
    note(f"request id {request.request_id}")
    with connect() as session:
        payment = session.call(payments_stub(session).CreateHostedPaymentPage, request).payment
        wait_and_show(session, payment.name, patience, output)
