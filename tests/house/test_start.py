"""The core starts light and fast."""

import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.plain import PLAIN
from tests.stack import free_ports
from tests.waiting import eventually

# What a core on SQLite that is up to date has no use for.
HEAVY = {"alembic", "psycopg", "redis", "httpx", "starlette", "typer", "opentelemetry.sdk"}
CORE = (sys.executable, "-X", "importtime", "-m", "server")
# About a second on a free machine; tests share two cores, so only work is counted, not waiting.
CPU_SECONDS = 2.5


def start(settings: dict[str, str], log: Path) -> tuple[float, set[str]]:
    """Starts the core and stops it when it is ready. Returns its CPU seconds and the packages that it imported."""
    ready = f"http://{settings['MINTMARK_ADMIN_ADDRESS']}/readyz"

    def answers() -> bool:
        try:
            return httpx.get(ready, timeout=2, verify=PLAIN).status_code == 200
        except httpx.TransportError:
            return False

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    with log.open("w") as stderr, subprocess.Popen([*CORE], env=settings, stderr=stderr) as process:
        try:
            eventually(answers, 20, "the core's start")
        finally:
            process.terminate()
            process.wait(15)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    imported = re.findall(r"^import time: .*\| +([\w.]+)", log.read_text(), re.MULTILINE)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, set(imported)


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    core, admin = free_ports(2)
    return {
        "PATH": os.environ["PATH"],
        "MINTMARK_DATA_DIR": str(tmp_path / "data"),
        "MINTMARK_GRPC_ADDRESS": f"127.0.0.1:{core}",
        "MINTMARK_ADMIN_ADDRESS": f"127.0.0.1:{admin}",
    }


def test_a_core_on_an_up_to_date_database_starts_light_and_in_about_a_second(
    settings: dict[str, str], tmp_path: Path
) -> None:
    _, imported = start(settings, tmp_path / "first")
    assert "alembic" in imported
    seconds, imported = start(settings, tmp_path / "second")
    assert {"sqlalchemy", "grpc"} <= imported
    assert not HEAVY & imported
    assert seconds < CPU_SECONDS
