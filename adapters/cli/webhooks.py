"""`mintmark webhooks`: what the acquirer is to send where, stated in a file."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adapters.cli import stated_files
from adapters.cli.output import Column, Form, Limit, Output, enum_word, form_of, line, note, show, show_list, time_text
from adapters.cli.refusals import Refused
from adapters.cli.session import Session, connect, request_id
from adapters.cli.words import enum_numbers, resource_name, secret_from_stdin

if TYPE_CHECKING:
    from adapters.cli.webhook_files import WebhooksFile

webhooks = typer.Typer(help="Webhook configs at the acquirer (SIBS), stated in a YAML file.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="webhookConfigs/{id}, or its id alone.")]
File = Annotated[Path, typer.Argument(help="A YAML file: `account`, and a list `webhook_configs`.")]
DeleteMissing = Annotated[
    bool, typer.Option("--delete-missing", help="Delete configs of the account that the file does not state.")
]
WAIT_S = 10


def _scope(config: Any) -> str:
    desired = config.desired
    return "/".join(each for each in (desired.merchant_id, desired.acceptor_id, desired.terminal_id) if each)


def _observed(config: Any) -> str:
    if config.refresh_pending:
        return "asked"
    if not config.HasField("observed"):
        return ""
    return " ".join(each.field for each in config.differences) or "as desired"


def _said(config: Any) -> str:
    last = config.last_call
    return " ".join(each for each in (last.transaction_status, last.status_code, last.trouble) if each)


COLUMNS: list[Column] = [
    ("webhook config", lambda config: config.desired.webhook_config_id),
    ("state", lambda config: enum_word(config, "state")),
    ("account", lambda config: config.desired.account),
    ("scope", _scope),
    ("methods", lambda config: " ".join(config.desired.payment_method_codes)),
    ("to", lambda config: config.desired.value),
    ("seen there", _observed),
    ("acquirer said", _said),
]
DIFFERENCE_COLUMNS: list[Column] = [
    ("field", lambda difference: difference.field),
    ("desired", lambda difference: difference.desired),
    ("at the acquirer", lambda difference: difference.observed),
]
CHANGE_COLUMNS: list[Column] = [
    ("webhook config", lambda change: change.webhook_config),
    ("action", lambda change: enum_word(change, "action")),
    ("state", lambda change: enum_word(change, "state") if change.state else ""),
    ("fields", lambda change: " ".join(change.fields)),
]
UNMANAGED_COLUMNS: list[Column] = [
    ("code", lambda webhook: webhook.notification_configuration_code),
    ("account", lambda webhook: webhook.account),
    ("merchant", lambda webhook: webhook.merchant_id),
    ("methods", lambda webhook: " ".join(webhook.observed.payment_method_codes)),
    ("to", lambda webhook: webhook.observed.value),
    ("seen", lambda webhook: time_text(webhook.observed, "observe_time")),
]


@webhooks.command("list")
def list_webhooks(
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; repeat for several.")] = None,
    account: Annotated[str, typer.Option(help="Only of this account.")] = "",
    merchant: Annotated[str, typer.Option(help="Only of this merchant.")] = "",
    unmanaged: Annotated[
        bool, typer.Option("--unmanaged", help="Those that the acquirer has and Mintmark knows nothing of.")
    ] = False,
    limit: Limit = 0,
    output: Output = None,
) -> None:
    """List webhook configs, without deleted ones."""
    from mintmark.v1 import webhook_configs_pb2 as pb

    account = resource_name("partnerAccounts", account) if account else ""
    with connect() as session:
        if unmanaged:
            asked = pb.ListUnmanagedWebhooksRequest(account=account)
            method = _stub(session).ListUnmanagedWebhooks
            found = session.pages(method, asked, lambda page: page.unmanaged_webhooks, limit)
            show_list(found, UNMANAGED_COLUMNS, output)
            return
        states = enum_numbers(pb.WebhookConfigState.DESCRIPTOR, state, "--state")
        request = pb.ListWebhookConfigsRequest(states=states, account=account, merchant_id=merchant)
        method = _stub(session).ListWebhookConfigs
        show_list(session.pages(method, request, lambda page: page.webhook_configs, limit), COLUMNS, output)


@webhooks.command("show")
def show_webhook(name: Name, output: Output = None) -> None:
    """Show a webhook config: what is desired, what the acquirer has, its keys (never what they are) and last calls."""
    from mintmark.v1 import webhook_configs_pb2 as pb

    with connect() as session:
        request = pb.GetWebhookConfigRequest(name=_name(name))
        found = session.call(_stub(session).GetWebhookConfig, request).webhook_config
    show(found, output)
    if found.differences and form_of(output) is Form.TABLE:
        line("")
        show_list(found.differences, DIFFERENCE_COLUMNS, output)


@webhooks.command("plan")
def plan_webhooks(file: File, delete_missing: DeleteMissing = False, output: Output = None) -> None:
    """Show what applying the file would change."""
    from adapters.cli.webhook_files import read_webhooks

    read = read_webhooks(file)
    with connect() as session:
        show_list(_plan(session, read, delete_missing), CHANGE_COLUMNS, output)


@webhooks.command("apply")
def apply_webhooks(
    file: File,
    delete_missing: DeleteMissing = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask. Without a terminal nothing is asked.")] = False,
    output: Output = None,
) -> None:
    """Make the account's webhook configs what the file states; shows the plan first.

    All or none: a file with one wrong line changes nothing. What has drifted or was rejected is asked for again;
    applying the same again changes nothing. With --output json the plan goes to stderr and stdout has what was done.
    """
    from mintmark.v1 import webhook_configs_pb2 as pb

    from adapters.cli.webhook_files import read_webhooks

    read = read_webhooks(file)
    with connect() as session:
        changes = _plan(session, read, delete_missing)
        if form_of(output) is Form.JSON:
            for change in changes:
                note(f"plan: {enum_word(change, 'action')} {change.webhook_config} {' '.join(change.fields)}".rstrip())
        else:
            show_list(changes, CHANGE_COLUMNS, output)
        if all(change.action == pb.WEBHOOK_CONFIG_ACTION_NONE for change in changes):
            note("Nothing to change.")
        elif sys.stdin.isatty() and not yes and not typer.confirm("Apply?"):
            raise Refused("nothing was changed")
        request = pb.ApplyWebhookConfigsRequest(
            request_id=request_id(), account=read.account, desired=read.desired, delete_missing=delete_missing
        )
        try:
            answer = session.call(_stub(session).ApplyWebhookConfigs, request)
        except Refused as refused:
            raise read.located(refused) from None
    if form_of(output) is Form.JSON:
        show_list(answer.changes, CHANGE_COLUMNS, output)
    else:
        done = sum(change.action != pb.WEBHOOK_CONFIG_ACTION_NONE for change in answer.changes)
        note(f"Wanted: {done} changed, {len(answer.changes) - done} as stated. See `mintmark webhooks list`.")


@webhooks.command("refresh")
def refresh_webhooks(
    names: Annotated[list[str] | None, typer.Argument(help="webhookConfigs/{id}, or ids; else --account.")] = None,
    account: Annotated[str, typer.Option(help="All of this account, and what else its merchants have.")] = "",
    output: Output = None,
) -> None:
    """Ask the acquirer what it has, wait for its answers, and list the configs with what differs."""
    from mintmark.v1 import webhook_configs_pb2 as pb

    request = pb.RefreshWebhookConfigsRequest(
        request_id=request_id(),
        account=resource_name("partnerAccounts", account) if account else "",
        names=[_name(name) for name in names or ()],
    )
    with connect() as session:
        asked = session.call(_stub(session).RefreshWebhookConfigs, request).names
        show_list([_wait(session, name) for name in asked], COLUMNS, output)


@webhooks.command("rotate-key")
def rotate_key(
    name: Name,
    key_stdin: Annotated[
        bool, typer.Option("--key-stdin", help="Take the key (32 bytes in Base64) from stdin instead of making one.")
    ] = False,
    output: Output = None,
) -> None:
    """Give a webhook config a new key. The old one goes on opening what the acquirer repeats."""
    from mintmark.v1 import webhook_configs_pb2 as pb

    key = secret_from_stdin() if key_stdin else ""
    request = pb.RotateWebhookKeyRequest(request_id=request_id(), name=_name(name), key=key)
    with connect() as session:
        show(session.call(_stub(session).RotateWebhookKey, request).webhook_config, output)


@webhooks.command("delete")
def delete_webhook(name: Name, output: Output = None) -> None:
    """Have the acquirer forget a webhook config. Its keys go on opening what is repeated."""
    from mintmark.v1 import webhook_configs_pb2 as pb

    request = pb.DeleteWebhookConfigRequest(request_id=request_id(), name=_name(name))
    with connect() as session:
        show(session.call(_stub(session).DeleteWebhookConfig, request).webhook_config, output)


def _plan(session: Session, read: "WebhooksFile", delete_missing: bool) -> list[Any]:
    """What would change. Raises Refused that names every wrong entry: those that the core does not look at because of
    others are asked about without these."""
    from mintmark.v1 import webhook_configs_pb2 as pb

    stated = list(zip(read.desired, read.lines, strict=True))
    found: Refused | None = None
    while True:
        request = pb.PlanWebhookConfigsRequest(
            account=read.account, desired=[desired for desired, _ in stated], delete_missing=delete_missing
        )
        try:
            changes = list(session.call(_stub(session).PlanWebhookConfigs, request).changes)
        except Refused as refused:
            wrong = stated_files.entries_of(refused, "desired")
            stated_files.located(refused, read.path, "desired", [lines for _, lines in stated])
            refused.violations = (*(found.violations if found else ()), *refused.violations)
            found = refused
            stated = [each for place, each in enumerate(stated) if place not in wrong]
            if wrong and stated:
                continue
        if found is not None:
            raise found
        return changes


def _wait(session: Session, name: str) -> Any:
    """The config as it is when it has settled, or when that takes too long."""
    from mintmark.v1 import webhook_configs_pb2 as pb

    request = pb.WaitWebhookConfigRequest(name=name)
    request.timeout.FromSeconds(WAIT_S - 1)
    return session.call(_stub(session).WaitWebhookConfig, request).webhook_config


def _name(text: str) -> str:
    return resource_name("webhookConfigs", text)


def _stub(session: Session) -> Any:
    from mintmark.v1 import webhook_configs_pb2_grpc

    return webhook_configs_pb2_grpc.WebhookConfigsServiceStub(session.channel)
