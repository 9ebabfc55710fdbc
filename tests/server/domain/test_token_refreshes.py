"""What a reading makes of a token, in any order; and when a token that could not be read is asked for again."""

from dataclasses import replace

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from server.domain import tasks, token_refreshes, tokens
from server.domain.notifications import D1TokenUpdate
from server.domain.payment_evidence import Outcome
from server.domain.tasks import NEVER, Task, TaskKind
from server.domain.token_refreshes import Details, Reading, Verdict
from server.domain.tokens import Token, TokenProvider, TokenState

TOKEN = replace(tokens.first_seen("MGW", "m", "t", TokenProvider.D1_ECOM, 1), revision=1)
ANSWERED, UNKNOWN, NOT_SENT = Outcome.ANSWERED, Outcome.UNKNOWN, Outcome.NOT_SENT
DETAILS = Details(state_text="ACTIVE", card_bin="453421", card_last_digits="9999", card_expiry="0431")
SECOND = tasks.MICROS


def due(generation: int = 1, **fields: object) -> Token:
    return replace(TOKEN, refresh_generation=generation, **fields)  # type: ignore[arg-type]


def task(tries: int = 0) -> Task:
    return replace(token_refreshes.task_for(TOKEN, "partnerAccounts/a", 5, "c"), tries=tries)


def answered(status: int, **fields: object) -> Reading:
    return Reading(1, ANSWERED, status, **fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("reading", "verdict", "error"),
    [
        (answered(200, details=DETAILS), Verdict.READ, ""),
        (answered(204, trouble="unreadable"), Verdict.PROBLEM, "holds none of the fields"),
        (answered(301), Verdict.PROBLEM, "HTTP 301"),
        (answered(400, error_code="INVALID_FIELD"), Verdict.PROBLEM, "HTTP 400 INVALID_FIELD"),
        (answered(401), Verdict.PROBLEM, "HTTP 401"),
        (answered(404), Verdict.STOPPED, "does not know"),
        (answered(410), Verdict.STOPPED, "does not know"),
        (answered(408), Verdict.TROUBLE, "HTTP 408"),
        (answered(425), Verdict.TROUBLE, "HTTP 425"),
        (answered(429), Verdict.TROUBLE, "HTTP 429"),
        (answered(500), Verdict.TROUBLE, "HTTP 500"),
        (Reading(1, UNKNOWN, trouble="read_timeout"), Verdict.TROUBLE, "does not answer (read_timeout)"),
        (Reading(1, NOT_SENT, trouble="access_token_http_503"), Verdict.TROUBLE, "access_token_http_503"),
        (Reading(1, NOT_SENT, trouble="access_token_refused"), Verdict.PROBLEM, "refuses us an access token"),
        (Reading(1, NOT_SENT, trouble="invalid_id"), Verdict.STOPPED, "cannot be part of a URL"),
    ],
)
def test_what_each_answer_means(reading: Reading, verdict: Verdict, error: str) -> None:
    assert reading.verdict is verdict
    if verdict is not Verdict.READ:
        assert error in reading.error


def test_what_was_read_is_taken_over_and_the_rest_stays() -> None:
    before = due(card_bin="400000", payment_account_reference="PAR", refresh_error="x")
    after = token_refreshes.read(before, DETAILS, 1, 9)
    assert (after.card_bin, after.payment_account_reference, after.state) == ("453421", "PAR", TokenState.ACTIVE)
    assert (after.refreshed_generation, after.refresh_time, after.refresh_error, after.refresh_due) == (1, 9, "", False)
    unknown = token_refreshes.read(before, Details(state_text="FROZEN"), 1, 9)
    assert (unknown.state, unknown.state_text) == (TokenState.UNRECOGNIZED, "FROZEN")


@pytest.mark.parametrize("generation", [0, 1, 4])
def test_a_reading_of_another_time_says_nothing(generation: int) -> None:
    held = due(3, refreshed_generation=1)
    assert token_refreshes.read(held, DETAILS, generation, 9) is held


