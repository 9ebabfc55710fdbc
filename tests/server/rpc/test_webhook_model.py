"""Webhook configs against a model: whatever is lost, repeated or late, what is APPLIED is what the acquirer has."""

import itertools
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    precondition,
    rule,
    run_state_machine_as_test,
)
from mintmark.v1 import tasks_pb2 as tp
from mintmark.v1 import webhook_configs_pb2 as wp

from tests.server.rpc.configuring import (
    APPLY,
    LIST,
    NOT_SENT,
    REJECTED,
    UNKNOWN,
    Acquirer,
    call,
    open_acquirer,
    word,
)
from tests.server.rpc.running import RunningCore

CODES = itertools.count(1)
SETTLED = {"APPLIED", "REJECTED", "DRIFTED", "DELETED"}


def fingerprint(made: tp.WebhookConfigApplication) -> tuple[object, ...]:
    return made.value, tuple(made.payment_method_codes), made.key, made.support_email


class OneConfig(RuleBasedStateMachine):
    """One config, wanted anew at any time; dispatchers that die, report late or twice; an acquirer that answers as it
    likes, and is changed behind our back."""

    core: RunningCore
    held = Bundle("held")
    told = Bundle("told")

    def __init__(self) -> None:
        super().__init__()
        self.acquirer: Acquirer = open_acquirer(self.core, delete_by_update=True)
        self.name = self.acquirer.create().name
        self.generation = 1
        self.applied = 0
        # What the acquirer has; what was asked last for each generation.
        self.has: tp.WebhookConfigApplication | None = None
        self.tampered = False
        self.deleted = False

    def wanted_anew(self, config: wp.WebhookConfig) -> None:
        assert config.generation == self.generation + 1
        self.generation = config.generation

    @precondition(lambda self: not self.deleted)
    @rule()
    def change(self) -> None:
        code = f"C{next(CODES)}"
        self.wanted_anew(self.acquirer.update(self.name, payment_method_codes=[code]))

    @precondition(lambda self: not self.deleted)
    @rule()
    def rotate(self) -> None:
        if len(self.acquirer.get(self.name).keys) < 16:
            self.wanted_anew(self.acquirer.rotate(self.name))

    @precondition(lambda self: not self.deleted)
    @rule()
    def delete(self) -> None:
        config = self.acquirer.delete(self.name)
        self.generation, self.deleted = config.generation, True

    @rule(target=held)
    def claim(self) -> Any:
        claimed = self.acquirer.claim(APPLY)
        assert all(task.application.generation == self.generation for task in claimed)
        return multiple(*claimed)

    @rule(task=held)
    def lease_ends(self, task: tp.Task) -> None:
        self.core.advance(400)

    @rule(target=told, task=consumes(held), answered=st.booleans(), arrives=st.booleans())
    def call(self, task: tp.Task, answered: bool, arrives: bool) -> Any:
        """A call that arrives, or not, and whose answer comes back, or not. Late ones arrive in the order of leases."""
        made = task.application
        stale = made.generation != self.generation
        if arrives and not stale:
            self.has = None if made.delete else made
            self.tampered = False
        if answered and arrives and not stale:
            return (task, [call(wp.ACQUIRER_CALL_OUTCOME_ACCEPTED)])
        return (task, [call(UNKNOWN if arrives else NOT_SENT, trouble="reset")])

    @rule(target=told, task=consumes(held))
    def reject(self, task: tp.Task) -> Any:
        return (task, [call(REJECTED, status_code="999")])

    @rule(report=told)
    def report(self, report: tuple[tp.Task, list[wp.AcquirerCall]]) -> None:
        """Once, twice, or much later."""
        task, calls = report
        self.acquirer.report(task, *calls)

    @precondition(lambda self: self.has is not None)
    @rule()
    def tamper(self) -> None:
        assert self.has is not None
        changed = tp.WebhookConfigApplication()
        changed.CopyFrom(self.has)
        changed.value = "https://elsewhere.example"
        self.has, self.tampered = changed, True

    @rule()
    def refresh(self) -> None:
        self.acquirer.refresh(self.name)
        self.acquirer.has = {} if self.has is None else {self.has.notification_configuration_code: self.has}
        for task in self.acquirer.claim(LIST):
            self.acquirer.answer_list(task)
        config = self.acquirer.get(self.name)
        if word(config) == "APPLIED":
            assert self.has is not None
            assert fingerprint(self.has)[:2] == (config.desired.value, tuple(config.desired.payment_method_codes))
        assert not config.refresh_pending

    @invariant()
    def what_is_applied_was_agreed_to(self) -> None:
        config = self.acquirer.get(self.name)
        state = word(config)
        assert config.generation == self.generation
        assert self.applied <= config.applied_generation <= self.generation
        self.applied = config.applied_generation
        if state == "APPLIED":
            assert config.applied_generation == self.generation
        if state == "DELETED":
            assert self.deleted
        assert (state in {"DELETING", "DELETED"}) <= self.deleted
        if not self.deleted:
            assert [key.current for key in config.keys].count(True) == 1

    def teardown(self) -> None:
        """In the end somebody wants it again, and everything agrees."""
        if self.deleted and word(self.acquirer.get(self.name)) != "REJECTED":
            return
        self.acquirer.update(self.name, payment_method_codes=[f"C{next(CODES)}"])
        self.core.advance(400)
        (task,) = self.acquirer.claim(APPLY)
        assert self.acquirer.report(task) == "APPLIED"
        assert self.acquirer.claim(APPLY) == []


def test_one_config_in_any_order(moving: RunningCore) -> None:
    machine: Any = type("OneConfigHere", (OneConfig,), {"core": moving})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=15, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


@pytest.mark.campaign
def test_one_config_in_very_many_orders(moving: RunningCore) -> None:
    machine: Any = type("OneConfigHere", (OneConfig,), {"core": moving})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=400, stateful_step_count=40, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )
