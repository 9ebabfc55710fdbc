"""The seven tiers: when a notification is tried again, and how many at once."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from adapters.sandbox.sibs.schedule import HORIZON, TIERS, TRIES, batches, due_after, tier_of
from tests.adapters.sandbox.sibs.caller import Caller
from tests.adapters.sandbox.sibs.receiver import Receiver
from tests.waiting import eventually

MINUTE, HOUR = 60.0, 3600.0
# As the contract has it: retry counts, batch, period.
PUBLISHED = (
    (range(5), 400, 5 * MINUTE),
    (range(5, 9), 600, HOUR),
    (range(9, 14), 800, 2 * HOUR),
    (range(14, 20), 1000, 4 * HOUR),
    (range(20, 27), 1200, 6 * HOUR),
    (range(27, 35), 1400, 12 * HOUR),
    (range(35, 44), 1600, 24 * HOUR),
)


def test_the_published_tiers() -> None:
    assert TRIES == 44
    for number, (counts, most, period) in enumerate(PUBLISHED):
        for count in counts:
            assert (tier_of(count).number, tier_of(count).most, tier_of(count).period) == (number, most, period)
    assert sum(tier_of(count).period for count in range(TRIES)) / HOUR == 392 + 25 / 60


@given(tries=st.integers(1, TRIES - 1), now=st.floats(0, 40 * 86_400))
def test_the_next_try_is_at_a_run_of_its_job(tries: int, now: float) -> None:
    period = tier_of(tries).period
    due = due_after(tries, now, first=now)
    assert due is not None
    assert now < due <= now + period
    assert due % period == 0


def test_it_ends() -> None:
    assert due_after(TRIES, 0, 0) is None
    assert due_after(1, HORIZON - 300, 0) == HORIZON
    assert due_after(1, HORIZON, 0) is None


def test_a_job_takes_the_oldest_of_the_least_tried_and_first_tries_always_go() -> None:
    waiting = [(number, 4) for number in range(1, 101)] + [(number, 3) for number in range(1000, 100, -1)]
    waiting += [(number, 0) for number in range(2000, 2500)]
    waiting += [(number, 6) for number in range(3000, 3601)]
    go, left = batches(waiting)
    assert go == [*range(2000, 2500), *range(101, 501), *range(3000, 3600)]
    assert sorted((number, tier.number) for number, tier in left) == [
        *((number, 0) for number in (*range(1, 101), *range(501, 1001))),
        (3600, 1),
    ]


@given(st.lists(st.integers(0, TRIES - 1), max_size=3000))
def test_a_job_never_takes_more_than_its_batch(tries: list[int]) -> None:
    go, left = batches(enumerate(tries))
    assert sorted([*go, *(number for number, _ in left)]) == list(range(len(tries)))
    for tier in TIERS:
        assert sum(1 for number in go if tries[number] and tier_of(tries[number]) is tier) <= tier.most


def test_44_tries_and_no_more(caller: Caller, receiver: Receiver) -> None:
    receiver.refuse()
    caller.create(value=receiver.url)
    caller.transact()
    caller.advance(61 * 86_400)
    assert caller.told("state", "tries", "due") == [("Requested", 44, None)]
    assert len(receiver.messages) == 44
    assert caller.control("GET", "/state")["givenUp"] == 1
    ats = [each["at"] for each in caller.control("GET", "/notifications/1")["history"]]
    for count, (before, at) in enumerate(pairwise(ats), start=1):
        # The clock goes on while a try is answered: it may be a little later than the job's run.
        period = tier_of(count).period
        assert at % period < 1, count
        assert before < at <= before + period + 1
    assert 14 * 86_400 < ats[-1] - ats[0] < 17 * 86_400
    receiver.accept()
    assert caller.control("POST", "/notifications/1/redeliver")["state"] == "Processed"


def test_an_acknowledgement_ends_it(caller: Caller, receiver: Receiver) -> None:
    receiver.refuse()
    caller.create(value=receiver.url)
    caller.transact()
    caller.advance(5 * HOUR)
    tried = len(receiver.messages)
    receiver.accept()
    caller.advance(61 * 86_400)
    assert len(receiver.messages) == tried + 1 == 10
    assert caller.told("state", "tries", "due") == [("Processed", tried + 1, None)]


def test_the_job_of_the_first_tier_takes_400(caller: Caller) -> None:
    caller.create()
    caller.control("POST", "/transactions", {"count": 405})
    caller.advance(0)
    assert caller.told("tries") == [(1,)] * 405
    caller.advance(300)
    assert caller.told("tries") == [(2,)] * 400 + [(1,)] * 5
    caller.advance(300)
    # Those that were left go first.
    assert caller.told("tries") == [(3,)] * 395 + [(2,)] * 10
    told = [(batch["taken"], batch["left"]) for batch in caller.lines("/notifications/batches")]
    assert told == [(400, 5), (400, 5)]


def test_a_fast_clock_is_enough(caller: Caller, receiver: Receiver) -> None:
    receiver.refuse()
    caller.create(value=receiver.url)
    caller.client.post("/configure", json={"speed": 10_000})
    caller.transact()
    eventually(lambda: len(receiver.messages) >= 4)
    receiver.accept()
    eventually(lambda: caller.told("state") == [("Processed",)])
