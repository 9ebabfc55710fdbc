"""Tokens that are read again at D1: what a reading makes of one, and what becomes of a reading that came to nothing.

A token is to be read again while its refreshed generation is below its refresh generation. A reading counts by the
generation that it began with: what changed at D1 after that is read by another one.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

from server.domain import names, tasks, tokens
from server.domain.payment_evidence import Outcome
from server.domain.tasks import Task
from server.domain.tokens import Token

# Which tries in a row have to come to nothing before a trouble that passes is shown.
SHOWN_AFTER = 5
LONGEST_WAIT = 24 * 3600 * tasks.MICROS
UNKNOWN_TOKEN = frozenset({404, 410})
# Of 4xx those that say nothing about the question.
SILENT = frozenset({408, 425, 429})
# Words of the dispatcher for what no repetition cures by itself.
REFUSED_ASSERTION = "access_token_refused"
UNUSABLE_ID = "invalid_id"


class Verdict(StrEnum):
    """What came of a reading."""

    # The token was read.
    READ = "READ"
    # Nothing can be read of it until something changes.
    STOPPED = "STOPPED"
    # D1 does not tell, and people will have to see to it: asked again from time to time.
    PROBLEM = "PROBLEM"
    # It will pass.
    TROUBLE = "TROUBLE"


@dataclass(frozen=True, slots=True)
class Details:
    """What D1 says of a token, empty where it says nothing."""

    state_text: str = ""
    card_bin: str = ""
    card_last_digits: str = ""
    card_expiry: str = ""
    token_last_digits: str = ""
    token_expiry: str = ""
    payment_account_reference: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What a dispatcher tells of one reading, which began with `generation`. `retry_after` is in microseconds."""

    generation: int
    outcome: Outcome
    http_status: int = 0
    details: Details | None = None
    trouble: str = ""
    error_code: str = ""
    retry_after: int = 0

    @property
    def verdict(self) -> Verdict:
        if self.trouble == UNUSABLE_ID:
            return Verdict.STOPPED
        if self.trouble == REFUSED_ASSERTION:
            return Verdict.PROBLEM
        if self.outcome is not Outcome.ANSWERED:
            return Verdict.TROUBLE
        if 200 <= self.http_status < 300:
            return Verdict.READ if self.details else Verdict.PROBLEM
        if self.http_status in UNKNOWN_TOKEN:
            return Verdict.STOPPED
        passes = self.http_status >= 500 or self.http_status in SILENT
        return Verdict.TROUBLE if passes else Verdict.PROBLEM

    @property
    def error(self) -> str:
        """Why it came to nothing, for people."""
        if self.trouble == UNUSABLE_ID:
            return "an id of the token cannot be part of a URL"
        if self.trouble == REFUSED_ASSERTION:
            return "D1 refuses us an access token" + (f" ({self.error_code})" if self.error_code else "")
        if self.outcome is not Outcome.ANSWERED:
            return f"D1 does not answer ({self.trouble or 'unknown'})"
        if 200 <= self.http_status < 300:
            return "D1's answer holds none of the fields that the account names"
        said = f"D1 answers HTTP {self.http_status}" + (f" {self.error_code}" if self.error_code else "")
        return f"{said}: it does not know the token" if self.verdict is Verdict.STOPPED else said


def asked(token: Token, now: int) -> Token:
    """The token that somebody wants to be read again: also where a reading is under way, which began before."""
    return replace(token, refresh_generation=token.refresh_generation + 1, update_time=now, revision=token.revision + 1)


def counts(token: Token, generation: int) -> bool:
    """Whether a reading that began with this generation tells anything new: none that began later has come before it,
    and it began in this history."""
    return token.refreshed_generation < generation <= token.refresh_generation


def read(token: Token, details: Details, generation: int, now: int) -> Token:
    """The token as it was read; as it is where the reading does not count. What D1 does not say stays."""
    if not counts(token, generation):
        return token
    told = {
        name: text for name in Details.__dataclass_fields__ if name != "state_text" and (text := getattr(details, name))
    }
    if details.state_text:
        told |= {"state_text": details.state_text, "state": tokens.state_of(details.state_text)}
    return replace(
        token,
        refreshed_generation=generation,
        refresh_time=now,
        refresh_error="",
        update_time=now,
        revision=token.revision + 1,
        **told,
    )


def failed(token: Token, reading: Reading, tries: int, now: int) -> Token:
    """The token with why it could not be read; as it is where that is said already, or will pass."""
    passes = reading.verdict is Verdict.TROUBLE
    if token.refresh_error == reading.error or (passes and tries + 1 < SHOWN_AFTER):
        return token
    return replace(token, refresh_error=reading.error, update_time=now, revision=token.revision + 1)


def tells_news(before: Token, after: Token) -> bool:
    """Whether somebody who follows the token has to know: the time of a reading alone is no news."""
    same_stamps = replace(
        after,
        refreshed_generation=before.refreshed_generation,
        refresh_time=before.refresh_time,
        update_time=before.update_time,
        revision=before.revision,
    )
    return same_stamps != before


def again(task: Task, token: Token, reading: Reading, roll: float, now: int) -> Task:
    """The task of a token that is still to be read. `roll` is between 0 and 1."""
    if token.refresh_generation > reading.generation and reading.verdict is not Verdict.TROUBLE:
        # Something has changed since it began: where it came to nothing, that may have been the cure.
        return replace(tasks.let_go(task, now), tries=0)
    if reading.verdict is Verdict.STOPPED:
        return tasks.let_go(task, tasks.NEVER)
    delay = tasks.problem_delay(task.tries) if reading.verdict is Verdict.PROBLEM else tasks.backoff(task.tries, roll)
    return tasks.let_go(task, now + max(delay, min(reading.retry_after, LONGEST_WAIT)))


def task_for(token: Token, account: str, now: int, correlation_id: str) -> Task:
    """What makes a dispatcher read it."""
    return Task(
        names.refresh_task(token.name),
        tasks.TaskKind.REFRESH_TOKEN,
        account,
        payment="",
        operation="",
        due_time=now,
        create_time=now,
        correlation_id=correlation_id,
        resource=token.name,
    )
