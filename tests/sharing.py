"""Which worker runs which tests: those that share something on one, and what takes longest first.

What a module starts for its tests (a core, a gateway, a whole stack) takes seconds. The tests of a file therefore run
on one worker, and so do files that use the same stack: it starts once.

xdist's own way, the mark `xdist_group`, does nothing with this pytest: it renames tests by a field that is gone.
"""

from collections.abc import Mapping, Sized

from xdist.scheduler.loadscope import LoadScopeScheduling
from xdist.workermanage import WorkerController

# By file: what it shares with other files.
SHARED = {
    "tests/adapters/cli/test_serve.py": "running stack",
    "tests/adapters/inbound/rest/test_hostile.py": "running stack",
    "tests/flows/test_readme.py": "running stack",
    "tests/flows/test_rest.py": "running stack",
    "tests/house/test_metrics.py": "running stack",
}

# What takes more than a few seconds begins first, so that no worker is left alone with it at the end. Others follow by
# the number of their tests. Of no other use: a figure that is old costs seconds.
SECONDS = {
    "running stack": 75,
    "tests/flows/test_operations.py": 29,
    "tests/server/rpc/test_cached_views.py": 27,
    "tests/flows/test_acquirer.py": 25,
    "tests/flows/test_cards.py": 20,
    "tests/flows/test_card_crashes.py": 15,
    "tests/faults/payments/test_short_forms.py": 24,
    "tests/faults/test_cache_kills.py": 22,
    "tests/faults/test_crash_points.py": 21,
    "tests/flows/test_openapi.py": 20,
    "tests/faults/test_database_gone.py": 17,
    "tests/flows/test_traces.py": 17,
    "tests/server/rpc/test_payment_attempts.py": 15,
    "tests/server/rpc/test_retention.py": 15,
    "tests/server/rpc/test_payment_subscription_calls.py": 14,
    "tests/faults/test_kills.py": 12,
    "tests/faults/test_retention.py": 12,
    "tests/server/rpc/test_hosted_pages.py": 12,
    "tests/server/rpc/test_payment_subscription_doubts.py": 12,
    "tests/adapters/sandbox/payment_options/test_kills.py": 11,
    "tests/flows/test_event_stream.py": 11,
    "tests/adapters/cli/test_supervisor.py": 10,
    "tests/adapters/outbound/test_faults.py": 10,
    "tests/faults/acquirer/test_twin_kills.py": 10,
    "tests/faults/test_replay_kills.py": 10,
    "tests/server/rpc/test_cache_model.py": 10,
    "tests/adapters/outbound/test_dispatcher.py": 9,
    "tests/faults/test_hostile.py": 8,
    "tests/flows/test_payment_subscriptions.py": 8,
    "tests/flows/test_tls.py": 8,
    "tests/server/rpc/test_payment_reconciliations.py": 8,
    "tests/server/rpc/test_payments.py": 8,
    "tests/server/rpc/test_webhook_model.py": 8,
    "tests/adapters/cli/test_sandbox_payment_options.py": 7,
    "tests/adapters/inbound/rest/test_transcoding.py": 7,
    "tests/faults/acquirer/test_kills.py": 7,
    "tests/faults/test_secrets.py": 7,
    "tests/server/rpc/test_payment_subscriptions.py": 7,
    "tests/server/rpc/test_subscription_model.py": 7,
    "tests/adapters/outbound/test_shared_access_tokens.py": 6,
    "tests/server/rpc/test_subscription_pulls.py": 6,
}


class Sharing(LoadScopeScheduling):  # type: ignore[misc]  # xdist has no types
    """Hands out groups of tests, the longest first."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid)

    def _assign_work_unit(self, node: WorkerController) -> None:
        self.workqueue.move_to_end(longest(self.workqueue), last=False)
        super()._assign_work_unit(node)


def group(nodeid: str) -> str:
    """The tests that run on one worker with this one."""
    file = nodeid.partition("::")[0]
    return SHARED.get(file, file)


def longest(groups: Mapping[str, Sized]) -> str:
    """Of groups of tests by their name the one that takes longest."""
    return max(groups, key=lambda name: _seconds(name, len(groups[name])))


def _seconds(name: str, tests: int) -> float:
    slow = name.startswith(("tests/faults/", "tests/flows/"))
    return SECONDS.get(name, 5 if slow else min(tests, 300) / 100)