@pytest.mark.parametrize(
    ("reading", "tries", "seconds"),
    [
        (answered(403), 0, 60),
        (answered(403), 1, 600),
        (answered(403), 2, 3600),
        (answered(403), 99, 3600),
        (answered(503), 0, 1),
        (answered(503), 99, 300),
        (answered(429, retry_after=900 * SECOND), 0, 900),
        (answered(429, retry_after=999_999 * SECOND), 0, 86_400),
    ],
)
def test_when_it_is_asked_for_again(reading: Reading, tries: int, seconds: int) -> None:
    after = token_refreshes.again(task(tries), due(), reading, 1.0, 1000)
    assert after.due_time == 1000 + seconds * SECOND
    assert (after.tries, after.lease_expire_time) == (tries + 1, None)


def test_what_d1_does_not_know_is_asked_for_by_nobody() -> None:
    assert token_refreshes.again(task(), due(), answered(404), 1.0, 1000).due_time == NEVER


def test_what_changed_meanwhile_may_be_the_cure() -> None:
    for status in (403, 404):
        after = token_refreshes.again(task(3), due(2), answered(status), 1.0, 1000)
        assert (after.due_time, after.tries, after.lease_expire_time) == (1000, 0, None)
    assert token_refreshes.again(task(), due(2), answered(503), 1.0, 1000).due_time > 1000


def test_what_passes_is_shown_late_and_only_once() -> None:
    held = due()
    assert token_refreshes.failed(held, answered(503), 3, 9) is held
    shown = token_refreshes.failed(held, answered(503), 4, 9)
    assert shown.refresh_error == "D1 answers HTTP 503"
    assert token_refreshes.failed(shown, answered(503), 5, 9) is shown
    assert token_refreshes.failed(held, answered(403), 0, 9).refresh_error == "D1 answers HTTP 403"


def test_a_task_is_named_after_its_token() -> None:
    assert (task().kind, task().resource) == (TaskKind.REFRESH_TOKEN, TOKEN.name)
    assert task() == task()


class Readings(RuleBasedStateMachine):
    """D1's truth has a version; each change is told. Readings begin, take what is true then, and end in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.version = 0
        self.token = TOKEN
        # Generation and version of those that are under way, or will be told once more.
        self.under_way: list[tuple[int, int]] = []

    @rule()
    def change(self) -> None:
        self.version += 1
        fact = D1TokenUpdate(update_type="X")
        self.token = tokens.request_refresh(self.token, fact, 1)

    @rule()
    def ask(self) -> None:
        self.token = token_refreshes.asked(self.token, 1)

    @precondition(lambda self: self.token.refresh_due)
    @rule()
    def begin(self) -> None:
        self.under_way.append((self.token.refresh_generation, self.version))

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), kept=st.booleans())
    def end(self, data: st.DataObject, kept: bool) -> None:
        place = data.draw(st.integers(0, len(self.under_way) - 1))
        generation, version = self.under_way[place]
        if not kept:
            del self.under_way[place]
        details = Details(state_text="ACTIVE", card_last_digits=f"{version % 10_000:04}")
        before = self.token.card_last_digits
        self.token = token_refreshes.read(self.token, details, generation, 1)
        # Never back to an older truth.
        assert int(self.token.card_last_digits or 0) >= int(before or 0)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), status=st.sampled_from([403, 404, 503]))
    def fail(self, data: st.DataObject, status: int) -> None:
        generation, _ = data.draw(st.sampled_from(self.under_way))
        failed = Reading(generation, ANSWERED, status)
        before = self.token
        self.token = token_refreshes.failed(self.token, failed, 0, 1)
        assert self.token.refreshed_generation == before.refreshed_generation

    @invariant()
    def what_is_not_due_is_true(self) -> None:
        if not self.token.refresh_due and self.token.refresh_generation:
            assert self.token.card_last_digits == f"{self.version % 10_000:04}"
        assert self.token.refreshed_generation <= self.token.refresh_generation


TestReadings = Readings.TestCase
