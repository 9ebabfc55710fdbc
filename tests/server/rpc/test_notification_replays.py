"""One notification decided again: what is shown beforehand, what is made real, and what is refused."""

from typing import Any

import pytest
from mintmark.v1 import api_keys_pb2, clients_pb2, events_pb2, notifications_pb2

from server.domain import names, recording, tokens
from server.domain.notifications import QuarantineReason, Record, TshToken
from server.domain.recording import Target
from server.domain.tokens import TokenState
from server.services.notification_replays import Replayer
from tests.server.rpc.notices import MERCHANT, d1, record, told, tsh
from tests.server.rpc.readings import binding, kinds, notification, token
from tests.server.rpc.replaying import Place, differing, heal, send, update
from tests.server.rpc.running import RunningCore, refused, request_id

State = notifications_pb2.NotificationState
Kind = events_pb2.EventKind
EARLY, LATE = "2020-01-01T00:00:00Z", "2020-01-02T00:00:00Z"


@pytest.fixture
def at(core: RunningCore, place: str) -> Place:
    return Place(core, place)


def test_a_notification_in_quarantine_is_applied_once_its_reason_is_gone(at: Place) -> None:
    core, notice = at.core, update(at.unbound, "ACTIVE", EARLY, correlation_id="heals")
    name = send(core, notice)
    record(core, notice)
    assert not at.plan(name).differs
    heal(at)
    resource = f"{at.token_name}/bindings/d-1"
    plan = at.plan(name)
    assert (plan.before.state, plan.after.state) == (
        State.NOTIFICATION_STATE_QUARANTINED,
        State.NOTIFICATION_STATE_APPLIED,
    )
    assert (plan.before.resource, plan.after.resource) == ("", resource)
    assert differing(plan) == {
        "name": ("", resource),
        "state": ("", "ACTIVE"),
        "state_text": ("", "ACTIVE"),
        "partner_update_time_text": ("", EARLY),
        "partner_order_time": ("", EARLY),
    }
    assert notification(core, name).state == State.NOTIFICATION_STATE_QUARANTINED
    cursor = core.admin.head()
    assert at.replay(name) == plan
    known = binding(core, at.gateway)
    assert (known.state_text, known.delivery_count, known.etag) == ("ACTIVE", 2, "1")
    changed, audit = core.admin.events_after(cursor, merchant_gateway_id=at.gateway)
    assert (Kind.Name(changed.kind), changed.resource, changed.binding) == (
        "EVENT_KIND_BINDING_UPDATED",
        resource,
        known,
    )
    assert (changed.actor, changed.notification, dict(changed.details)) == (
        "clients/admin",
        "",
        {"replayed_notification": name},
    )
    assert (Kind.Name(audit.kind), audit.resource, audit.actor) == (
        "EVENT_KIND_NOTIFICATION_REPLAYED",
        name,
        "clients/admin",
    )
    assert dict(audit.details) == {"changed": "true", "state_before": "QUARANTINED", "state": "APPLIED"}
    kept = notification(core, name)
    assert (kept.state, kept.quarantine_reason, kept.resource) == (State.NOTIFICATION_STATE_APPLIED, 0, resource)
    assert kept.HasField("replay_time")
    # What TSH sends again is a repeat now, of whichever key.
    notice.sender = at.key
    (again,) = record(core, notice)
    assert (told([again])[0][0], again.notification) == ("REPEATED", name)
    assert not at.plan(name).differs


def test_an_old_one_does_not_overwrite_what_is_newer(at: Place) -> None:
    old = send(at.core, update(at.unbound, "ACTIVE", EARLY))
    unordered = send(at.core, update(at.unbound, "SUSPENDED"))
    record(at.core, update(at.key, "DELETED", LATE))
    before = binding(at.core, at.gateway)
    heal(at)
    for name in (old, unordered):
        replay = at.replay(name)
        assert (replay.after.state, differing(replay)) == (State.NOTIFICATION_STATE_APPLIED, {})
    after = binding(at.core, at.gateway)
    assert (after.state_text, after.etag, after.delivery_count) == ("DELETED", before.etag, 3)
    assert kinds(at.core, at.gateway)[-2:] == ["NOTIFICATION_REPLAYED"] * 2


