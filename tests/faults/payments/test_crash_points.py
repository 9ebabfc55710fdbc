"""One payment with the core, or the dispatcher, killed at each of its steps, one after the other."""

import itertools
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest
from mintmark.v1 import payments_pb2, payments_pb2_grpc

from tests.faults.payments.books import settled, state, wrong
from tests.faults.payments.till import DISPATCHER, Till
from tests.waiting import eventually

# Shorter than a campaign's: each kill costs the rest of a lease. It has to be longer than a claim may wait (5 s),
# because the dispatcher counts a lease from before its claim.
QUICK = {"MINTMARK_PAYMENT_CALL_TIMEOUT": "1", "MINTMARK_PAYMENT_SEND_BY": "2", "MINTMARK_TASK_LEASE": "6"}
# A dispatcher whose core dies in the middle of a grant asks again for as long as it may send.
PATIENT = {"MINTMARK_PAYMENT_CALL_TIMEOUT": "1", "MINTMARK_PAYMENT_SEND_BY": "20", "MINTMARK_TASK_LEASE": "20"}
SETTLING_S = 120.0
GRANTED, KEPT = "after BeginAttempt", "after replace"
# With a claim only, with a grant, sent, answered, kept, and kept and about to be told.
FEW = (
    "after ClaimTasks",
    GRANTED,
    "http11.send_request_headers.complete",
    "http11.receive_response_body.complete",
    KEPT,
    "before RecordAttempt",
)


class Sweep:
    """A till of which something is killed again and again; each time it takes one payment."""

    def __init__(self, settings: dict[str, str]) -> None:
        self.till = Till(settings=settings)
        self._numbers = itertools.count(1)

    def start(self) -> "Sweep":
        self.till.start()
        return self

    def places(self) -> list[str]:
        """Those that the dispatcher passes with one payment when nobody is killed."""
        file = self._armed()
        self._dispatch(file, 0)
        name = self._pay()
        eventually(lambda: state(self.till.get(name)) == "CAPTURED", SETTLING_S, "a payment that nothing disturbs")
        eventually(lambda: file.read_text().endswith("after unlink\n"), SETTLING_S, "the end of its file")
        self._agree()
        return file.read_text().splitlines()

    def kill_dispatcher(self, at: int, places: Sequence[str], tries: int = 5) -> str:
        """Kills it at a place, starts it again, and holds what has to become of the payment. Its state."""
        file = self._armed()
        self._dispatch(file, at)
        dispatcher = self.till.dispatchers[0]
        name = self._pay()
        eventually(lambda: not dispatcher.alive, SETTLING_S, f"the kill at {places[at - 1]}")
        dispatcher.ended()
        passed = file.read_text().splitlines()
        dispatcher.program = DISPATCHER
        dispatcher.start()
        eventually(lambda: settled(self.till.get(name)), SETTLING_S, "the end of the payment")
        granted, kept = places.index(GRANTED) + 1, places.index(KEPT) + 1
        expected = "IN_DOUBT" if granted <= at < kept else "CAPTURED"
        if passed != places[:at] and tries:
            # On a slow machine something took too long, and it went another way.
            self._agree()
            return self.kill_dispatcher(at, places, tries - 1)
        found = state(self.till.get(name))
        assert found == expected, f"{found} after {places[at - 1]}: {self.till.evidence(name)}"
        self._agree()
        return expected

    def kill_core(self, at: int) -> str:
        """Kills it at a place of a payment and starts it again. Which it was: empty where there are not so many."""
        core, file = self.till.core, self.till.folder / f"places-{next(self._numbers)}"
        core.kill()
        core.start(("-m", "tests.faults.payments.signalled_core", str(file), str(at), "SIGKILL"))
        armed = Path(f"{file}.armed")
        armed.touch()
        with ThreadPoolExecutor(1) as pool:
            paying = pool.submit(self._pay)
            eventually(lambda: self._dead() or self._over(paying), SETTLING_S, "a kill, or the end of the payment")
            armed.unlink()
            killed = self._dead()
            if killed:
                assert core.ended() == -signal.SIGKILL, core.log.read_text()
                core.kill()
                core.start()
            name = paying.result()
        eventually(lambda: settled(self.till.get(name)), SETTLING_S, "the end of the payment")
        passed = file.read_text().splitlines()
        assert state(self.till.get(name)) == "CAPTURED", f"{passed}: {self.till.evidence(name)}"
        self._agree()
        return passed[at - 1] if killed else ""

    def _dead(self) -> bool:
        process = self.till.core.process
        return process is not None and process.poll() is not None

    def _over(self, paying: Future[str]) -> bool:
        if not paying.done():
            return False
        request = payments_pb2.GetPaymentRequest(name=paying.result())
        try:
            answer = self.till.call_once(payments_pb2_grpc.PaymentsServiceStub, "GetPayment", request)
        except grpc.RpcError:
            return False
        return settled(answer.payment)

    def _dispatch(self, file: Path, at: int) -> None:
        dispatcher = self.till.dispatchers[0]
        dispatcher.kill()
        dispatcher.program = ("-m", "tests.faults.payments.signalled_dispatcher", str(file), str(at), "SIGKILL")
        dispatcher.start()

    def _armed(self) -> Path:
        """A new file for places."""
        file = self.till.folder / f"places-{next(self._numbers)}"
        Path(f"{file}.armed").touch()
        return file

    def _pay(self) -> str:
        return self.till.create(self.till.order(next(self._numbers))).name

    def _agree(self) -> None:
        assert not (found := wrong(self.till)), found


@pytest.fixture
def sweep() -> Iterator[Sweep]:
    yield from _sweep(QUICK)


@pytest.fixture
def patient_sweep() -> Iterator[Sweep]:
    yield from _sweep(PATIENT)


def _sweep(settings: dict[str, str]) -> Iterator[Sweep]:
    made = Sweep(settings)
    try:
        yield made.start()
    finally:
        made.till.remove()


@pytest.mark.timeout(400)
def test_the_dispatcher_killed_at_some_places(sweep: Sweep) -> None:
    places = sweep.places()
    for label in (GRANTED, KEPT):
        sweep.kill_dispatcher(places.index(label) + 1, places)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_the_dispatcher_killed_at_each_place(sweep: Sweep, figures: Callable[[str], None]) -> None:
    places = sweep.places()
    states = [sweep.kill_dispatcher(at, places) for at in range(1, len(places) + 1)]
    figures(f"{len(places)} kills: {', '.join(f'{label}: {each}' for label, each in zip(places, states, strict=True))}")


@pytest.mark.campaign
@pytest.mark.timeout(400)
def test_the_core_killed_at_some_places(patient_sweep: Sweep) -> None:
    assert patient_sweep.kill_core(2) == "after commit"


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_the_core_killed_at_each_place(patient_sweep: Sweep, figures: Callable[[str], None]) -> None:
    killed = list(itertools.takewhile(bool, map(patient_sweep.kill_core, itertools.count(1))))
    assert {"before commit", "after commit"} <= set(killed)
    assert any(place.startswith("before replace") for place in killed)
    figures(f"{len(killed)} kills: {', '.join(killed)}")
