"""The document at /openapi.json says what the gateway does: schemathesis asks everything that it describes."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack import Stack

SCHEMATHESIS = Path(sys.executable).parent / "schemathesis"
# JSON Schema cannot say everything that the core refuses (bindings, card numbers), and does not say that null means
# the default in protobuf's JSON; links between operations are not described.
EXCLUDED = "positive_data_acceptance,negative_data_rejection,ensure_resource_availability"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """Its own: schemathesis creates, disables and deletes what it likes."""
    made = Stack()
    try:
        yield made.start()
    finally:
        made.remove()


def ask_everything(stack: Stack, folder: Path, *options: str) -> None:
    (_, authorization), *_ = stack.metadata()
    command = [str(SCHEMATHESIS), "run", f"{stack.http_url}/openapi.json", "-H", f"Authorization: {authorization}"]
    command += ["--checks", "all", "--exclude-checks", EXCLUDED, "--warnings", "off", "--continue-on-failure", *options]
    environment = {"PATH": os.environ["PATH"], "HOME": str(folder), "COLUMNS": "160"}
    asked = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert asked.returncode == 0, asked.stdout + asked.stderr
    described = stack.http.get("/openapi.json").json()["paths"].values()
    assert f"Tested: {sum(map(len, described))}" in asked.stdout, asked.stdout
    faults = [line for line in stack.log.read_text().splitlines() if '"level": "error"' in line or "Traceback" in line]
    assert not faults


def test_no_answer_is_a_surprise(stack: Stack, tmp_path: Path) -> None:
    ask_everything(stack, tmp_path, "--phases", "examples,fuzzing", "-n", "4", "--seed", "1", "--no-shrink")


@pytest.mark.campaign
def test_no_answer_is_a_surprise_in_the_long_run(stack: Stack, tmp_path: Path) -> None:
    ask_everything(stack, tmp_path, "--phases", "examples,coverage,fuzzing,stateful", "-n", "150")
