"""What becomes of a try at a security code where the gateway, the core or the way between them fails in the middle."""

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from mintmark.v1 import cards_pb2

from tests.flows.card_gateway import CODE, EXPIRY, CardGateway, Issuer, answer, encrypted, number
from tests.flows.gateway_process import gateway_of
from tests.flows.relay import Relay
from tests.server.rpc import carding
from tests.server.rpc.running import RunningCore, running_core
from tests.waiting import eventually

BEGIN, FINISH, READ = "BeginCardVerification", "FinishCardVerification", "ReadCardCredentials"


class RelayedGateway(CardGateway):
    """A gateway that reaches the core by a relay."""

    relay: Relay

    def __init__(self, core: RunningCore) -> None:
        self.relay = Relay(core.settings.internal_listener, core.folder)
        super().__init__(core)

    def settings(self) -> dict[str, str]:
        return {"MINTMARK_INTERNAL_ADDRESS": self.relay.address}


@contextmanager
def relayed() -> Iterator[RelayedGateway]:
    with running_core() as core, gateway_of(core, RelayedGateway) as gateway:
        try:
            yield gateway
        finally:
            gateway.relay.close()


@pytest.fixture(scope="module")
def gateway() -> Iterator[RelayedGateway]:
    with relayed() as running:
        yield running


@pytest.fixture
def relay(gateway: RelayedGateway) -> Iterator[Relay]:
    relay = gateway.relay
    yield relay
    for each in (relay.dropped, relay.lost, relay.held):
        each.clear()
    relay.free.set()
    relay.seen.clear()


def card_of(issuer: Issuer) -> tuple[cards_pb2.Card, str]:
    pan = number()
    card = issuer.register("card", {"pan": pan, "exp": EXPIRY, "cvv": CODE})
    assert card.state == cards_pb2.CARD_STATE_ACTIVE
    return card, pan


def tried(issuer: Issuer, pan: str) -> httpx.Response:
    body = {"encryptedData": encrypted({"pan": pan, "cvv": CODE}, issuer.gateway.public()), "cardBin": pan[:6]}
    return issuer.verify(body)


def test_the_gateway_is_killed_before_it_has_compared() -> None:
    with relayed() as gateway:
        issuer = Issuer(gateway)
        card, pan = card_of(issuer)
        gateway.relay.held = {FINISH}
        body = {"encryptedData": encrypted({"pan": pan, "cvv": CODE}, gateway.public()), "cardBin": pan[:6]}
        ends: list[str] = []

        def ask() -> None:
            try:
                issuer.verify(body)
            except httpx.TransportError as error:
                ends.append(type(error).__name__)

        asking = threading.Thread(target=ask)
        asking.start()
        assert gateway.relay.waits.wait(20)
        gateway.process.kill()
        asking.join(20)
        assert ends
        assert gateway.relay.seen.count(BEGIN) == 1
        counted = carding.read(gateway.core.admin, card.name)
        assert counted.verification_attempts == 1
        assert carding.results(gateway.core.admin, card=card.name)[0] == ("VERIFICATION", "UNSPECIFIED")


def test_an_answer_to_the_beginning_that_is_lost_is_not_asked_for_again(gateway: RelayedGateway, relay: Relay) -> None:
    issuer = Issuer(gateway)
    card, pan = card_of(issuer)
    relay.seen.clear()
    relay.lost = {BEGIN}
    told = tried(issuer, pan)
    assert (told.status_code, told.headers["retry-after"]) == (503, "1")
    assert relay.seen.count(BEGIN) == 1
    assert issuer.read(card.name).verification_attempts == 1
    relay.lost = set()
    assert tried(issuer, pan).json() == answer("card")
    assert issuer.read(card.name).verification_attempts == 0


def test_what_was_compared_is_told_again_until_the_core_knows_it(gateway: RelayedGateway, relay: Relay) -> None:
    issuer = Issuer(gateway)
    card, pan = card_of(issuer)
    relay.seen.clear()
    relay.lost = {FINISH}
    told: list[httpx.Response] = []
    asking = threading.Thread(target=lambda: told.append(tried(issuer, pan)))
    asking.start()
    eventually(lambda: relay.seen.count(FINISH) >= 2, 10, "a repeat")
    relay.lost = set()
    asking.join(20)
    assert (told[0].status_code, told[0].json()) == (200, answer("card"))
    assert relay.seen.count(BEGIN) == 1
    assert issuer.read(card.name).verification_attempts == 0


