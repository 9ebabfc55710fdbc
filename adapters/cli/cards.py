"""`mintmark cards`: the cards of card issuers, the keys for their data, and who had it opened."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.cli.output import Column, Limit, Output, enum_word, show, show_list, time_text
from adapters.cli.refusals import Refused
from adapters.cli.session import Session, connect, request_id
from adapters.cli.words import enum_number, enum_numbers

cards = typer.Typer(help="The cards of card issuers, which D1 asks about.", no_args_is_help=True)

WAIT_SECONDS = 10.0
POLL_SECONDS = 0.1

Name = Annotated[str, typer.Argument(help="issuers/{i}/cards/{c}; `cards list` shows names.")]
CardData = Annotated[
    Path,
    typer.Option(
        "--card-data",
        help="A file that only you may read (0600) with pan, exp and as you wish name, cvv, auxiliaryPan, "
        "auxiliaryExp as a JSON object; - is stdin.",
    ),
]
Wait = Annotated[bool, typer.Option("--wait", help="Wait until a gateway has looked at the card data, 10 s at most.")]
OwnRequestId = Annotated[
    str, typer.Option("--request-id", help="A UUID; the same command with it again does it only once.")
]
STDIN = Path("-")


def _state(card: Any) -> str:
    why = enum_word(card, "suspension_reason") or enum_word(card, "rejection")
    return f"{enum_word(card, 'state')} {why}".rstrip()


def _replacement(card: Any) -> str:
    return "pending" if card.replacement_pending else enum_word(card, "replacement_rejection")


COLUMNS: list[Column] = [
    ("name", lambda card: card.name),
    ("consumer", lambda card: card.consumer_id),
    ("state", _state),
    ("number", lambda card: f"{card.bin}...{card.last_digits}" if card.bin else ""),
    ("expiry", lambda card: card.expiry),
    ("security code", lambda card: "kept" if card.has_security_code else ""),
    ("replacement", _replacement),
    ("tries", lambda card: str(card.verification_attempts)),
    ("changed", lambda card: time_text(card, "update_time")),
]
KEY_COLUMNS: list[Column] = [
    ("kid", lambda key: key.kid),
    ("current", lambda key: "yes" if key.current else ""),
    ("published", lambda key: time_text(key, "publish_time")),
]
ACCESS_COLUMNS: list[Column] = [
    ("time", lambda access: time_text(access, "create_time")),
    ("issuer", lambda access: access.issuer_id),
    ("card", lambda access: access.card),
    ("purpose", lambda access: enum_word(access, "purpose")),
    ("result", lambda access: enum_word(access, "result")),
    ("sender", lambda access: access.sender),
    ("correlation id", lambda access: access.correlation_id),
]


@cards.command("register")
def register_card(
    issuer: Annotated[str, typer.Argument(help="The issuer, as D1 writes it.")],
    card: Annotated[str, typer.Argument(help="The issuer's id of the card.")],
    consumer: Annotated[str, typer.Option(help="The issuer's id of the cardholder.")],
    account: Annotated[str, typer.Option(help="The issuer's id of the account.")] = "",
    card_data: CardData = STDIN,
    wait: Wait = False,
    own_request_id: OwnRequestId = "",
    output: Output = None,
) -> None:
    """Make a card known. Its data is encrypted here and never leaves the command in clear.

    It is PENDING until a gateway has looked at it, then ACTIVE or REJECTED; exit code 1 where --wait shows it REJECTED.
    """
    from mintmark.v1 import cards_pb2 as pb

    from adapters.cli.card_files import encrypted, read_card

    plaintext = read_card(card_data)
    with connect() as session:
        request = pb.RegisterCardRequest(
            request_id=own_request_id or request_id(),
            issuer_id=issuer,
            card_id=card,
            consumer_id=consumer,
            account_id=account,
            encrypted_card=encrypted(session, plaintext),
        )
        made = session.call(_stub(session).RegisterCard, request).card
        if wait:
            made = _looked_at(session, made, lambda each: each.state != pb.CARD_STATE_PENDING)
        show(made, output)
    _refuse_rejected(made, "rejection")


@cards.command("replace")
def replace_card(
    name: Name,
    card_data: CardData = STDIN,
    wait: Wait = False,
    own_request_id: OwnRequestId = "",
    output: Output = None,
) -> None:
    """Give a card other data, as after a renewal. What it had before counts until a gateway has looked at the new."""
    from mintmark.v1 import cards_pb2 as pb

    from adapters.cli.card_files import encrypted, read_card

    plaintext = read_card(card_data)
    with connect() as session:
        request = pb.ReplaceCardRequest(
            request_id=own_request_id or request_id(), name=name, encrypted_card=encrypted(session, plaintext)
        )
        card = session.call(_stub(session).ReplaceCard, request).card
        if wait:
            card = _looked_at(session, card, lambda each: not each.replacement_pending)
        show(card, output)
    if wait:
        _refuse_rejected(card, "replacement_rejection")


@cards.command("suspend")
def suspend_card(
    name: Name,
    reason: Annotated[str, typer.Option(help="lost, stolen, fraud-suspected, issuer-decision or cardholder-decision.")],
    text: Annotated[str, typer.Option(help="What to note besides. No card data.")] = "",
    own_request_id: OwnRequestId = "",
    output: Output = None,
) -> None:
    """Take a card out of use: D1 is told that it is invalid, and why."""
    from mintmark.v1 import cards_pb2 as pb

    request = pb.SuspendCardRequest(
        request_id=own_request_id or request_id(),
        name=name,
        reason=enum_number(pb.CardSuspensionReason.DESCRIPTOR, reason, "--reason"),
        text=text,
    )
    with connect() as session:
        show(session.call(_stub(session).SuspendCard, request).card, output)


@cards.command("resume")
def resume_card(name: Name, own_request_id: OwnRequestId = "", output: Output = None) -> None:
    """Take a suspended card into use again."""
    from mintmark.v1 import cards_pb2 as pb

    request = pb.ResumeCardRequest(request_id=own_request_id or request_id(), name=name)
    with connect() as session:
        show(session.call(_stub(session).ResumeCard, request).card, output)


@cards.command("delete")
def delete_card(name: Name, own_request_id: OwnRequestId = "", output: Output = None) -> None:
    """Delete a card for good: its data is erased."""
    from mintmark.v1 import cards_pb2 as pb

    request = pb.DeleteCardRequest(request_id=own_request_id or request_id(), name=name)
    with connect() as session:
        show(session.call(_stub(session).DeleteCard, request).card, output)


@cards.command("reset-attempts")
def reset_attempts(name: Name, own_request_id: OwnRequestId = "", output: Output = None) -> None:
    """Set the count of tries at the security code back to none."""
    from mintmark.v1 import cards_pb2 as pb

    request = pb.ResetCardVerificationAttemptsRequest(request_id=own_request_id or request_id(), name=name)
    with connect() as session:
        show(session.call(_stub(session).ResetCardVerificationAttempts, request).card, output)


@cards.command("show")
def show_card(name: Name, output: Output = None) -> None:
    """Show one card."""
    with connect() as session:
        show(_card(session, name), output)


@cards.command("list")
def list_cards(
    issuer: Annotated[str, typer.Option(help="Only this issuer's.")] = "",
    consumer: Annotated[str, typer.Option(help="Only this consumer's.")] = "",
    state: Annotated[list[str] | None, typer.Option(help="Only in this state; repeat for several.")] = None,
    last_digits: Annotated[str, typer.Option(help="Only with these last four digits.")] = "",
    limit: Limit = 0,
    output: Output = None,
) -> None:
    """List cards."""
    from mintmark.v1 import cards_pb2 as pb

    request = pb.ListCardsRequest(
        issuer_id=issuer,
        consumer_id=consumer,
        states=enum_numbers(pb.CardState.DESCRIPTOR, state, "--state"),
        last_digits=last_digits,
    )
    with connect() as session:
        show_list(session.pages(_stub(session).ListCards, request, lambda page: page.cards, limit), COLUMNS, output)


@cards.command("keys")
def list_keys(output: Output = None) -> None:
    """Show the public keys that card data is encrypted for, the current one first."""
    from mintmark.v1 import card_keys_pb2, card_keys_pb2_grpc

    with connect() as session:
        stub = card_keys_pb2_grpc.CardKeysServiceStub(session.channel)
        answer = session.call(stub.GetCardKeys, card_keys_pb2.GetCardKeysRequest())
        show_list(answer.card_keys, KEY_COLUMNS, output)


@cards.command("accesses")
def list_accesses(
    issuer: Annotated[str, typer.Option(help="Only to cards of this issuer.")] = "",
    card: Annotated[str, typer.Option(help="Only to this card, by its name.")] = "",
    purpose: Annotated[list[str] | None, typer.Option(help="Only for this purpose; repeat for several.")] = None,
    result: Annotated[list[str] | None, typer.Option(help="Only with this result; repeat for several.")] = None,
    limit: Limit = 0,
    output: Output = None,
) -> None:
    """List who had card data opened, when and what for, the newest first."""
    from mintmark.v1 import card_data_accesses_pb2 as pb
    from mintmark.v1 import card_data_accesses_pb2_grpc

    request = pb.ListCardDataAccessesRequest(
        issuer_id=issuer,
        card=card,
        purposes=enum_numbers(pb.CardDataPurpose.DESCRIPTOR, purpose, "--purpose"),
        results=enum_numbers(pb.CardDataAccessResult.DESCRIPTOR, result, "--result"),
    )
    with connect() as session:
        method = card_data_accesses_pb2_grpc.CardDataAccessesServiceStub(session.channel).ListCardDataAccesses
        found = session.pages(method, request, lambda page: page.card_data_accesses, limit)
        show_list(found, ACCESS_COLUMNS, output)


def _looked_at(session: Session, card: Any, done: Callable[[Any], bool]) -> Any:
    deadline = time.monotonic() + WAIT_SECONDS
    while not done(card):
        if time.monotonic() > deadline:
            raise Refused(
                f"{card.name}: no gateway has looked at the card data yet",
                "see whether a gateway runs that has keys for cards; `mintmark cards show` tells how it goes on",
            )
        time.sleep(POLL_SECONDS)
        card = _card(session, card.name)
    return card


def _refuse_rejected(card: Any, field: str) -> None:
    why = enum_word(card, field)
    if why:
        raise Refused(f"{card.name}: the card data was refused: {why}", "cards.proto explains each reason")


def _card(session: Session, name: str) -> Any:
    from mintmark.v1 import cards_pb2 as pb

    return session.call(_stub(session).GetCard, pb.GetCardRequest(name=name)).card


def _stub(session: Session) -> Any:
    from mintmark.v1 import cards_pb2_grpc

    return cards_pb2_grpc.CardsServiceStub(session.channel)
