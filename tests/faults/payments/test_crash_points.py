"""One payment with the core, or the dispatcher, killed at each of its steps, one after the other."""

import itertools
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from tests.faults.payments.books import settled, state, wrong
from tests.faults.payments.till import DISPATCHER, Till
from tests.waiting import eventually

# Shorter than a campaign's: each kill costs the rest of a lease.
QUICK = {"MINTMARK_PAYMENT_CALL_TIMEOUT": "1", "MINTMARK_PAYMENT_SEND_BY": "2", "MINTMARK_TASK_LEASE": "3"}
SETTLING_S = 120.0
GRANTED, KEPT = "after BeginAttempt", "after replace"
# The places of the short form: with a claim only, with a grant, sent, answered, kept.
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

    def __init__(self) -> None:
        self.till = Till(**QUICK)
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

    def kill_dispatcher(self, at: int, places: Sequence[str]) -> str:
        """Kills it at a place, starts it again, and holds what has to become of the payment. Its state."""
        self._dispatch(self._armed(), at)
        dispatcher = self.till.dispatchers[0]
        name = self._pay()
        eventually(lambda: not dispatcher.alive, SETTLING_S, f"the kill at {places[at - 1]}")
        dispatcher.ended()
        dispatcher.program = DISPATCHER
        dispatcher.start()
        eventually(lambda: settled(self.till.get(name)), SETTLING_S, "the end of the payment")
        granted, kept = places.index(GRANTED) + 1, places.index(KEPT) + 1
        expected = "IN_DOUBT" if granted <= at < kept else "CAPTURED"
        eventually(lambda: state(self.till.get(name)) == expected, SETTLING_S, f"{expected} after {places[at - 1]}")
        self._agree()
        return expected

    def kill_core(self, at: int) -> str:
        """Kills it at the `at`-th place of a payment and starts it again. Where: empty where it was over before."""
        file = self._armed()
        core = self.till.core
        core.kill()
        core.start(("-m", "tests.faults.payments.signalled_core", str(file), str(at), "SIGKILL"))
        Path(f"{file}.armed").touch()
        with self.till.restarting(core):
            name = self._pay()
            eventually(lambda: settled(self.till.get(name)), SETTLING_S, "the end of the payment")
            Path(f"{file}.armed").unlink()
        killed = core.process is not None and self.till.restarts > 0
        assert state(self.till.get(name)) == "CAPTURED", self.till.evidence(name)
        self._agree()
        passed = file.read_text().splitlines()
        return passed[at - 1] if killed and len(passed) >= at else ""

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
        assert not (found := wrong(self.till.payments(), self.till.charges(), self.till.requests())), found


@pytest.fixture(scope="module")
def sweep() -> Iterator[Sweep]:
    made = Sweep()
    try:
        yield made.start()
    finally:
        made.till.remove()


@pytest.mark.timeout(400)
def test_the_dispatcher_killed_at_some_places(sweep: Sweep) -> None:
    places = sweep.places()
    for label in FEW:
        sweep.kill_dispatcher(places.index(label) + 1, places)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_the_dispatcher_killed_at_each_place(sweep: Sweep, figures: Callable[[str], None]) -> None:
    places = sweep.places()
    states = [sweep.kill_dispatcher(at, places) for at in range(1, len(places) + 1)]
    figures(f"{len(places)} kills: {', '.join(f'{label}: {each}' for label, each in zip(places, states, strict=True))}")
