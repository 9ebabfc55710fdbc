"""What an operator does on PostgreSQL: keyring, migration, core; and what the core refuses until it is done."""

from pathlib import Path

import httpx
import pytest

from tests.flows.operating import Operator
from tests.plain import PLAIN
from tests.waiting import eventually


@pytest.fixture
def operator(tmp_path: Path, empty_postgres_database: str) -> Operator:
    return Operator(tmp_path, MINTMARK_DATABASE_URL=empty_postgres_database)


def test_the_core_on_postgresql_needs_a_keyring_and_the_newest_schema(operator: Operator) -> None:
    keyring = operator.folder / "data/keyring.json"

    without_keyring = operator.types("core")
    assert without_keyring.returncode != 0
    assert "keyring" in without_keyring.stderr.lower()
    assert not keyring.exists()

    keyring.parent.mkdir(exist_ok=True)
    assert operator.types("keyring", "create", str(keyring)).returncode == 0
    assert keyring.stat().st_mode & 0o777 == 0o600

    without_schema = operator.types("core")
    assert without_schema.returncode == 1
    assert "migrate" in without_schema.stderr

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
        body = {"merchantId": "shop", "tokenId": "t", "deviceId": "d", "selectedIdvMethod": "NONE", "note": "sealed"}
        url, headers = f"{operator.http_url}/notify-binding-creation", {"authorization": f"APIKEY {api_key}"}
        # The gateway hears of a new key in a moment.
        eventually(
            lambda: httpx.post(url, json=body, headers=headers, verify=PLAIN).status_code == 204,
            10,
            "the new key's first use",
        )
    for step in ("not in use yet", "are in use"):
        rotated = operator.types("keyring", "rotate", str(keyring))
        assert rotated.returncode == 0
        assert step in rotated.stderr
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


def test_serve_names_the_cores_wrong_settings_beside_its_own(operator: Operator) -> None:
    operator.environment |= {"MINTMARK_HTTP_ADDRESS": "nowhere", "MINTMARK_DATABASE_URL": "mysql://x"}
    refused = operator.types("serve")
    assert refused.returncode == 2
    for name in ("MINTMARK_HTTP_ADDRESS", "MINTMARK_DATABASE_URL"):
        assert refused.stderr.count(name) == 1
