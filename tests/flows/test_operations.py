"""What an operator does on PostgreSQL: keyring, migration, core; and what the core refuses until it is done."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from tests.stack import COMMAND, free_ports
from tests.waiting import eventually


class Operator:
    """Types commands on one machine with an empty data folder."""

    def __init__(self, folder: Path, database_url: str) -> None:
        core, admin = free_ports(2)
        self.folder = folder
        self.admin_url = f"http://127.0.0.1:{admin}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "MINTMARK_DATA_DIR": str(folder / "data"),
            "MINTMARK_DATABASE_URL": database_url,
            "MINTMARK_GRPC_ADDRESS": f"127.0.0.1:{core}",
            "MINTMARK_ADMIN_ADDRESS": f"127.0.0.1:{admin}",
        }

    def types(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(COMMAND), *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=30
        )

    @contextmanager
    def core(self) -> Iterator[None]:
        """A core, while it is ready."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen([str(COMMAND), "core"], env=self.environment, cwd=self.folder, stderr=log)
        try:
            eventually(self._ready, 20, "the core's start")
            yield
        finally:
            process.terminate()
            assert process.wait(20) == 0

    def _ready(self) -> bool:
        try:
            return httpx.get(f"{self.admin_url}/readyz", timeout=2).status_code == 200
        except httpx.TransportError:
            return False


@pytest.fixture
def operator(tmp_path: Path, empty_postgres_database: str) -> Operator:
    return Operator(tmp_path, empty_postgres_database)


def test_the_core_on_postgresql_needs_a_keyring_and_the_newest_schema(operator: Operator) -> None:
    keyring = operator.folder / "data/keyring.json"

    without_keyring = operator.types("core")
    assert without_keyring.returncode != 0
    assert "keyring" in without_keyring.stderr.lower()
    assert not keyring.exists()

    keyring.parent.mkdir(exist_ok=True)
    assert operator.types("keyring", "create", str(keyring)).returncode == 0
    assert keyring.stat().st_mode & 0o777 == 0o600
    assert operator.types("keyring", "create", str(keyring)).returncode != 0

    without_schema = operator.types("core")
    assert without_schema.returncode == 1
    assert "migrate" in without_schema.stderr

    assert operator.types("migrate").returncode == 0
    assert operator.types("migrate").returncode == 0
    with operator.core():
        listed = operator.types("--output", "json", "clients", "list")
        clients = {json.loads(line)["clientId"] for line in listed.stdout.splitlines()}
    assert clients == {"admin", "role.gateway", "role.dispatcher"}


def test_rotated_keys_open_what_older_ones_sealed(operator: Operator) -> None:
    keyring = operator.folder / "data/keyring.json"
    keyring.parent.mkdir()
    assert operator.types("keyring", "create", str(keyring)).returncode == 0
    assert operator.types("migrate").returncode == 0
    with operator.core():
        assert operator.types("clients", "create", "before", "--scope", "tokens.read").returncode == 0
    assert operator.types("keyring", "rotate", str(keyring)).returncode == 0
    with operator.core():
        # The administrator's secret was hashed with the older key.
        assert operator.types("clients", "create", "after", "--scope", "tokens.read").returncode == 0
        listed = operator.types("--output", "json", "clients", "list")
    clients = {json.loads(line)["clientId"] for line in listed.stdout.splitlines()}
    assert {"before", "after"} <= clients


def test_all_wrong_settings_are_named_at_once(operator: Operator) -> None:
    operator.environment |= {
        "MINTMARK_GRPC_ADDRESS": "nowhere",
        "MINTMARK_LOG_LEVEL": "loud",
        "MINTMARK_REDIS_URL": "x",
    }
    refused = operator.types("core")
    assert refused.returncode == 2
    for name in ("MINTMARK_GRPC_ADDRESS", "MINTMARK_LOG_LEVEL", "MINTMARK_REDIS_URL"):
        assert name in refused.stderr
    assert "nowhere" not in refused.stderr
