"""The issuer's part of the journey: a cardholder and a card are registered, and D1 verifies the card and fetches its
credentials."""

import json
import secrets
import time
import uuid
from collections.abc import Iterator
from typing import Any

from adapters.cli.refusals import Refused
from adapters.cli.sandbox_control import SandboxControl
from adapters.cli.session import Session, request_id
from adapters.cli.supervisor.credentials import ISSUER

LOOK_SECONDS = 10.0
STEP_SECONDS = 0.02
EXPIRY, RIGHT, WRONG = "1249", "123", "321"
LANGUAGE = "en-GB"


def steps(twin: SandboxControl, service: Session) -> Iterator[str]:
    """Plays the steps, each of which is told when it is done. Raises Refused where one fails."""
    number, consumer_id, card_id = _number(), f"holder-{uuid.uuid4()}", f"journey-{uuid.uuid4()}"
    card = {"pan": number, "exp": EXPIRY, "name": "A N OTHER", "cvv": RIGHT}
    yield f"an internal client registered the cardholder {_consumer(service, consumer_id)}"
    name = _register(service, consumer_id, card_id, card)
    shown = f"{number[:6]}...{number[-4:]}"
    yield f"it registered card {shown} of issuer {ISSUER}, encrypted for the gateway alone"
    _await_active(service, name)
    yield f"the gateway looked at it: {name} is ACTIVE"
    answer = _verified(twin, card)
    _expect(answer["cardId"] == card_id, "D1 was told another card id than the issuer's")
    _expect(answer.get("consumerId") == consumer_id, "D1 was told another cardholder than the issuer's")
    _expect(not answer["verificationResults"]["card"]["invalid"], "D1 was told that the card is invalid")
    _expect(answer["verificationResults"]["securityCode"]["valid"], "D1 was told that the right code is wrong")
    yield "D1 verified it with the right security code: valid"
    answer = _verified(twin, {**card, "cvv": WRONG})
    _expect(not answer["verificationResults"]["securityCode"]["valid"], "D1 was told that a wrong code is right")
    yield "D1 verified it with a wrong security code: not valid"
    order = {"issuerId": ISSUER, "cardId": card_id, "reveal": True}
    told = twin.call("POST", "/d1-issuer/get-credentials", order)
    _expect(told["card"] == card, f"D1 was not told the card's credentials: {told['status']} {told['error']}")
    yield "D1 fetched its credentials and opened them with its own key"
    asked = twin.call(
        "POST", "/d1-issuer/get-consumer", {"issuerId": ISSUER, "consumerId": consumer_id, "reveal": True}
    )
    consumer = asked["consumer"] or {}
    _expect(consumer.get("language") == LANGUAGE, f"D1 was not told the cardholder: {asked['status']} {asked['error']}")
    yield f"D1 asked who holds it, and was told {', '.join(sorted(consumer))}"


def _consumer(service: Session, consumer_id: str) -> str:
    from mintmark.v1 import consumers_pb2, consumers_pb2_grpc

    person = consumers_pb2.PersonalData(language=LANGUAGE, first_name="A", last_name="Other")
    request = consumers_pb2.RegisterConsumerRequest(
        request_id=request_id(), issuer_id=ISSUER, consumer_id=consumer_id, personal_data=person
    )
    stub = consumers_pb2_grpc.ConsumersServiceStub(service.channel)
    name: str = service.call(stub.RegisterConsumer, request).consumer.name
    return name


def _register(service: Session, consumer_id: str, card_id: str, card: dict[str, str]) -> str:
    from mintmark.v1 import cards_pb2, cards_pb2_grpc

    from adapters.cli.card_files import encrypted

    request = cards_pb2.RegisterCardRequest(
        request_id=request_id(),
        issuer_id=ISSUER,
        card_id=card_id,
        consumer_id=consumer_id,
        encrypted_card=encrypted(service, json.dumps(card).encode()),
    )
    stub = cards_pb2_grpc.CardsServiceStub(service.channel)
    name: str = service.call(stub.RegisterCard, request).card.name
    return name


def _await_active(service: Session, name: str) -> None:
    from mintmark.v1 import cards_pb2, cards_pb2_grpc

    from adapters.cli.output import enum_word

    stub = cards_pb2_grpc.CardsServiceStub(service.channel)
    deadline = time.monotonic() + LOOK_SECONDS
    while True:
        card = service.call(stub.GetCard, cards_pb2.GetCardRequest(name=name)).card
        if card.state == cards_pb2.CARD_STATE_ACTIVE:
            return
        pending = card.state == cards_pb2.CARD_STATE_PENDING and time.monotonic() < deadline
        _expect(pending, f"{name} is {enum_word(card, 'state')} {enum_word(card, 'rejection')}".rstrip())
        time.sleep(STEP_SECONDS)


def _verified(twin: SandboxControl, card: dict[str, str]) -> dict[str, Any]:
    answered = twin.call("POST", "/d1-issuer/verify-card", {"issuerId": ISSUER, "card": card})
    _expect(answered["status"] == 200, f"D1 was answered {answered['status']} {answered['error']}")
    answer: dict[str, Any] = answered["answer"]
    return answer


def _number() -> str:
    """A card number that nobody has used yet: each of an issuer's cards has its own (ISO/IEC 7812-1)."""
    digits = "400000" + "".join(str(secrets.randbelow(10)) for _ in range(9))
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(digits))]
    return f"{digits}{-sum(value - 9 * (value > 9) for value in doubled) % 10}"


def _expect(right: bool, otherwise: str) -> None:
    if not right:
        raise Refused(otherwise)
