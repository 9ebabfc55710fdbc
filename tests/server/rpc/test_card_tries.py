"""Tries at a card's security code: which count, how many are compared, and when the count begins anew."""

from itertools import count

import pytest
from mintmark.v1 import accounts_pb2, card_verifications_pb2

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
    results,
    right,
    told,
    verify,
)
from tests.server.rpc.running import RunningCore

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
    return f"TRIES{next(_NUMBERS):05}"


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


def test_the_fourth_wrong_code_is_not_compared(core: RunningCore, place: str, sender: str, pan: str) -> None:
    for tries in range(3):
        assert not verify(core, sender, place, pan, "DIFFERENT").verification_attempts_exceeded
        assert attempts(core, place) == tries + 1
    for tries in range(2):
        begun = begin(core, sender, place, pan)
        assert begun.comparison.leave_out_security_code
        # Not even a gateway that compares all the same can say that it is right.
        answer = finish(core, begun.card_data_access, "EQUAL", "EQUAL")
        assert answer == Answer(card_id="c-1", consumer_id="u-1", verification_attempts_exceeded=True)
        assert attempts(core, place) == tries + 4
        assert results(core.admin, issuer_id=place)[0] == ("VERIFICATION", "ATTEMPTS_EXCEEDED")
    without_expiry = begin(core, sender, place, pan, has_expiry=False)
    assert without_expiry.answer == Answer(card_id="c-1", consumer_id="u-1", verification_attempts_exceeded=True)
    # Who gives no code is no suspect, and proves nothing.
    assert verify(core, sender, place, pan, has_security_code=False) == right()
    assert attempts(core, place) == 6
    assert told(core, place) == 1


def test_each_series_of_too_many_tries_is_told_once(core: RunningCore, place: str, sender: str, pan: str) -> None:
    for series in range(2):
        for _ in range(5):
            verify(core, sender, place, pan, "DIFFERENT")
        assert told(core, place) == series + 1
        before = read(core.admin, f"issuers/{place}/cards/c-1")
        after = carding.reset(core.admin, before.name)
        assert (after.verification_attempts, after.etag) == (0, before.etag)
    assert verify(core, sender, place, pan) == right()


def test_a_try_that_succeeds_sets_the_count_back(core: RunningCore, place: str, sender: str, pan: str) -> None:
    for _ in range(3):
        verify(core, sender, place, pan, "DIFFERENT")
        verify(core, sender, place, pan, "DIFFERENT")
        assert attempts(core, place) == 2
        assert verify(core, sender, place, pan) == right()
        assert attempts(core, place) == 0
    assert told(core, place) == 0


def test_new_card_data_has_a_count_of_its_own(core: RunningCore, place: str, sender: str, pan: str) -> None:
    """From when it counts: neither new card data that waits nor what is refused sets anything back."""
    name = f"issuers/{place}/cards/c-1"
    seen = carding.fingerprint(place, pan, has_security_code=True)
    for _ in range(4):
        verify(core, sender, place, pan, "DIFFERENT")
    carding.replace(core.admin, name)
    assert verify(core, sender, place, pan).verification_attempts_exceeded
    carding.record(core, name, 2, refusal="CARD_FINGERPRINT_REFUSAL_UNREADABLE")
    assert verify(core, sender, place, pan).verification_attempts_exceeded
    assert attempts(core, place) == 6
    carding.replace(core.admin, name)
    assert carding.record(core, name, 3, fingerprint=seen)
    assert attempts(core, place) == 0
    # To tell it again sets nothing back.
    for _ in range(3):
        verify(core, sender, place, pan, "DIFFERENT")
        carding.record(core, name, 3, fingerprint=seen)
    assert verify(core, sender, place, pan).verification_attempts_exceeded
    assert told(core, place) == 2


def test_the_count_ends_with_the_issuers_window(core: RunningCore, place: str, sender: str, pan: str) -> None:
    account(core, place, **CODES, security_code_attempts=1, security_code_attempts_window_hours=2)
    verify(core, sender, place, pan, "DIFFERENT")
    assert verify(core, sender, place, pan).verification_attempts_exceeded
    core.advance(2 * 3600 - 60)
    publish(core, "k1", "k2")
    # A try that is not compared is a try: the window begins anew.
    assert verify(core, sender, place, pan).verification_attempts_exceeded
    core.advance(3600)
    assert verify(core, sender, place, pan).verification_attempts_exceeded
    core.advance(2 * 3600 + 1)
    assert verify(core, sender, place, pan) == right()
    assert told(core, place) == 1
    account(core, place, **CODES, security_code_attempts=1, security_code_attempts_window_hours=-1)
    verify(core, sender, place, pan, "DIFFERENT")
    core.advance(365 * 24 * 3600)
    assert verify(core, sender, place, pan).verification_attempts_exceeded


def test_a_code_that_nobody_checks_is_never_right(core: RunningCore, place: str, sender: str) -> None:
    """Where the card has none, or the issuer's account does not let any be checked. Nothing can be guessed there."""
    pan = number()
    active(core, place, "c-1", pan)
    for _ in range(5):
        begun = begin(core, sender, place, pan)
        assert begun.comparison.leave_out_security_code
        answer = finish(core, begun.card_data_access, "EQUAL", "EQUAL")
        assert answer == Answer(card_id="c-1", consumer_id="u-1")
    coded = number()
    active(core, place, "c-2", coded, has_security_code=True)
    account(core, place, card_verification=WITHOUT, store_security_codes=True)
    begun = begin(core, sender, place, coded)
    assert begun.comparison.leave_out_security_code
    assert not finish(core, begun.card_data_access, "EQUAL", "EQUAL").security_code_valid
    assert not begin(core, sender, place, coded, has_expiry=False).answer.security_code_valid
    assert results(core.admin, issuer_id=place)[0] == ("VERIFICATION", "SECURITY_CODE_NOT_CHECKED")
    assert (attempts(core, place), told(core, place)) == (0, 0)


def test_a_try_is_counted_before_anything_is_compared(core: RunningCore, place: str, sender: str, pan: str) -> None:
    """Whatever becomes of the gateway: what it was told to compare has been committed."""
    for tries in range(4):
        begin(core, sender, place, pan)
        assert attempts(core, place) == tries + 1
    assert results(core.admin, issuer_id=place)[:4] == [("VERIFICATION", "UNSPECIFIED")] * 4
    assert begin(core, sender, place, pan).comparison.leave_out_security_code
