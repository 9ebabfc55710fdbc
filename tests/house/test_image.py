"""The image: what its steps install works where nothing else is."""

import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.house.dockerfile import Machine, Stage, stages
from tests.house.tree import ROOT, modules, tracked

STAGES = {stage.name: stage for stage in stages()}
BASE = str(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}")
LOCKED = re.compile(r"pip .*install .*--require-hashes -r (\S+)$")


def link_packages(environment: Path) -> None:
    """Shows this environment's packages in another one, which stands for installing the pinned ones.

    What is ours is not among them: this environment has it by a path, and paths are not passed on.
    """
    (site,) = environment.glob("lib/python*/site-packages")
    here = Path(pytest.__file__).parents[1]
    (site / "packages.pth").write_text(f"{here}\n")


def build(folder: Path, *, locked: bool) -> Machine:
    """Runs the stages that build and install. Without `locked`, pinned packages are linked, not installed."""

    def change(command: str) -> str | None:
        return command if locked or not LOCKED.search(command) else None

    machine = Machine(folder, BASE, change)
    for name in ("build", "install"):
        stage = STAGES[name]
        if locked:
            machine.run(stage)
            continue
        created = next(index for index, line in enumerate(stage.lines) if " -m venv " in line[1]) + 1
        machine.run(Stage(name, stage.image, stage.lines[:created]))
        environment = stage.lines[created - 1][1].split()[-1].lstrip("/")
        link_packages(machine.root(name) / environment)
        machine.run(Stage(name, stage.image, [*stage.lines[:1], *stage.lines[created:]]))
    return machine


def run(machine: Machine, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Runs a program of the installed environment far from the checkout, without this environment's variables."""
    program = machine.root("install") / "opt/mintmark/bin" / arguments[0]
    command = [str(program), *arguments[1:]]
    return subprocess.run(command, cwd="/", env={}, capture_output=True, text=True, check=False, timeout=60)


def check(machine: Machine) -> None:
    """Everything of ours comes from the wheel and can be imported; the command runs."""
    names = [name for name in modules("server", "adapters", "mintmark_client") if ".migrations" not in name]
    stubs = [path.relative_to("generated").with_suffix("") for path in tracked("generated") if path.suffix == ".py"]
    names += [".".join(path.parts) for path in stubs]
    script = "import importlib, sys\nfor name in sys.argv[1:]: print(importlib.import_module(name).__file__)"
    result = run(machine, "python", "-W", "error", "-c", script, *names)
    assert result.returncode == 0, result.stderr
    found = result.stdout.split()
    assert len(found) == len(names)
    assert not [path for path in found if not path.startswith(str(machine.root("install")))]
    command = run(machine, "mintmark", "--help")
    assert command.returncode == 0, command.stderr
    assert "serve" in command.stdout


def test_the_wheel_installed_by_the_dockerfile_is_complete(tmp_path: Path) -> None:
    machine = build(tmp_path, locked=False)
    check(machine)
    (wheel,) = machine.root("build").glob("build/dist/*.whl")
    packed = set(zipfile.ZipFile(wheel).namelist())
    ours = {str(path) for path in tracked("server", "adapters", "mintmark_client") if "__pycache__" not in path.parts}
    stubs = {str(path.relative_to("generated")) for path in tracked("generated")}
    assert ours | stubs <= packed
    assert {name.partition("/")[0] for name in packed} == {
        "server",
        "adapters",
        "mintmark_client",
        "mintmark",
        "buf",
        "mintmark-0.1.0.dist-info",
    }


@pytest.mark.campaign
def test_the_image_installs_from_the_lock_alone(tmp_path: Path) -> None:
    check(build(tmp_path, locked=True))


def test_the_image_is_small_and_not_root() -> None:
    final = STAGES["final"]
    assert final.values("USER") == ["10001:10001"]
    assert final.values("ENTRYPOINT") == ['["mintmark"]']
    assert {stage.image for stage in STAGES.values()} == {final.image}
    assert re.fullmatch(r"python:3\.11\.\d+-slim-\w+", final.image)


def test_what_the_dockerfile_copies_is_sent_to_the_builder_and_nothing_else() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = set()
    for stage in STAGES.values():
        for value in stage.values("COPY"):
            if not value.startswith("--from"):
                copied |= set(value.split()[:-1])
    assert sent == copied


def test_locks_pin_everything_by_hash() -> None:
    for name in ("requirements.lock", "requirements-dev.lock", "requirements-build.lock"):
        entries = re.split(r"\n(?=\S)", (ROOT / name).read_text().strip())
        assert entries
        assert not [entry for entry in entries if "==" not in entry or "--hash=sha256:" not in entry]


def test_the_smaller_locks_agree_with_the_one_that_tests_run_on() -> None:
    def pins(name: str) -> dict[str, str]:
        return dict(re.findall(r"^([\w.-]+)(?:\[[\w,]+\])?==([^\s;]+)", (ROOT / name).read_text(), re.MULTILINE))

    tested = pins("requirements-dev.lock")
    for name in ("requirements.lock", "requirements-build.lock"):
        assert pins(name).items() <= tested.items(), name
