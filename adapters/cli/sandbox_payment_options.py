"""`mintmark sandbox payment-options`: what the PaymentOptions twin has done, and how it is to fail."""

import csv
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.cli.output import Form, Output, form_of, json_line, line
from adapters.cli.refusals import usage
from adapters.cli.sandbox_control import connected
from adapters.cli.words import segment

payment_options = typer.Typer(help="The PaymentOptions twin: what it has charged, and how it is to fail.")
faults = typer.Typer(help="Faults of single calls.")
webhooks = typer.Typer(help="Webhooks: what was sent, and which are to be late, lost, repeated or wrong.")
three_ds = typer.Typer(help="What the payer does on the 3DS page.")
hosted = typer.Typer(help="What the payer does on the hosted payment page.")
subscriptions = typer.Typer(help="The partner's subscriptions.")
for name, group in {
    "faults": faults,
    "webhooks": webhooks,
    "three-ds": three_ds,
    "hosted": hosted,
    "subscriptions": subscriptions,
}.items():
    payment_options.add_typer(group, name=name, no_args_is_help=True)

CONTROL = "/payment-options/control"
EXPORT_COLUMNS = (
    *("transaction_id", "reference", "transaction_type", "amount"),
    *("currency", "outcome", "merchant_id", "time"),
)
# The partner's words for what the ledger calls otherwise.
TRANSACTION_TYPES: dict[str, str] = {
    "PURCHASE": "CAPTURE",
    "AUTHORIZATION": "PRE_AUTH",
    "SUBSCRIPTION_CHARGE": "CAPTURE",
}
Reference = Annotated[str, typer.Option(help="Only for this merchant reference.")]
Always = Annotated[bool, typer.Option("--always", help="Every time, not only --times.")]
Document = dict[str, Any]


@payment_options.command()
def state(output: Output = None) -> None:
    """Show how the twin is: merchant, counts, script, listener."""
    with connected() as control:
        document = control.call("GET", f"{CONTROL}/state")
    if form_of(output) is Form.JSON:
        json_line(document)
        return
    line(f"merchant {document['merchantId']}: {document['transactions']} transactions, {document['moved']} moved money")
    line(f"ledger {document['ledger']}; {len(document['faults']['faults'])} faults in the script")
    listener = document["listener"]
    if listener:
        line(f"listener {listener['address']}: {'open' if listener['open'] else 'closed'}")


@payment_options.command()
def ledger(
    as_csv: Annotated[
        bool, typer.Option("--csv", help="As the export that `mintmark payments reconcile` reads.")
    ] = False,
    output: Output = None,
) -> None:
    """Show the ledger of charges: the truth about money, one line for each try."""
    if not as_csv:
        _show_lines("/ledger", _charge_line, output)
        return
    with connected() as control:
        # What was pending has a second line when it is settled.
        newest = {each["transactionId"]: each for each in map(json.loads, control.lines(f"{CONTROL}/ledger"))}
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(EXPORT_COLUMNS)
    writer.writerows(_export_cells(charge) for charge in newest.values())


@payment_options.command()
def transactions(
    transaction: Annotated[str, typer.Argument(help="Only this one.")] = "",
    output: Output = None,
) -> None:
    """Show transactions with what was captured and given back."""
    if not transaction:
        _show_lines("/transactions", _transaction_line, output)
        return
    with connected() as control:
        _show(control.call("GET", f"{CONTROL}/transactions/{segment(transaction)}"), _transaction_line, output)


@payment_options.command()
def requests(output: Output = None) -> None:
    """Show every request that came: what is not here was never sent."""
    _show_lines("/requests", _request_line, output)


@payment_options.command()
def outcomes(output: Output = None) -> None:
    """Show which amount or stored payment method brings which outcome, and which faults there are."""
    with connected() as control:
        document = control.call("GET", f"{CONTROL}/outcomes")
    if form_of(output) is Form.JSON:
        for row in [*document["outcomes"], *document["faults"]]:
            json_line(row)
        return
    for row in document["outcomes"]:
        line(f"{row['amount'] or '-':<6} {row['storedPaymentMethodId'] or '-':<36}  {row['name']:<22} {row['text']}")
    for row in document["faults"]:
        line(f"fault {row['fault']:<16} {row['text']}")


@payment_options.command()
def listener(
    state: Annotated[str, typer.Argument(help="open, or closed: then connections are refused.")],
    output: Output = None,
) -> None:
    """Open or close the twin's own listener (MINTMARK_SANDBOX_PAYMENT_OPTIONS_ADDRESS)."""
    if state not in {"open", "closed"}:
        raise usage("STATE: open or closed")
    with connected() as control:
        document = control.call("PUT", f"{CONTROL}/listener", {"open": state == "open"})
    _show(document, lambda each: f"{each['address']}: {'open' if each['open'] else 'closed'}", output)


