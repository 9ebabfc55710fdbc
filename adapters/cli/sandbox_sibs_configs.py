"""`mintmark sandbox sibs configs`: what the acquirer has, and how it changes behind our backs."""

from typing import Annotated

import typer

from adapters.cli.output import Output
from adapters.cli.refusals import usage
from adapters.cli.twin_documents import Document, show_call, show_lines
from adapters.cli.words import segment

configs = typer.Typer(help="The webhook configurations that the acquirer has.")

PATH = "/sibs/control/configs"
Code = Annotated[str, typer.Argument(help="Its code.")]
Methods = Annotated[list[str] | None, typer.Option("--method", help="A payment method code; repeat.")]


@configs.command("list")
def list_configs(
    deleted: Annotated[bool, typer.Option("--deleted", help="Those that were deleted too.")] = False,
    output: Output = None,
) -> None:
    """Show them; of a key only whether it is the same."""
    show_lines(PATH, _config_line, output, lambda each: deleted or not each["deleted"])


@configs.command()
def add(
    value: Annotated[str, typer.Argument(help="The URL.")],
    merchant: Annotated[str, typer.Option(help="The merchant.")] = "",
    acceptor: Annotated[str, typer.Option(help="The acceptor.")] = "",
    terminal: Annotated[str, typer.Option(help="The terminal.")] = "",
    method: Methods = None,
    output: Output = None,
) -> None:
    """Somebody else makes one."""
    order: Document = {"value": value, "acceptorId": acceptor, "terminalId": terminal}
    if merchant:
        order["merchantId"] = merchant
    if method:
        order["methods"] = method
    show_call("POST", PATH, order, _config_line, output)


@configs.command()
def drift(
    code: Code,
    value: Annotated[str | None, typer.Option(help="Another URL or e-mail address.")] = None,
    new_key: Annotated[bool, typer.Option("--new-key", help="A key that nobody knows.")] = False,
    method: Methods = None,
    support_email: Annotated[str | None, typer.Option(help="Another address for failures.")] = None,
    output: Output = None,
) -> None:
    """Somebody else changes one."""
    given = {"value": value, "key": "new" if new_key else None, "methods": method, "supportEmail": support_email}
    order = {name: text for name, text in given.items() if text is not None}
    if not order:
        raise usage("say what changes: --value, --new-key, --method or --support-email")
    show_call("PATCH", f"{PATH}/{segment(code)}", order, _config_line, output)


@configs.command()
def remove(code: Code, output: Output = None) -> None:
    """Somebody else deletes one."""
    show_call("DELETE", f"{PATH}/{segment(code)}", None, _config_line, output)


def _config_line(each: Document) -> str:
    scope = "/".join(each[name] for name in ("merchantId", "acceptorId", "terminalId") if each[name])
    key = f" key {each['keyNumber']} {each['keyFingerprint']}" if each["keyFingerprint"] else ""
    deleted = " DELETED" if each["deleted"] else ""
    return f"{each['code']} {scope} {','.join(each['methods'])} {each['value']}{key} by {each['changedBy']}{deleted}"