def test_a_newer_one_makes_the_older_stale(at: Place) -> None:
    newer = send(at.core, update(at.unbound, "ACTIVE", LATE))
    older = send(at.core, update(at.key, "DELETED", EARLY))
    heal(at)
    assert differing(at.replay(newer))["state_text"] == ("DELETED", "ACTIVE")
    assert binding(at.core, at.gateway).state_text == "ACTIVE"
    replay = at.replay(older)
    assert (replay.after.state, differing(replay)) == (State.NOTIFICATION_STATE_STALE, {})
    assert notification(at.core, older).state == State.NOTIFICATION_STATE_STALE
    assert not any(plan.differs for plan in at.plans())


def test_what_clients_did_since_stays(at: Place) -> None:
    name = send(at.core, tsh(at.unbound, "token_update", {"token_state": "SUSPENDED", "last_update_timestamp": EARLY}))
    at.act("import")
    at.act("disable")
    heal(at)
    # A token that is known already is not imported, so the state that was reported first would have stayed.
    assert differing(at.replay(name)) == {
        "state": ("ACTIVE", "SUSPENDED"),
        "state_text": ("ACTIVE", "SUSPENDED"),
        "partner_update_time_text": ("", EARLY),
        "partner_order_time": ("", EARLY),
    }
    known = token(at.core, at.gateway)
    assert (known.state_text, known.disable_reason) == ("SUSPENDED", "lost")