@faults.command("add")
def add_fault(
    fault: Annotated[str, typer.Argument(help="A fault of `mintmark sandbox payment-options outcomes`.")],
    endpoint: Annotated[
        str, typer.Option(help="Only for this call, such as payment; else each that moves money.")
    ] = "",
    reference: Reference = "",
    amount: Annotated[str, typer.Option(help="Only for this amount.")] = "",
    nth: Annotated[int, typer.Option(min=0, help="Only the n-th call that fits.")] = 0,
    times: Annotated[int, typer.Option(min=1, help="How often.")] = 1,
    always: Always = False,
    probability: Annotated[
        float, typer.Option(help="Which share of the calls, 0 to 1; the script's seed decides.")
    ] = 1,
    uncharged: Annotated[bool, typer.Option("--uncharged", help="Nothing is charged.")] = False,
    seconds: Annotated[float | None, typer.Option(help="hang: how long. drip-...: for each byte.")] = None,
    status: Annotated[int, typer.Option(help="status, redirect: the HTTP status.")] = 0,
    empty: Annotated[bool, typer.Option("--empty", help="status: without a body.")] = False,
    location: Annotated[str, typer.Option(help="redirect: to where.")] = "",
    size: Annotated[int, typer.Option("--bytes", help="huge: how many.")] = 0,
    number: Annotated[str, typer.Option(help="card-number: a canary instead of a test card's number.")] = "",
    output: Output = None,
) -> None:
    """Let calls go wrong: the next one that fits, unless the options say otherwise."""
    order: Document = {
        **{"fault": fault, "endpoint": endpoint, "reference": reference, "amount": amount, "nth": nth},
        **{"times": 0 if always else times, "probability": probability, "charged": not uncharged, "empty": empty},
    }
    given = {
        "status": status or None,
        "seconds": seconds,
        "location": location or None,
        "bytes": size or None,
        "number": number or None,
    }
    order |= {name: value for name, value in given.items() if value is not None}
    with connected() as control:
        _show(control.call("POST", f"{CONTROL}/faults", order), _fault_line, output)


@faults.command("list")
def list_faults(output: Output = None) -> None:
    """Show the script and how often each fault has struck."""
    with connected() as control:
        _show_all(control.call("GET", f"{CONTROL}/faults")["faults"], _fault_line, output)


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
        _show_all(control.call("PUT", f"{CONTROL}/faults", document)["faults"], _fault_line, output)


@faults.command("clear")
def clear_faults() -> None:
    """No faults any more."""
    with connected() as control:
        control.call("DELETE", f"{CONTROL}/faults")


@faults.command("release")
def release_faults() -> None:
    """Let go of the calls that hang now."""
    with connected() as control:
        control.call("POST", f"{CONTROL}/faults/release")


@webhooks.command("list")
def list_webhooks(output: Output = None) -> None:
    """Show what was sent, or is to be, and what became of it."""
    _show_lines("/webhooks", _webhook_line, output)


@webhooks.command("rules")
def list_rules(output: Output = None) -> None:
    """Show the rules and how often each was followed."""
    with connected() as control:
        _show_all(control.call("GET", f"{CONTROL}/webhooks/rules")["rules"], _rule_line, output)


@webhooks.command("add")
def add_rule(
    mode: Annotated[
        str,
        typer.Argument(
            help="immediate, late, duplicate, lost, out-of-order, before-answer, tampered-amount or card-number."
        ),
    ],
    reference: Reference = "",
    transaction_type: Annotated[str, typer.Option(help="Only CAPTURE, PRE_AUTH, REFUND or VOID.")] = "",
    times: Annotated[int, typer.Option(min=1, help="How often.")] = 1,
    always: Always = False,
    seconds: Annotated[float, typer.Option(help="late: the partner's seconds.")] = 60,
    copies: Annotated[int, typer.Option(min=1, help="duplicate: how many in all.")] = 2,
    amount: Annotated[str, typer.Option(help="tampered-amount: what it says.")] = "",
    output: Output = None,
) -> None:
    """Let webhooks go wrong: the next one that fits, unless the options say otherwise."""
    order = {
        **{"mode": mode, "reference": reference, "transactionType": transaction_type, "seconds": seconds},
        **{"times": 0 if always else times, "copies": copies, "amount": amount},
    }
    with connected() as control:
        _show_all(control.call("POST", f"{CONTROL}/webhooks/rules", order)["rules"], _rule_line, output)


@webhooks.command("clear")
def clear_rules() -> None:
    """Every webhook at once and once again."""
    with connected() as control:
        control.call("DELETE", f"{CONTROL}/webhooks/rules")


@three_ds.command()
def approve(
    payment: Annotated[str, typer.Argument(help="The merchant reference, or the page's id.")], output: Output = None
) -> None:
    """The payer approves: the charge is made and the webhook sent."""
    _decide("three-ds", payment, "approve", output)


@three_ds.command()
def decline(
    payment: Annotated[str, typer.Argument(help="The merchant reference, or the page's id.")], output: Output = None
) -> None:
    """The payer declines; the page can be used again."""
    _decide("three-ds", payment, "decline", output)


