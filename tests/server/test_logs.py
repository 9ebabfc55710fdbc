"""A log that cannot be written disturbs nothing, and nobody can forge a line."""

import io
import json
import logging
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
    before, root = structlog.get_config(), logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    structlog.configure(**before)
    root.handlers, root.level = handlers, level


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


@pytest.mark.parametrize("text", ["\ud800", 'x"}\n{"event":"forged"}', "a\r\nb\u2028c\x00\x1b[31m"])
def test_whatever_is_told_is_one_line(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure("info")
    structlog.get_logger().info("call", correlation_id=text)
    (line,) = written.getvalue().splitlines()
    told = json.loads(line)
    assert (told["event"], told["correlation_id"]) == ("call", text)


def test_what_libraries_fill_into_their_texts_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    logs.configure("info")
    try:
        raise ValueError("a secret")
    except ValueError as error:
        logging.getLogger("library").exception("Exception calling application: %s", error)
    told = json.loads(written.getvalue())
    assert (told["told"], told["error"]) == ("Exception calling application: %s", "ValueError")
    assert "a secret" not in written.getvalue()
