"""`mintmark accounts`: our standing with partners, stated in a file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from adapters.cli.output import Column, Form, Limit, Output, enum_word, form_of, note, show_list
from adapters.cli.refusals import Refused
from adapters.cli.session import Session, connect, request_id

if TYPE_CHECKING:
    from mintmark.v1 import accounts_pb2

    from adapters.cli.account_files import AccountsFile

accounts = typer.Typer(help="Our standing with partners, stated in a YAML file.", no_args_is_help=True)

File = Annotated[Path, typer.Argument(help="A YAML file: the accounts as a list, at the top or under `accounts`.")]
DeleteMissing = Annotated[bool, typer.Option("--delete-missing", help="Delete accounts that the file does not state.")]

CHANGE_COLUMNS: list[Column] = [
    ("account", lambda change: change.account),
    ("action", lambda change: enum_word(change, "action")),
    ("fields", lambda change: " ".join(change.fields)),
]
COLUMNS: list[Column] = [
    ("account", lambda account: account.account_id),
    ("provider", lambda account: enum_word(account, "provider")),
    ("mode", lambda account: enum_word(account, "mode")),
    ("merchant gateway", lambda account: account.merchant_gateway_id),
    ("issuer", lambda account: account.issuer_id),
    ("merchants", lambda account: " ".join(account.merchant_ids)),
    ("authentication", lambda account: enum_word(account, "inbound_authentication")),
    ("name", lambda account: account.display_name),
]


@accounts.command("plan")
def plan_accounts(file: File, delete_missing: DeleteMissing = False, output: Output = None) -> None:
    """Show what applying the file would change."""
    from adapters.cli.account_files import read_accounts

    read = read_accounts(file)
    with connect() as session:
        show_list(_plan(session, read, delete_missing), CHANGE_COLUMNS, output)


@accounts.command("apply")
def apply_accounts(
    file: File,
    delete_missing: DeleteMissing = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Without a terminal nothing is asked.")] = False,
    output: Output = None,
) -> None:
    """Make the accounts what the file states; shows the plan first.

    All or none: a file with one wrong line changes nothing. Applying the same again changes nothing. With
    --output json the plan goes to stderr and stdout has what was done.
    """
    from mintmark.v1 import accounts_pb2, accounts_pb2_grpc

    from adapters.cli.account_files import read_accounts

    read = read_accounts(file)
    with connect() as session:
        changes = _plan(session, read, delete_missing)
        if form_of(output) is Form.JSON:
            for change in changes:
                note(f"plan: {enum_word(change, 'action')} {change.account} {' '.join(change.fields)}".rstrip())
        else:
            show_list(changes, CHANGE_COLUMNS, output)
        if all(change.action == accounts_pb2.ACCOUNT_ACTION_NONE for change in changes):
            note("Nothing to change.")
        elif sys.stdin.isatty() and not yes and not typer.confirm("Apply?"):
            raise Refused("nothing was changed")
        request = accounts_pb2.ApplyAccountsRequest(
            request_id=request_id(), accounts=read.accounts, delete_missing=delete_missing
        )
        try:
            answer = session.call(accounts_pb2_grpc.AccountsServiceStub(session.channel).ApplyAccounts, request)
        except Refused as refused:
            raise read.located(refused) from None
    if form_of(output) is Form.JSON:
        show_list(answer.changes, CHANGE_COLUMNS, output)
    else:
        done = sum(change.action != accounts_pb2.ACCOUNT_ACTION_NONE for change in answer.changes)
        note(f"Applied: {done} changed, {len(answer.changes) - done} as stated.")


@accounts.command("list")
def list_accounts(
    file: Annotated[Path | None, typer.Argument(help="Only the accounts that this file states.")] = None,
    limit: Limit = 0,
    output: Output = None,
) -> None:
    """List accounts as they are: all, or those that a file states."""
    from mintmark.v1 import accounts_pb2, accounts_pb2_grpc

    from adapters.cli.account_files import read_accounts

    stated = {account.account_id for account in read_accounts(file).accounts} if file else None
    request = accounts_pb2.ListAccountsRequest()
    with connect() as session:
        stub = accounts_pb2_grpc.AccountsServiceStub(session.channel)
        found = session.pages(stub.ListAccounts, request, lambda page: page.accounts, 0 if stated else limit)
        show_list((each for each in found if stated is None or each.account_id in stated), COLUMNS, output)


def _plan(session: Session, read: "AccountsFile", delete_missing: bool) -> "list[accounts_pb2.AccountChange]":
    from mintmark.v1 import accounts_pb2, accounts_pb2_grpc

    request = accounts_pb2.PlanAccountsRequest(accounts=read.accounts, delete_missing=delete_missing)
    try:
        stub = accounts_pb2_grpc.AccountsServiceStub(session.channel)
        return list(session.call(stub.PlanAccounts, request).changes)
    except Refused as refused:
        raise read.located(refused) from None
