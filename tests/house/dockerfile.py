"""Runs the stages of the Dockerfile on a plain machine, in a folder that stands for the image's root.

Only what the Dockerfile uses is understood: FROM, WORKDIR, COPY, RUN. Absolute paths go below the stage's folder.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from tests.house.tree import ROOT

Line = tuple[str, str]


@dataclass
class Stage:
    """One FROM and what follows it."""

    name: str
    image: str
    lines: list[Line] = field(default_factory=list)

    def values(self, instruction: str) -> list[str]:
        return [value for name, value in self.lines if name == instruction]


def stages() -> list[Stage]:
    found: list[Stage] = []
    for line in (ROOT / "Dockerfile").read_text().splitlines():
        instruction, _, value = line.strip().partition(" ")
        if not instruction or instruction.startswith("#"):
            continue
        if instruction == "FROM":
            image, _, name = value.partition(" AS ")
            found.append(Stage(name or "final", image))
        else:
            found[-1].lines.append((instruction, value))
    return found


class Machine:
    """Where stages are run. `python` is the interpreter that the base image would bring."""

    def __init__(self, folder: Path, python: str, run: Callable[[str], str | None] = lambda command: command) -> None:
        self.folder = folder
        self._python = python
        self._change = run

    def root(self, stage: str) -> Path:
        return self.folder / stage

    def run(self, stage: Stage) -> None:
        root = self.root(stage.name)
        here = root
        for instruction, value in stage.lines:
            if instruction == "WORKDIR":
                here = root / value.lstrip("/")
                here.mkdir(parents=True, exist_ok=True)
            elif instruction == "COPY":
                self._copy(value, root, here)
            elif instruction == "RUN":
                self._run(value, root, here)

    def _copy(self, value: str, root: Path, here: Path) -> None:
        source = ROOT
        if match := re.match(r"--from=(\w+) ", value):
            source = self.root(match[1])
            value = value[match.end() :]
        *names, target = value.split()
        there = root / target.lstrip("/") if target.startswith("/") else here / target
        for name in names:
            path = source / name.lstrip("/")
            if path.is_dir():
                shutil.copytree(path, there, ignore=shutil.ignore_patterns("__pycache__"), symlinks=True)
            else:
                shutil.copy(path, there)

    def _run(self, value: str, root: Path, here: Path) -> None:
        changed = self._change(value)
        if changed is None:
            return
        moved = re.sub(r"(?<![\w./*])/(?=\w)", f"{root}/", changed)
        moved = re.sub(r"^python ", f"{self._python} ", moved)
        environment = {name: value for name, value in os.environ.items() if name.startswith(("PATH", "PIP_", "HOME"))}
        result = subprocess.run(
            ["sh", "-ec", moved], cwd=here, env=environment, capture_output=True, text=True, check=False
        )
        assert result.returncode == 0, f"{value}\n{result.stdout}{result.stderr}"
