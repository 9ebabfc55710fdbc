"""The supervisor over fake roles: real processes, real signals, real sockets."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.cli.supervisor import probe
from tests.stack import free_ports
from tests.waiting import eventually

CHECKOUT = Path(__file__).parents[3]
# A busy machine takes its time.
LONG = 40


class Serve:
    """One supervisor in a process of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.data = folder / "data"
        self.admin = f"127.0.0.1:{free_ports(1)[0]}"
        self.stop_seconds = float(LONG)
        self.processes: list[subprocess.Popen[str]] = []

    def start(self) -> "subprocess.Popen[str]":
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.adapters.cli.fake_serve", str(self.folder), str(self.stop_seconds)],
            cwd=CHECKOUT,
            env={
                "PATH": os.environ["PATH"],
                "MINTMARK_DATA_DIR": str(self.data),
                "MINTMARK_ADMIN_ADDRESS": self.admin,
            },
            stderr=subprocess.PIPE,
            text=True,
        )
        self.processes.append(process)
        return process

    def ready(self) -> "subprocess.Popen[str]":
        process = self.start()
        eventually(lambda: probe.get(self.admin, "/readyz", 1)[0] == 200, LONG, "readiness")
        return process

    def readiness(self) -> tuple[int, Any]:
        status, text = probe.get(self.admin, "/readyz", 1)
        return status, json.loads(text or "{}")

    def pid(self, role: str) -> int:
        return int((self.data / "run" / f"{role}.pid").read_text())

    def told(self) -> list[str]:
        """What the roles wrote down, without pids."""
        file = self.folder / "told"
        return [line.rpartition(" ")[0] for line in file.read_text().splitlines()] if file.exists() else []

    def order(self, role: str, *orders: str) -> None:
        (self.folder / f"{role}.orders").write_text("\n".join(orders))


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    made = Serve(tmp_path)
    try:
        yield made
    finally:
        for process in made.processes:
            process.terminate()
            process.communicate(timeout=LONG)


def alive(pid: int) -> bool:
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_all_roles_run_and_stop_in_order(serve: Serve) -> None:
    process = serve.ready()
    status, document = serve.readiness()
    assert status == 200
    assert set(document["roles"]) == {"core", "gateway", "dispatcher"}
    assert document["roles"]["core"] == {"ready": True, "pid": serve.pid("core"), "restarts": 0}
    assert serve.told()[0] == "core began"
    assert (serve.data / "run").stat().st_mode & 0o777 == 0o700
    assert probe.get(serve.admin, "/livez", 1)[0] == 200
    assert probe.get(serve.admin, "/nowhere", 1)[0] == 404
    process.terminate()
    assert process.wait(LONG) == 0
    assert serve.told()[3:] == ["gateway stopped", "dispatcher stopped", "core stopped"]
    assert not list((serve.data / "run").glob("*.pid"))


def test_metrics_of_all_roles_are_one_text(serve: Serve) -> None:
    serve.ready()
    status, text = probe.get(serve.admin, "/metrics", 1)
    assert status == 200
    assert text.count("# TYPE calls counter") == 1
    for role in ("core", "gateway", "dispatcher"):
        assert f'calls{{role="{role}",kind="a"}} 3' in text
        assert f'{role}_only{{role="{role}"}} 1' in text
        assert f'mintmark_role_ready{{role="{role}"}} 1' in text


def test_a_dead_role_is_started_again_at_once(serve: Serve) -> None:
    serve.ready()
    for restarts in range(1, 4):
        before = serve.pid("core")
        os.kill(before, signal.SIGKILL)
        eventually(lambda before=before: serve.pid("core") != before, LONG, "the restart")  # type: ignore[misc]
        eventually(lambda: serve.readiness()[0] == 200, LONG, "readiness")
        assert serve.readiness()[1]["roles"]["core"]["restarts"] == restarts


def test_a_role_that_never_gets_ready_is_started_ever_later(serve: Serve) -> None:
    serve.order("gateway", "exit 3", "exit 3", "exit 3")
    process = serve.ready()
    process.terminate()
    _, stderr = process.communicate(timeout=LONG)
    said = [line.rpartition(" again ")[2] for line in stderr.splitlines() if "gateway ended with code 3" in line]
    assert said == ["now", "in 0.25 s", "in 0.5 s"]


