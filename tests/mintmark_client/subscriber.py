"""A subscriber as a service would write it, to be killed: python subscriber.py ADDRESS CREDENTIALS CURSOR SEEN COUNT.

It deals with an event by adding a line to the file SEEN, then saves its cursor in the file CURSOR, to begin there the
next time. It ends when SEEN has COUNT different lines.
"""

import sys
from pathlib import Path

from mintmark_client import Client


def main(address: str, credentials: str, cursor_file: str, seen_file: str, count: str) -> None:
    place, seen = Path(cursor_file), Path(seen_file)
    known = set(seen.read_text().split()) if seen.exists() else set()
    with (
        seen.open("a", buffering=1) as lines,
        Client(address, credentials_file=credentials) as client,
        client.events.stream(place.read_text() if place.exists() else "0") as events,
    ):
        while len(known) < int(count):
            line = str(next(events).sequence)
            lines.write(f"{line}\n")
            known.add(line)
            beside = place.with_suffix(".new")
            beside.write_text(events.cursor)
            beside.replace(place)


if __name__ == "__main__":
    main(*sys.argv[1:])
