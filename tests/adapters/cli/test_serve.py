"""`mintmark serve --sandbox` for real: the journey, and what it leaves behind."""

import json
import shlex
import subprocess

from tests.stack import COMMAND, Stack
from tests.waiting import eventually

STEPS = 7
# A busy machine takes its time.
LONG = 60


def journeys(stack: Stack) -> int:
    return stack.log.read_text().count("The journey is complete.")


def test_the_journey_is_played_and_the_events_are_shown(running_stack: Stack) -> None:
    eventually(lambda: journeys(running_stack), LONG, "the journey")
    said = running_stack.log.read_text()
    assert said.count("✓") >= STEPS
    assert "✗" not in said
    for kind in ("TOKEN_REFRESH_REQUESTED", "BINDING_CREATED", "BINDING_UPDATED"):
        eventually(lambda kind=kind: f"  {kind} " in running_stack.log.read_text(), LONG, kind)  # type: ignore[misc]


def test_the_three_commands_work_as_they_are_printed(running_stack: Stack) -> None:
    eventually(lambda: journeys(running_stack), LONG, "the journey")
    lines = running_stack.log.read_text().splitlines()
    start = lines.index("Three commands to try in another terminal")
    for line in lines[start + 1 : start + 4]:
        assert line.startswith("  ")
        environment = {"PATH": running_stack.environment["PATH"], "MINTMARK_DEVELOPMENT": "1"}
        result = subprocess.run(
            ["bash", "-c", line], cwd=running_stack.folder, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, (line, result.stderr)
        if "curl" in shlex.split(line)[0]:
            assert " 204 " in result.stdout
        else:
            assert str(COMMAND) in line
            assert "MGW_000001" in result.stdout


def test_the_development_credentials_are_kept_for_us_alone(running_stack: Stack) -> None:
    for name in ("sandbox.d1.json", "sandbox.tsh.json", "sandbox.service.json"):
        path = running_stack.data / "credentials" / name
        assert path.stat().st_mode & 0o777 == 0o600
        assert json.loads(path.read_text())


def test_a_second_start_on_the_same_folder_plays_again_with_the_same_credentials() -> None:
    stack = Stack(sandbox=True, development=True)
    try:
        stack.start()
        eventually(lambda: journeys(stack) == 1, LONG, "the first journey")
        kept = (stack.data / "credentials" / "sandbox.d1.json").read_text()
        assert stack.stop() == 0
        (stack.data / "credentials" / "sandbox.tsh.json").unlink()
        stack.start()
        eventually(lambda: journeys(stack) == 2, LONG, "the second journey")
        assert (stack.data / "credentials" / "sandbox.d1.json").read_text() == kept
        remade = json.loads((stack.data / "credentials" / "sandbox.tsh.json").read_text())
        assert remade["api_key_id"] == "tsh-sandbox-2"
        assert "✗" not in stack.log.read_text()
    finally:
        stack.remove()