def test_wrong_settings_end_everything(serve: Serve) -> None:
    serve.order("gateway", "exit 2")
    process = serve.start()
    assert process.wait(LONG) == 2
    assert "core stopped" in serve.told()
    assert serve.told().count("gateway began") == 1
    assert process.stderr is not None
    assert "the gateway refuses its settings" in process.stderr.read()


def test_a_second_one_keeps_off_the_folder(serve: Serve) -> None:
    first = serve.ready()
    second = serve.start()
    assert second.wait(LONG) == 1
    assert second.stderr is not None
    said = second.stderr.read()
    assert f"process {first.pid}" in said
    assert str(serve.data) in said
    assert serve.readiness()[0] == 200


def test_a_bound_admin_address_is_refused(serve: Serve, tmp_path: Path) -> None:
    serve.ready()
    other = Serve(tmp_path / "other")
    other.folder.mkdir()
    other.admin = serve.admin
    process = other.start()
    assert process.wait(LONG) == 1
    _, stderr = process.communicate()
    assert f"cannot bind the admin address {serve.admin}" in stderr


def test_children_end_when_the_supervisor_is_killed(serve: Serve) -> None:
    process = serve.ready()
    pids = [serve.pid(role) for role in ("core", "gateway", "dispatcher")]
    process.kill()
    process.wait()
    eventually(lambda: not any(map(alive, pids)), LONG, "the end of the children")


def test_the_next_one_waits_for_and_kills_what_a_killed_one_left(serve: Serve) -> None:
    serve.order("gateway", "deaf")
    serve.stop_seconds = 0.5
    process = serve.ready()
    left = serve.pid("gateway")
    process.kill()
    process.wait()
    eventually(lambda: "gateway stopped" in serve.told(), LONG, "the parent-death signal")
    assert alive(left)
    serve.ready()
    assert not alive(left)
    assert serve.pid("gateway") != left


def test_a_role_that_does_not_stop_is_killed_after_its_limit_or_by_a_second_signal(serve: Serve) -> None:
    serve.order("gateway", "deaf")
    process = serve.ready()
    process.send_signal(signal.SIGINT)
    eventually(lambda: "gateway stopped" in serve.told(), LONG, "the first signal")
    process.send_signal(signal.SIGINT)
    assert process.wait(LONG) == 0
    assert "gateway stopped" in serve.told()


def test_readiness_is_refused_while_one_role_is_not_ready(serve: Serve) -> None:
    serve.order("dispatcher", "unready")
    serve.start()
    eventually(lambda: serve.readiness()[1].get("roles", {}).get("gateway", {}).get("ready"), LONG, "the gateway")
    status, document = serve.readiness()
    assert status == 503
    assert document["roles"]["dispatcher"]["ready"] is False


def test_the_watching_launcher_ends_its_role_with_its_parent(tmp_path: Path) -> None:
    launcher = CHECKOUT / "adapters" / "cli" / "supervisor" / "launcher.py"
    pid_file = tmp_path / "role.pid"
    sleeper = [sys.executable, "-c", "import time; time.sleep(60)"]
    with subprocess.Popen(
        [sys.executable, "-I", "-S", str(launcher), "--watch", str(os.getpid()), str(pid_file), *sleeper],
        stdin=subprocess.PIPE,
    ) as process:
        pid = int(eventually(lambda: pid_file.exists() and pid_file.read_text(), LONG, "the role"))
        assert pid != process.pid
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(LONG) == -signal.SIGTERM
    assert not alive(pid)


def test_the_launcher_gives_up_when_its_parent_is_gone_already(tmp_path: Path) -> None:
    launcher = CHECKOUT / "adapters" / "cli" / "supervisor" / "launcher.py"
    arguments = [sys.executable, "-I", "-S", str(launcher), "1", str(tmp_path / "role.pid"), "/bin/true"]
    assert subprocess.run(arguments, check=False).returncode == 75
