"""Digital cards as D1's reports leave them: through RecordNotifications and the API, for their issuer alone."""

from itertools import count
from typing import Any

import grpc
import psycopg
import pytest
from mintmark.v1 import digital_cards_pb2 as pb
from mintmark.v1 import events_pb2, issuer_operations_pb2, notifications_pb2, subscriptions_pb2

from server.keys import keyring
from tests.server.rpc.notices import issuer, record, told
from tests.server.rpc.running import RunningCore, Session, request_id, running_core

STORED, STALE, REPEATED = ("STORED", "APPLIED"), ("STORED", "STALE"), ("REPEATED", "UNSPECIFIED")
TIMES = [f"2025-01-17T06:28:0{second}Z" for second in range(6)]
State = pb.DigitalCardState
_NUMBERS = count(1)


@pytest.fixture
def core(moving: RunningCore) -> RunningCore:
    """A core on each database."""
    return moving


@pytest.fixture
def place() -> str:
    """An issuer of the test's own."""
    return f"DIGITS{next(_NUMBERS):04}"


def partner(core: RunningCore, place: str) -> str:
    return core.create(["d1-notify"], issuers=[place]).client.name


def own(
    sender: str, place: str, operation: str, status: str = "SUCCESSFUL", time: str = "", card: str = "d-1"
) -> notifications_pb2.NotificationRecord:
    """A notification of the digital card's own."""
    said = {"operation": operation, "status": status, **({"start_time": time} if time else {})}
    return issuer(sender, place, "digital_card_operation", said, digital_card_id=card, operation_id=f"op-{operation}")


def digitized(
    sender: str, place: str, *digital_cards: str, card: str = "c-1", status: str = "SUCCESSFUL", time: str = ""
) -> notifications_pb2.NotificationRecord:
    """A notification of a card that names digital cards."""
    said: dict[str, Any] = {"operation": "DIGITIZE", "status": status, "digital_card_ids": list(digital_cards)}
    said |= {"start_time": time} if time else {}
    return issuer(sender, place, "card_operation", said, card_id=card, operation_id=f"op-{card}")


def read(session: Session, place: str, card: str = "d-1") -> pb.DigitalCard:
    request = pb.GetDigitalCardRequest(name=f"issuers/{place}/digitalCards/{card}")
    return session.digital_cards.GetDigitalCard(request).digital_card


def listed(session: Session, **wanted: Any) -> list[str]:
    answer = session.digital_cards.ListDigitalCards(pb.ListDigitalCardsRequest(**wanted))
    return [each.digital_card_id for each in answer.digital_cards]


def events(core: RunningCore, place: str, **wanted: Any) -> list[events_pb2.Event]:
    return core.admin.events_after("0", issuer_id=place, kinds=[events_pb2.EVENT_KIND_DIGITAL_CARD_UPDATED], **wanted)


def test_a_digital_card_is_made_bound_and_moved(core: RunningCore, place: str) -> None:
    sender = partner(core, place)
    batch = [
        digitized(sender, place, "d-1", status="PENDING", time=TIMES[0]),
        own(sender, place, "CREATE", time=TIMES[1]),
        own(sender, place, "SUSPEND", "PENDING", TIMES[2]),
        own(sender, place, "SUSPEND", time=TIMES[3]),
    ]
    results = record(core, *batch)
    assert told(results) == [STORED] * 4
    found = read(core.admin, place)
    below = f"issuers/{place}/digitalCards/d-1"
    assert (found.name, found.issuer_id, found.digital_card_id, found.card_id) == (below, place, "d-1", "c-1")
    assert (found.state, found.last_operation, found.last_operation_id) == (
        State.DIGITAL_CARD_STATE_SUSPENDED,
        "SUSPEND",
        "op-SUSPEND",
    )
    assert found.last_operation_state == issuer_operations_pb2.ISSUER_OPERATION_STATE_SUCCESSFUL
    assert (found.last_operation_state_text, found.last_issuer_operation) == (
        "SUCCESSFUL",
        f"{below}/operations/op-SUSPEND",
    )
    assert found.partner_order_time.ToJsonString() == found.partner_state_time.ToJsonString() == TIMES[3]
    happened = events(core, place)
    assert [dict(each.details) for each in happened] == [
        {"operation": "DIGITIZE", "operation_state": "PENDING", "state": "UNSPECIFIED"},
        {"operation": "CREATE", "operation_state": "SUCCESSFUL", "state": "ACTIVE", "state_before": "UNSPECIFIED"},
        {"operation": "SUSPEND", "operation_state": "PENDING", "state": "ACTIVE", "state_before": "ACTIVE"},
        {"operation": "SUSPEND", "operation_state": "SUCCESSFUL", "state": "SUSPENDED", "state_before": "ACTIVE"},
    ]
    assert happened[-1].digital_card == found
    assert {(each.resource, each.actor, each.issuer_id) for each in happened} == {(below, sender, place)}
    assert [each.notification for each in happened] == [each.notification for each in results]
    # The notification still is found with the event of its own resource.
    kept = core.admin.notifications.GetNotification(
        notifications_pb2.GetNotificationRequest(name=results[0].notification)
    ).notification
    assert kept.resource == f"issuers/{place}/cards/c-1/operations/op-c-1"
    assert kept.event_sequence < happened[0].sequence
    # A repeat has no second effect.
    assert told(record(core, *batch)) == [REPEATED] * 4
    assert (read(core.admin, place), len(events(core, place))) == (found, 4)


