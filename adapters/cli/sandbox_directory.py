"""`mintmark sandbox deliver-otp` and `activate-card`: what D1 asks of an issuer's own system, by its local twin."""

from typing import Annotated, Any

import typer

from adapters.cli.output import Form, Output, form_of, json_line, line
from adapters.cli.refusals import Refused, usage
from adapters.cli.sandbox_cards import CorrelationId, Issuer
from adapters.cli.sandbox_control import connected

CHANNELS = ("SMS", "EMAIL")
REASONS = ("CARD-DIGITIZATION", "DEVICE-BINDING", "CARDHOLDER-VERIFICATION")
DONE = 204


def deliver_otp(
    issuer: Issuer,
    consumer: Annotated[str, typer.Option(help="The consumer's id.")] = "",
    card: Annotated[str, typer.Option(help="The card's id.")] = "",
    channel: Annotated[str, typer.Option(help=f"One of {', '.join(CHANNELS)}.")] = CHANNELS[0],
    reason: Annotated[str, typer.Option(help=f"One of {', '.join(REASONS)}.")] = REASONS[0],
    reveal: Annotated[bool, typer.Option("--reveal", help="Show the one-time password.")] = False,
    correlation_id: CorrelationId = "",
    output: Output = None,
) -> None:
    """Have a new one-time password delivered, as D1 does. Exit code 1 where it was not."""
    if channel not in CHANNELS:
        raise usage(f"--channel: one of {', '.join(CHANNELS)}")
    if reason not in REASONS:
        raise usage(f"--reason: one of {', '.join(REASONS)}")
    order = {
        **{"issuerId": issuer, "consumerId": consumer, "cardId": card, "channel": channel, "reason": reason},
        **{"reveal": reveal, "correlationId": correlation_id},
    }
    _told("deliver-otp", order, f"delivered by {channel}", output)


def activate_card(
    issuer: Issuer,
    card: Annotated[str, typer.Option(help="The physical card's id.")],
    correlation_id: CorrelationId = "",
    output: Output = None,
) -> None:
    """Activate a physical card, as D1 does. Exit code 1 where it was not."""
    _told("activate-card", {"issuerId": issuer, "cardId": card, "correlationId": correlation_id}, "active", output)


def _told(call: str, order: dict[str, Any], done: str, output: Form | None) -> None:
    with connected() as control:
        answered = control.call("POST", f"/d1-issuer/{call}", order)
    if form_of(output) is Form.JSON:
        json_line(answered)
    elif answered["status"] == DONE:
        line(f"{done}: {answered['otp']}" if order.get("reveal") else done)
    if answered["status"] != DONE:
        why = f"{answered['status']} {answered['error']}".rstrip() if answered["status"] else answered["error"]
        raise Refused(f"D1 was answered {why}", f"look in the gateway's log under {answered['correlationId']}")
