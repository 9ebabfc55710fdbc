"""What the modules do when they are imported: nothing."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT, calls, mentioning, modules, parsed, sources

# Alembic runs these files; nobody imports them.
MIGRATIONS = "server.store.migrations"
IMPORTING = Path(__file__).with_name("importing.py")


def run(root: Path, *names: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-B", "-W", "error", str(IMPORTING), str(root), *names]
    return subprocess.run(command, cwd=root, env={}, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("root", ["server", "adapters", "mintmark_client"])
def test_no_import_has_a_side_effect(root: str) -> None:
    names = [name for name in modules(root) if not name.startswith(MIGRATIONS)]
    assert len(names) > 3
    result = run(ROOT, *names)
    assert (result.returncode, result.stdout) == (0, ""), result.stderr


@pytest.mark.parametrize(
    ("statement", "noticed"),
    [
        ("import os; HOME = os.environ.get('HOME')", "reads HOME"),
        ("import os; HOME = os.getenv('HOME')", "reads HOME"),
        ("import socket; socket.create_connection(('127.0.0.1', 1))", "socket.connect"),
        ("open('left', 'w').close()", "open"),
        ("import sqlite3; sqlite3.connect(':memory:')", "sqlite3.connect"),
        ("import subprocess; subprocess.run(['true'])", "subprocess.Popen"),
        ("import threading; threading.Thread(target=threading.Event().wait, daemon=True).start()", "starts a thread"),
    ],
)
def test_a_side_effect_is_noticed(statement: str, noticed: str, tmp_path: Path) -> None:
    (tmp_path / "server").mkdir()
    (tmp_path / "server/__init__.py").touch()
    (tmp_path / "server/wrong.py").write_text(f"try:\n    {statement}\nexcept OSError:\n    pass\n")
    result = run(tmp_path, "server.wrong")
    assert noticed in result.stdout, result.stderr


def test_only_the_settings_modules_read_the_environment() -> None:
    reading = {"os.environ", "os.environb", "os.getenv", "os.getenvb", "environ", "getenv"}
    allowed = {"server/settings.py", "adapters/settings.py", "protos/generate.py"}
    for path in mentioning("env", sources("server", "adapters", "mintmark_client", "protos")):
        if str(path) not in allowed:
            assert not calls(parsed(path)) & reading, path


def test_the_domain_and_the_services_ask_no_clock_but_the_port() -> None:
    asking = re.compile(
        r"(datetime|date)\.(now|utcnow|today)$|^time\.|uuid[147]$|^random\.|^secrets\.(token|rand|choice)"
    )
    for path in sources("server/domain", "server/services"):
        assert not [name for name in calls(parsed(path)) if asking.search(name)], path