def test_an_older_report_changes_nothing_and_a_deletion_outlasts_what_has_no_time(
    core: RunningCore, place: str
) -> None:
    sender = partner(core, place)
    reports = [
        own(sender, place, "SUSPEND", time=TIMES[3]),
        own(sender, place, "CREATE", time=TIMES[1]),
        own(sender, place, "DELETE", time=TIMES[4]),
        own(sender, place, "RESUME"),
        own(sender, place, "RESUME", time=TIMES[5]),
    ]
    states = []
    for each in reports:
        # Each is an operation of its own, so that the notification is applied.
        assert told(record(core, each)) == [STORED]
        states.append(State.Name(read(core.admin, place).state).removeprefix("DIGITAL_CARD_STATE_"))
    assert states == ["SUSPENDED", "SUSPENDED", "DELETED", "DELETED", "ACTIVE"]
    assert [each.details["operation"] for each in events(core, place)] == ["SUSPEND", "DELETE", "RESUME", "RESUME"]


def test_what_is_stale_for_its_operation_is_so_for_the_digital_card(core: RunningCore, place: str) -> None:
    sender = partner(core, place)
    done, late = own(sender, place, "SUSPEND", "FAILED", TIMES[3]), own(sender, place, "SUSPEND", time=TIMES[1])
    assert told(record(core, done, late)) == [STORED, STALE]
    assert read(core.admin, place).state == State.DIGITAL_CARD_STATE_UNSPECIFIED
    assert len(events(core, place)) == 1


def test_lists_are_filtered_and_paged(core: RunningCore, place: str) -> None:
    sender = partner(core, place)
    record(
        core,
        digitized(sender, place, "d-1", "d-2"),
        digitized(sender, place, "d-3", card="c-2"),
        own(sender, place, "CREATE", card="d-1"),
        own(sender, place, "BLOCK", card="d-4"),
    )
    assert listed(core.admin, issuer_id=place) == ["d-1", "d-2", "d-3", "d-4"]
    assert listed(core.admin, issuer_id=place, card_id="c-1") == ["d-1", "d-2"]
    assert listed(core.admin, issuer_id=place, states=[State.DIGITAL_CARD_STATE_UNSPECIFIED]) == ["d-2", "d-3"]
    odd = [State.DIGITAL_CARD_STATE_ACTIVE, State.DIGITAL_CARD_STATE_UNRECOGNIZED]
    assert listed(core.admin, issuer_id=place, states=odd) == ["d-1", "d-4"]
    request = pb.ListDigitalCardsRequest(issuer_id=place, page_size=3)
    first = core.admin.digital_cards.ListDigitalCards(request)
    request.page_token = first.next_page_token
    second = core.admin.digital_cards.ListDigitalCards(request)
    assert [each.digital_card_id for each in (*first.digital_cards, *second.digital_cards)] == [
        "d-1",
        "d-2",
        "d-3",
        "d-4",
    ]
    assert not second.next_page_token