def test_what_cannot_be_told_stays_counted_and_is_503(gateway: RelayedGateway, relay: Relay) -> None:
    issuer = Issuer(gateway)
    card, pan = card_of(issuer)
    relay.dropped = {FINISH}
    told = tried(issuer, pan)
    assert (told.status_code, list(told.json())) == (503, ["error"])
    assert issuer.read(card.name).verification_attempts == 1
    assert gateway.metric("mintmark_card_verifications_total", outcome="unavailable") > 0


def test_credentials_are_asked_for_once(gateway: RelayedGateway, relay: Relay) -> None:
    issuer = Issuer(gateway)
    card, _ = card_of(issuer)
    relay.seen.clear()
    relay.lost = {READ}
    assert issuer.credentials("card").status_code == 503
    assert relay.seen.count(READ) == 1
    assert carding.results(gateway.core.admin, card=card.name)[0] == ("CREDENTIALS", "SUCCEEDED")


def test_a_card_number_in_the_path_does_not_reach_the_core(gateway: RelayedGateway, relay: Relay) -> None:
    issuer = Issuer(gateway)
    relay.seen.clear()
    assert issuer.credentials("4111111111111111").status_code == 404
    assert relay.seen.count(READ) == 0
    assert issuer.credentials("card").status_code == 404
    assert relay.seen.count(READ) == 1


def test_a_look_that_cannot_be_told_is_told_again(gateway: RelayedGateway, relay: Relay) -> None:
    issuer = Issuer(gateway)
    relay.dropped = {"RecordCardFingerprint"}
    jwe = encrypted({"pan": number(), "exp": EXPIRY}, gateway.public())
    name = carding.register(gateway.core.admin, issuer.issuer_id, "card", encrypted_card=jwe).name
    eventually(lambda: "RecordCardFingerprint" in relay.seen, 20, "a look")
    assert issuer.read(name).state == cards_pb2.CARD_STATE_PENDING
    relay.dropped = set()
    eventually(lambda: issuer.looked_at(name), 20, "the look that is told")
    assert issuer.read(name).state == cards_pb2.CARD_STATE_ACTIVE


def test_the_gateway_survives_the_core(gateway: RelayedGateway, relay: Relay) -> None:
    issuer = Issuer(gateway)
    card_of(issuer)
    gateway.core.stop()
    told = issuer.verify({"encryptedData": encrypted({"pan": number()}, gateway.public()), "cardBin": "400000"})
    assert told.status_code == 503
    gateway.core.start()
    eventually(lambda: issuer.ask({"pan": number()}, "c") == answer("c", None, invalid=True), 30, "the core again")
    second = issuer.register("second", {"pan": number(), "exp": EXPIRY})
    assert second.state == cards_pb2.CARD_STATE_ACTIVE


def test_card_data_that_somebody_has_exchanged_is_told_to_nobody(gateway: RelayedGateway, relay: Relay) -> None:
    """Neither card's answer is the other's: the number that was found by its hash is compared too."""
    issuer = Issuer(gateway)
    card, pan = card_of(issuer)
    other = issuer.register("other", {"pan": number(), "exp": EXPIRY, "cvv": CODE})
    gateway.core.stop()
    with contextlib.closing(sqlite3.connect(gateway.core.settings.data_dir / "mintmark.sqlite")) as database:
        exchange = "update cards set encrypted_card = (select encrypted_card from cards where name = ?) where name = ?"
        assert database.execute(exchange, (other.name, card.name)).rowcount == 1
        database.commit()
    gateway.core.start()
    told = set()

    def recorded() -> bool:
        told.add(tried(issuer, pan).status_code)
        return ("VERIFICATION", "UNREADABLE") in carding.results(gateway.core.admin, card=card.name)

    eventually(recorded, 30, "the core again")
    assert told == {503}
    assert issuer.credentials("card").status_code == 503
    assert carding.results(gateway.core.admin, card=card.name)[0] == ("CREDENTIALS", "UNREADABLE")
    assert issuer.credentials("other").status_code == 200
    assert "card data at rest cannot be opened" in gateway.log.read_text()
