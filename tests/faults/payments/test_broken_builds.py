"""Builds that are wrong on purpose: a campaign that lets one of them pass would show nothing of the right one."""

from collections.abc import Sequence

import pytest

from tests.faults.core_process import SERVER
from tests.faults.payments.books import MoneyWrong
from tests.faults.payments.campaign import Plan, run
from tests.faults.payments.till import DISPATCHER, Till

BROKEN_CORE = ("-m", "tests.faults.payments.broken_core")
BROKEN_DISPATCHER = ("-m", "tests.faults.payments.broken_dispatcher")
SEED = 7
# After so long the books should agree, if ever they do.
SETTLING_S = 40.0


def _caught(plan: Plan, dispatcher: Sequence[str], what: str) -> None:
    till = Till()
    try:
        till.start(plan.core, dispatcher)
        with pytest.raises((AssertionError, MoneyWrong), match=what):
            run(till, plan)
    finally:
        till.remove()


@pytest.mark.campaign
@pytest.mark.timeout(600)
def test_an_answer_before_the_commit_is_noticed() -> None:
    """What was acknowledged and then lost is made a second time, or sent a second time."""
    plan = Plan(SEED, 30, 5, 15, killed=("core",), core=(*BROKEN_CORE, "acknowledges"), settling=SETTLING_S)
    _caught(plan, DISPATCHER, r"became|gave|sent 2 times|charged 2 times|unknown to us|Extra items|nobody was killed")


@pytest.mark.timeout(400)
def test_sending_again_after_a_time_out_is_noticed() -> None:
    plan = Plan(SEED, 20, 0, 4, core=SERVER, settling=SETTLING_S)
    _caught(plan, BROKEN_DISPATCHER, r"charged \d times|sent \d times|called PENDING and charged")


@pytest.mark.campaign
@pytest.mark.timeout(400)
def test_doubt_that_ages_to_failure_is_noticed() -> None:
    plan = Plan(SEED, 20, 0, 4, core=(*BROKEN_CORE, "forgets"), settling=SETTLING_S)
    _caught(plan, DISPATCHER, "called NOT_CHARGED and charged")
