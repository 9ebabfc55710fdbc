"""`mintmark digital-cards`: what Thales D1 tells card issuers of cards in wallets and with merchants."""

from typing import Annotated, Any

import typer

from adapters.cli.output import Column, Limit, Output, enum_word, show, show_list, time_text
from adapters.cli.session import Session, connect
from adapters.cli.words import enum_numbers

digital_cards = typer.Typer(
    help="Digital cards (in wallets, with merchants), as Thales D1 tells their issuer of them.", no_args_is_help=True
)

Name = Annotated[
    str, typer.Argument(help="The whole name, issuers/{i}/digitalCards/{d}; `digital-cards list` shows names.")
]


def _last(card: Any) -> str:
    return f"{card.last_operation} {card.last_operation_state_text}"


COLUMNS: list[Column] = [
    ("name", lambda card: card.name),
    ("card", lambda card: card.card_id),
    ("state", lambda card: enum_word(card, "state")),
    ("last operation", _last),
    ("at D1", lambda card: time_text(card, "partner_order_time")),
    ("changed", lambda card: time_text(card, "update_time")),
]


@digital_cards.command("list")
def list_digital_cards(
    issuer: Annotated[str, typer.Option(help="Only this issuer's.")] = "",
    card: Annotated[str, typer.Option(help="Only those that stand for this card id.")] = "",
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; repeat for several.")] = None,
    limit: Limit = 0,
    output: Output = None,
) -> None:
    """List digital cards."""
    from mintmark.v1 import digital_cards_pb2 as pb

    request = pb.ListDigitalCardsRequest(
        issuer_id=issuer,
        card_id=card,
        states=enum_numbers(pb.DigitalCardState.DESCRIPTOR, state, "--state"),
    )
    with connect() as session:
        method = _stub(session).ListDigitalCards
        show_list(session.pages(method, request, lambda page: page.digital_cards, limit), COLUMNS, output)


@digital_cards.command("show")
def show_digital_card(name: Name, output: Output = None) -> None:
    """Show one digital card."""
    from mintmark.v1 import digital_cards_pb2 as pb

    with connect() as session:
        request = pb.GetDigitalCardRequest(name=name)
        show(session.call(_stub(session).GetDigitalCard, request).digital_card, output)


def _stub(session: Session) -> Any:
    from mintmark.v1 import digital_cards_pb2_grpc

    return digital_cards_pb2_grpc.DigitalCardsServiceStub(session.channel)
