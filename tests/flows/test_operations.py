"""What an operator does on PostgreSQL: keyring, migration, core; and what the core refuses until it is done."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from tests.stack import COMMAND, free_ports
from tests.waiting import eventually


class Operator:
    """Types commands on one machine with an empty data folder."""

    def __init__(self, folder: Path, database_url: str) -> None:
        core, http = free_ports(2)
        self.folder = folder
        self.http_url = f"http://127.0.0.1:{http}"
        self.environment = {
            "PATH": os.environ["PATH"],
            "MINTMARK_DATA_DIR": str(folder / "data"),
            "MINTMARK_DATABASE_URL": database_url,
            "MINTMARK_GRPC_ADDRESS": f"127.0.0.1:{core}",
            "MINTMARK_HTTP_ADDRESS": f"127.0.0.1:{http}",
        }

    def types(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(COMMAND), *arguments]
        return subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False, timeout=30
        )

    @contextmanager
    def running(self, *roles: str) -> Iterator[None]:
        """These roles, each ready before the next one starts; stopped in the opposite order."""
        with ExitStack() as stack:
            for role in roles:
                stack.enter_context(self._running(role))
            yield

    @contextmanager
    def _running(self, role: str) -> Iterator[None]:
        admin = f"127.0.0.1:{free_ports(1)[0]}"
        environment = {**self.environment, "MINTMARK_ADMIN_ADDRESS": admin}
        with (self.folder / f"{role}.log").open("ab") as log:
            process = subprocess.Popen([str(COMMAND), role], env=environment, cwd=self.folder, stderr=log)
        try:
            eventually(lambda: ready(admin), 20, f"the start of {role}")
            yield
        finally:
            process.terminate()
            assert process.wait(20) == 0

    def ids(self, *arguments: str, field: str) -> list[str]:
        listed = self.types("--output", "json", *arguments)
        assert listed.returncode == 0, listed.stderr
        return [json.loads(line)[field] for line in listed.stdout.splitlines()]


def ready(admin: str) -> bool:
    try:
        return httpx.get(f"http://{admin}/readyz", timeout=2).status_code == 200
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
    with operator.running("core"):
        assert operator.ids("clients", "list", field="clientId") == ["admin", "role.dispatcher", "role.gateway"]


def test_rotated_keys_open_what_older_ones_sealed(operator: Operator) -> None:
    keyring = operator.folder / "data/keyring.json"
    keyring.parent.mkdir()
    assert operator.types("keyring", "create", str(keyring)).returncode == 0
    assert operator.types("migrate").returncode == 0
    with operator.running("core", "gateway"):
        create = ("api-keys", "create", "tsh", "--merchant-gateway", "MGW_000001", "--merchant", "shop")
        (api_key,) = operator.ids(*create, field="api_key")
        answer = httpx.post(
            f"{operator.http_url}/notify-binding-creation",
            json={"merchantId": "shop", "tokenId": "t", "deviceId": "d", "selectedIdvMethod": "NONE", "note": "sealed"},
            headers={"authorization": f"APIKEY {api_key}"},
        )
        assert answer.status_code == 204, answer.text
    assert operator.types("keyring", "rotate", str(keyring)).returncode == 0
    with operator.running("core"):
        (name,) = operator.ids("notifications", "list", field="name")
        shown = operator.types("--output", "json", "notifications", "show", name)
    assert "sealed" in shown.stdout, shown.stderr


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
