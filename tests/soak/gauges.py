"""What a running Mintmark holds on to: memory, threads and open files of its roles, and its data folder."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.stack import Stack

ROLES = ("core", "gateway", "dispatcher")
MIB = 1024 * 1024
# What may be added between the second and the last quarter of the time: allocators keep what they had once.
SPARE_MEMORY = 24 * MIB
SPARE_SHARE = 0.10
SPARE_FILES = 12
SPARE_THREADS = 6
# The write-ahead log is written back every thousand pages; a reader that never ends would stop that.
LONGEST_LOG = 64 * MIB


@dataclass(frozen=True)
class Held:
    """What one role holds on to: bytes of memory, threads, open files."""

    memory: int
    threads: int
    files: int


@dataclass(frozen=True)
class Gauge:
    """Everything at one moment. `seconds` since the load began; sizes in bytes."""

    seconds: float
    roles: dict[str, Held]
    database: int
    log: int

    def document(self) -> dict[str, Any]:
        return asdict(self)


def read(stack: Stack, seconds: float) -> Gauge:
    """The gauges now."""
    database = stack.data / "mintmark.sqlite"
    return Gauge(seconds, {role: _held(stack.pid(role)) for role in ROLES}, _size(database), _size(_log_of(database)))


def _log_of(database: Path) -> Path:
    return database.with_name(f"{database.name}-wal")


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _held(pid: int) -> Held:
    status = Path(f"/proc/{pid}/status").read_text()
    said = dict(line.split(":", 1) for line in status.splitlines())
    memory = int(said["VmRSS"].split()[0]) * 1024
    return Held(memory, int(said["Threads"]), len(list(Path(f"/proc/{pid}/fd").iterdir())))


def growth(gauges: Sequence[Gauge]) -> list[str]:
    """What has grown beyond what is spared, in words: medians of the last quarter against those of the second."""
    quarter = max(1, len(gauges) // 4)
    early, late = gauges[quarter : 2 * quarter] or gauges[:1], gauges[-quarter:]
    found = []
    for role in ROLES:
        memory = [median(each.roles[role].memory for each in part) for part in (early, late)]
        if memory[1] > memory[0] * (1 + SPARE_SHARE) + SPARE_MEMORY:
            found.append(f"memory of the {role}: {memory[0] / MIB:.0f} -> {memory[1] / MIB:.0f} MiB")
        files = [median(each.roles[role].files for each in part) for part in (early, late)]
        if files[1] > files[0] + SPARE_FILES:
            found.append(f"open files of the {role}: {files[0]:.0f} -> {files[1]:.0f}")
        threads = [median(each.roles[role].threads for each in part) for part in (early, late)]
        if threads[1] > threads[0] + SPARE_THREADS:
            found.append(f"threads of the {role}: {threads[0]:.0f} -> {threads[1]:.0f}")
    longest = max(each.log for each in gauges)
    if longest > LONGEST_LOG:
        found.append(f"the write-ahead log: {longest / MIB:.0f} MiB")
    return found


def told(gauges: Sequence[Gauge]) -> str:
    """For people: what each role holds on to at the beginning and at the end."""
    lines = []
    for role in ROLES:
        first, last = gauges[0].roles[role], gauges[-1].roles[role]
        lines.append(
            f"{role:10} {first.memory / MIB:.0f} -> {last.memory / MIB:.0f} MiB, "
            f"{first.threads} -> {last.threads} threads, {first.files} -> {last.files} files"
        )
    database = f"{gauges[0].database / MIB:.0f} -> {gauges[-1].database / MIB:.0f} MiB"
    return "\n".join([*lines, f"database   {database}, log at most {max(each.log for each in gauges) / MIB:.0f} MiB"])
