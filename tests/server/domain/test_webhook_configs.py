"""The whole table of states, and when a key may go."""

from dataclasses import replace

import pytest

from server.domain import webhook_configs, webhook_keys
from server.domain.refusals import WebhookConfigStateUnfit
from server.domain.webhook_configs import (
    TRANSITIONS,
    WISHES,
    AcquirerCall,
    AcquirerOperation,
    CallOutcome,
    Fact,
    Presence,
    WebhookConfig,
    WebhookConfigState,
)
from server.domain.webhook_keys import WebhookKey
from tests.server.store import samples

S = WebhookConfigState
DAY = 24 * 3600 * 1_000_000
ALIVE = (S.PENDING, S.APPLYING, S.APPLIED, S.REJECTED, S.DRIFTED)


def config(state: WebhookConfigState, **changes: object) -> WebhookConfig:
    return replace(samples.webhook_config(), state=state, delete_time=None, **changes)  # type: ignore[arg-type]  # fields


@pytest.mark.parametrize("state", list(S))
@pytest.mark.parametrize("fact", list(Fact))
def test_every_fact_in_every_state(state: WebhookConfigState, fact: Fact) -> None:
    if (state, fact) not in TRANSITIONS and fact in WISHES:
        with pytest.raises(WebhookConfigStateUnfit):
            webhook_configs.after(config(state), fact)
        return
    after = webhook_configs.after(config(state), fact)
    # Nothing comes back from being deleted but by the acquirer's no.
    assert state not in (S.DELETING, S.DELETED) or after in (S.DELETING, S.DELETED, S.REJECTED)
    # APPLIED is only what the acquirer agreed to, or was seen to have as desired.
    assert after is not S.APPLIED or state is S.APPLIED or fact in (Fact.ACCEPTED, Fact.AGREEMENT)
    assert after is not S.DRIFTED or state is S.DRIFTED or fact is Fact.DRIFT
    assert fact is not Fact.WANTED or after is S.PENDING


@pytest.mark.parametrize("state", ALIVE)
def test_what_lives_can_be_wanted_anew_and_deleted(state: WebhookConfigState) -> None:
    before = config(state)
    wanted = webhook_configs.want(before, before.wanted, "clients/x", 9, without_hyphens=True)
    assert (wanted.state, wanted.generation, wanted.differences) == (S.PENDING, before.generation + 1, ())
    # The acquirer knows it by its code.
    assert wanted.notification_configuration_code == before.notification_configuration_code
    gone = webhook_configs.want_gone(before, "clients/x", 9)
    assert (gone.state, gone.generation, gone.delete_time) == (S.DELETING, before.generation + 1, None)
    absent = webhook_configs.want_gone(replace(before, presence=Presence.ABSENT), "clients/x", 9)
    asked = state is S.APPLYING
    assert (absent.state, absent.delete_time) == ((S.DELETING, None) if asked else (S.DELETED, 9))
    assert webhook_configs.want_gone(absent, "clients/x", 10) == absent


@pytest.mark.parametrize("outcome", list(CallOutcome))
@pytest.mark.parametrize("state", list(S))
def test_only_an_agreement_is_applied_and_anything_else_leaves_a_question(
    state: WebhookConfigState, outcome: CallOutcome
) -> None:
    before = config(state, applied_generation=2)
    after = webhook_configs.reported(before, [AcquirerCall(AcquirerOperation.UPDATE, outcome)], 9)
    if outcome is CallOutcome.ACCEPTED and state in (S.PENDING, S.APPLYING):
        assert (after.applied_generation, after.presence) == (before.generation, Presence.PRESENT)
        assert after.applied == before.wanted
        return
    assert after.applied_generation == 2
    if state is S.DELETING and outcome is CallOutcome.ACCEPTED:
        assert (after.state, after.presence, after.delete_time) == (S.DELETED, Presence.ABSENT, 9)
    elif state is not S.DELETED:
        assert after.presence is Presence.UNKNOWN


def key(number: int, **changes: int | None) -> WebhookKey:
    return replace(WebhookKey(f"k/{number}", "w", number, b"d", b"s", create_time=0), **changes)  # type: ignore[arg-type]


def test_a_key_goes_when_nobody_can_need_it_any_more() -> None:
    keep = 60 * DAY
    old, current = key(1, retire_time=5 * DAY, last_use_time=2 * DAY), key(2)
    assert webhook_keys.expire_time(current, [old, current], None, keep) is None
    # The acquirer has not agreed to the new one: it uses the old one still.
    assert webhook_keys.expire_time(old, [old, current], None, keep) is None
    applied = replace(current, apply_time=8 * DAY)
    assert webhook_keys.expire_time(old, [old, applied], None, keep) == 68 * DAY
    used = replace(old, last_use_time=30 * DAY)
    assert webhook_keys.expire_time(used, [used, applied], None, keep) == 90 * DAY
    assert webhook_keys.expire_time(old, [old], 40 * DAY, keep) == 100 * DAY


def test_a_use_is_noted_once_an_hour() -> None:
    first = webhook_keys.used(key(1), 10)
    assert first is not None
    assert first.last_use_time == 10
    assert webhook_keys.used(first, 11) is None
    assert webhook_keys.used(first, 10 + webhook_keys.USE_NOTED_EVERY) is not None
