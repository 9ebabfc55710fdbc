"""What the core asks of the disk: a sync before each acknowledgement; and what a kill at a sync does: no harm."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.faults import tracing
from tests.faults.core_process import CoreProcess
from tests.faults.crashes import survives
from tests.faults.reading import Reading
from tests.faults.scenario import Scenario

SYNCED = re.compile(r"\b(?:fsync|fdatasync)\(\d+<([^>]*)>\) += 0")
# More than any thread of a short life makes.
SYNCS_AT_MOST = 60


@pytest.fixture
def core() -> Iterator[CoreProcess]:
    tracing.needed()
    made = CoreProcess()
    yield made
    made.remove()


def _synced(trace: Path) -> list[str]:
    """The files that were synced so far. strace writes a line before the core goes on."""
    return [Path(found[1]).name for found in SYNCED.finditer(trace.read_text())]


def test_everything_is_synced_before_it_is_acknowledged(core: CoreProcess) -> None:
    trace = core.folder / "trace"
    core.start(before=tracing.recording(trace))
    scenario = Scenario(core).authenticated()
    start = _synced(trace)
    files = {"keyring.json": "data"}
    files |= dict.fromkeys(("admin.json", "role.gateway.json", "role.dispatcher.json"), "credentials")
    for file, folder in files.items():
        place = next((place for place, name in enumerate(start) if file in name), None)
        assert place is not None, f"{file} was not synced"
        assert folder in start[place + 1 :], f"the name of {file} was not synced"
    assert "mintmark.sqlite-wal" in start
    for name, step in scenario.steps().items():
        before = len(_synced(trace))
        step()
        assert "mintmark.sqlite-wal" in _synced(trace)[before:], f"acknowledged before it was on disk: {name}"
    # The method sees a lack of syncs too: a call that stores nothing makes none.
    before = len(_synced(trace))
    assert Reading(core.channel(), core.metadata()).tokens()
    assert len(_synced(trace)) == before


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_a_kill_at_each_sync(figures: Callable[[str], None]) -> None:
    tracing.needed()
    plain = CoreProcess()
    try:
        plain.start()
        Scenario(plain).run()
        reference = Reading(plain.channel(), plain.metadata()).seen()
    finally:
        plain.remove()
    for call in tracing.SYNCS.split(","):
        kills = 0
        # strace counts calls per thread: the k-th is that of whichever thread gets there first.
        for at in range(1, SYNCS_AT_MOST):
            core = CoreProcess()
            try:
                before = tracing.breaking(core.folder / "trace", call, f"signal=KILL:when={at}")
                if not survives(core, reference, before=before):
                    break
                kills += 1
            finally:
                core.remove()
        assert kills + 1 < SYNCS_AT_MOST
        assert kills >= 5, f"only {kills} kills at {call}"
        figures(f"{kills} kills at {call}")