def test_a_d1_update_asks_for_its_refresh(at: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    record(at.core, d1(at.partner, at.gateway))
    with monkeypatch.context() as patched:
        patched.setattr(names, "LONGEST_NAME", 10)
        name = send(at.core, d1(at.partner, at.gateway, update_type="OTHER"))
    assert notification(at.core, name).state == State.NOTIFICATION_STATE_QUARANTINED
    replay = at.replay(name)
    assert differing(replay) == {
        "refresh_generation": ("1", "2"),
        "last_update_type": ("TOKEN_METADATA_UPDATED", "OTHER"),
    }
    assert (token(at.core, at.gateway).refresh_generation, token(at.core, at.gateway).delivery_count) == (2, 2)
    assert kinds(at.core, at.gateway)[-2:] == ["TOKEN_REFRESH_REQUESTED", "NOTIFICATION_REPLAYED"]
    assert not at.replay(name).differs
    assert token(at.core, at.gateway).refresh_generation == 2


def test_repeats_between_are_no_difference(at: Place) -> None:
    first, second = d1(at.partner, at.gateway, update_type="A"), d1(at.partner, at.gateway, update_type="B")
    record(at.core, first)
    record(at.core, second)
    record(at.core, first)
    record(at.core, tsh(at.key, "token_update", {"token_state": "ACTIVE"}))
    record(at.core, second, first)
    assert token(at.core, at.gateway).last_update_type == "A"
    assert not any(plan.differs for plan in at.plans())


def test_repeats_between_stay_where_a_history_is_told_again(at: Place) -> None:
    name = send(at.core, tsh(at.unbound, "token_update", {"token_state": "SUSPENDED"}))
    first, second = d1(at.partner, at.gateway, update_type="A"), d1(at.partner, at.gateway, update_type="B")
    record(at.core, first)
    record(at.core, second)
    record(at.core, first)
    record(at.core, tsh(at.key, "token_update", {"card_expiry": "0130"}))
    heal(at)
    # The first notification of a token says whose it is.
    assert differing(at.replay(name)) == {
        "provider": ("D1_ECOM", "TSH"),
        "state": ("UNSPECIFIED", "SUSPENDED"),
        "state_text": ("", "SUSPENDED"),
    }
    known = token(at.core, at.gateway)
    assert (known.last_update_type, known.refresh_generation, known.delivery_count) == ("A", 3, 5)


def test_a_rule_that_changed_twice_counts_as_it_is(at: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    first = send(at.core, tsh(at.key, "token_update", {"token_state": "MELTED"}))
    second = send(at.core, tsh(at.key, "token_update", {"card_expiry": "0130"}))
    for state, before in ((TokenState.SUSPENDED, "UNRECOGNIZED"), (TokenState.DELETED, "SUSPENDED")):
        monkeypatch.setitem(tokens.REPORTED_STATES, "MELTED", state)
        assert not at.plan(second).differs
        assert differing(at.replay(first)) == {"state": (before, state.value)}
        assert not at.plan(first).differs
    monkeypatch.undo()
    assert differing(at.replay(first)) == {"state": ("DELETED", "UNRECOGNIZED")}
    assert notification(at.core, first).flags == [notifications_pb2.NOTIFICATION_FLAG_VALUE_UNRECOGNIZED]


def test_a_stale_one_is_applied_where_the_rules_of_order_changed(at: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    record(at.core, tsh(at.key, "token_update", {"token_state": "DELETED", "last_update_timestamp": LATE}))
    stale = send(at.core, tsh(at.key, "token_update", {"token_state": "ACTIVE", "last_update_timestamp": EARLY}))
    record(at.core, tsh(at.key, "token_update", {"card_expiry": "0130", "last_update_timestamp": LATE}))
    monkeypatch.setattr(tokens, "is_stale", lambda *_, **__: False)
    replay = at.replay(stale)
    assert replay.after.state == State.NOTIFICATION_STATE_APPLIED
    assert differing(replay) == {"state": ("DELETED", "ACTIVE"), "state_text": ("DELETED", "ACTIVE")}
    assert token(at.core, at.gateway).card.expiry == "0130"
    assert not any(plan.differs for plan in at.plans())
    monkeypatch.undo()
    assert differing(at.replay(stale)) == {"state": ("ACTIVE", "DELETED"), "state_text": ("ACTIVE", "DELETED")}


def test_a_failure_that_was_kept_is_told(at: Place) -> None:
    name = send(at.core, tsh(at.unbound, "token_creation", {"error_code": "E1"}, token_id=""))
    heal(at)
    replay = at.replay(name)
    assert (replay.after.state, differing(replay)) == (State.NOTIFICATION_STATE_APPLIED, {})
    (failed,) = at.core.admin.events_after("0", merchant_gateway_id=at.gateway, kinds=[5])
    assert dict(failed.details) == {"error_code": "E1", "replayed_notification": name}
    assert not at.replay(name).differs
    assert len(at.core.admin.events_after("0", merchant_gateway_id=at.gateway, kinds=[5])) == 1


def test_a_rejected_one_stays_rejected(at: Place) -> None:
    at.reject()
    (plan,) = at.plans()
    assert (plan.differs, plan.after.state) == (False, State.NOTIFICATION_STATE_REJECTED)


def test_a_sender_that_is_gone_takes_nothing_back(at: Place) -> None:
    record(at.core, update(at.key, "ACTIVE"), d1(at.partner, at.gateway))
    at.core.admin.api_keys.RevokeApiKey(api_keys_pb2.RevokeApiKeyRequest(name=at.key))
    at.core.admin.clients.DisableClient(clients_pb2.DisableClientRequest(request_id=request_id(), name=at.partner))
    assert [plan.differs for plan in at.plans()] == [False, False]


@pytest.mark.parametrize("merchants", [[MERCHANT], ["another"], ["another", "third"]])
def test_another_senders_key_does_not_speak_for_this_one(at: Place, merchants: list[str]) -> None:
    name = send(at.core, update(at.unbound, "ACTIVE"))
    at.core.api_key(at.gateway, merchants)
    at.core.api_key(f"{at.gateway}-other")
    assert not at.plan(name).differs


def test_a_later_key_for_all_merchants_speaks_for_every_sender(at: Place) -> None:
    name = send(at.core, update(at.unbound, "ACTIVE"))
    at.core.api_key(at.gateway)
    assert at.plan(name).differs


def test_a_resource_that_would_not_exist_is_shown_and_stays(at: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    name = send(at.core, d1(at.partner, at.gateway))
    monkeypatch.setattr(names, "LONGEST_NAME", 10)
    plan = at.plan(name)
    assert plan.after.state == State.NOTIFICATION_STATE_QUARANTINED
    assert differing(plan)["name"] == (at.token_name, "")
    with refused("FAILED_PRECONDITION", "NOT_REPLAYABLE") as said:
        at.replay(name)
    assert said.metadata == {"notification": name, "cause": "RESOURCE_REMAINS"}
    assert token(at.core, at.gateway).refresh_generation == 1


def test_one_of_several_is_taken_back_by_a_stricter_rule(at: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    record(at.core, tsh(at.key, "token_update", {"token_state": "ACTIVE"}))
    name = send(at.core, tsh(at.key, "token_update", {"token_state": "DELETED", "card_bin": "453421"}))
    record(at.core, tsh(at.key, "token_update", {"card_expiry": "0130"}))
    decide = recording.target

    def stricter(record: Record, gateway: str) -> Target:
        if isinstance(record.content, TshToken) and record.content.card_bin:
            return Target(None, "", QuarantineReason.IDENTIFIER_UNUSABLE)
        return decide(record, gateway)

    monkeypatch.setattr(recording, "target", stricter)
    replay = at.replay(name)
    assert replay.after.state == State.NOTIFICATION_STATE_QUARANTINED
    assert differing(replay) == {
        "state": ("DELETED", "ACTIVE"),
        "state_text": ("DELETED", "ACTIVE"),
        "card.bin": ("453421", ""),
    }
    assert token(at.core, at.gateway).card.expiry == "0130"
    assert notification(at.core, name).resource == ""
    assert not any(plan.differs for plan in at.plans())
    monkeypatch.undo()
    assert differing(at.replay(name))["card.bin"] == ("", "453421")


def test_the_same_request_gives_the_first_answer(at: Place) -> None:
    name = send(at.core, update(at.unbound, "ACTIVE"))
    heal(at)
    request = notifications_pb2.ReplayNotificationRequest(request_id=request_id(), name=name)
    stub = at.core.admin.notifications
    first = stub.ReplayNotification(request)
    assert first.replay.differs
    assert stub.ReplayNotification(request) == first
    assert kinds(at.core, at.gateway).count("NOTIFICATION_REPLAYED") == 1


def test_what_changes_meanwhile_is_taken_into_account(at: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    name = send(at.core, update(at.unbound, "ACTIVE", EARLY))
    heal(at)
    plan, newer = Replayer.plan, [update(at.key, "DELETED", LATE), update(at.key, "SUSPENDED", LATE)]

    def interrupted(self: Replayer, *arguments: Any) -> Any:
        planned = plan(self, *arguments)
        if newer:
            record(at.core, newer.pop(0))
        return planned

    monkeypatch.setattr(Replayer, "plan", interrupted)
    assert differing(at.replay(name)) == {}
    assert binding(at.core, at.gateway).state_text == "SUSPENDED"
    old = send(at.core, update(at.unbound, "MELTED", EARLY))
    heal(at)
    newer.extend(update(at.key, state, LATE, correlation_id=None) for state in ("ACTIVE", "DELETED") * 4)
    with refused("FAILED_PRECONDITION", "NOT_REPLAYABLE") as said:
        at.replay(old)
    assert said.metadata["cause"] == "RESOURCE_CHANGED"


def test_others_do_not_see_it(at: Place) -> None:
    core = at.core
    name = send(core, update(at.key, "ACTIVE"))
    mine = core.client(["notifications.replay"], [at.gateway], [MERCHANT])
    others = [core.client(["notifications.replay"], [f"{at.gateway}-other"])]
    others.append(core.client(["notifications.replay"], [at.gateway], ["another"]))
    plan = notifications_pb2.PlanNotificationReplayRequest(name=name)
    assert not mine.notifications.PlanNotificationReplay(plan).replay.differs
    for other in others:
        replay = notifications_pb2.ReplayNotificationRequest(request_id=request_id(), name=name)
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
            other.notifications.PlanNotificationReplay(plan)
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
            other.notifications.ReplayNotification(replay)
    reader = core.client(["notifications.read"], [at.gateway])
    with refused("PERMISSION_DENIED", "SCOPE_MISSING"):
        reader.notifications.PlanNotificationReplay(plan)
