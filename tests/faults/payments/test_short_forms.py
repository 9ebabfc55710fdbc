"""What the campaigns show, in short: one till after the other fault, so that the tests of every day see it as well."""

from collections.abc import Callable, Iterator

import pytest

from tests.faults.payments.books import wrong
from tests.faults.payments.campaign import Plan, run, seed
from tests.faults.payments.sweep import ANSWERED, GRANTED, KEPT, QUICK, SETTLING_S, Sweep
from tests.faults.payments.test_broken_builds import BROKEN_DISPATCHER
from tests.faults.payments.till import Till
from tests.waiting import eventually

SHORT = 20261125


@pytest.fixture(scope="module")
def till() -> Iterator[Till]:
    made = Till(settings=QUICK, webhooks=True)
    try:
        yield made.start()
    finally:
        made.remove()


@pytest.mark.timeout(400)
def test_20_payments_and_4_kills(till: Till, figures: Callable[[str], None]) -> None:
    plan = Plan(seed(SHORT), payments=20, kills=4, seconds=3, patience=4)
    figures(str(run(till, plan)))


@pytest.mark.timeout(400)
def test_the_dispatcher_killed_at_some_places_of_a_refund(till: Till) -> None:
    sweep = Sweep(till, "refund").start()
    sweep.prepare(3)
    places = sweep.places()
    for label in (GRANTED, KEPT):
        sweep.kill_dispatcher(places.index(label) + 1, places)


@pytest.mark.timeout(400)
def test_the_dispatcher_killed_at_some_places_of_a_subscriptions_creation(till: Till) -> None:
    """Sent and unheard, its list finds it; kept, its answer does."""
    sweep = Sweep(till, "subscription", first=30_000).start()
    places = sweep.places()
    states = [sweep.kill_dispatcher(places.index(label) + 1, places) for label in (GRANTED, ANSWERED, KEPT)]
    assert states == ["IN_DOUBT", "SUCCEEDED", "SUCCEEDED"]


@pytest.mark.timeout(400)
def test_a_dispatcher_that_sends_again_after_a_time_out_is_noticed(till: Till) -> None:
    """The last one: from here on the books are wrong."""
    sweep = Sweep(till, first=20_000).start()
    till.partner.control("POST", "/faults", {"endpoint": "payment", "fault": "hang", "times": 1})
    dispatcher = till.dispatchers[0]
    dispatcher.kill()
    dispatcher.program = BROKEN_DISPATCHER
    dispatcher.start()
    sweep.agree()
    sweep.ask()
    found = eventually(lambda: wrong(till), SETTLING_S, "what is wrong")
    assert any("sent 2 times" in each or "called PENDING and done" in each for each in found), found
