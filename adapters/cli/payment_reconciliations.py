"""`mintmark payments reconcile` and `unknown-charges`: a partner's export against what is known."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeAlias

import typer

from adapters.cli.output import (
    Column,
    Form,
    Limit,
    Output,
    console,
    enum_word,
    form_of,
    json_line,
    json_object,
    note,
    show_list,
    time_text,
)
from adapters.cli.refusals import Refused
from adapters.cli.session import Session, connect, request_id
from adapters.cli.words import resource_name

if TYPE_CHECKING:
    from mintmark.v1 import payments_pb2

# Rows a call: each is one transaction of the core, which others wait for. A call takes no more than the second.
BATCH = 200
MOST = 1000
# The exit code where a person has to look.
LOOK = 3
# What a person has to look at.
ALARMING = frozenset({"CHARGED_AFTER_ALL", "DUPLICATE_CHARGE", "DISAGREES", "UNKNOWN_CHARGE"})

Pairs = list[str] | None
Rows: TypeAlias = "list[payments_pb2.ExportRow]"
Results: TypeAlias = "dict[int, payments_pb2.ReconciliationResult]"

UNKNOWN_COLUMNS: list[Column] = [
    ("transaction", lambda charge: charge.row.partner_transaction_id),
    ("account", lambda charge: charge.account),
    ("type", lambda charge: charge.row.transaction_type),
    ("amount", lambda charge: f"{charge.row.amount} {charge.row.currency_code}"),
    ("reference", lambda charge: charge.row.reference),
    ("time", lambda charge: charge.row.time_text),
    ("known since", lambda charge: time_text(charge, "create_time")),
    ("by", lambda charge: charge.actor),
]


def reconcile(
    file: Annotated[
        Path, typer.Argument(help="The partner's export, as CSV with the columns' names in its first line.")
    ],
    account: Annotated[str, typer.Option(help="The account that it is of.")],
    apply: Annotated[bool, typer.Option("--apply", help="Make it so; else the plan is shown only.")] = False,
    mapping: Annotated[
        Path | None, typer.Option(help="A TOML file with columns, constants, types and outcomes.")
    ] = None,
    columns: Annotated[
        Pairs, typer.Option(help="Which column is what: reference='Merchant Ref',amount=Amount and so on.")
    ] = None,
    constants: Annotated[Pairs, typer.Option(help="What is the same in all rows: merchant_id=JP00000328.")] = None,
    types: Annotated[
        Pairs, typer.Option(help="Its words for PRE_AUTH, CAPTURE, REFUND and VOID: Sale=CAPTURE.")
    ] = None,
    outcomes: Annotated[
        Pairs, typer.Option(help="Its words for DONE, PARTLY_DONE, DECLINED and OPEN: Settled=DONE.")
    ] = None,
    delimiter: Annotated[str, typer.Option(help="What parts columns.")] = ",",
    encoding: Annotated[str, typer.Option(help="The file's encoding, such as cp932.")] = "utf-8-sig",
    output: Output = None,
) -> None:
    """Compare a partner's export with the payments: show what each row means, or take it for evidence.

    A row counts where transaction id or reference, amount, currency and merchant id agree; what is not in the export
    proves nothing; the same row again changes nothing. Without --apply nothing is changed. Exit code 3 where a person
    has to look: a row disagrees, a charge is unknown, one too many, or of a payment that counted as not charged.
    """
    from adapters.cli.export_mappings import mapping_of
    from adapters.cli.payment_exports import read_export

    words = mapping_of(
        mapping, columns=columns or (), constants=constants or (), types=types or (), outcomes=outcomes or ()
    )
    rows = read_export(file, words, delimiter, encoding)
    name = resource_name("partnerAccounts", account)
    with connect() as session:
        results = _planned(session, name, rows)
        if apply:
            results = _applied(session, name, rows)
    _show(rows, results, output)
    counts = Counter(enum_word(result, "finding") for result in results.values())
    told = ", ".join(f"{count} {word}" for word, count in sorted(counts.items()))
    note(f"{len(rows)} rows: {told}" + ("" if apply else "; nothing was changed, --apply makes it so"))
    alarming = [each for each in results.values() if enum_word(each, "finding") in ALARMING and not each.repeated]
    if alarming:
        raise Refused(f"{len(alarming)} rows need a person", "look at them one by one: README, Payments", code=LOOK)


def list_unknown_charges(
    account: Annotated[str, typer.Option(help="Only of this account.")] = "", limit: Limit = 0, output: Output = None
) -> None:
    """List charges that partners' exports had and nobody here knows."""
    from mintmark.v1 import payments_pb2, payments_pb2_grpc

    name = resource_name("partnerAccounts", account) if account else ""
    request = payments_pb2.ListUnknownChargesRequest(account=name)
    with connect() as session:
        stub = payments_pb2_grpc.PaymentsServiceStub(session.channel)
        found = session.pages(stub.ListUnknownCharges, request, lambda page: page.unknown_charges, limit)
        show_list(found, UNKNOWN_COLUMNS, output)


def _planned(session: Session, account: str, rows: Rows) -> Results:
    """What each row would do, by its line."""
    from mintmark.v1 import payments_pb2, payments_pb2_grpc

    stub = payments_pb2_grpc.PaymentsServiceStub(session.channel)
    results: Results = {}
    for batch in batches(rows):
        request = payments_pb2.PlanReconciliationRequest(account=account, rows=batch)
        results |= {each.line: each for each in session.call(stub.PlanReconciliation, request).results}
    return results


def _applied(session: Session, account: str, rows: Rows) -> Results:
    """What each row did, by its line. Raises Refused that says how much was done before."""
    from mintmark.v1 import payments_pb2, payments_pb2_grpc

    stub = payments_pb2_grpc.PaymentsServiceStub(session.channel)
    results: Results = {}
    for batch in batches(rows):
        request = payments_pb2.ReconcilePaymentsRequest(request_id=request_id(), account=account, rows=batch)
        try:
            results |= {each.line: each for each in session.call(stub.ReconcilePayments, request).results}
        except Refused as refused:
            if results:
                refused.text += f"; {len(results)} of {len(rows)} rows are done, repeating the command is safe"
            raise
    return results


def batches(rows: Rows) -> Iterator[Rows]:
    """The rows in calls; those of one reference go together, so that a plan sees what they mean beside each other."""
    batch: list[Any] = []
    for row in sorted(rows, key=lambda each: (each.reference, each.line)):
        full = len(batch) >= BATCH and row.reference != batch[-1].reference
        if batch and (full or len(batch) >= MOST):
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _show(rows: Rows, results: Results, output: Form | None) -> None:
    if form_of(output) is Form.JSON:
        for row in rows:
            json_line({**json_object(results[row.line]), "row": json_object(row)})
        return
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for title in ("line", "the row says", "transaction", "means", "payment", "asked for", "is", "becomes", "why"):
        table.add_column(title, overflow="fold")
    for row in rows:
        table.add_row(*_cells(row, results[row.line]))
    console().print(table)


def _cells(row: Any, result: Any) -> tuple[str, ...]:
    amount = result.amount
    before, after = enum_word(result, "state_before"), enum_word(result, "state_after")
    return (
        str(row.line),
        f"{row.transaction_type} {row.amount} {row.currency_code} {row.outcome_text}",
        row.partner_transaction_id,
        enum_word(result, "finding") + (" (again)" if result.repeated else ""),
        result.operation or result.payment,
        f"{amount.minor_amount} {amount.currency_code}" if amount.currency_code else "",
        before,
        after if after != before else "",
        result.explanation,
    )
