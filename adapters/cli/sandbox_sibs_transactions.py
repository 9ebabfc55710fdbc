"""`mintmark sandbox sibs transactions`."""

from typing import Annotated

import typer

from adapters.cli.output import Output
from adapters.cli.sandbox_control import connected
from adapters.cli.twin_documents import Document, show_all, show_call, show_lines
from adapters.cli.words import seconds, segment

transactions = typer.Typer(help="The acquirer's transactions.")

PATH = "/sibs/control/transactions"


@transactions.command()
def create(
    kind: Annotated[
        str, typer.Argument(help="purchase, authorization, capture, refund, cancellation, blik, pay-by-link, ...")
    ] = "purchase",
    amount: Annotated[str, typer.Option(help="Such as 16.20.")] = "",
    currency: Annotated[str, typer.Option(help="Such as PLN.")] = "",
    merchant: Annotated[str, typer.Option(help="The merchant.")] = "",
    acceptor: Annotated[str, typer.Option(help="The acceptor (store).")] = "",
    terminal: Annotated[str, typer.Option(help="The terminal.")] = "",
    reference: Annotated[str, typer.Option(help="The merchant's own transaction id.")] = "",
    original: Annotated[str, typer.Option(help="The transaction that it follows.")] = "",
    method: Annotated[str, typer.Option(help="Another payment method than the kind's.")] = "",
    payment_type: Annotated[str, typer.Option(help="Another payment type than the kind's.")] = "",
    outcome: Annotated[str, typer.Option(help="What it ends as.")] = "Success",
    pending: Annotated[str, typer.Option(help="How long it is pending before, such as 10s.")] = "",
    count: Annotated[int, typer.Option(min=1, help="How many.")] = 1,
    output: Output = None,
) -> None:
    """Make a transaction; whoever has a config for it is told."""
    order: Document = {
        **{"kind": kind, "amount": amount, "currency": currency, "merchantId": merchant, "acceptorId": acceptor},
        **{"terminalId": terminal, "merchantTransactionId": reference, "originalTransactionId": original},
        **{"paymentMethod": method, "paymentType": payment_type, "outcome": outcome, "count": count},
    }
    if pending:
        order["pendingSeconds"] = seconds(pending, "--pending")
    with connected() as control:
        show_all(control.call("POST", PATH, order)["transactions"], transaction_line, output)


@transactions.command("list")
def list_transactions(output: Output = None) -> None:
    """Show all of them."""
    show_lines(PATH, transaction_line, output)


@transactions.command()
def show(transaction: Annotated[str, typer.Argument(help="Its id.")], output: Output = None) -> None:
    """Show one with each state that it has been in."""
    show_call("GET", f"{PATH}/{segment(transaction)}", None, _story, output)


@transactions.command()
def settle(
    transaction: Annotated[str, typer.Argument(help="Its id.")],
    status: Annotated[str, typer.Argument(help="Success, Declined, Expired, ...")],
    output: Output = None,
) -> None:
    """Give one another state now."""
    show_call("POST", f"{PATH}/{segment(transaction)}/settle", {"status": status}, transaction_line, output)


def transaction_line(each: Document) -> str:
    """A transaction for people."""
    words = [each["transactionId"], each["paymentType"], each["paymentMethod"], each["paymentStatus"]]
    words += [each["amount"], each["currency"], each["merchantId"], each["terminalId"], each["merchantTransactionId"]]
    return " ".join(word for word in words if word)


def _story(each: Document) -> str:
    states = [f"  {state['time']} {state['status']}" for state in each["states"]]
    planned = [f"  at {planned['at']:.0f} s {planned['status']}" for planned in each["planned"]]
    return "\n".join([transaction_line(each), *states, *planned])
