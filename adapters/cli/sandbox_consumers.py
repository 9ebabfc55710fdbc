"""`mintmark sandbox get-consumer`: what D1 asks a card issuer of a cardholder, by its local twin."""

from typing import Annotated

import typer

from adapters.cli.output import Form, Output, form_of, json_line, line
from adapters.cli.sandbox_cards import CorrelationId, Issuer, flat, refuse_unanswered
from adapters.cli.sandbox_control import connected


def get_consumer(
    issuer: Issuer,
    consumer: Annotated[str, typer.Option(help="The consumer's id.")],
    card: Annotated[str, typer.Option(help="The card that D1 asks because of.")] = "",
    reveal: Annotated[bool, typer.Option("--reveal", help="Show what is told of the person.")] = False,
    correlation_id: CorrelationId = "",
    output: Output = None,
) -> None:
    """Ask as D1 does what is known of a consumer; shown is what of it there is. Exit code 1 where it is none."""
    order = {
        **{"issuerId": issuer, "consumerId": consumer, "cardId": card},
        **{"reveal": reveal, "correlationId": correlation_id},
    }
    with connected() as control:
        answered = control.call("POST", "/d1-issuer/get-consumer", order)
    if form_of(output) is Form.JSON:
        json_line(answered)
    elif answered["status"] == 200:
        for name, value in flat(answered["consumer"]):
            line(f"{name}: {value}")
    refuse_unanswered(answered)
