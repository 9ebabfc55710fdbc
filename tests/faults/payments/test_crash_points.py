"""Each subject (a purchase, a refund, a subscription...), the core or the dispatcher killed at each of its steps."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from tests.faults.payments.sweep import PATIENT, QUICK, SUBJECTS, Sweep
from tests.faults.payments.till import Till


@contextmanager
def sweeping(settings: dict[str, str], subject: str) -> Iterator[Sweep]:
    till = Till(settings=settings)
    try:
        yield Sweep(till.start(), subject).start()
    finally:
        till.remove()


@pytest.mark.campaign
@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.timeout(1800)
def test_the_dispatcher_killed_at_each_place(subject: str, figures: Callable[[str], None]) -> None:
    with sweeping(QUICK, subject) as sweep:
        sweep.prepare(1)
        places = sweep.places()
        sweep.undisturbed()
        sweep.prepare(len(places))
        states = [sweep.kill_dispatcher(at, places) for at in range(1, len(places) + 1)]
    ended = ", ".join(f"{label}: {each}" for label, each in zip(places, states, strict=True))
    figures(f"{len(places)} kills: {ended}")


@pytest.mark.campaign
@pytest.mark.parametrize("subject", SUBJECTS)
@pytest.mark.timeout(1800)
def test_the_core_killed_at_each_place(subject: str, figures: Callable[[str], None]) -> None:
    with sweeping(PATIENT, subject) as sweep:
        killed = list(itertools.takewhile(bool, map(sweep.kill_core, itertools.count(1))))
    assert {"before commit", "after commit"} <= set(killed)
    assert any(place.startswith("before replace") for place in killed)
    figures(f"{len(killed)} kills: {', '.join(killed)}")
