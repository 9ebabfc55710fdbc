"""Verifications of cards: what D1 is answered, and how tries at a security code are counted."""

from itertools import count
from typing import Any

import pytest
from mintmark.v1 import accounts_pb2, card_verifications_pb2, consumers_pb2

from tests.server.rpc import carding
from tests.server.rpc.carding import (
    account,
    active,
    attempts,
    begin,
    finish,
    number,
    publish,
    read,
    record,
    register,
    results,
    right,
    verify,
)
from tests.server.rpc.running import RunningCore, code_of, refused, request_id

_NUMBERS = count(1)
Answer = card_verifications_pb2.CardVerificationAnswer
WITHOUT = accounts_pb2.CARD_VERIFICATION_MODE_WITHOUT_SECURITY_CODE
WITH = accounts_pb2.CARD_VERIFICATION_MODE_WITH_SECURITY_CODE
CODES = {"card_verification": WITH, "store_security_codes": True}


@pytest.fixture
def core(moving: RunningCore) -> RunningCore:
    """A core on each database."""
    moving.advance(1)
    publish(moving, "k1", "k2")
    return moving


@pytest.fixture
def place() -> str:
    """An issuer of the test's own."""
    return f"ASKED{next(_NUMBERS):05}"


@pytest.fixture
def sender(core: RunningCore, place: str) -> str:
    """Who speaks for the issuer, which has security codes."""
    return account(core, place, **CODES)


@pytest.fixture
def pan(core: RunningCore, place: str, sender: str) -> str:
    """The number of the issuer's card `c-1`, which has a security code."""
    made = number()
    active(core, place, "c-1", made, has_security_code=True)
    return made


def test_a_card_with_the_right_expiry_and_code_is_right(core: RunningCore, place: str, sender: str, pan: str) -> None:
    begun = begin(core, sender, place, pan, correlation_id="corr-7")
    kept = core.core.store.view.cards.card(begun.comparison.card)
    assert kept is not None
    assert begun.comparison.encrypted_card == kept.encrypted_card
    assert not begun.comparison.leave_out_security_code
    assert finish(core, begun.card_data_access) == right()
    assert finish(core, begun.card_data_access) == right()
    assert attempts(core, place) == 0
    (access,) = carding.accesses(core.admin, issuer_id=place)
    assert (access.name, access.card, access.sender) == (begun.card_data_access, begun.comparison.card, sender)
    assert access.correlation_id == "corr-7"
    assert results(core.admin, issuer_id=place)[0] == ("VERIFICATION", "SUCCEEDED")


def test_a_wrong_code_is_an_answer_and_a_try(core: RunningCore, place: str, sender: str, pan: str) -> None:
    answer = verify(core, sender, place, pan, "DIFFERENT")
    assert answer == Answer(card_id="c-1", consumer_id="u-1")
    card = read(core.admin, f"issuers/{place}/cards/c-1")
    assert card.verification_attempts == 1
    assert card.HasField("last_verification_attempt_time")
    assert results(core.admin, issuer_id=place)[0] == ("VERIFICATION", "SECURITY_CODE_WRONG")


def test_a_wrong_expiry_is_an_invalid_card_and_its_code_counts_for_nothing(
    core: RunningCore, place: str, sender: str, pan: str
) -> None:
    begun = begin(core, sender, place, pan)
    assert finish(core, begun.card_data_access, "DIFFERENT", "EQUAL") == Answer(card_id="c-1", card_invalid=True)
    # It was a try at the code all the same.
    assert attempts(core, place) == 1
    begun = begin(core, sender, place, pan, has_security_code=False)
    answer = finish(core, begun.card_data_access, "DIFFERENT", "NOT_GIVEN")
    assert answer == Answer(card_id="c-1", card_invalid=True, security_code_valid=True)
    assert attempts(core, place) == 1
    assert results(core.admin, issuer_id=place)[0] == ("VERIFICATION", "CARD_MISMATCH")


@pytest.mark.parametrize("code_given", [True, False])
def test_another_bin_is_an_invalid_card(core: RunningCore, place: str, sender: str, pan: str, code_given: bool) -> None:
    answer = begin(core, sender, place, pan, bin_matches=False, has_security_code=code_given).answer
    assert answer == Answer(card_id="c-1", card_invalid=True, security_code_valid=not code_given)
    assert attempts(core, place) == 0
    assert results(core.admin, issuer_id=place)[0] == ("VERIFICATION", "CARD_MISMATCH")


