"""A core that kills itself, as `tests.faults.killed_core` does. Its retention takes very small steps, looks often and
does not wait for a core that has died."""

import sys

from server.services import retention, steward
from tests.faults import killed_core

STEP = 3
INTERVAL_S = LEASE_S = 0.2

if __name__ == "__main__":
    retention.STEP = STEP
    retention.Retention.interval = INTERVAL_S
    steward.LEASE_S = LEASE_S
    sys.exit(killed_core.main(*sys.argv[1:]))
