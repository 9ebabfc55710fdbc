"""A process of its own that writes events: `python -m tests.server.store.writing URL NAME COUNT`."""

import sys
from collections.abc import Callable

from server.ports import Transaction
from server.store.store import SqlStore
from tests.server.store import samples


def appending(resource: str, count: int) -> Callable[[Transaction], None]:
    def run(transaction: Transaction) -> None:
        for place in range(count):
            transaction.append(samples.event(f"{resource}/{place}"))

    return run


def write(store: SqlStore, name: str, count: int) -> None:
    """Writes `count` units of one to three events."""
    for number in range(count):
        store.write(f"k-{number}", appending(f"{name}/{number}", 1 + number % 3))


if __name__ == "__main__":
    url, own_name, units = sys.argv[1:]
    opened = SqlStore(url)
    write(opened, own_name, int(units))
    opened.close()
