"""`mintmark sandbox`: the partners' local twins, run and told what to do."""

import json
import time
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.cli.output import Form, Output, console, form_of, json_line, line, note
from adapters.cli.refusals import Refused, usage
from adapters.cli.roles import become
from adapters.cli.sandbox_cards import d1_key, get_credentials, sample_card, verify_card
from adapters.cli.sandbox_consumers import get_consumer
from adapters.cli.sandbox_control import connected
from adapters.cli.sandbox_directory import activate_card, deliver_otp
from adapters.cli.sandbox_payment_options import payment_options
from adapters.cli.sandbox_sibs import sibs
from adapters.cli.words import members

sandbox = typer.Typer(help="The partners' local twins. Without a command: run them in the foreground.")
sandbox.add_typer(payment_options, name="payment-options", no_args_is_help=True)
sandbox.add_typer(sibs, name="sibs", no_args_is_help=True)
for command in (d1_key, sample_card, verify_card, get_credentials, get_consumer, deliver_otp, activate_card):
    sandbox.command()(command)

POLL_SECONDS = 0.3
D1_KIND = "d1-token-update"
KINDS = (
    D1_KIND,
    "tsh-binding-creation",
    "tsh-binding-update",
    "tsh-token-creation",
    "tsh-token-update",
    "tsh-merchant-update",
)
ISSUER_KINDS = (
    *("card-operation", "digital-card-operation", "three-d-secure-operation"),
    *("card-operations", "card-authorisations", "consumer-operations"),
)


@sandbox.callback(invoke_without_command=True)
def run(context: typer.Context) -> None:
    """The partners' local twins. Without a command: run them in the foreground."""
    if context.invoked_subcommand is None:
        become("adapters", "sandbox")


@sandbox.command()
def send(
    kind: Annotated[
        str,
        typer.Argument(help=f"One of {', '.join(KINDS)}."),
    ],
    merchant_gateway: Annotated[str, typer.Option(help="D1: the merchant gateway.")] = "",
    merchant: Annotated[str, typer.Option(help="The merchant.")] = "",
    token: Annotated[str, typer.Option(help="The token id; a new one if not given.")] = "",
    device: Annotated[str, typer.Option(help="TSH: the device id; a new one if not given.")] = "",
    update_type: Annotated[str, typer.Option(help="D1: the update type.")] = "",
    field: Annotated[
        list[str] | None, typer.Option(help="TSH: a field of the body, NAME=VALUE; repeat; NAME alone leaves it out.")
    ] = None,
    correlation_id: Annotated[str, typer.Option(help="The correlation id; a new one if not given.")] = "",
    repeat: Annotated[int, typer.Option(min=0, help="Send it so often again, with the same correlation id.")] = 0,
    out_of_order: Annotated[
        bool, typer.Option("--out-of-order", help="TSH: then send one about the same that is an hour older.")
    ] = False,
    malformed_timestamp: Annotated[
        bool, typer.Option("--malformed-timestamp", help="TSH: with the contract's malformed time.")
    ] = False,
    deadline: Annotated[float, typer.Option(help="Give up after so many seconds.")] = 30.0,
    output: Output = None,
) -> None:
    """Send one notification, retried as the partner would; exit code 1 where it is not acknowledged."""
    order: dict[str, Any] = {"correlationId": correlation_id, "repeat": repeat, "deadline": deadline}
    if kind not in KINDS:
        raise usage(f"KIND: one of {', '.join(KINDS)}")
    if kind == D1_KIND:
        if field or device or out_of_order or malformed_timestamp:
            raise usage("--field, --device, --out-of-order and --malformed-timestamp are for TSH")
        order |= {"merchantGatewayId": merchant_gateway, "merchantId": merchant, "tokenId": token}
        path = f"/notifications/{kind}"
        order["updateType"] = update_type
    else:
        fields: dict[str, str | None] = {
            name: value for name, value in (("merchantId", merchant), ("tokenId", token), ("deviceId", device)) if value
        }
        fields |= members(field)
        order |= {"fields": fields, "outOfOrder": out_of_order, "malformedTimestamp": malformed_timestamp}
        path = f"/notifications/tsh/{kind.removeprefix('tsh-')}"
    with connected() as control:
        _show_deliveries(control.call("POST", path, order)["deliveries"], output)