@pytest.mark.parametrize("code_given", [True, False])
def test_an_unknown_number_is_an_invalid_card_without_an_id(
    core: RunningCore, place: str, sender: str, code_given: bool
) -> None:
    for hashes in ((carding.HASH_KEY,), ()):
        answer = begin(core, sender, place, number(), keys=hashes, has_security_code=code_given).answer
        assert answer == Answer(card_invalid=True, security_code_valid=not code_given)
    told = carding.accesses(core.admin, issuer_id=place)
    assert [each.card for each in told] == ["", ""]
    assert results(core.admin, issuer_id=place) == [("VERIFICATION", "NO_USABLE_CARD")] * 2


def test_a_gateway_without_the_current_hash_key_does_not_know_whose_a_number_is(
    core: RunningCore, place: str, sender: str, pan: str
) -> None:
    """The card may be hashed with the key that it lacks: no answer is better than that the card is invalid."""
    assert code_of(lambda: begin(core, sender, place, number(), keys=["older"])) == "UNAVAILABLE"
    assert not carding.accesses(core.admin, issuer_id=place), "nothing was opened"
    assert begin(core, sender, place, number(), keys=["older", carding.HASH_KEY]).answer.card_invalid
    assert begin(core, sender, place, pan, keys=["older", carding.HASH_KEY]).WhichOneof("next") == "comparison"


def test_a_number_of_another_issuer_is_unknown(core: RunningCore, place: str, sender: str, pan: str) -> None:
    other = f"ASKED{next(_NUMBERS):05}"
    active(core, other, "c-9", pan)
    assert begin(core, sender, place, pan).WhichOneof("next") == "comparison"
    assert begin(core, account(core, other, **CODES), other, pan).comparison.card == f"issuers/{other}/cards/c-9"


@pytest.mark.parametrize(
    ("reason", "flags"),
    [
        ("LOST", {"lost_or_stolen": True}),
        ("STOLEN", {"lost_or_stolen": True}),
        ("FRAUD_SUSPECTED", {"fraud_suspect": True}),
        ("ISSUER_DECISION", {}),
        ("CARDHOLDER_DECISION", {}),
    ],
)
def test_a_suspended_card_is_invalid_for_the_reason_that_d1_knows(
    core: RunningCore, place: str, sender: str, pan: str, reason: str, flags: dict[str, Any]
) -> None:
    carding.suspend(core.admin, f"issuers/{place}/cards/c-1", reason)
    begun = begin(core, sender, place, pan)
    assert begun.answer == Answer(card_id="c-1", card_invalid=True, **flags)
    assert attempts(core, place) == 0
    carding.resume(core.admin, f"issuers/{place}/cards/c-1")
    assert verify(core, sender, place, pan) == right()


def test_a_card_whose_consumer_is_out_of_use_is_invalid(core: RunningCore, place: str, sender: str, pan: str) -> None:
    """Where the consumer is registered; one that is not says nothing."""
    consumers, name = core.admin.consumers, f"issuers/{place}/consumers/u-1"
    assert verify(core, sender, place, pan) == right()
    consumers.RegisterConsumer(
        consumers_pb2.RegisterConsumerRequest(request_id=request_id(), issuer_id=place, consumer_id="u-1")
    )
    assert verify(core, sender, place, pan) == right()
    consumers.SuspendConsumer(consumers_pb2.SuspendConsumerRequest(request_id=request_id(), name=name))
    assert begin(core, sender, place, pan).answer == Answer(card_id="c-1", card_invalid=True)
    assert attempts(core, place) == 0
    consumers.ResumeConsumer(consumers_pb2.ResumeConsumerRequest(request_id=request_id(), name=name))
    assert verify(core, sender, place, pan) == right()
    carding.delete(core.admin, f"issuers/{place}/cards/c-1")
    consumers.DeleteConsumer(consumers_pb2.DeleteConsumerRequest(request_id=request_id(), name=name))
    active(core, place, "c-2", pan, has_security_code=True)
    assert begin(core, sender, place, pan).answer == Answer(card_id="c-2", card_invalid=True)


