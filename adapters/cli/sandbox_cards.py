"""`mintmark sandbox verify-card` and others: what D1 asks a card issuer, by its local twin."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.cli.output import Form, Output, form_of, json_line, line
from adapters.cli.refusals import Refused, usage
from adapters.cli.sandbox_control import connected
from adapters.cli.words import members

Issuer = Annotated[str, typer.Option(help="The issuer, as D1 writes it.")]
CorrelationId = Annotated[str, typer.Option(help="The correlation id; a new one if not given.")]


def d1_key(output: Output = None) -> None:
    """Show the D1 twin's public key and its thumbprint, for `d1_public_keys` of an issuer's account."""
    with connected() as control:
        document = control.call("GET", "/d1-issuer/key")
    if form_of(output) is Form.JSON:
        json_line(document)
        return
    line(f"public_key: '{json.dumps(document['jwk'])}'")
    line(f"thumbprint: {document['thumbprint']}")


def sample_card(
    name: Annotated[str, typer.Argument(help="visa, visa-2, mastercard, amex or without-code.")],
) -> None:
    """Print the card data of a sample, as `mintmark cards register` takes it from stdin."""
    with connected() as control:
        samples = control.call("GET", "/d1-issuer/samples")
    if name not in samples:
        raise usage(f"NAME: one of {', '.join(samples)}")
    json_line(samples[name])


def verify_card(
    issuer: Issuer,
    sample: Annotated[str, typer.Option(help="A sample of the twin's (`sandbox sample-card`).")] = "",
    card_data: Annotated[
        Path | None, typer.Option("--card-data", help="A file with card data as in `cards register`; - is stdin.")
    ] = None,
    card: Annotated[str, typer.Option(help="The card id that D1 proposes.")] = "",
    card_bin: Annotated[str | None, typer.Option(help="The BIN; the number's first digits if not given.")] = None,
    field: Annotated[
        list[str] | None,
        typer.Option(help="A member of a sample, such as cvv=999; repeat; the name alone leaves it out."),
    ] = None,
    correlation_id: CorrelationId = "",
    output: Output = None,
) -> None:
    """Ask as D1 does whether a card is valid. Exit code 1 where the answer is none."""
    from adapters.cli.card_files import read_card

    if bool(sample) == (card_data is not None):
        raise usage("give either --sample or --card-data")
    if field and not sample:
        raise usage("--field is for samples: card data has no place in a command line")
    order: dict[str, Any] = {"issuerId": issuer, "cardId": card, "cardBin": card_bin, "correlationId": correlation_id}
    if sample:
        order |= {"sample": sample, "fields": members(field)}
    elif card_data is not None:
        order["card"] = json.loads(read_card(card_data))
    with connected() as control:
        answered = control.call("POST", "/d1-issuer/verify-card", order)
    if form_of(output) is Form.JSON:
        json_line(answered)
    elif answered["status"] == 200:
        for name, value in flat(answered["answer"]):
            line(f"{name}: {value}")
    refuse_unanswered(answered)


def get_credentials(
    issuer: Issuer,
    card: Annotated[str, typer.Option(help="The card's id.")],
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the card data as it is.")] = False,
    correlation_id: CorrelationId = "",
    output: Output = None,
) -> None:
    """Ask as D1 does for a card's data, which only D1's key opens; shown are its last digits."""
    order = {"issuerId": issuer, "cardId": card, "reveal": reveal, "correlationId": correlation_id}
    with connected() as control:
        answered = control.call("POST", "/d1-issuer/get-credentials", order)
    if form_of(output) is Form.JSON:
        json_line(answered)
    elif answered["status"] == 200:
        for name, value in answered["card"].items():
            line(f"{name}: {value}")
    refuse_unanswered(answered)


def refuse_unanswered(answered: dict[str, Any]) -> None:
    """Raises Refused where D1 was not answered 200."""
    if answered["status"] != 200:
        why = f"{answered['status']} {answered['error']}".rstrip() if answered["status"] else answered["error"]
        raise Refused(f"D1 was answered {why}", f"look in the gateway's log under {answered['correlationId']}")


def flat(document: dict[str, Any], path: str = "") -> list[tuple[str, str]]:
    """Members of members as `verificationResults.card.invalid`."""
    found: list[tuple[str, str]] = []
    for name, value in document.items():
        if isinstance(value, dict):
            found += flat(value, f"{path}{name}.")
        else:
            found.append((f"{path}{name}", value if isinstance(value, str) else json.dumps(value)))
    return found
