"""`mintmark acquirer-transactions`: what the acquirer tells of transactions."""

from typing import Annotated, Any

import typer

from adapters.cli.output import Column, Form, Limit, Output, enum_word, form_of, line, show, show_list, time_text
from adapters.cli.session import Session, connect, request_id
from adapters.cli.words import enum_numbers, resource_name

acquirer_transactions = typer.Typer(help="Transactions at the acquirer (SIBS).", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="acquirerTransactions/{account}~{transaction}, or its id alone.")]


def _amount(told: Any) -> str:
    return f"{told.amount_text} {told.currency_text}".strip()


def _query(transaction: Any) -> str:
    return "wanted" if transaction.query_pending else ""


COLUMNS: list[Column] = [
    ("transaction", lambda transaction: transaction.name),
    ("type", lambda transaction: transaction.type_text),
    ("state", lambda transaction: enum_word(transaction, "state")),
    ("booking", lambda transaction: enum_word(transaction, "booking")),
    ("amount", _amount),
    ("method", lambda transaction: transaction.payment_method_text),
    ("reference", lambda transaction: transaction.merchant_reference),
    ("payment", lambda transaction: transaction.payment),
    ("contested", lambda transaction: "yes" if transaction.contested else ""),
    ("status query", _query),
    ("changed", lambda transaction: time_text(transaction, "update_time")),
]
REPORT_COLUMNS: list[Column] = [
    ("time", lambda report: time_text(report, "time")),
    ("report", lambda report: enum_word(report, "kind")),
    ("effect", lambda report: enum_word(report, "effect")),
    ("type", lambda report: report.type_text),
    ("state", lambda report: report.state_text),
    ("amount", _amount),
    ("at the acquirer", lambda report: report.transaction_time_text),
    ("code", lambda report: report.status_code),
    ("notification", lambda report: report.notification),
    ("webhook config", lambda report: report.webhook_config),
]


@acquirer_transactions.command("list")
def list_transactions(
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; repeat for several.")] = None,
    account: Annotated[str, typer.Option(help="Only of this account.")] = "",
    merchant_gateway: Annotated[str, typer.Option(help="Only of this merchant gateway.")] = "",
    merchant: Annotated[str, typer.Option(help="Only of this merchant.")] = "",
    transaction_id: Annotated[str, typer.Option(help="Only with this id of the acquirer's.")] = "",
    reference: Annotated[str, typer.Option(help="Only with this reference of the merchant's.")] = "",
    payment: Annotated[str, typer.Option(help="Only those of this payment of ours.")] = "",
    contested: Annotated[bool, typer.Option("--contested", help="Only those that are contested.")] = False,
    limit: Limit = 0,
    output: Output = None,
) -> None:
    """List transactions."""
    from mintmark.v1 import acquirer_transactions_pb2 as pb

    request = pb.ListAcquirerTransactionsRequest(
        states=enum_numbers(pb.AcquirerTransactionState.DESCRIPTOR, state, "--state"),
        account=resource_name("partnerAccounts", account) if account else "",
        merchant_gateway_id=merchant_gateway,
        merchant_id=merchant,
        transaction_id=transaction_id,
        merchant_reference=reference,
        payment=resource_name("payments", payment) if payment else "",
        contested=contested,
    )
    with connect() as session:
        method = _stub(session).ListAcquirerTransactions
        show_list(session.pages(method, request, lambda page: page.acquirer_transactions, limit), COLUMNS, output)


@acquirer_transactions.command("show")
def show_transaction(name: Name, output: Output = None) -> None:
    """Show a transaction, and what the acquirer has said of it."""
    from mintmark.v1 import acquirer_transactions_pb2 as pb

    name = resource_name("acquirerTransactions", name)
    with connect() as session:
        stub = _stub(session)
        request = pb.GetAcquirerTransactionRequest(name=name)
        found = session.call(stub.GetAcquirerTransaction, request).acquirer_transaction
        asked = pb.ListAcquirerTransactionReportsRequest(name=name)
        reports = list(session.pages(stub.ListAcquirerTransactionReports, asked, lambda page: page.reports, 0))
    show(found, output)
    if form_of(output) is Form.TABLE:
        line("")
    show_list(reports, REPORT_COLUMNS, output)


@acquirer_transactions.command("refresh")
def refresh_transaction(name: Name, output: Output = None) -> None:
    """Have the acquirer asked for the status. Returns at once; `show` tells what it answered."""
    from mintmark.v1 import acquirer_transactions_pb2 as pb

    request = pb.RefreshAcquirerTransactionRequest(
        request_id=request_id(), name=resource_name("acquirerTransactions", name)
    )
    with connect() as session:
        show(session.call(_stub(session).RefreshAcquirerTransaction, request).acquirer_transaction, output)


def _stub(session: Session) -> Any:
    from mintmark.v1 import acquirer_transactions_pb2_grpc

    return acquirer_transactions_pb2_grpc.AcquirerTransactionsServiceStub(session.channel)