def test_each_issuer_sees_its_own_and_nothing_else(core: RunningCore, place: str) -> None:
    other = f"OTHERS{next(_NUMBERS):04}"
    for each in (place, other):
        record(core, own(partner(core, each), each, "CREATE"))
    scopes = ["digital_cards.read", "events.read"]
    made = core.create(scopes, issuers=[place])
    bound = core.session(made.client.client_id, made.client_secret)
    unbound = core.client(scopes, ["*"])
    assert listed(bound) == ["d-1"]
    assert listed(unbound) == []
    assert read(bound, place).issuer_id == place
    for session, where, card in ((bound, other, "d-1"), (bound, place, "d-9"), (unbound, place, "d-1")):
        with pytest.raises(grpc.RpcError) as refused:
            read(session, where, card)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
    assert {each.issuer_id for each in bound.events_after("0")} == {place}
    assert not [each for each in unbound.events_after("0") if each.issuer_id]
    foreign = own(core.create(["d1-notify"], issuers=[other]).client.name, place, "DELETE")
    assert told(record(core, foreign))[0][0] == "FORBIDDEN"
    assert read(core.admin, place).state == State.DIGITAL_CARD_STATE_ACTIVE


def test_events_and_subscriptions_may_be_of_one_card(core: RunningCore, place: str) -> None:
    sender = partner(core, place)
    made = core.create(["events.read", "subscriptions.read", "subscriptions.write"], issuers=[place])
    follower = core.session(made.client.client_id, made.client_secret)
    wanted = events_pb2.EventFilter(issuer_id=place, card_id="c-1")
    subscription = follower.subscriptions.CreateSubscription(
        subscriptions_pb2.CreateSubscriptionRequest(request_id=request_id(), subscription_id="mine", filter=wanted)
    ).subscription
    assert subscription.filter == wanted
    record(
        core,
        digitized(sender, place, "d-1"),
        digitized(sender, place, "d-2", card="c-2"),
        own(sender, place, "SUSPEND"),
        own(sender, place, "SUSPEND", card="d-2"),
    )
    below = f"issuers/{place}"
    expected = [f"{below}/cards/c-1/operations/op-c-1", f"{below}/digitalCards/d-1", f"{below}/digitalCards/d-1"]
    assert [each.resource for each in follower.events_after("0", card_id="c-1")] == expected
    pulled = follower.subscriptions.PullEvents(
        subscriptions_pb2.PullEventsRequest(name=subscription.name, max_events=10)
    ).events
    # One event of a resource is handed out at a time.
    assert {each.event.resource for each in pulled} == set(expected)
    assert [each.resource for each in events(core, place, resource=f"{below}/digitalCards/d-2")] == [
        f"{below}/digitalCards/d-2"
    ] * 2


def test_what_the_database_refused_is_applied_by_a_replay_where_it_came(
    postgres_database: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    place, keys = "ISSUER_PG1", tmp_path_factory.mktemp("keys") / "keyring.json"
    keyring.create(keys)
    refusing = """
        CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF NEW.last_operation IN ('SUSPEND', 'DELETE') THEN RAISE EXCEPTION 'no' USING ERRCODE = '22000'; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER refuse BEFORE INSERT OR UPDATE ON digital_cards FOR EACH ROW EXECUTE FUNCTION refuse();
    """
    with psycopg.connect(postgres_database) as connection:
        connection.execute(refusing)
    with running_core(database_url=postgres_database, keyring_file=keys) as core:
        sender = partner(core, place)
        names = ("CREATE", "SUSPEND", "RESUME", "DELETE")
        results = record(core, *(own(sender, place, each) for each in names))
        assert [state for _, state in told(results)] == ["APPLIED", "QUARANTINED", "APPLIED", "QUARANTINED"]
        before = read(core.admin, place)
        assert (before.state, before.last_operation) == (State.DIGITAL_CARD_STATE_ACTIVE, "RESUME")
        with psycopg.connect(postgres_database) as connection:
            connection.execute("DROP TRIGGER refuse ON digital_cards")

        def replay(name: str) -> notifications_pb2.NotificationReplay:
            request = notifications_pb2.ReplayNotificationRequest(request_id=request_id(), name=name)
            return core.admin.notifications.ReplayNotification(request).replay

        # It came before the RESUME, and neither says when it was done.
        assert replay(results[1].notification).after.state == notifications_pb2.NOTIFICATION_STATE_APPLIED
        assert read(core.admin, place) == before
        replay(results[3].notification)
        after = read(core.admin, place)
        assert (after.state, after.last_operation) == (State.DIGITAL_CARD_STATE_DELETED, "DELETE")
        last = events(core, place)[-1]
        assert (last.digital_card, last.actor, last.notification) == (after, "clients/admin", "")
        assert last.details["replayed_notification"] == results[3].notification
        # Decided and done: another replay finds nothing to do.
        replay(results[3].notification)
        assert (read(core.admin, place), events(core, place)[-1]) == (after, last)
