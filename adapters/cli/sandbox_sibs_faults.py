"""`mintmark sandbox sibs faults`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from adapters.cli.output import Output
from adapters.cli.refusals import usage
from adapters.cli.sandbox_control import connected
from adapters.cli.twin_documents import Document, show_all, show_call

faults = typer.Typer(help="Faults of single calls.")

PATH = "/sibs/control/faults"


@faults.command("add")
def add_fault(
    fault: Annotated[str, typer.Argument(help="A fault of `mintmark sandbox sibs kinds`.")],
    endpoint: Annotated[str, typer.Option(help="Only create, update, delete, list, access-token or status.")] = "",
    merchant: Annotated[str, typer.Option(help="Only for this merchant.")] = "",
    config: Annotated[str, typer.Option(help="Only for this config's code.")] = "",
    transaction: Annotated[str, typer.Option(help="Only for this transaction.")] = "",
    nth: Annotated[int, typer.Option(min=0, help="Only the n-th call that fits.")] = 0,
    times: Annotated[int, typer.Option(min=1, help="How often.")] = 1,
    always: Annotated[bool, typer.Option("--always", help="Every time, not only --times.")] = False,
    probability: Annotated[float, typer.Option(help="Which share of the calls, 0 to 1.")] = 1,
    unapplied: Annotated[bool, typer.Option("--unapplied", help="The call changes nothing.")] = False,
    seconds: Annotated[float | None, typer.Option(help="hang: how long. drip-...: for each byte.")] = None,
    status: Annotated[int, typer.Option(help="status, redirect: the HTTP status.")] = 0,
    retry_after: Annotated[str, typer.Option(help="status: the Retry-After header.")] = "",
    empty: Annotated[bool, typer.Option("--empty", help="status: without a body.")] = False,
    code: Annotated[str, typer.Option(help="rejected, accepted-with-code: the statusCode.")] = "",
    message: Annotated[str, typer.Option(help="rejected, accepted-with-code: the statusMsg.")] = "",
    location: Annotated[str, typer.Option(help="redirect: to where.")] = "",
    size: Annotated[int, typer.Option("--bytes", help="huge: how many.")] = 0,
    output: Output = None,
) -> None:
    """Let calls go wrong: the next one that fits, unless the options say otherwise."""
    order: Document = {
        **{
            "fault": fault,
            "endpoint": endpoint,
            "merchantId": merchant,
            "config": config,
            "transactionId": transaction,
        },
        **{"nth": nth, "times": 0 if always else times, "probability": probability, "applied": not unapplied},
        **{"retryAfter": retry_after, "empty": empty, "seconds": seconds},
    }
    given = {"status": status, "code": code, "message": message, "location": location, "bytes": size}
    order |= {name: value for name, value in given.items() if value}
    show_call("POST", PATH, order, _fault_line, output)


@faults.command("list")
def list_faults(output: Output = None) -> None:
    """Show the script and how often each fault has struck."""
    with connected() as control:
        show_all(control.call("GET", PATH)["faults"], _fault_line, output)


@faults.command("script")
def script_faults(
    file: Annotated[Path, typer.Argument(help='JSON: {"seed": 7, "faults": [{"fault": "reset", ...}]}', exists=True)],
    output: Output = None,
) -> None:
    """Replace the whole script; everything is counted anew."""
    try:
        document = json.loads(file.read_text())
    except (OSError, ValueError) as error:
        raise usage(f"cannot read {file}: {type(error).__name__}") from None
    if not isinstance(document, dict):
        raise usage(f"{file} must hold one object")
    with connected() as control:
        show_all(control.call("PUT", PATH, document)["faults"], _fault_line, output)


@faults.command("clear")
def clear_faults() -> None:
    """No faults any more."""
    with connected() as control:
        control.call("DELETE", PATH)


@faults.command("release")
def release_faults() -> None:
    """Let go of the calls that hang now."""
    with connected() as control:
        control.call("POST", f"{PATH}/release")


def _fault_line(fault: Document) -> str:
    words = [str(fault["id"]), fault["fault"], *([] if fault["applied"] else ["unapplied"])]
    words += [str(fault["status"])] if fault["status"] else []
    words += [
        f"{name} {fault[name]}" for name in ("endpoint", "merchantId", "config", "transactionId", "nth") if fault[name]
    ]
    return " ".join([*words, f"({fault['struck']} of {fault['times'] or 'all'})"])
