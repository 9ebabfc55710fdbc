"""A log that cannot be written, or a line that cannot be rendered, disturbs nothing; and nobody can forge a line."""

import io
import json
import logging
import sys
from collections.abc import Iterator

import pytest
import structlog

from adapters import logs


class FullDisk(io.BytesIO):
    def write(self, _content: object) -> int:
        raise OSError(28, "No space left on device")


class Stderr:
    def __init__(self, buffer: io.BytesIO) -> None:
        self.buffer = buffer


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    structlog.configure(**before)
    root.handlers, root.level = handlers, level


def written_by(monkeypatch: pytest.MonkeyPatch, buffer: io.BytesIO) -> io.BytesIO:
    monkeypatch.setattr(sys, "stderr", Stderr(buffer))
    logs.configure("info", "role")
    return buffer


def test_a_line_that_cannot_be_written_is_lost_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    written_by(monkeypatch, FullDisk())
    structlog.get_logger().error("lost")


def test_a_closed_stream_is_no_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    written_by(monkeypatch, io.BytesIO()).close()
    structlog.get_logger().error("lost")


@pytest.mark.parametrize("text", ["\ud800", 'x"}\n{"event":"forged"}', "a\r\nb\u2028c\x00\x1b[31m", "ü"])
def test_whatever_is_told_is_one_line(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    written = written_by(monkeypatch, io.BytesIO())
    structlog.get_logger().info("request", correlation_id=text)
    (line,) = written.getvalue().splitlines()
    assert json.loads(line)["correlation_id"] == text
    assert json.loads(line)["event"] == "request"