@sandbox.command("send-issuer")
def send_issuer(
    kind: Annotated[str, typer.Argument(help=f"One of {', '.join(ISSUER_KINDS)}; the last three are batches.")],
    issuer: Annotated[str, typer.Option(help="The issuer; ISSUER0001 if not given.")] = "",
    card: Annotated[str, typer.Option(help="The card of a single notification; a new one if not given.")] = "",
    digital_card: Annotated[str, typer.Option(help="The same for digital cards.")] = "",
    field: Annotated[
        list[str] | None, typer.Option(help="A field of each operation, NAME=VALUE; repeat; NAME alone leaves it out.")
    ] = None,
    count: Annotated[int | None, typer.Option(min=0, help="Batches: how many good items; 1 if not given.")] = None,
    bad: Annotated[int, typer.Option(min=0, help="Batches: how many items besides that break the contract.")] = 0,
    regroup: Annotated[
        bool, typer.Option("--regroup", help="Batches: then send the same items in another batch, with a new one.")
    ] = False,
    repeat: Annotated[int, typer.Option(min=0, help="Send it so often again.")] = 0,
    correlation_id: Annotated[str, typer.Option(help="The correlation id; a new one if not given.")] = "",
    deadline: Annotated[float, typer.Option(help="Give up after so many seconds.")] = 30.0,
    output: Output = None,
) -> None:
    """Send what D1 tells card issuers; batches are retried as D1 would. Exit code 1 where it is not acknowledged."""
    if kind not in ISSUER_KINDS:
        raise usage(f"KIND: one of {', '.join(ISSUER_KINDS)}")
    order: dict[str, Any] = {
        **{"issuerId": issuer, "cardId": card, "digitalCardId": digital_card, "fields": members(field)},
        **{"bad": bad, "regroup": regroup, "repeat": repeat, "correlationId": correlation_id, "deadline": deadline},
    }
    if count is not None:
        order["count"] = count
    with connected() as control:
        deliveries = control.call("POST", f"/notifications/d1-issuer/{kind}", order)["deliveries"]
    _show_deliveries(deliveries, output)


def _show_deliveries(deliveries: list[dict[str, Any]], output: Form | None) -> None:
    for delivery in deliveries:
        line(json.dumps(delivery, ensure_ascii=False) if form_of(output) is Form.JSON else delivery_line(delivery))
    if not all(delivery["acknowledged"] for delivery in deliveries):
        raise Refused("not acknowledged", "look at `mintmark sandbox state`, and at the gateway's log")


@sandbox.command()
def burst(
    count: Annotated[int, typer.Option(min=1, help="How many notifications.")],
    concurrency: Annotated[int, typer.Option(min=1, help="How many at the same time.")] = 16,
    repeats: Annotated[float, typer.Option(help="Which share is sent twice, 0 to 1.")] = 0.0,
    disorder: Annotated[float, typer.Option(help="Which share is sent out of order, 0 to 1.")] = 0.0,
    malformed: Annotated[float, typer.Option(help="Which share of TSH's has a malformed time, 0 to 1.")] = 0.0,
    unknown: Annotated[float, typer.Option(help="Which share of TSH's has an unknown word, 0 to 1.")] = 0.0,
    seed: Annotated[int, typer.Option(help="Decides everything but ids, which are new each time.")] = 0,
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind; repeat; KIND=WEIGHT weighs them.")] = None,
    deadline: Annotated[float | None, typer.Option(help="Give each up after so many seconds; else never.")] = None,
    background: Annotated[bool, typer.Option("--background", help="Return at once.")] = False,
    output: Output = None,
) -> None:
    """Send many notifications and wait until each is settled; Ctrl-C lets them go on in the background."""
    order: dict[str, Any] = {
        **{"count": count, "concurrency": concurrency, "repeats": repeats, "disorder": disorder},
        **{"malformed": malformed, "unknown": unknown, "seed": seed, "kinds": _weights(kind), "deadline": deadline},
    }
    with connected() as control:
        state = control.call("POST", "/bursts", order)
        while not background and state["state"] == "running":
            time.sleep(POLL_SECONDS)
            state = control.call("GET", f"/bursts/{state['name']}")
    if form_of(output) is Form.JSON:
        json_line(state)
    else:
        said = ", ".join(f"{state[name]} {name.replace('_', ' ')}" for name in ("acknowledged", "lost", "given_up"))
        line(
            f"{state['name']} {state['state']}: {state['count']} notifications in {state['sendings']} sendings; {said}"
        )
    if not background and state["acknowledged"] != state["sendings"]:
        raise Refused("not all were acknowledged", "look at `mintmark sandbox state` and `mintmark sandbox ledger`")


@sandbox.command()
def ledger(
    pending: Annotated[bool, typer.Option("--pending", help="Only what is on its way.")] = False,
    output: Output = None,
) -> None:
    """Show what was sent and what of it was acknowledged, one line per delivery."""
    as_json = form_of(output) is Form.JSON
    with connected() as control:
        for text in control.lines("/ledger"):
            delivery = json.loads(text)
            if not pending or delivery["settleTime"] is None:
                line(text if as_json else delivery_line(delivery))


@sandbox.command()
def state(output: Output = None) -> None:
    """Show how the twins are: feeds, credentials, bursts."""
    with connected() as control:
        _show_state(control.call("GET", "/state"), output)


