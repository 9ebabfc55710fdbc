"""Any history told again by the same rules is the same; by a changed rule it is what that rule would have made."""

import itertools

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from mintmark.v1 import events_pb2, notifications_pb2

from server.domain import bindings, tokens
from server.domain.bindings import BindingState
from server.domain.tokens import TokenState
from server.keys import keyring
from tests.server.rpc.notices import MERCHANT
from tests.server.rpc.replaying import Happening, Place, happenings, play, shown
from tests.server.rpc.running import RunningCore, running_core

Flag = notifications_pb2.NotificationFlag
State = notifications_pb2.NotificationState
REPLAYED = events_pb2.EVENT_KIND_NOTIFICATION_REPLAYED
_NUMBERS = itertools.count(1)

# A failure is shown as it was found: to shrink it takes minutes. The core is shared: each example has its own gateway.
EXAMPLES = settings(
    max_examples=25,
    deadline=None,
    phases=(Phase.explicit, Phase.generate),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def new_place(core: RunningCore) -> Place:
    return Place(core, f"R_{next(_NUMBERS):05}")


@EXAMPLES
@given(happened=happenings())
def test_by_the_same_rules_nothing_differs(core: RunningCore, happened: list[Happening]) -> None:
    place = new_place(core)
    play(place, happened)
    assert [plan for plan in place.plans() if plan.differs] == []
    resources, stored, cursor = place.resources(), place.stored(), core.admin.head()
    assert [replay for replay in place.replay_all() if replay.differs] == []
    assert (place.resources(), place.stored()) == (resources, stored)
    kinds = [event.kind for event in core.admin.events_after(cursor, merchant_gateway_id=place.gateway)]
    assert kinds == [REPLAYED] * len(stored)


@EXAMPLES
@given(happened=happenings(bound=True))
def test_a_changed_rule_shows_where_it_counts_and_is_made_good(core: RunningCore, happened: list[Happening]) -> None:
    place, truth = new_place(core), new_place(core)
    play(place, happened)
    with pytest.MonkeyPatch.context() as patched:
        patched.setitem(tokens.REPORTED_STATES, "MELTED", TokenState.DELETED)
        patched.setitem(bindings.REPORTED_STATES, "MELTED", BindingState.DELETED)
        affected = [each.name for each in place.stored(flags=[Flag.NOTIFICATION_FLAG_VALUE_UNRECOGNIZED])]
        assert [plan.notification for plan in place.plans() if plan.differs] == affected
        play(truth, happened)
        replayed = place.replay_all()
        assert [each.notification for each in replayed if each.differs] == affected
        assert shown(place.resources(), place.gateway) == shown(truth.resources(), truth.gateway)
        assert [plan for plan in place.plans() if plan.differs] == []
        cursor = core.admin.head()
        place.replay_all()
        assert {event.kind for event in core.admin.events_after(cursor, merchant_gateway_id=place.gateway)} <= {
            REPLAYED
        }


@EXAMPLES
@given(happened=happenings(given=True))
def test_what_was_in_quarantine_takes_its_place(core: RunningCore, happened: list[Happening]) -> None:
    place, truth = new_place(core), new_place(core)
    play(place, happened)
    truth.unbound = truth.key
    play(truth, happened)
    # It may speak for what the unbound one may, and for the merchant.
    core.api_key(place.gateway, ["another", MERCHANT])
    place.replay_all()
    assert shown(place.resources(), place.gateway) == shown(truth.resources(), truth.gateway)
    assert [(each.correlation_id, each.state) for each in place.stored()] == [
        (each.correlation_id, each.state) for each in truth.stored()
    ]
    assert [plan for plan in place.plans() if plan.differs] == []


def test_the_same_on_postgresql(postgres_database: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    keys = tmp_path_factory.mktemp("keys") / "keyring.json"
    keyring.create(keys)
    with running_core(database_url=postgres_database, keyring_file=keys) as core:
        few = settings(EXAMPLES, max_examples=5)
        for check in (
            test_by_the_same_rules_nothing_differs,
            test_a_changed_rule_shows_where_it_counts_and_is_made_good,
            test_what_was_in_quarantine_takes_its_place,
        ):
            body = check.hypothesis.inner_test  # type: ignore[attr-defined]
            few(given(happened=happenings(given=True, bound=None))(body))(core=core)
