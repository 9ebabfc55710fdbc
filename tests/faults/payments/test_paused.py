"""A dispatcher that sleeps past its lease, an operator in a hurry, a restored database, two cores: one charge."""

import contextlib
import signal
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from tests.faults.payments.books import settled, state, wrong
from tests.faults.payments.test_crash_points import FEW, QUICK, SETTLING_S
from tests.faults.payments.till import DISPATCHER, Till
from tests.waiting import eventually

SIGNALLED = ("-m", "tests.faults.payments.signalled_dispatcher")
DATABASE = "mintmark.sqlite"
TRIES = 5


class Pauses:
    """A till whose first dispatcher stops itself, once for each payment."""

    def __init__(self) -> None:
        self.till = Till(settings=QUICK)
        self._number = 0

    def start(self) -> "Pauses":
        self.till.start()
        self.till.add_dispatcher()
        self.till.dispatchers[1].kill()
        return self

    def begin(self, at: int) -> str:
        """A payment whose dispatcher sleeps at a place. Its name; of the place 0 nobody sleeps at all."""
        self._number += 1
        first = self.till.dispatchers[0]
        first.kill()
        first.program = (*SIGNALLED, str(self.file), str(at), "SIGSTOP")
        first.start()
        Path(f"{self.file}.armed").touch()
        name = self.till.create(self.till.order(self._number)).name
        if at:
            assert first.paused_itself(SETTLING_S), first.log.read_text()
        return name

    def places(self) -> list[str]:
        name = self.begin(0)
        eventually(lambda: state(self.till.get(name)) == "CAPTURED", SETTLING_S, "a payment that nothing disturbs")
        eventually(lambda: self.file.read_text().endswith("after unlink\n"), SETTLING_S, "the end of its file")
        return self.file.read_text().splitlines()

    def sleep_past_the_lease(self, at: int, places: list[str]) -> str:
        """Another dispatcher and an operator go on meanwhile, and the operator once more when it wakes up."""
        till = self.till
        first, second = till.dispatchers
        for _ in range(TRIES):
            name = self.begin(at)
            if self.file.read_text().splitlines() == places[:at]:
                break
            # On a slow machine something took too long, and it went another way.
            self._wake_up()
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
        expected = "CAPTURED" if self._charged(name) else "NOT_CHARGED"
        eventually(lambda: state(till.get(name)) == expected, SETTLING_S, f"{expected} after {places[at - 1]}")
        second.kill()
        assert not (found := wrong(till)), (found, till.evidence(name))
        return expected

    def _wake_up(self) -> None:
        """Stopped in order, the sleeper does first what it can."""
        first = self.till.dispatchers[0]
        first.signal(signal.SIGTERM)
        first.signal(signal.SIGCONT)
        first.ended()

    def _charged(self, name: str) -> list[str]:
        """The transactions of the payment, from the partner's books."""
        reference = self.till.get(name).operations[0].reference
        return [each["transactionId"] for each in self.till.partner.moved() if each["reference"] == reference]

    def _resolve(self, name: str) -> None:
        """The operator looks at the partner's books and says what is there."""
        if state(self.till.get(name)) != "IN_DOUBT":
            return
        try:
            self.till.resolve(name, *self._charged(name))
        except grpc.RpcError as error:
            # It was settled a moment ago.
            if error.code() is not grpc.StatusCode.FAILED_PRECONDITION:
                raise

    @property
    def file(self) -> Path:
        return self.till.folder / f"places-{self._number}"


@pytest.fixture
def pauses() -> Iterator[Pauses]:
    made = Pauses()
    try:
        yield made.start()
    finally:
        made.till.remove()


@pytest.mark.campaign
@pytest.mark.timeout(400)
def test_a_sleeper_wakes_up_after_its_lease(pauses: Pauses) -> None:
    places = pauses.places()
    for label in ("after BeginAttempt", "http11.receive_response_headers.complete"):
        pauses.sleep_past_the_lease(places.index(label) + 1, places)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_a_sleeper_at_each_place(pauses: Pauses, figures: Callable[[str], None]) -> None:
    places = pauses.places()
    states = [pauses.sleep_past_the_lease(at, places) for at in range(1, len(places) + 1)]
    ended = ", ".join(f"{label}: {each}" for label, each in zip(places, states, strict=True))
    figures(f"{len(places)} pauses: {ended}")


def _restored(pauses: Pauses, places: list[str], label: str) -> None:
    """A backup from the middle of a payment is put back after the payment was made.

    Where the grant is in the backup nothing can be sent again, and what is missing is as if its sender were silent.
    Where it is not, the payment looks unsent: the core has to know better, and to stand still.
    """
    till, at = pauses.till, places.index(label) + 1
    stands_still = at <= places.index("before BeginAttempt") + 1
    name = pauses.begin(at)
    backup = till.folder / "backup.sqlite"
    backup.unlink(missing_ok=True)
    opened = (contextlib.closing(sqlite3.connect(file)) for file in (till.data / DATABASE, backup))
    with next(opened) as source, next(opened) as target:
        source.backup(target)
    first = till.dispatchers[0]
    first.signal(signal.SIGCONT)
    eventually(lambda: state(till.get(name)) == "CAPTURED", SETTLING_S, "the payment before the restore")
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
    eventually(lambda: state(till.get(name)) == "IN_DOUBT", SETTLING_S, "the doubt after the restore")
    assert till.release() == int(stands_still)
    # Whatever may be sent is sent before this one.
    other = till.create(till.order(1000 + at)).name
    eventually(lambda: state(till.get(other)) == "CAPTURED", SETTLING_S, "a payment after the release")
    assert state(till.get(name)) == "IN_DOUBT"
    assert not (found := wrong(till)), found
    assert (
        len([each for each in till.partner.requests() if each["reference"] == till.get(name).operations[0].reference])
        == 1
    )
    (charge,) = [each for each in till.partner.moved() if each["reference"] == till.get(name).operations[0].reference]
    till.resolve(name, charge["transactionId"])
    eventually(lambda: state(till.get(name)) == "CAPTURED", SETTLING_S, "the operator's word, confirmed")
    assert not (found := wrong(till)), found


@pytest.mark.campaign
@pytest.mark.timeout(400)
def test_a_backup_from_the_middle_of_a_payment_is_put_back(pauses: Pauses) -> None:
    _restored(pauses, pauses.places(), "after ClaimTasks")


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_a_backup_from_each_part_of_a_payment_is_put_back(pauses: Pauses) -> None:
    places = pauses.places()
    for label in FEW:
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
@pytest.mark.timeout(400)
def test_two_cores_with_the_same_request(postgres_database: str) -> None:
    _two_cores(postgres_database, 10)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_two_cores_with_the_same_requests(postgres_database: str) -> None:
    _two_cores(postgres_database, 100)
