"""Exports: events and notifications as the public API shows them, one JSON object a line."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import structlog
from google.protobuf import json_format
from google.protobuf.message import Message

from server.domain.events import Event
from server.domain.notifications import Notification
from server.ports import Archive, Sealer
from server.rpc import events as event_methods
from server.rpc import notifications as notification_methods

SEQUENCE_DIGITS = 19
MICROS = 1_000_000

log = structlog.get_logger("exports")


def line(message: Message) -> str:
    """The canonical protobuf JSON on one line."""
    return json_format.MessageToJson(message, indent=None)


class JsonExport:
    """Files named `{kind}-{first}-{last}-{time of writing}.jsonl`, so that none ever takes another's place."""

    def __init__(self, archive: Archive, sealer: Sealer, generation: Callable[[], str], now: Callable[[], int]) -> None:
        self._archive = archive
        self._sealer = sealer
        self._generation = generation
        self._now = now

    def check(self) -> None:
        self._archive.check()

    def events(self, events: Sequence[Event]) -> None:
        if events:
            first, last = (f"{event.sequence:0{SEQUENCE_DIGITS}}" for event in (events[0], events[-1]))
            lines = (line(event_methods.to_proto(event, self._generation())) for event in events)
            self._archive.write(self._name("events", first, last), lines)

    def notifications(self, notifications: Sequence[Notification]) -> Sequence[Notification]:
        opened = list(self._opened(notifications))
        if opened:
            first, last = (each.name.rpartition("/")[2] for each, _ in (opened[0], opened[-1]))
            lines = (line(notification_methods.to_proto(each, body)) for each, body in opened)
            self._archive.write(self._name("notifications", first, last), lines)
        return [each for each, _ in opened]

    def _opened(self, notifications: Sequence[Notification]) -> Iterator[tuple[Notification, bytes]]:
        for each in notifications:
            try:
                body = self._sealer.open(each.sealed_body, each.name.encode())
            except Exception as error:
                # Whatever stands in its way: it stays, and the others don't wait for it.
                log.error("body_unreadable", notification=each.name, error=type(error).__name__)
                continue
            yield each, body

    def _name(self, kind: str, first: str, last: str) -> str:
        seconds, micros = divmod(self._now(), MICROS)
        written = f"{datetime.fromtimestamp(seconds, UTC):%Y%m%dT%H%M%S}.{micros:06}Z"
        return f"{kind}-{first}-{last}-{written}.jsonl"
