"""The import contracts hold, and each is noticed when it is broken."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import grimp
import pytest

from tests.house.tree import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS: dict[str, dict[str, Any]] = {item["id"]: item for item in PROJECT["tool"]["importlinter"]["contracts"]}
ROOTS = ("server", "adapters", "mintmark_client")
EVERYWHERE_BUT_DOMAIN = {"opentelemetry", "prometheus_client", "structlog"}

VIOLATIONS = [
    ("independent", "server/rpc", "adapters.core"),
    ("independent", "adapters/sandbox", "server.domain"),
    ("independent", "server/rpc", "mintmark_client.errors"),
    ("independent", "mintmark_client", "adapters.core"),
    ("client", "mintmark_client", "structlog"),
    ("client", "mintmark_client", "httpx"),
    ("core", "server/domain", "server.ports"),
    ("core", "server/domain", "server.services"),
    ("core", "server/services", "server.store"),
    ("core", "server/store", "server.services"),
    ("core", "server/keys", "server.store"),
    ("core", "server/cache", "server.store"),
    ("core", "server/services", "server.cache"),
    ("core", "server/services", "server.rpc"),
    ("core", "server/store", "server.settings"),
    ("rpc", "server/rpc", "server.store"),
    ("rpc", "server/rpc", "server.cache"),
    ("rpc", "server/rpc", "server.settings"),
    ("adapters", "adapters/inbound", "adapters.sandbox"),
    ("adapters", "adapters/cli", "adapters.inbound"),
    ("adapters", "adapters/jose", "adapters.inbound"),
    ("generated", "adapters/inbound", "generated"),
    ("domain", "server/domain", "time"),
    ("domain", "server/domain", "mintmark.v1.tokens_pb2"),
    ("domain", "server/domain", "structlog"),
    ("databases", "server/rpc", "sqlalchemy"),
    ("databases", "adapters/cli", "sqlite3"),
    ("redis", "server/store", "redis"),
    ("redis", "adapters/inbound", "redis.asyncio"),
    ("crypto", "server/services", "jwcrypto.jwk"),
    ("crypto", "adapters/inbound", "cryptography"),
    ("grpc", "server/services", "google.rpc"),
    ("grpc", "server/store", "grpc"),
    ("http", "server/rpc", "httpx"),
    ("http", "server/rpc", "starlette.routing"),
    ("pages", "adapters/inbound", "jinja2"),
    ("settings", "server/services", "pydantic_settings"),
    ("terminal", "adapters/inbound", "typer"),
]


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of everything that the contracts speak of."""
    folder = tmp_path_factory.mktemp("house")
    for room in ROOTS:
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def lint(folder: Path, *contracts: str) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-logo", "--no-cache"]
    for contract in contracts:
        command += ["--contract", contract]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, env={"COLUMNS": "300"})


def test_the_contracts_hold(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout


def test_each_contract_has_a_violation_here() -> None:
    assert {contract for contract, _, _ in VIOLATIONS} == set(CONTRACTS)


@pytest.mark.parametrize("contract", CONTRACTS)
def test_a_broken_contract_is_noticed(contract: str, copy: Path) -> None:
    wrong = [(room, module) for name, room, module in VIOLATIONS if name == contract]
    added = []
    try:
        for number, (room, module) in enumerate(wrong):
            path = copy / room / f"wrong_{contract}_{number}.py"
            path.write_text(f"import {module}\n")
            added.append((path, module))
        result = lint(copy, contract)
    finally:
        for path, _ in added:
            path.unlink(missing_ok=True)
    assert result.returncode == 1, result.stdout
    assert f"{CONTRACTS[contract]['name']} BROKEN" in result.stdout
    for path, module in added:
        importer = ".".join(path.relative_to(copy).with_suffix("").parts)
        imported = module if module.startswith(ROOTS) else module.partition(".")[0]
        assert f"{importer} -> {imported}" in result.stdout


@pytest.mark.parametrize(("contract", "root"), [("core", "server"), ("adapters", "adapters")])
def test_a_room_that_no_contract_knows_is_noticed(contract: str, root: str, copy: Path) -> None:
    room = copy / root / "attic.py"
    room.write_text("")
    try:
        result = lint(copy, contract)
    finally:
        room.unlink()
    assert result.returncode == 1
    assert f"{root}.attic" in result.stdout


def test_every_library_in_use_is_named_and_the_domain_is_forbidden_all_of_them() -> None:
    graph = grimp.build_graph(*ROOTS, include_external_packages=True, cache_dir=None)
    used = {name for name in graph.modules if not name.startswith(ROOTS)}
    libraries = used - set(sys.stdlib_module_names)
    named: set[str] = set()
    for contract in CONTRACTS.values():
        if contract["id"] != "domain":
            named |= set(contract.get("forbidden_modules", ()))
    assert libraries <= named | EVERYWHERE_BUT_DOMAIN
    assert libraries <= set(CONTRACTS["domain"]["forbidden_modules"])
