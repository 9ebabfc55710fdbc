"""The circuit breaker, on a clock that the test moves."""

from adapters.breaker import FAILURES, REST_S, WITHIN_S, Breaker


class Now:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def opened() -> tuple[Breaker, Now]:
    now = Now()
    breaker = Breaker(now)
    for _ in range(FAILURES):
        breaker.failed("a")
    return breaker, now


def test_an_account_rests_after_many_failures_in_a_short_time() -> None:
    breaker, now = opened()
    assert breaker.paused() == ["a"]
    assert breaker.wait(60) == REST_S
    assert breaker.open == 1
    breaker.failed("b")
    assert breaker.paused() == ["a"]
    now.seconds += REST_S
    assert breaker.paused() == []


def test_failures_that_are_far_apart_or_interrupted_by_an_answer_open_nothing() -> None:
    now = Now()
    breaker = Breaker(now)
    for _ in range(3 * FAILURES):
        breaker.failed("a")
        now.seconds += WITHIN_S / (FAILURES - 2)
    for _ in range(3):
        for _ in range(FAILURES - 1):
            breaker.failed("b")
        breaker.succeeded("b")
    assert breaker.paused() == []


def test_after_its_rest_one_task_shows_how_the_partner_is() -> None:
    breaker, now = opened()
    now.seconds += REST_S
    assert breaker.probing
    breaker.claimed("a")
    assert breaker.paused() == ["a"]
    breaker.failed("a")
    assert breaker.paused() == ["a"]
    now.seconds += REST_S
    breaker.claimed("a")
    breaker.succeeded("a")
    assert (breaker.paused(), breaker.probing, breaker.open) == ([], False, 0)


def test_a_task_that_came_to_nothing_lets_another_one_try() -> None:
    breaker, now = opened()
    now.seconds += REST_S
    breaker.claimed("a")
    breaker.unused("a")
    assert breaker.probing


def test_a_call_is_admitted_unless_its_account_rests_or_is_being_probed() -> None:
    breaker, now = opened()
    assert (breaker.admits("a"), breaker.admits("b")) == (False, True)
    now.seconds += REST_S
    assert breaker.admits("a")
    breaker.claimed("a")
    assert not breaker.admits("a")
    breaker.unused("a")
    assert breaker.admits("a")
    breaker.claimed("a")
    breaker.succeeded("a")
    assert breaker.admits("a")
