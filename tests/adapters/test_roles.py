"""The processes of the roles: how they start, how they say no, how they stop."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from adapters.cli.supervisor.probe import get
from tests.waiting import eventually


def role(*arguments: str, **settings: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "adapters", *arguments], env=settings, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("arguments", [(), ("core",), ("gateway", "more")])
def test_wrong_arguments(arguments: tuple[str, ...]) -> None:
    process = role(*arguments)
    assert process.communicate()[1].startswith("mintmark: usage:")
    assert process.returncode == 2


def test_all_wrong_settings_in_one_message() -> None:
    process = role("gateway", MINTMARK_HTTP_ADDRESS="nowhere", MINTMARK_HTTP_BODY_LIMIT="much")
    said = process.communicate()[1]
    assert "MINTMARK_HTTP_ADDRESS" in said
    assert "MINTMARK_HTTP_BODY_LIMIT" in said
    assert "Traceback" not in said
    assert process.returncode == 2


def test_files_that_are_not_there(tmp_path: Path) -> None:
    process = role(
        "gateway",
        MINTMARK_HTTP_TLS_CERTIFICATE="/missing",
        MINTMARK_ADMIN_ADDRESS=f"unix:{tmp_path}/admin.sock",
        MINTMARK_HTTP_ADDRESS=f"unix:{tmp_path}/http.sock",
    )
    said = process.communicate(timeout=15)[1]
    assert "MINTMARK_HTTP_TLS_CERTIFICATE" in said
    assert "Traceback" not in said
    assert process.returncode == 2


@pytest.mark.parametrize("name", ["gateway", "dispatcher"])
def test_an_address_in_use(name: str, tmp_path: Path) -> None:
    process = role(name, MINTMARK_ADMIN_ADDRESS=f"unix:{tmp_path}/missing/{'x' * 120}", MINTMARK_DATA_DIR=str(tmp_path))
    said = process.communicate(timeout=15)[1]
    assert "cannot listen on" in said
    assert process.returncode == 1


@pytest.mark.parametrize("name", ["gateway", "dispatcher"])
def test_without_a_core_it_lives_is_not_ready_and_stops_at_once(name: str, tmp_path: Path) -> None:
    admin = f"unix:{tmp_path}/admin.sock"
    process = role(
        name,
        MINTMARK_ADMIN_ADDRESS=admin,
        MINTMARK_DATA_DIR=str(tmp_path),
        MINTMARK_HTTP_ADDRESS=f"unix:{tmp_path}/http.sock",
    )
    eventually(lambda: get(admin, "/livez", 1)[0] == 200, 15)
    assert get(admin, "/readyz", 1)[0] == 503
    assert "process_resident_memory_bytes" in get(admin, "/metrics", 1)[1]
    assert get(admin, "/else", 1)[0] == 404
    began = time.monotonic()
    process.send_signal(signal.SIGTERM)
    said = process.communicate(timeout=10)[1]
    assert process.returncode == 0, said
    assert time.monotonic() - began < 3
    assert "Traceback" not in said
