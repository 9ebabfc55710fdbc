"""The core killed at each write of a pass of retention: nothing goes that was not exported, and the mark is true."""

import json
import re
import signal
import socket
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults.core_process import CoreProcess
from tests.faults.scenario import Scenario, d1_update, record
from tests.waiting import eventually

DAY = 24 * 3600
SIDES = ("before", "after")
LAST_PASS = re.compile(r"^mintmark_retention_last_pass_timestamp_seconds ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True)
class Kept:
    """What a database holds: the mark and the head of its events, those that are there, and its notifications."""

    removed: int
    head: int
    events: frozenset[int]
    notifications: frozenset[str]
    requests: int


class Aging:
    """A data folder with events and notifications that are a hundred days old when a core starts on it."""

    def __init__(self) -> None:
        self.first = CoreProcess()
        try:
            self.first.start()
            Scenario(self.first).run()
            updates = [d1_update(f"old-{number}", f"old-{number}") for number in range(4)]
            record(self.first, self.first.metadata("role.gateway"), updates)
            self.first.stop()
            self.kept = kept(self.first.data)
            core = self.core()
            try:
                self.points = self._points(core)
            finally:
                core.remove()
        except BaseException:
            self.first.remove()
            raise

    def core(self) -> CoreProcess:
        """A core on a copy of the folder, with a place for its exports."""
        core = CoreProcess(self.first.data)
        (core.folder / "export").mkdir()
        (core.folder / "clock").write_text(str(100 * DAY))
        core.environment |= {
            "MINTMARK_DEVELOPMENT": "1",
            "MINTMARK_CLOCK_FILE": str(core.folder / "clock"),
            "MINTMARK_RETENTION_EXPORT_DIR": str(core.folder / "export"),
        }
        return core

    def _points(self, core: CoreProcess) -> list[str]:
        core.start(program(core, 0, "before"))
        passed(core)
        points = (core.folder / "points").read_text().splitlines()
        core.stop()
        self.holds(core)
        assert kept(core.data).events == frozenset()
        return points

    def holds(self, core: CoreProcess) -> None:
        """Whatever is not there any more was exported, and the events that are there are those after the mark."""
        now = kept(core.data)
        assert now.head == self.kept.head
        assert now.events == frozenset(range(now.removed + 1, now.head + 1))
        assert self.kept.events - now.events <= {int(line["sequence"]) for line in exported(core, "events")}
        assert self.kept.notifications - now.notifications <= {line["name"] for line in exported(core, "notifications")}


def program(core: CoreProcess, at: int, side: str) -> Sequence[str]:
    return ("-m", "tests.faults.killed_retention", str(core.folder / "points"), str(at), side)


def kept(data: Path) -> Kept:
    with closing(sqlite3.connect(data / "mintmark.sqlite")) as database:
        removed, head = database.execute("SELECT removed_sequence, sequence FROM store_head").fetchone()
        events = frozenset(sequence for (sequence,) in database.execute("SELECT sequence FROM events"))
        notifications = frozenset(name for (name,) in database.execute("SELECT name FROM notifications"))
        (requests,) = database.execute("SELECT count(*) FROM requests").fetchone()
    return Kept(removed, head, events, notifications, requests)


def exported(core: CoreProcess, kind: str) -> Iterator[dict[str, str]]:
    for file in (core.folder / "export").glob(f"{kind}-*.jsonl"):
        text = file.read_text()
        assert text.endswith("\n"), file
        yield from (json.loads(line) for line in text.splitlines())


def has_passed(core: CoreProcess) -> bool:
    answer = b""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(5)
        try:
            connection.connect(core.environment["MINTMARK_ADMIN_ADDRESS"].removeprefix("unix:"))
            connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
            while more := connection.recv(65536):
                answer += more
        except OSError:
            # The public listener answers a moment before the admin address does.
            return False
    found = LAST_PASS.search(answer.decode())
    return found is not None and float(found[1]) > 0


def passed(core: CoreProcess) -> None:
    eventually(lambda: has_passed(core), 30, "the end of the pass")


@pytest.fixture(scope="module")
def aging() -> Iterator[Aging]:
    made = Aging()
    yield made
    made.first.remove()


def sweep(aging: Aging, points: Sequence[int], sides: Sequence[str] = SIDES) -> int:
    """Kills at each of the points, looks, and lets another core finish; the number of kills that came."""
    kills = 0
    for at in points:
        for side in sides:
            core = aging.core()
            try:
                core.launch(program(core, at, side))
                assert core.ended(30) == -signal.SIGKILL, core.log.read_text()
                kills += 1
                aging.holds(core)
                core.kill()
                core.start(program(core, 0, "before"))
                passed(core)
                core.stop()
                aging.holds(core)
                left = kept(core.data)
                assert (left.events, left.notifications, left.requests) == (frozenset(), frozenset(), 0)
            finally:
                core.remove()
    return kills


def of_first_export(aging: Aging) -> range:
    """From the first export's file to the commit that removes what it holds."""
    first = next(place for place, label in enumerate(aging.points, 1) if label.startswith("create .events-"))
    commit = next(place for place, label in enumerate(aging.points, 1) if place > first and label == "commit")
    return range(first, commit + 1)


def test_some_writes_of_a_pass(aging: Aging) -> None:
    points = of_first_export(aging)
    labels = [label.partition(" ")[0] for label in aging.points[points.start - 1 : points.stop - 1]]
    assert labels == ["create", "fsync", "replace", "fsync", "commit"]
    renamed, commit = points[2], points[-1]
    assert sweep(aging, [renamed], ["before"]) + sweep(aging, [commit]) == 3


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_every_write_of_a_pass(aging: Aging, figures: Callable[[str], None]) -> None:
    # What comes before is the start, which has a campaign of its own.
    points = range(of_first_export(aging).start - 1, len(aging.points) + 1)
    kills = sweep(aging, points)
    assert kills == 2 * len(points), Counter(aging.points)
    figures(f"{kills} kills at {dict(Counter(label.partition(' ')[0] for label in aging.points))}")


def test_the_sweep_sees_what_was_removed_without_an_export(aging: Aging) -> None:
    core = aging.core()
    try:
        with closing(sqlite3.connect(core.data / "mintmark.sqlite")) as database, database:
            database.execute("DELETE FROM events WHERE sequence = 1")
        with pytest.raises(AssertionError):
            aging.holds(core)
        with closing(sqlite3.connect(core.data / "mintmark.sqlite")) as database, database:
            database.execute("UPDATE store_head SET removed_sequence = 1")
        with pytest.raises(AssertionError):
            aging.holds(core)
    finally:
        core.remove()
