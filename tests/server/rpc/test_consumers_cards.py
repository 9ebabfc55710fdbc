"""Consumers and their cards: neither is told of, or goes, without the other."""

from itertools import count

import pytest
from mintmark.v1 import card_verifications_pb2
from mintmark.v1 import consumers_pb2 as pb

from tests.server.rpc import carding
from tests.server.rpc.running import RunningCore, code_of, refused
from tests.server.rpc.test_consumers import move, register

_NUMBERS = count(1)
CONSUMER = "u-1"


@pytest.fixture
def core(moving: RunningCore) -> RunningCore:
    """A core on each database, to which a gateway has told its keys."""
    carding.publish(moving, "k1")
    return moving


@pytest.fixture
def place() -> str:
    """An issuer of the test's own."""
    return f"HOLDER{next(_NUMBERS):04}"


def test_a_consumer_goes_after_its_cards(core: RunningCore, place: str) -> None:
    name = register(core.admin, place, CONSUMER).name
    held = carding.active(core, place, "c-1").name
    carding.register(core.admin, place, "c-2", consumer_id="u-2")
    with refused("FAILED_PRECONDITION", "CONSUMER_HAS_CARDS") as told:
        move(core.admin, "Delete", name)
    assert told.metadata == {"consumer": name, "card": held}
    carding.suspend(core.admin, held)
    assert code_of(lambda: move(core.admin, "Delete", name)) == "FAILED_PRECONDITION"
    carding.delete(core.admin, held)
    assert move(core.admin, "Delete", name).state == pb.CONSUMER_STATE_DELETED
    carding.register(core.admin, place, "c-3")
    assert move(core.admin, "Delete", name).state == pb.CONSUMER_STATE_DELETED, "to delete it again changes nothing"


def test_a_card_that_was_never_one_holds_nobody_back(core: RunningCore, place: str) -> None:
    name = register(core.admin, place, CONSUMER).name
    pending = carding.register(core.admin, place, "c-1").name
    assert code_of(lambda: move(core.admin, "Delete", name)) == "FAILED_PRECONDITION"
    assert carding.record(core, pending, 1, refusal="CARD_FINGERPRINT_REFUSAL_UNREADABLE")
    assert move(core.admin, "Delete", name).state == pb.CONSUMER_STATE_DELETED


def test_a_consumer_is_told_for_its_own_cards_only(core: RunningCore, place: str) -> None:
    sender = carding.account(core, place, tell_consumers=True)
    register(core.admin, place, CONSUMER)
    register(core.admin, place, "u-2")
    other = f"HOLDER{next(_NUMBERS):04}"
    for issuer in (place, other):
        carding.active(core, issuer, "own" if issuer == place else "foreign")
    gone = carding.active(core, place, "gone").name
    carding.delete(core.admin, gone)

    def read(consumer: str, card: str) -> str:
        request = pb.ReadConsumerRequest(sender=sender, issuer_id=place, consumer_id=consumer, card_id=card)
        return code_of(lambda: core.gateway.consumer_reads.ReadConsumer(request))

    assert read(CONSUMER, "own") == read(CONSUMER, "") == read("u-2", "") == "OK"
    assert [read(CONSUMER, each) for each in ("gone", "foreign", "nowhere")] == ["NOT_FOUND"] * 3
    assert read("u-2", "own") == "NOT_FOUND"


def test_a_consumer_out_of_use_takes_its_cards_with_it(core: RunningCore, place: str) -> None:
    """Only where the issuer has registered the consumer at all."""
    sender = carding.account(
        core,
        place,
        card_verification="CARD_VERIFICATION_MODE_WITHOUT_SECURITY_CODE",
        tell_credentials=True,
        tell_credentials_without_security_code=True,
        d1_public_keys=[carding.pinned("d1")],
    )
    pan = carding.number()
    carding.active(core, place, "c-1", pan)

    def invalid() -> bool:
        begun = carding.begin(core, sender, place, pan, has_security_code=False)
        answer = begun.answer if begun.HasField("answer") else carding.finish(core, begun.card_data_access)
        assert bool(answer.consumer_id) != answer.card_invalid
        asked = card_verifications_pb2.ReadCardCredentialsRequest(sender=sender, issuer_id=place, card_id="c-1")
        told = code_of(lambda: core.gateway.card_verifications.ReadCardCredentials(asked))
        assert told == ("NOT_FOUND" if answer.card_invalid else "OK"), "nor is it told"
        return bool(answer.card_invalid)

    assert not invalid(), "nobody has registered the consumer"
    name = register(core.admin, place, CONSUMER).name
    assert not invalid()
    move(core.admin, "Suspend", name)
    assert invalid()
    move(core.admin, "Resume", name)
    assert not invalid()
