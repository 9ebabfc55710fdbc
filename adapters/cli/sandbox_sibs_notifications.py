"""`mintmark sandbox sibs notifications`."""

from typing import Annotated

import typer

from adapters.cli.output import Output
from adapters.cli.sandbox_control import connected
from adapters.cli.twin_documents import Document, show_all, show_call, show_lines
from adapters.cli.words import seconds as span_seconds
from adapters.cli.words import segment

notifications = typer.Typer(help="Notifications: what was sent, and which are to be late, repeated or damaged.")

PATH = "/sibs/control/notifications"
RULES = f"{PATH}/rules"
Identifier = Annotated[str, typer.Argument(help="Its number, or its notification id.")]


@notifications.command("list")
def list_notifications(
    requested: Annotated[bool, typer.Option("--requested", help="Only those that nobody has acknowledged.")] = False,
    output: Output = None,
) -> None:
    """Show what was sent, or is to be, and what became of it."""
    wanted = (lambda each: each["state"] == "Requested") if requested else None
    show_lines(PATH, notification_line, output, wanted)


@notifications.command()
def show(notification: Identifier, output: Output = None) -> None:
    """Show one with its plaintext and each try."""
    show_call("GET", f"{PATH}/{segment(notification)}", None, _story, output)


@notifications.command()
def redeliver(notification: Identifier, output: Output = None) -> None:
    """Send one once more now, whatever its state is."""
    show_call("POST", f"{PATH}/{segment(notification)}/redeliver", None, notification_line, output)


@notifications.command("add")
def add_rule(
    mode: Annotated[str, typer.Argument(help="A mode of `mintmark sandbox sibs kinds`.")],
    config: Annotated[str, typer.Option(help="Only to this config.")] = "",
    transaction: Annotated[str, typer.Option(help="Only of this transaction.")] = "",
    reference: Annotated[str, typer.Option(help="Only of this merchant transaction id.")] = "",
    payment_type: Annotated[str, typer.Option(help="Only of this type, such as RFND.")] = "",
    status: Annotated[str, typer.Option(help="Only of this payment status, such as Pending.")] = "",
    times: Annotated[int, typer.Option(min=1, help="For how many notifications.")] = 1,
    always: Annotated[bool, typer.Option("--always", help="For every one, not only --times.")] = False,
    probability: Annotated[float, typer.Option(help="Which share of them, 0 to 1.")] = 1,
    tries: Annotated[int, typer.Option(min=1, help="Damages: how many tries of a notification.")] = 1,
    wait: Annotated[str, typer.Option(help="late, out-of-order: how long, such as 60s.")] = "60s",
    copies: Annotated[int, typer.Option(min=2, help="duplicate: how many in all.")] = 2,
    output: Output = None,
) -> None:
    """Let notifications go wrong: the next one that fits, unless the options say otherwise."""
    order = {
        **{"mode": mode, "config": config, "transactionId": transaction, "merchantTransactionId": reference},
        **{"paymentType": payment_type, "paymentStatus": status, "times": 0 if always else times},
        **{"probability": probability, "tries": tries, "seconds": span_seconds(wait, "--wait"), "copies": copies},
    }
    with connected() as control:
        show_all(control.call("POST", RULES, order)["rules"], _rule_line, output)


@notifications.command("rules")
def list_rules(output: Output = None) -> None:
    """Show the rules and how often each was followed."""
    with connected() as control:
        show_all(control.call("GET", RULES)["rules"], _rule_line, output)


@notifications.command("clear")
def clear_rules() -> None:
    """Every notification at once, once and whole again."""
    with connected() as control:
        control.call("DELETE", RULES)


def notification_line(each: Document) -> str:
    """A notification for people."""
    answer = each["status"] if each["status"] else each["why"] or "-"
    due = f"  due at {each['due']:.0f} s" if each["due"] is not None else ""
    mode = f" {each['mode']}" if each["mode"] else ""
    return (
        f"{each['number']} {each['state']:<9} {each['paymentType']} {each['paymentStatus']:<10} "
        f"{each['transactionId']} to {each['config']} ({each['tries']} tries, {answer}){mode}{due}"
    )


def _story(each: Document) -> str:
    tries = [f"  {done['time']} {done['status'] or '-'} {done['why'] or 'acknowledged'}" for done in each["history"]]
    return "\n".join([notification_line(each), f"  {each['plaintext']}", *tries])


def _rule_line(rule: Document) -> str:
    names = ("config", "transactionId", "merchantTransactionId", "paymentType", "paymentStatus")
    words = [rule["mode"], *(rule[name] for name in names if rule[name])]
    return " ".join([*words, f"({rule['followed']} of {rule['times'] or 'all'})"])
