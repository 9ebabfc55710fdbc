"""Builds that are wrong on purpose: a campaign that lets one of them pass would show nothing of the right one."""

from collections.abc import Callable, Sequence

import pytest

from tests.faults.core_process import SERVER
from tests.faults.payments.books import MoneyWrong
from tests.faults.payments.campaign import Plan, run
from tests.faults.payments.sweep import QUICK, Sweep
from tests.faults.payments.till import DISPATCHER, Till

BROKEN_CORE = ("-m", "tests.faults.payments.broken_core")
BROKEN_DISPATCHER = ("-m", "tests.faults.payments.broken_dispatcher")
SEED = 7
# After so long the books should agree, if ever they do.
SETTLING_S = 40.0
DONE_TWICE = (
    r"became|gave|sent 2 times|done 2 times|unknown to us|Extra items|nobody was killed|asked for and not there"
)


Caught = Callable[[Plan, Sequence[str], str], None]


@pytest.fixture
def caught(figures: Callable[[str], None]) -> Caught:
    """Fails where a campaign does not see what is wrong; shows what it saw."""

    def run_wrong(plan: Plan, dispatcher: Sequence[str], what: str) -> None:
        till = Till()
        try:
            till.start(plan.core, dispatcher)
            with pytest.raises((AssertionError, MoneyWrong), match=what) as seen:
                run(till, plan)
        finally:
            till.remove()
        figures(f"seed {plan.seed}: noticed: {str(seen.value)[:300]}")

    return run_wrong


@pytest.mark.campaign
@pytest.mark.timeout(600)
def test_an_answer_before_the_commit_is_noticed(caught: Caught) -> None:
    """What was acknowledged and then lost is made a second time, or sent a second time."""
    plan = Plan(SEED, 30, 5, 15, killed=("core",), core=(*BROKEN_CORE, "acknowledges"), settling=SETTLING_S)
    caught(plan, DISPATCHER, DONE_TWICE)


@pytest.mark.campaign
@pytest.mark.timeout(400)
def test_sending_again_after_a_time_out_is_noticed(caught: Caught) -> None:
    plan = Plan(SEED, 20, 0, 4, core=SERVER, settling=SETTLING_S)
    caught(plan, BROKEN_DISPATCHER, r"done \d times|sent \d times|called PENDING and done")


@pytest.mark.campaign
@pytest.mark.timeout(400)
def test_doubt_that_ages_to_failure_is_noticed(caught: Caught) -> None:
    plan = Plan(SEED, 20, 0, 4, core=(*BROKEN_CORE, "forgets"), settling=SETTLING_S)
    caught(plan, DISPATCHER, "called NOT_CHARGED and done")


@pytest.mark.campaign
@pytest.mark.timeout(400)
def test_a_refund_in_doubt_that_counts_for_nothing_is_noticed(caught: Caught) -> None:
    plan = Plan(SEED, 40, 0, 6, core=(*BROKEN_CORE, "counts"), settling=SETTLING_S)
    caught(plan, DISPATCHER, r"may have been given back|was asked for while")


@pytest.mark.campaign
@pytest.mark.timeout(400)
def test_a_grant_that_is_not_written_before_it_is_used_is_noticed() -> None:
    """The dispatcher dies with it, and the refund is sent again."""
    till = Till(settings=QUICK)
    try:
        sweep = Sweep(till.start((*BROKEN_CORE, "grants")), "refund").start()
        sweep.prepare(2)
        places = sweep.places()
        sent = places.index("http11.send_request_body.complete") + 1
        with pytest.raises(AssertionError, match="sent 2 times"):
            sweep.kill_dispatcher(sent, places, tries=0)
    finally:
        till.remove()
