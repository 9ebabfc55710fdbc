"""Which test files share something that takes seconds to start: one worker runs all of its users, and starts it once.

xdist's own way, the mark `xdist_group`, does nothing with this pytest: it renames tests by a field that is gone.
"""

from xdist.scheduler.loadscope import LoadScopeScheduling

# By file: what it shares. Those that start something for themselves alone share it among their own tests.
SHARED = {
    "tests/adapters/cli/test_serve.py": "running stack",
    "tests/adapters/inbound/rest/test_hostile.py": "running stack",
    "tests/flows/test_readme.py": "running stack",
    "tests/flows/test_rest.py": "running stack",
    "tests/house/test_metrics.py": "running stack",
    "tests/adapters/outbound/test_acquirer_dispatcher.py": "a core, two dispatchers and the acquirer",
    "tests/faults/test_crash_points.py": "a life without a kill",
    "tests/faults/test_database_gone.py": "a core and its gateway",
    "tests/faults/test_retention.py": "an old database",
    "tests/faults/test_secrets.py": "a stack with card numbers",
    "tests/flows/test_card_crashes.py": "a core, a relay and a gateway",
    "tests/flows/test_card_credentials.py": "a core and its gateway",
    "tests/flows/test_card_keys.py": "a core and its gateway",
    "tests/flows/test_card_verifications.py": "a core and its gateway",
    "tests/flows/test_event_stream.py": "a stack to kill",
    "tests/flows/test_traces.py": "a traced stack",
}


class Sharing(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands out tests one by one, those that share something together."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)


def group(nodeid: str) -> str:
    """The tests that run on one worker with this one."""
    return SHARED.get(nodeid.partition("::")[0], nodeid)
