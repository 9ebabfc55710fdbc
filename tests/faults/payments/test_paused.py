"""A dispatcher that sleeps past its lease, an operator in a hurry, a restored database, two cores: done once."""

import contextlib
import signal
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from tests.faults.payments.books import settled, state, wrong
from tests.faults.payments.sweep import FEW, GRANTED, QUICK, SETTLING_S, SIGNALLED_DISPATCHER, SUBJECTS, Sweep
from tests.faults.payments.till import DISPATCHER, LEASE_S, Till
from tests.waiting import eventually

DATABASE = "mintmark.sqlite"
TRIES = 5
# A page ends with the payer only.
SETTLED = tuple(subject for subject in SUBJECTS if subject != "page")
# Past a lease, by the cores' clock.
PAST = round(LEASE_S) + 1


class Pauses:
    """A till whose first dispatcher stops itself, once for each subject."""

    def __init__(self, subject: str) -> None:
        self.till = Till(settings=QUICK)
        self.sweep = Sweep(self.till, subject)
        self.file = Path()

    def start(self) -> "Pauses":
        self.till.start()
        self.sweep.start()
        self.till.add_dispatcher()
        self.till.dispatchers[1].kill()
        return self

    def prepare(self, count: int) -> None:
        self.sweep.undisturbed()
        self.sweep.prepare(count)

    def begin(self, at: int) -> str:
        """A payment over whose subject the dispatcher sleeps at a place. Its name; of the place 0 nobody sleeps."""
        self.file = self.sweep.armed()
        first = self.till.dispatchers[0]
        first.kill()
        first.program = (*SIGNALLED_DISPATCHER, str(self.file), str(at), "SIGSTOP")
        first.start()
        name = self.sweep.ask()
        if at:
            assert first.paused_itself(SETTLING_S), first.log.read_text()
        return name

    def places(self) -> list[str]:
        self.prepare(1)
        return self.sweep.places()

    def sleep_past_the_lease(self, at: int, places: list[str]) -> str:
        """Another dispatcher and an operator go on meanwhile, and the operator once more when it wakes up."""
        till, sweep = self.till, self.sweep
        first, second = till.dispatchers
        for _ in range(TRIES):
            self.prepare(1)
            name = self.begin(at)
            if self.file.read_text().splitlines() == places[:at]:
                break
            # On a slow machine something took too long, and it went another way.
            self._wake_up()
        # It sleeps in earnest: what it was granted is over by its own clock as well, which no moved one shows.
        second.start()
        eventually(lambda: settled(till.get(name)), SETTLING_S, "what becomes of it without the sleeper")
        with ThreadPoolExecutor(2) as pool:
            operator = pool.submit(self._resolve, name)
            pool.submit(first.signal, signal.SIGCONT).result()
            operator.result()
        self._wake_up()
        assert not (found := wrong(till)), (found, till.evidence(name))
        eventually(lambda: settled(till.get(name)), SETTLING_S, "what becomes of it")
        self._resolve(name)
        expected = "SUCCEEDED" if sweep.charged(name) else "NOT_CHARGED"
        eventually(lambda: sweep.stands(name, expected), SETTLING_S, f"{expected} after {places[at - 1]}")
        assert sweep.sent(name) <= 1
        second.kill()
        assert not (found := wrong(till)), (found, till.evidence(name))
        return expected

    def _wake_up(self) -> None:
        """Stopped in order, the sleeper does first what it can."""
        first = self.till.dispatchers[0]
        first.signal(signal.SIGTERM)
        first.signal(signal.SIGCONT)
        first.ended()

    def _resolve(self, name: str) -> None:
        """The operator looks at the partner's books and says what is there."""
        if not self.sweep.stands(name, "IN_DOUBT"):
            return
        try:
            self.till.resolve(name, *self.sweep.charged(name))
        except grpc.RpcError as error:
            # It was settled a moment ago.
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise


@contextlib.contextmanager
def pausing(subject: str) -> Iterator[Pauses]:
    made = Pauses(subject)
    try:
        yield made.start()
    finally:
        made.till.remove()


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_a_sleeper_at_each_place(figures: Callable[[str], None]) -> None:
    with pausing("purchase") as pauses:
        places = pauses.places()
        states = [pauses.sleep_past_the_lease(at, places) for at in range(1, len(places) + 1)]
    ended = ", ".join(f"{label}: {each}" for label, each in zip(places, states, strict=True))
    figures(f"{len(places)} pauses: {ended}")