@sandbox.command()
def resume(
    feed: Annotated[str, typer.Argument(help="d1, tsh or d1-issuer-batches")],
    output: Output = None,
) -> None:
    """Let a stopped feed go on."""
    with connected() as control:
        answer = control.call("POST", f"/feeds/{feed}/resume")
    if form_of(output) is Form.JSON:
        json_line(answer)
    else:
        line(f"{feed}: resumed" if answer["resumed"] else f"{feed}: was not stopped")


@sandbox.command()
def configure(
    target: Annotated[str | None, typer.Option(help="The gateway's URL.")] = None,
    client: Annotated[
        Path | None, typer.Option(help="A file as `clients create --output json` prints it.", exists=True)
    ] = None,
    api_key: Annotated[
        Path | None, typer.Option(help="A file as `api-keys create --output json` prints it.", exists=True)
    ] = None,
    speed: Annotated[float | None, typer.Option(help="How many of the partner's seconds pass in one of ours.")] = None,
    tsh_prefix: Annotated[str | None, typer.Option(help="The prefix of TSH's paths, such as /tsh-cof.")] = None,
    card_keys: Annotated[
        Path | None, typer.Option(help="A file with the public keys for cards (JWK Set), else fetched.", exists=True)
    ] = None,
    output: Output = None,
) -> None:
    """Change the target, the credentials or the speed until the sandbox ends. Secrets come from files."""
    order: dict[str, Any] = {}
    if client:
        document = _document(client, "client_id", "client_secret")
        order |= {"clientId": document["client_id"], "clientSecret": document["client_secret"]}
    if api_key:
        order["apiKey"] = _document(api_key, "api_key")["api_key"]
    if card_keys:
        order["cardKeys"] = {"keys": _keys(card_keys)}
    for name, value in (("targetUrl", target), ("speed", speed), ("tshPrefix", tsh_prefix)):
        if value is not None:
            order[name] = value
    if not order:
        raise usage("say what to change: --target, --client, --api-key, --speed, --tsh-prefix or --card-keys")
    with connected() as control:
        _show_state(control.call("POST", "/configure", order), output)


def delivery_line(delivery: dict[str, Any]) -> str:
    """A delivery for people."""
    names = ("merchantId", "tokenId", "deviceId", "issuerId", "cardId")
    # Lines of an older sandbox know no issuers.
    about = "/".join(delivery[name] for name in names if delivery.get(name))
    repeat = f" repeat {delivery['repeat']}" if delivery["repeat"] else ""
    answer = delivery["status"] if delivery["status"] is not None else delivery["error"] or "no answer"
    times = f"{delivery['attempts']} attempt{'' if delivery['attempts'] == 1 else 's'}"
    return f"{delivery['outcome']:<12} {answer}  {delivery['kind']:<20} {about}{repeat}  ({times})"


def _show_state(document: dict[str, Any], output: Form | None) -> None:
    if form_of(output) is Form.JSON:
        json_line(document)
        return
    out = console()
    out.print(f"target {document['targetUrl'] or 'none'}, speed {document['speed']:g}", soft_wrap=True)
    for name, feed in document["feeds"].items():
        condition = f"STOPPED since {feed['stopTime']}: {feed['stopReason']}" if feed["stopped"] else "running"
        if not feed["configured"]:
            condition = feed["missing"]
        counts = ", ".join(f"{feed[count]} {count}" for count in ("sent", "acknowledged", "retried", "refused"))
        out.print(f"{name}: {condition}; {counts}", soft_wrap=True, style="bold red" if feed["stopped"] else None)
    book = document["ledger"]
    out.print(f"ledger {book['file']}: {book['pending']} on their way, {book['held']} of them held", soft_wrap=True)
    for item in document["bursts"]:
        out.print(f"{item['name']}: {item['state']}, {item['acknowledged']} of {item['sendings']} acknowledged")


def _weights(kinds: list[str] | None) -> dict[str, float]:
    weights: dict[str, float] = {}
    for text in kinds or ():
        name, equals, weight = text.partition("=")
        try:
            weights[name] = float(weight) if equals else 1.0
        except ValueError:
            raise usage(f"--kind: {weight!r} is not a weight") from None
    return weights


def _keys(path: Path) -> list[Any]:
    try:
        keys = json.loads(path.read_text())["keys"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise usage(f"cannot read {path}: {type(error).__name__}") from None
    if not isinstance(keys, list):
        raise usage(f"{path} is no JWK Set")
    return keys


def _document(path: Path, *keys: str) -> dict[str, str]:
    try:
        document = json.loads(path.read_text())
        return {key: str(document[key]) for key in keys}
    except (OSError, ValueError, KeyError, TypeError) as error:
        note(f"mintmark: {path} has no {' and '.join(keys)}")
        raise usage(f"cannot read {path}: {type(error).__name__}") from None
