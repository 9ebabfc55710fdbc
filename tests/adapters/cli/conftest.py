"""The command run in this process against a fake core."""

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from adapters.cli.main import run as run_command
from tests.adapters.cli.fake_core import SECRET, FakeCore


@dataclass(frozen=True)
class Result:
    """What the command did."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Command(Protocol):
    def __call__(self, *arguments: str, stdin: str = "") -> Result: ...


@pytest.fixture
def core() -> Iterator[FakeCore]:
    fake = FakeCore()
    try:
        yield fake
    finally:
        fake.stop()


@pytest.fixture
def settings(core: FakeCore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The command's settings: `core`'s address and a data folder with the administrator's credentials."""
    monkeypatch.setenv("MINTMARK_GRPC_ADDRESS", core.address)
    monkeypatch.setenv("MINTMARK_DATA_DIR", str(tmp_path))
    (tmp_path / "credentials").mkdir()
    document = {"client_id": "admin", "client_secret": SECRET}
    (tmp_path / "credentials" / "admin.json").write_text(json.dumps(document))
    return tmp_path


@pytest.fixture
def mintmark(settings: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """Runs `mintmark` with the arguments."""

    def run(*arguments: str, stdin: str = "") -> Result:
        monkeypatch.setattr(sys, "argv", ["mintmark", *arguments])
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
        capfd.readouterr()
        code = 0
        try:
            run_command()
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 0
        out, err = capfd.readouterr()
        return Result(code, out, err)

    return run