@pytest.mark.campaign
@pytest.mark.parametrize("subject", SETTLED[1:])
@pytest.mark.timeout(1800)
def test_a_sleeper_in_each_part_of_what_follows(subject: str, figures: Callable[[str], None]) -> None:
    with pausing(subject) as pauses:
        places = pauses.places()
        states = [pauses.sleep_past_the_lease(places.index(label) + 1, places) for label in FEW]
    ended = ", ".join(f"{label}: {each}" for label, each in zip(FEW, states, strict=True))
    figures(f"{len(FEW)} pauses: {ended}")


def _restored(pauses: Pauses, places: list[str], label: str) -> None:
    """A backup from the middle of a subject is put back after it was done.

    Where the grant is in the backup nothing can be sent again, and what is missing is as if its sender were silent.
    Where it is not, the subject looks unsent: the core has to know better, and to stand still.
    """
    till, sweep, at = pauses.till, pauses.sweep, places.index(label) + 1
    stands_still = at <= places.index("before BeginAttempt") + 1
    pauses.prepare(1)
    name = pauses.begin(at)
    backup = till.folder / "backup.sqlite"
    backup.unlink(missing_ok=True)
    opened = (contextlib.closing(sqlite3.connect(file)) for file in (till.data / DATABASE, backup))
    with next(opened) as source, next(opened) as target:
        source.backup(target)
    first = till.dispatchers[0]
    first.signal(signal.SIGCONT)
    eventually(lambda: sweep.stands(name, "SUCCEEDED"), SETTLING_S, "the subject before the restore")
    # What is in the spool outlives the restore, and would be told.
    eventually(lambda: pauses.file.read_text().endswith("after unlink\n"), SETTLING_S, "the end of its file")
    first.kill()
    till.core.kill()
    for each in till.data.glob(f"{DATABASE}*"):
        each.unlink()
    backup.rename(till.data / DATABASE)
    till.core.start()
    first.program = DISPATCHER
    first.start()
    till.move_clock(PAST)
    eventually(lambda: sweep.stands(name, "IN_DOUBT"), SETTLING_S, "the doubt after the restore")
    assert till.release() == int(stands_still)
    # Whatever may be sent is sent before this one.
    other = till.create(till.order(1000 + at)).name
    eventually(lambda: state(till.get(other)) == "CAPTURED", SETTLING_S, "a payment after the release")
    # A subscription may be found in the partner's list by now.
    assert sweep.stands(name, "IN_DOUBT") or sweep.subject == "subscription"
    assert not (found := wrong(till)), found
    assert sweep.sent(name) == 1
    (charge,) = sweep.charged(name)
    till.resolve(name, charge)
    eventually(lambda: sweep.stands(name, "SUCCEEDED"), SETTLING_S, "the operator's word, confirmed")
    assert not (found := wrong(till)), found


@pytest.mark.campaign
@pytest.mark.parametrize("subject", SETTLED)
@pytest.mark.timeout(1800)
def test_a_backup_from_each_part_of_it_is_put_back(subject: str) -> None:
    with pausing(subject) as pauses:
        places = pauses.places()
        for label in FEW if subject == "purchase" else ("after ClaimTasks", GRANTED):
            _restored(pauses, places, label)


def _two_cores(database_url: str, orders: int) -> None:
    """Both are asked with the same `request_id` by several callers, and each has a dispatcher of its own."""
    till = Till(database_url, cores=2)
    try:
        till.start()
        till.add_dispatcher()
        with ThreadPoolExecutor(8) as pool:
            calls = {
                number: [pool.submit(till.create, till.order(number), core) for core in (0, 1, 0, 1)]
                for number in range(1, orders + 1)
            }
        names = {number: {each.result().name for each in made} for number, made in calls.items()}
        assert all(len(made) == 1 for made in names.values()), names
        assert len(till.payments()) == orders
        eventually(lambda: all(settled(each) for each in till.payments()), SETTLING_S, "the end of all payments")
        assert {state(each) for each in till.payments()} == {"CAPTURED"}
        assert not (found := wrong(till)), found
        assert len(till.partner.moved()) == orders
    finally:
        till.remove()


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_two_cores_with_the_same_requests(postgres_database: str) -> None:
    _two_cores(postgres_database, 100)
