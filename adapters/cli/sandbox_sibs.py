"""`mintmark sandbox sibs`: the SIBS acquirer's twin, told what to do and asked what it has done."""

import json
from typing import Annotated

import typer

from adapters.cli.output import Form, Output, form_of, json_line, line
from adapters.cli.refusals import usage
from adapters.cli.sandbox_control import connected
from adapters.cli.sandbox_sibs_configs import configs
from adapters.cli.sandbox_sibs_faults import faults
from adapters.cli.sandbox_sibs_notifications import notification_line, notifications
from adapters.cli.sandbox_sibs_transactions import transactions
from adapters.cli.twin_documents import Document, show, show_call, show_lines
from adapters.cli.words import seconds, segment

sibs = typer.Typer(help="The SIBS acquirer's twin.")
access_tokens = typer.Typer(help="The access tokens that it has given out.")
for name, group in {
    "transactions": transactions,
    "notifications": notifications,
    "configs": configs,
    "faults": faults,
    "access-tokens": access_tokens,
}.items():
    sibs.add_typer(group, name=name, no_args_is_help=True)

CONTROL = "/sibs/control"


@sibs.command()
def state(output: Output = None) -> None:
    """Show how the twin is, and how it is reached."""
    with connected() as control:
        document = control.call("GET", f"{CONTROL}/state")
        address = control.address
    if form_of(output) is Form.JSON:
        json_line(document)
        return
    line(f"reached at {address}{document['path']}; x-ibm-client-id {document['clientId']}")
    line(f"static access token {document['accessToken']}")
    line(f"client credentials at {document['path']}/oauth2/token: secret {document['clientSecret']}")
    line(f"acquirer {document['acquirerId']}, merchant {document['merchantId']}")
    counts = ("configs", "transactions", "notifications", "processed", "waiting", "givenUp", "faults", "rules")
    line(", ".join(f"{name} {document[name]}" for name in counts))
    line(f"time {document['time']:.0f} s; ledger {document['ledger']}")


@sibs.command()
def kinds(output: Output = None) -> None:
    """Show what can be made: transactions, faults of calls, modes of notifications; and the tiers of retries."""
    with connected() as control:
        document = control.call("GET", f"{CONTROL}/kinds")
    if form_of(output) is Form.JSON:
        json_line(document)
        return
    line(f"transactions: {', '.join(document['transactions'])}")
    for each in document["faults"]:
        line(f"fault {each['fault']:<22} {each['text']}")
    for each in document["modes"]:
        line(f"mode {each['mode']:<20} {each['text']}")
    for each in document["tiers"]:
        line(
            f"tier {each['tier']}: up to retry {each['last']}, {each['most']} at once, every {each['period'] / 60:g} m"
        )


@sibs.command()
def habits(
    changes: Annotated[
        list[str] | None, typer.Argument(help="NAME=VALUE, such as listShape=b; else they are shown.")
    ] = None,
    output: Output = None,
) -> None:
    """Show or change how the twin does what the acquirer's pages leave open."""
    order: Document = {}
    for text in changes or ():
        key, equals, value = text.partition("=")
        if not equals:
            raise usage(f"{text!r}: write NAME=VALUE")
        order[key] = _value(key, value)
    path = f"{CONTROL}/habits"
    with connected() as control:
        document = control.call("PATCH", path, order) if order else control.call("GET", path)
    show(document, lambda each: "\n".join(f"{key}={json.dumps(each[key])}" for key in each), output)


@sibs.command()
def advance(span: Annotated[str, typer.Argument(help="Such as 90s, 5m, 24h, 16d.")], output: Output = None) -> None:
    """Let so much of the acquirer's time pass at once; ends when all that was due meanwhile has happened."""
    order = {"seconds": seconds(span, "SPAN")}
    show_call("POST", f"{CONTROL}/clock/advance", order, lambda each: f"time {each['time']:.0f} s", output)


@sibs.command()
def ledger(output: Output = None) -> None:
    """Show the ledger: each change with its notifications, each try with what came of it."""
    show_lines(f"{CONTROL}/ledger", lambda each: json.dumps(each, ensure_ascii=False), output)


@sibs.command()
def requests(output: Output = None) -> None:
    """Show every call that came: what is not here was never sent."""
    show_lines(f"{CONTROL}/requests", _request_line, output)


@sibs.command("press-test-button")
def press_test_button(config: Annotated[str, typer.Argument(help="Its code.")], output: Output = None) -> None:
    """Send what the Backoffice's test button sends: a purchase that never was."""
    show_call("POST", f"{CONTROL}/configs/{segment(config)}/test", None, notification_line, output)


@access_tokens.command("list")
def list_access_tokens(output: Output = None) -> None:
    """Show how many there are."""
    show_call("GET", f"{CONTROL}/access-tokens", None, _access_tokens_line, output)


@access_tokens.command()
def revoke(
    static: Annotated[bool, typer.Option("--static", help="The static one too.")] = False, output: Output = None
) -> None:
    """End all that were given out."""
    show_call("POST", f"{CONTROL}/access-tokens/revoke", {"static": static}, _access_tokens_line, output)


@access_tokens.command()
def reinstate(output: Output = None) -> None:
    """Let the static one be good again."""
    show_call("POST", f"{CONTROL}/access-tokens/reinstate", None, _access_tokens_line, output)


def _value(key: str, text: str) -> object:
    """A number or truth where one can be meant; `acknowledgement=200` is a text."""
    if key in {"unknownFields", "longestCode", "accessTokenSeconds"}:
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def _access_tokens_line(document: Document) -> str:
    static = "revoked" if document["staticRevoked"] else "good"
    counts = ", ".join(f"{name} {document[name]}" for name in ("issued", "live", "revoked"))
    return f"{counts}; the static one is {static}"


def _request_line(request: Document) -> str:
    answer = str(request["status"] or "none") if request["decided"] else "-"
    about = request["code"] or request["transactionId"] or request["merchantId"]
    told = " ".join(word for word in (request["transactionStatus"], request["statusCode"], request["fault"]) if word)
    return f"{request['time']} {request['endpoint']:<12} {answer:<5} {about} {told} {request['requestId']}".rstrip()
