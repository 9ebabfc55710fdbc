"""Server-sent events as a browser reads them (WHATWG HTML, section 9.2.6)."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any


@dataclass
class Sent:
    """One event that listeners hear of."""

    event: str
    data: Any
    last_event_id: str


class Source:
    """Reads a stream; `last_event_id` is what it would come back with, `retry` how soon."""

    def __init__(self, last_event_id: str = "") -> None:
        self.last_event_id = last_event_id
        self.retry = 0
        self.comments = 0

    def read(self, lines: Iterable[str]) -> Iterator[Sent]:
        """Events as they come. `last_event_id` moves with each block, whether or not anybody hears of it."""
        event, given = "", self.last_event_id
        data: list[str] = []
        for line in lines:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if not line:
                self.last_event_id = given
                if data:
                    yield Sent(event or "message", json.loads("\n".join(data)), given)
                event, data = "", []
            elif not name:
                self.comments += 1
            elif name == "id":
                given = value
            elif name == "event":
                event = value
            elif name == "data":
                data.append(value)
            elif name == "retry":
                self.retry = int(value)
