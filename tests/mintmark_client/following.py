"""A subscriber that keeps nothing itself, to be killed: python following.py ADDRESS CREDENTIALS NAME SEEN COUNT.

It deals with an event by adding a line to the file SEEN. It ends when SEEN has COUNT different lines.
"""

import sys
from pathlib import Path

from mintmark_client import Client


def main(address: str, credentials: str, name: str, seen_file: str, count: str) -> None:
    seen = Path(seen_file)
    known = set(seen.read_text().split())
    with (
        seen.open("a", buffering=1) as lines,
        Client(address, credentials_file=credentials) as client,
        client.subscriptions.follow(name, max_events=200) as events,
    ):
        while len(known) < int(count):
            line = str(next(events).sequence)
            lines.write(f"{line}\n")
            known.add(line)
        events.ack()


if __name__ == "__main__":
    main(*sys.argv[1:])