def test_cards_that_are_not_in_use_are_unknown(core: RunningCore, place: str, sender: str, pan: str) -> None:
    register(core.admin, place, "c-2")
    carding.delete(core.admin, f"issuers/{place}/cards/c-1")
    assert begin(core, sender, place, pan).answer == Answer(card_invalid=True)


def test_an_expired_card_is_invalid_and_not_compared(core: RunningCore, place: str, sender: str) -> None:
    pan = number()
    active(core, place, "c-1", pan, expiry="0120", has_security_code=True)
    answer = begin(core, sender, place, pan).answer
    assert answer == Answer(card_id="c-1", card_invalid=True, expired=True)
    assert attempts(core, place) == 0


def test_a_card_that_is_being_replaced_is_compared_as_it_was(
    core: RunningCore, place: str, sender: str, pan: str
) -> None:
    name = f"issuers/{place}/cards/c-1"
    carding.replace(core.admin, name)
    assert verify(core, sender, place, pan) == right()
    new = number()
    record(core, name, 2, fingerprint=carding.fingerprint(place, new, has_security_code=True))
    assert begin(core, sender, place, pan).answer == Answer(card_invalid=True)
    assert verify(core, sender, place, new) == right()


def test_without_expiry_and_code_there_is_nothing_to_compare(
    core: RunningCore, place: str, sender: str, pan: str
) -> None:
    answer = begin(core, sender, place, pan, has_expiry=False, has_security_code=False).answer
    assert answer == right()
    assert verify(core, sender, place, pan, has_security_code=False) == right()
    assert verify(core, sender, place, pan, has_expiry=False) == right()
    assert [result for _, result in results(core.admin, issuer_id=place)[:3]] == ["SUCCEEDED"] * 3


@pytest.mark.parametrize(
    ("expiry", "code"),
    [("EQUAL", "NOT_GIVEN"), ("EQUAL", "NOT_COMPARED"), ("NOT_GIVEN", "EQUAL"), ("NOT_COMPARED", "EQUAL")],
)
def test_findings_that_leave_out_what_d1_gave_make_nothing_right(
    core: RunningCore, place: str, sender: str, pan: str, expiry: str, code: str
) -> None:
    begun = begin(core, sender, place, pan)
    answer = finish(core, begun.card_data_access, expiry, code)
    assert answer.card_invalid is (expiry != "EQUAL")
    assert not answer.security_code_valid
    assert attempts(core, place) == 1


def test_a_card_that_is_suspended_while_it_is_compared_is_invalid(
    core: RunningCore, place: str, sender: str, pan: str
) -> None:
    begun = begin(core, sender, place, pan)
    carding.suspend(core.admin, begun.comparison.card, "STOLEN")
    answer = Answer(card_id="c-1", card_invalid=True, lost_or_stolen=True)
    assert finish(core, begun.card_data_access) == answer
    assert finish(core, begun.card_data_access) == answer
    assert attempts(core, place) == 1


def finished(core: RunningCore, access: str, **finding: Any) -> str:
    """How a report ends."""
    request = card_verifications_pb2.FinishCardVerificationRequest(card_data_access=access, **finding)
    return code_of(lambda: core.gateway.card_verifications.FinishCardVerification(request))


def test_the_first_report_stays(core: RunningCore, place: str, sender: str, pan: str) -> None:
    begun = begin(core, sender, place, pan)
    finish(core, begun.card_data_access, "EQUAL", "DIFFERENT")
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        finish(core, begun.card_data_access, "EQUAL", "EQUAL")
    assert finished(core, begun.card_data_access, unreadable=True) == "INVALID_ARGUMENT"
    assert results(core.admin, issuer_id=place)[0] == ("VERIFICATION", "SECURITY_CODE_WRONG")
    assert attempts(core, place) == 1
    verify(core, sender, place, pan)
    # A late report of a try before does not undo what came after it.
    assert finish(core, begun.card_data_access, "EQUAL", "DIFFERENT").card_id == "c-1"
    assert attempts(core, place) == 0


