"""The command starts light, and ends cleanly."""

import os
import signal
import subprocess
import sys
from pathlib import Path

from tests.adapters.cli.fake_core import FakeCore
from tests.waiting import eventually

HEAVY = {"grpc", "google.protobuf", "httpx", "yaml", "starlette", "uvicorn", "pydantic", "prometheus_client"}


def test_nothing_heavy_is_imported_before_it_is_needed() -> None:
    code = "import sys, adapters.cli.main; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not HEAVY & set(loaded)


def test_ctrl_c_ends_a_tail_quietly(core: FakeCore, settings: Path) -> None:
    del settings
    command = [str(Path(sys.executable).parent / "mintmark"), "events", "tail", "--output", "json"]
    with subprocess.Popen(command, env=dict(os.environ), stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        try:
            eventually(lambda: core.requests, 60, "the stream")
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=60)
        finally:
            process.kill()
    assert (process.returncode, out, b"Traceback" in err) == (-signal.SIGINT, b"", False)


def test_a_reader_that_has_read_enough_gets_no_traceback() -> None:
    program = Path(sys.executable).parent / "mintmark"
    result = subprocess.run(["bash", "-c", f"{program} --help | head -n 1"], check=False, capture_output=True)
    assert (result.returncode, result.stderr) == (0, b"")