@hosted.command("pay")
def pay_page(
    payment: Annotated[str, typer.Argument(help="The merchant reference, or the page's id.")], output: Output = None
) -> None:
    """The payer pays with a test card: the charge is made, the card stored where asked for, the webhook sent."""
    _decide("hosted", payment, "pay", output)


@hosted.command("decline")
def decline_page(
    payment: Annotated[str, typer.Argument(help="The merchant reference, or the page's id.")], output: Output = None
) -> None:
    """The payer's card is declined; the page can be used again."""
    _decide("hosted", payment, "decline", output)


@three_ds.command()
def pages(output: Output = None) -> None:
    """Show every 3DS and hosted page that was given out."""
    _show_lines(
        "/pages", lambda each: f"{each['state']:<8} {each['page']:<9} {each['reference']} {each['pageId']}", output
    )


@subscriptions.command("list")
def list_subscriptions(output: Output = None) -> None:
    """Show all of them."""
    _show_lines(
        "/subscriptions",
        lambda each: f"{each['id']} {each['status']} {each['completed_payment_cycle']} of {each['max_cycle_count']}",
        output,
    )


@subscriptions.command("charge")
def charge_subscription(subscription: Annotated[str, typer.Argument(help="Its id.")], output: Output = None) -> None:
    """Charge the next cycle now, as if its day had come."""
    _post(f"subscriptions/{segment(subscription)}/charge", _transaction_line, output)


@subscriptions.command("pause")
def pause_subscription(subscription: Annotated[str, typer.Argument(help="Its id.")], output: Output = None) -> None:
    """Pause it, as somebody in the partner's portal does."""
    _post(f"subscriptions/{segment(subscription)}/pause", lambda each: f"{each['id']} {each['status']}", output)


def _decide(page: str, payment: str, decision: str, output: Form | None) -> None:
    _post(f"{page}/{segment(payment)}/{decision}", _transaction_line, output)


def _post(path: str, text: Callable[[Document], str], output: Form | None) -> None:
    with connected() as control:
        _show(control.call("POST", f"{CONTROL}/{path}"), text, output)


def _show(document: Document, text: Callable[[Document], str], output: Form | None) -> None:
    line(json.dumps(document, ensure_ascii=False) if form_of(output) is Form.JSON else text(document))


def _show_all(documents: list[Document], text: Callable[[Document], str], output: Form | None) -> None:
    for document in documents:
        _show(document, text, output)


def _show_lines(path: str, text: Callable[[Document], str], output: Form | None) -> None:
    with connected() as control:
        for found in control.lines(CONTROL + path):
            line(found if form_of(output) is Form.JSON else text(json.loads(found)))


def _charge_line(charge: Document) -> str:
    moved = "moved" if charge["moved"] else "-"
    fault = f"  {charge['fault']}" if charge["fault"] else ""
    return (
        f"{charge['time']} {moved:<6} {charge['kind']:<13} {charge['amount']} {charge['currency']}  "
        f"{charge['outcome']} {charge['responseCode']}  {charge['reference']} {charge['transactionId']}  "
        f"answer {charge['answer']}{fault}"
    )


def _export_cells(charge: Document) -> tuple[Any, ...]:
    return (
        charge["transactionId"],
        charge["reference"],
        TRANSACTION_TYPES.get(charge["kind"]) or charge["kind"],
        charge["amount"] if charge["moved"] else charge["requestedAmount"],
        charge["currency"],
        charge["outcome"],
        charge["merchantId"],
        charge["time"],
    )


def _transaction_line(transaction: Document) -> str:
    sums = [
        f"{word} {transaction[name]}"
        for word, name in (("captured", "capturedAmount"), ("refunded", "refundedAmount"))
        if transaction[name] not in ("", "0")
    ]
    words = [transaction["kind"], transaction["outcome"], transaction["amount"], transaction["currency"], *sums]
    return " ".join(
        [transaction["transactionId"], *words, "voided" if transaction["voided"] else "", transaction["reference"]]
    )


def _request_line(request: Document) -> str:
    answer = str(request["status"] or "none") if request["decided"] else "-"
    return (
        f"{request['time']} {request['endpoint']:<16} {answer:<5} {request['reference']} {request['amount']} "
        f"{request['transactionId']} {request['fault']}".rstrip()
    )


def _fault_line(fault: Document) -> str:
    words = [str(fault["id"]), fault["fault"], *([] if fault["charged"] else ["uncharged"])]
    words += [f"{name} {fault[name]}" for name in ("endpoint", "reference", "amount", "nth") if fault[name]]
    return " ".join([*words, f"({fault['struck']} of {fault['times'] or 'all'})"])


def _webhook_line(webhook: Document) -> str:
    return (
        f"{webhook['number']} {webhook['mode']} {webhook['state']} {webhook['status'] or webhook['error'] or '-'}  "
        f"{webhook['transactionType']} {webhook['reference']} {webhook['transactionId']}"
    )


def _rule_line(rule: Document) -> str:
    words = [rule["mode"], *(rule[name] for name in ("reference", "transactionType") if rule[name])]
    return " ".join([*words, f"({rule['followed']} of {rule['times'] or 'all'})"])
