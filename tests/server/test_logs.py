"""A log that cannot be written disturbs nothing."""

import io
import sys
from collections.abc import Iterator

import pytest
import structlog

from server import logs


class FullDisk(io.StringIO):
    def write(self, _text: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def test_a_line_that_cannot_be_written_is_lost_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stderr", FullDisk())
    logs.configure("info")
    structlog.get_logger("anybody").error("lost")


def test_a_closed_stream_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    monkeypatch.setattr(sys, "stderr", closed)
    logs.configure("info")
    closed.close()
    structlog.get_logger("anybody").error("lost")
