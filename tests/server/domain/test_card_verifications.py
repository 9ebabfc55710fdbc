"""What a verification comes to: expiry dates, tries, and what is never said to be right."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import hypothesis.strategies as st
import pytest
from hypothesis import given
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from server.domain import card_verifications, cards
from server.domain.card_accesses import CardAccess, CardDataAccessResult, CardDataPurpose, Step
from server.domain.card_verifications import Answer, FieldComparison, Findings, Question
from server.domain.cards import (
    Card,
    CardRejection,
    CardState,
    CardSuspensionReason,
    EncryptedCard,
    Fingerprint,
    NumberHash,
)
from server.domain.d1_issuer_accounts import NEVER, CardVerificationMode, D1Issuer
from server.domain.refusals import FieldInvalid

NOW = 1_800_000_000_000_000
HOUR = 3600 * 1_000_000
LIMIT = 3
Result = CardDataAccessResult


def stated(
    mode: CardVerificationMode = CardVerificationMode.WITH_SECURITY_CODE, attempts: int = LIMIT, window: int = 24
) -> D1Issuer:
    return D1Issuer((), mode, True, False, False, False, attempts, window, None)


def card(**fields: Any) -> Card:
    made = Card("issuers/I/cards/c", "I", "c", "u", "a", NOW, NOW, CardState.ACTIVE)
    return replace(made, **{"expiry": "1239", "has_security_code": True, "live_generation": 1, **fields})


def begun(held: Card | None, question: Question, now: int = NOW, **more: Any) -> tuple[CardAccess, Card | None]:
    """The access as the service writes it, and the card after it."""
    how = card_verifications.begin(held, question, more.pop("stated", stated()), now, consumer_usable=True, **more)
    access = CardAccess(
        "cardDataAccesses/1",
        "I",
        held.name if held else "",
        CardDataPurpose.VERIFICATION,
        how.result,
        "clients/d1",
        "",
        now,
        how.step,
        question.expiry_given,
        question.code_given,
        how.code_compared,
        how.attempts_exceeded,
        held.live_generation if held else 0,
    )
    return access, how.card


def micros(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1_000_000)


@pytest.mark.parametrize(
    ("expiry", "time", "over"),
    [
        ("0126", "2026-01-31T23:59:59", False),
        ("0126", "2026-02-01T11:59:59", False),
        ("0126", "2026-02-01T12:00:00", True),
        ("1226", "2027-01-01T11:59:59", False),
        ("1226", "2027-01-01T12:00:00", True),
        ("0224", "2024-03-01T11:59:59", False),
        ("0224", "2024-03-01T12:00:00", True),
        ("1299", "2099-12-31T00:00:00", False),
        ("1299", "2100-01-01T12:00:00", True),
    ],
)
def test_a_card_has_expired_when_its_month_is_over_everywhere(expiry: str, time: str, over: bool) -> None:
    assert card_verifications.expired(expiry, micros(time)) is over


QUESTIONS = st.builds(Question, st.booleans(), st.booleans(), st.booleans())
COMPARISONS = st.sampled_from(FieldComparison)
FINDINGS = st.builds(Findings, COMPARISONS, COMPARISONS)
CARDS = st.none() | st.builds(
    card,
    state=st.sampled_from(CardState),
    suspension_reason=st.none() | st.sampled_from(CardSuspensionReason),
    has_security_code=st.booleans(),
    expiry=st.sampled_from(["1239", "0120"]),
    verification_attempts=st.integers(0, 5),
    last_verification_attempt_time=st.none() | st.just(NOW - HOUR),
)


@given(CARDS, QUESTIONS, FINDINGS, st.sampled_from(CardVerificationMode), st.booleans())
def test_nothing_is_right_that_was_not_found_equal(
    held: Card | None, question: Question, findings: Findings, mode: CardVerificationMode, usable: bool
) -> None:
    """Whatever the card is and whatever a gateway reports."""
    account = stated(mode)
    how = card_verifications.begin(held, question, account, NOW, consumer_usable=usable)
    access, _ = begun(held, question, stated=account)
    access = replace(access, step=how.step, result=how.result, code_compared=how.code_compared)
    if access.step is Step.COMPARE:
        result = card_verifications.result_of(access, findings)
        access = card_verifications.finish(access, held, result, consumer_usable=True)
    answer = card_verifications.answer(access, held, NOW)
    codes = mode is CardVerificationMode.WITH_SECURITY_CODE and held is not None and held.has_security_code
    if question.code_given and answer.security_code_valid:
        assert codes
        assert findings.security_code is FieldComparison.EQUAL
        assert not answer.card_invalid
    if not question.code_given:
        assert answer.security_code_valid
    if not answer.card_invalid:
        assert held is not None
        assert held.state is CardState.ACTIVE
        assert usable
        assert question.bin_matches
        assert not question.expiry_given or findings.expiry is FieldComparison.EQUAL
        assert held.expiry == "1239"
    assert answer.card_id == (held.card_id if held else "")
    assert (answer.consumer_id == "") is answer.card_invalid
    flagged = answer.lost_or_stolen or answer.fraud_suspect or answer.expired
    assert not flagged or answer.card_invalid


@given(CARDS, QUESTIONS, st.sampled_from(CardVerificationMode))
def test_a_try_is_counted_where_a_code_would_be_compared_and_nowhere_else(
    held: Card | None, question: Question, mode: CardVerificationMode
) -> None:
    how = card_verifications.begin(held, question, stated(mode), NOW, consumer_usable=True)
    fits = held is not None and held.state is CardState.ACTIVE and held.expiry == "1239" and question.bin_matches
    codes = held is not None and held.has_security_code and mode is CardVerificationMode.WITH_SECURITY_CODE
    if fits and codes and question.code_given:
        assert held is not None
        assert how.card == replace(
            held,
            verification_attempts=held.verification_attempts + 1,
            last_verification_attempt_time=NOW,
            attempts_exceeded_told=held.verification_attempts >= LIMIT,
        )
        assert how.code_compared is (held.verification_attempts < LIMIT)
        assert how.attempts_exceeded is not how.code_compared
    else:
        assert how.card is held
        assert not how.code_compared
        assert not how.attempts_exceeded


@pytest.mark.parametrize(
    ("window", "hours", "back"), [(24, 23, False), (24, 24, True), (1, 1, True), (NEVER, 9999, False)]
)
def test_the_count_ends_with_the_window(window: int, hours: int, back: bool) -> None:
    held = card(verification_attempts=3, last_verification_attempt_time=NOW, attempts_exceeded_told=True)
    after, exceeded, tell = card_verifications.count_try(held, stated(window=window), NOW + hours * HOUR)
    assert (after.verification_attempts, exceeded, tell) == ((1, False, False) if back else (4, True, False))
    assert after.attempts_exceeded_told is not back


def test_a_clock_that_is_set_back_sets_no_count_back() -> None:
    held = card(verification_attempts=3, last_verification_attempt_time=NOW)
    after, exceeded, tell = card_verifications.count_try(held, stated(), NOW - HOUR)
    assert (after.last_verification_attempt_time, exceeded, tell) == (NOW, True, True)


@pytest.mark.parametrize("first", [result for result in Result if result is not Result.UNSPECIFIED])
@pytest.mark.parametrize("then", [Result.SUCCEEDED, Result.SECURITY_CODE_WRONG, Result.UNREADABLE])
def test_the_first_result_stays(first: Result, then: Result) -> None:
    access, held = begun(card(), Question(True, True, True))
    done = card_verifications.finish(replace(access, result=first), held, first, consumer_usable=True)
    assert done.result is first
    if then is first or first is Result.NO_USABLE_CARD:
        assert card_verifications.finish(done, held, then, consumer_usable=True) == done
    else:
        with pytest.raises(FieldInvalid):
            card_verifications.finish(done, held, then, consumer_usable=True)


def test_an_unknown_card_is_invalid_and_nothing_else() -> None:
    access, _ = begun(None, Question(True, True, True))
    assert card_verifications.answer(access, None, NOW) == Answer()


class Guessing(RuleBasedStateMachine):
    """Somebody guesses while the cardholder uses the card and the issuer resets: between two moments at which the count
    was set back no more than three codes are ever compared, and each series is told once."""

    @initialize()
    def begin(self) -> None:
        self.now = NOW
        self.card = card()
        self.compared = self.told = self.tries = 0
        self.open: list[CardAccess] = []

    def _set_back(self) -> None:
        self.compared = self.told = self.tries = 0

    @rule(code_given=st.booleans())
    def ask(self, code_given: bool) -> None:
        question = Question(True, True, code_given)
        how = card_verifications.begin(self.card, question, stated(), self.now, consumer_usable=True)
        access, _ = begun(self.card, question, self.now)
        assert how.card is not None
        self.card = how.card
        self.open.append(access)
        if code_given:
            self.tries += 1
            self.compared += how.code_compared
            self.told += how.tell
        assert self.compared == min(self.tries, LIMIT)
        assert self.told == (self.tries > LIMIT)

    @rule(data=st.data(), equal=st.booleans())
    def report(self, data: st.DataObject, equal: bool) -> None:
        if not self.open:
            return
        access = self.open.pop(data.draw(st.integers(0, len(self.open) - 1)))
        found = FieldComparison.EQUAL if equal else FieldComparison.DIFFERENT
        result = card_verifications.result_of(access, Findings(FieldComparison.EQUAL, found))
        done = card_verifications.finish(access, self.card, result, consumer_usable=True)
        if done.code_compared and done.result is Result.SUCCEEDED:
            self.card = cards.reset_attempts(self.card)
            self._set_back()

    @rule()
    def reset(self) -> None:
        self.card = cards.reset_attempts(self.card)
        self._set_back()

    @rule(accepted=st.booleans())
    def replace_card(self, accepted: bool) -> None:
        waiting = cards.replace_card(self.card, EncryptedCard("jwe", "k1"), self.now)
        if not accepted:
            self.card = cards.reject(waiting, CardRejection.UNREADABLE, self.now)
            return
        seen = Fingerprint(NumberHash("h1", bytes(32)), "40000000", "0000", "1239", has_security_code=True)
        self.card = cards.accept(waiting, seen, self.now)
        self._set_back()

    @rule(hours=st.integers(1, 30))
    def wait(self, hours: int) -> None:
        last = self.card.last_verification_attempt_time
        self.now += hours * HOUR
        if last is not None and self.now - last >= 24 * HOUR:
            self._set_back()


TestGuessing = Guessing.TestCase
