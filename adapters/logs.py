"""Logs: one JSON object a line on stderr. Never a message object, a body, a secret or a path with ids in it."""

import contextlib
import json
import logging
import sys
from collections.abc import MutableMapping
from typing import Any, BinaryIO, cast

import msgspec
import structlog

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class _Forward(logging.Handler):
    """Takes what libraries log into our log: the text of the message, and the kind of an exception with its places."""

    def emit(self, record: logging.LogRecord) -> None:
        method = {logging.WARNING: "warning", logging.INFO: "info", logging.DEBUG: "debug"}.get(record.levelno, "error")
        facts: dict[str, Any] = {"logger": record.name}
        if record.exc_info and record.exc_info[0]:
            facts |= fault(record.exc_info[1])
        getattr(structlog.get_logger(), method)(record.getMessage().strip(), **facts)


def fault(error: BaseException | None) -> dict[str, Any]:
    """What a log line tells of an exception: its type and the places in the code. Its text may quote what came in."""
    places = []
    trace = error.__traceback__ if error else None
    while trace:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return {"error": type(error).__name__, "places": places[-8:]}


class Unfailing:
    """A stream whose trouble is nobody else's: where a line cannot be written (disk full, reader gone), it is lost, and
    the work that it tells of goes on."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream

    def write(self, content: bytes) -> int:
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(content)
        return len(content)

    def flush(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._stream.flush()


def _render(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> bytes:
    try:
        return msgspec.json.encode(event, enc_hook=str)
    except (ValueError, TypeError):
        # Text with lone surrogates, say.
        return json.dumps(event, default=str).encode()


def configure(level: str, role: str) -> None:
    """Sets logging up for this process; `level` as in MINTMARK_LOG_LEVEL, `role` goes into every line."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            lambda _logger, _method, event: {"role": role, **event},
            _render,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(LEVELS[level]),
        logger_factory=structlog.BytesLoggerFactory(cast("BinaryIO", Unfailing(sys.stderr.buffer))),
        cache_logger_on_first_use=True,
    )
    root = logging.getLogger()
    root.handlers = [_Forward()]
    root.setLevel(max(LEVELS[level], logging.WARNING))