def test_card_data_that_could_not_be_opened_leaves_the_try_counted(
    core: RunningCore, place: str, sender: str, pan: str
) -> None:
    begun = begin(core, sender, place, pan)
    assert finished(core, begun.card_data_access, unreadable=True) == "OK"
    assert results(core.admin, issuer_id=place)[0] == ("VERIFICATION", "UNREADABLE")
    assert attempts(core, place) == 1


def test_only_what_was_begun_is_finished(core: RunningCore, place: str, sender: str, pan: str) -> None:
    decided = begin(core, sender, place, number()).card_data_access
    for access in ("cardDataAccesses/none", decided):
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
            finish(core, access)
    begun = begin(core, sender, place, pan).card_data_access
    assert finished(core, begun, directory_result="CARD_DATA_ACCESS_RESULT_SUCCEEDED") == "INVALID_ARGUMENT"


def test_the_issuers_own_system_is_asked_where_there_is_one(
    core: RunningCore, place: str, sender: str, pan: str
) -> None:
    directory = accounts_pb2.CardDirectory(address="cms.example:443", public_key=carding.pinned("cms"))
    account(
        core,
        place,
        card_verification=WITH,
        directory=directory,
        tell_credentials=True,
        d1_public_keys=[carding.pinned("d1")],
    )
    begun = begin(core, sender, place, pan)
    assert begun.directory
    assert attempts(core, place) == 0
    assert finished(core, begun.card_data_access, unreadable=True) == "OK"
    second = begin(core, sender, place, pan).card_data_access
    assert finished(core, second, findings={"expiry": 2, "security_code": 2}) == "INVALID_ARGUMENT"
    assert finished(core, second, directory_result="CARD_DATA_ACCESS_RESULT_SECURITY_CODE_WRONG") == "OK"
    assert results(core.admin, issuer_id=place)[:2] == [
        ("VERIFICATION", "SECURITY_CODE_WRONG"),
        ("VERIFICATION", "UNREADABLE"),
    ]


def test_who_may_not_ask_is_refused_before_anything_is_written(
    core: RunningCore, place: str, sender: str, pan: str
) -> None:
    other = f"ASKED{next(_NUMBERS):05}"
    foreign = account(core, other, **CODES)
    client = core.create(["d1-notify"], issuers=[place]).client.name
    everybodys = core.create(["d1-notify"], issuers=["*"]).client.name
    unscoped = core.create(["cards.read"], issuers=[place]).client.name
    for allowed in (sender, client, everybodys):
        assert begin(core, allowed, place, pan).WhichOneof("next") == "comparison"
    before = carding.accesses(core.admin, issuer_id=place)
    for denied in (foreign, unscoped, "clients/nobody", "clients/role.gateway"):
        with refused("PERMISSION_DENIED", "ISSUER_CALL_NOT_ALLOWED") as told:
            begin(core, denied, place, pan)
        assert told.metadata == {"account": sender, "setting": "sender"}
    for nobodys, asked in ((sender, "NOBODYS000"), (everybodys, "NOBODYS000")):
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
            begin(core, nobodys, asked, pan)
    account(core, place, store_security_codes=True)
    with refused("PERMISSION_DENIED", "ISSUER_CALL_NOT_ALLOWED") as told:
        begin(core, sender, place, pan)
    assert told.metadata == {"account": sender, "setting": "card_verification"}
    bound = core.create(["d1-notify"], issuers=["LONELY0001"]).client.name
    with refused("PERMISSION_DENIED", "ISSUER_CALL_NOT_ALLOWED") as told:
        begin(core, bound, "LONELY0001", pan)
    assert told.metadata == {"account": "", "setting": "d1_issuer"}
    assert carding.accesses(core.admin, issuer_id=place) == before
    assert attempts(core, place) == 3


def test_the_current_hash_key_is_looked_at_first(core: RunningCore, place: str, sender: str, pan: str) -> None:
    assert begin(core, sender, place, pan, keys=("newer", carding.HASH_KEY)).WhichOneof("next") == "comparison"
    twin = register(core.admin, place, "c-2").name
    record(core, twin, 1, fingerprint=carding.fingerprint(place, pan, "newer"))
    assert begin(core, sender, place, pan, keys=("newer", carding.HASH_KEY)).comparison.card == twin
    assert begin(core, sender, place, pan).comparison.card == f"issuers/{place}/cards/c-1"
