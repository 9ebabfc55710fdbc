"""The core killed at each of its writes: nothing acknowledged is lost, nothing is applied twice, it starts again."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import grpc
import pytest
from mintmark.v1 import clients_pb2, notifications_pb2

from tests.faults.core_process import CoreProcess
from tests.faults.crashes import holds, survives
from tests.faults.reading import Reading, Seen
from tests.faults.scenario import Scenario

SIDES = ("before", "after")


class Reference:
    """What a life without a kill looks like, how many writes it has, and a data folder after the first start."""

    def __init__(self) -> None:
        core = CoreProcess()
        try:
            core.start()
            core.stop()
            self.first_start = core
            run = CoreProcess(core.data)
            try:
                self.points, self.seen = _counted(run)
            finally:
                run.remove()
            fresh = CoreProcess()
            try:
                self.start_points, seen = _counted(fresh)
            finally:
                fresh.remove()
            assert seen == self.seen
        except BaseException:
            core.remove()
            raise

    def remove(self) -> None:
        self.first_start.remove()


@pytest.fixture(scope="module")
def reference() -> Iterator[Reference]:
    made = Reference()
    yield made
    made.remove()


def _counted(core: CoreProcess) -> tuple[list[str], Seen]:
    """The points that a whole life passes, up to its last answer."""
    points = core.folder / "points"
    core.start(_program(points, 0, "before"))
    answers = Scenario(core).run()
    assert len(answers) == len(Scenario(core).steps())
    return points.read_text().splitlines(), Reading(core.channel(), core.metadata()).seen()


def _program(points: Path, at: int, side: str) -> Sequence[str]:
    return ("-m", "tests.faults.killed_core", str(points), str(at), side)


def _sweep(reference: Reference, points: Sequence[int], *, fresh: bool, sides: Sequence[str] = SIDES) -> int:
    kills = 0
    for at in points:
        for side in sides:
            core = CoreProcess(None if fresh else reference.first_start.data)
            try:
                kills += survives(core, reference.seen, _program(core.folder / "points", at, side))
            finally:
                core.remove()
    return kills


def test_some_writes(reference: Reference) -> None:
    """The short form: the recording's commit from both sides, and three moments of the first start."""
    recording = _commits_of_steps(reference)["record"]
    assert _sweep(reference, [recording], fresh=False) == 2
    labels = reference.start_points
    keyring = next(place for place, label in enumerate(labels, 1) if label.endswith("keyring.json"))
    admin = labels.index("replace .admin.json.new admin.json") + 1
    house = next(place for place, label in enumerate(labels, 1) if place > admin and label == "commit")
    assert _sweep(reference, [keyring, house], fresh=True, sides=["before"]) == 2
    assert _sweep(reference, [admin], fresh=True, sides=["after"]) == 1


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_every_write_of_the_scenario(reference: Reference, figures: Callable[[str], None]) -> None:
    points = range(1, len(reference.points) + 1)
    kills = _sweep(reference, points, fresh=False)
    assert kills == 2 * len(points), Counter(reference.points)
    figures(f"{kills} kills at {dict(Counter(reference.points))}")


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_every_write_of_the_first_start(reference: Reference, figures: Callable[[str], None]) -> None:
    first = len(reference.start_points) - len(_commits_of_steps(reference))
    assert _sweep(reference, range(1, first + 1), fresh=True) == 2 * first, Counter(reference.start_points)
    figures(f"{2 * first} kills")


def _commits_of_steps(reference: Reference) -> dict[str, int]:
    """The point of each step's commit: a life on a data folder that exists has one commit a step."""
    commits = [place for place, label in enumerate(reference.points, 1) if label == "commit"]
    steps = list(Scenario(reference.first_start).steps())
    assert len(commits) == len(steps), reference.points
    return dict(zip(steps, commits, strict=True))


def test_the_sweep_sees_a_lost_acknowledgement(reference: Reference) -> None:
    """An answer to something that is not there is noticed, or the sweep would show nothing."""
    core = CoreProcess(reference.first_start.data)
    try:
        core.start()
        with pytest.raises(AssertionError, match="acknowledged and lost: record"):
            holds(core, {"record": notifications_pb2.RecordNotificationsResponse()})
        with pytest.raises(grpc.RpcError):
            holds(core, {"rotate": clients_pb2.RotateClientSecretResponse(client_secret="never given")})
    finally:
        core.remove()
