"""A core that gets a signal: `python -m tests.faults.payments.signalled_core PLACES_FILE K SIGNAL`."""

import signal
import sys

from tests.faults.killed_core import wrap
from tests.faults.payments.places import Places


def main(file: str, at: str, name: str) -> int:
    from server.__main__ import main as serve

    wrap(Places(file, int(at), signal.Signals[name]))
    return serve([])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
