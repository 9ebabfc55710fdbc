"""SubscriptionsService: whose it is, what is handed out and how often, and what an operator sees."""

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.field_mask_pb2 import FieldMask
from mintmark.v1 import clients_pb2, events_pb2
from mintmark.v1 import subscriptions_pb2 as pb
from sqlalchemy import create_engine, text

import server.rpc.subscriptions
from server.domain import subscriptions
from tests.server.rpc.running import RunningCore, Session, refused, request_id, running_core
from tests.server.rpc.subscribing import (
    SCOPES,
    acknowledge,
    delete,
    extend,
    get,
    happen,
    listed,
    pull,
    pulled,
    seek,
    subscribe,
    token_name,
)
from tests.server.rpc.test_events import import_tokens


@pytest.fixture
def session(core: RunningCore, place: str) -> Session:
    return core.client(SCOPES, [place])


def remove_events(core: RunningCore, last: int) -> None:
    """As retention does it."""
    engine = create_engine(f"sqlite:///{core.folder}/data/mintmark.sqlite")
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM events WHERE sequence <= :last"), {"last": last})
        connection.execute(text("UPDATE store_head SET removed_sequence = :last"), {"last": last})
    engine.dispose()


# Whose it is.


def test_foreign_subscriptions_look_absent(core: RunningCore, session: Session, place: str) -> None:
    name = subscribe(session)
    other = core.client(SCOPES, [place])
    change = pb.UpdateSubscriptionRequest(
        request_id=request_id(), subscription=pb.Subscription(name=name), update_mask=FieldMask(paths=["filter"])
    )
    for call in (
        lambda: get(other, name),
        lambda: pull(other, name),
        lambda: acknowledge(other, name, 1),
        lambda: extend(other, name, [(1, 1)]),
        lambda: seek(other, name, "0"),
        lambda: seek(other, name, "nonsense"),
        lambda: delete(other, name),
        lambda: other.subscriptions.UpdateSubscription(change),
    ):
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND") as told:
            call()
        assert told.metadata == {"resource": name}
    assert listed(other) == listed(other, name.partition("/subscriptions")[0]) == []
    assert listed(session) == [name]
    # The same id is free for another client.
    assert subscribe(other) != name


def test_an_operator_sees_and_deletes_all_but_pulls_only_its_own(
    core: RunningCore, session: Session, place: str
) -> None:
    name = subscribe(session)
    happen(core, place, "a")
    client = name.partition("/subscriptions")[0]
    assert listed(core.admin, client) == [name]
    assert name in listed(core.admin)
    assert name in listed(core.admin, "clients/-")
    assert get(core.admin, name).lag > 0
    for call in (lambda: pull(core.admin, name), lambda: seek(core.admin, name, "0")):
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
            call()
    delete(core.admin, name)
    assert listed(session) == []


def test_each_call_needs_its_scope(core: RunningCore, place: str) -> None:
    reader = core.client(["subscriptions.read"], [place])
    assert listed(reader) == []
    with refused("PERMISSION_DENIED", "SCOPE_MISSING") as told:
        subscribe(reader)
    assert told.metadata == {"scope": "subscriptions.write"}
    with refused("PERMISSION_DENIED", "SCOPE_MISSING") as told:
        pull(reader, "clients/x/subscriptions/y")
    assert told.metadata == {"scope": "events.read"}


def test_creating_twice_is_refused_and_a_hundred_are_enough(core: RunningCore, session: Session) -> None:
    name = subscribe(session)
    with refused("ALREADY_EXISTS", "RESOURCE_EXISTS") as told:
        subscribe(session)
    assert told.metadata == {"resource": name}
    for number in range(99):
        subscribe(session, id_=f"n-{number}")
    with refused("FAILED_PRECONDITION", "SUBSCRIPTIONS_FULL") as told:
        subscribe(session, id_="one-more")
    assert told.metadata == {"client": name.partition("/subscriptions")[0]}
    delete(session, name)
    subscribe(session, id_="one-more")


def test_the_stream_tells_what_became_of_subscriptions(core: RunningCore, session: Session) -> None:
    start = core.admin.head()
    name = subscribe(session, "0")
    wanted = pb.Subscription(name=name, lease_duration=Duration(seconds=5), etag="1")
    change = pb.UpdateSubscriptionRequest(
        request_id=request_id(), subscription=wanted, update_mask=FieldMask(paths=["lease_duration"])
    )
    after = session.subscriptions.UpdateSubscription(change).subscription
    assert (after.lease_duration.seconds, after.etag) == (5, "2")
    change.request_id = request_id()
    with refused("FAILED_PRECONDITION", "ETAG_MISMATCH"):
        session.subscriptions.UpdateSubscription(change)
    seek(session, name, start)
    delete(session, name)
    told = core.admin.events_after(start, resource=name)
    kinds = [events_pb2.EventKind.Name(event.kind).removeprefix("EVENT_KIND_SUBSCRIPTION_") for event in told]
    assert kinds == ["CREATED", "UPDATED", "UPDATED", "DELETED"]
    assert [dict(event.details) for event in told] == [{}, {"fields": "lease_duration"}, {"cursor": start}, {}]


# What is handed out.


def test_it_begins_now_at_the_oldest_or_at_a_cursor(core: RunningCore, session: Session, place: str) -> None:
    first = happen(core, place, "a")
    cursor = core.admin.head()
    now = subscribe(session, "")
    second = happen(core, place, "b")
    assert pulled(session, now) == second
    assert pulled(session, subscribe(session, "0", id_="all")) == [*first, *second]
    assert pulled(session, subscribe(session, cursor, id_="some")) == second
    with refused("INVALID_ARGUMENT", "CURSOR_INVALID"):
        subscribe(session, "x", id_="none")


def test_later_events_of_a_resource_wait_for_the_earlier_ones(core: RunningCore, session: Session, place: str) -> None:
    name = subscribe(session)
    a1, b1, a2 = happen(core, place, "a", "b", "a")
    assert pulled(session, name, 1) == [a1]
    assert pulled(session, name) == [b1]
    assert pulled(session, name) == []
    assert acknowledge(session, name, a1) == 1
    assert pulled(session, name) == [a2]


def test_what_is_acknowledged_must_be_the_oldest_of_its_resource(
    core: RunningCore, session: Session, place: str
) -> None:
    name = subscribe(session)
    a1, b1, a2 = happen(core, place, "a", "b", "a")
    assert pulled(session, name) == [a1, b1, a2]
    with refused("FAILED_PRECONDITION", "EVENTS_MISSING") as told:
        acknowledge(session, name, b1, a2)
    assert told.metadata == {"sequence": str(a1), "resource": token_name(place, "a")}
    assert get(session, name).outstanding_count == 3
    assert acknowledge(session, name, a2, a1) == 2
    assert acknowledge(session, name, a1, a2, b1) == 1
    assert acknowledge(session, name, a1, a2, b1) == 0


def test_what_was_not_handed_out_is_not_acknowledged(core: RunningCore, session: Session, place: str) -> None:
    name = subscribe(session)
    a1, a2 = happen(core, place, "a", "a")
    assert pulled(session, name, 1) == [a1]
    with refused("FAILED_PRECONDITION", "EVENT_NOT_DELIVERED") as told:
        acknowledge(session, name, a1, a2)
    assert told.metadata == {"sequence": str(a2)}
    with refused("FAILED_PRECONDITION", "EVENT_NOT_DELIVERED"):
        acknowledge(session, name, 2**62)
    assert acknowledge(session, name, a1) == 1


def test_ending_a_lease_ends_those_of_later_events_of_the_resource(
    core: RunningCore, session: Session, place: str
) -> None:
    name = subscribe(session)
    a1, a2, a3 = happen(core, place, "a", "a", "a")
    assert pulled(session, name) == [a1, a2, a3]
    assert extend(session, name, [(a1, 2), (a2, 1)], 0) == [a1]
    assert pulled(session, name) == []
    assert acknowledge(session, name, a1) == 1
    answer = pull(session, name)
    assert [(each.event.sequence, each.delivery_count) for each in answer.events] == [(a2, 2), (a3, 2)]
    # Whoever had it first has it no more, but what it did counts.
    assert extend(session, name, [(a2, 1)], 0) == extend(session, name, [(a2, 1)]) == [a2]
    assert acknowledge(session, name, a2) == 1


def test_events_out_of_reach_or_left_out_are_passed_over(core: RunningCore, place: str) -> None:
    made = core.create(SCOPES, [place, f"{place}x"])
    session = core.session(made.client.client_id, made.client_secret)
    name = subscribe(session, merchant_gateway_id=place)
    happen(core, f"{place}x", "other")
    (a,) = happen(core, place, "a")
    happen(core, f"{place}y", "foreign")
    assert pulled(session, name) == [a]
    extend(session, name, [(a, 1)], 0)
    # What was handed out before is judged again.
    client = clients_pb2.Client(name=made.client.name, merchant_gateway_ids=[f"{place}x"])
    request = clients_pb2.UpdateClientRequest(
        request_id=request_id(), client=client, update_mask=FieldMask(paths=["merchant_gateway_ids"])
    )
    core.admin.clients.UpdateClient(request)
    assert pulled(session, name) == []
    assert get(session, name).outstanding_count == 0


def test_an_empty_pull_writes_nothing(core: RunningCore, session: Session, place: str) -> None:
    name = subscribe(session, core.admin.head(), merchant_gateway_id=place)
    happen(core, f"{place}x", "other")
    (a, _) = happen(core, place, "a", "a")
    assert pulled(session, name, 1) == [a]
    file = core.folder / "data/mintmark.sqlite-wal"
    before = file.stat().st_size, file.stat().st_mtime_ns
    for _ in range(3):
        answer = pull(session, name)
        assert (list(answer.events), answer.caught_up) == ([], True)
    assert (file.stat().st_size, file.stat().st_mtime_ns) == before


def test_a_filter_that_lets_nothing_through_makes_progress(core: RunningCore, session: Session, place: str) -> None:
    """So many events are passed over that a call ends before it has looked at all, and the next one goes on there."""
    name = subscribe(session, core.admin.head(), resource="nowhere")
    for batch in range(3):
        import_tokens(core, place, *(f"{batch}-{number}" for number in range(1000)))
    assert get(session, name).lag >= 3000
    answer = pull(session, name)
    assert (list(answer.events), answer.caught_up) == ([], True)
    assert get(session, name).lag < 1100


def test_lag_counts_the_stream_from_what_is_acknowledged(core: RunningCore, session: Session, place: str) -> None:
    name = subscribe(session, "")
    fresh = get(session, name)
    # Its own creation.
    assert (fresh.lag, fresh.outstanding_count) == (1, 0)
    a, b = happen(core, place, "a", "b")
    assert pulled(session, name) == [a, b]
    acknowledge(session, name, b)
    held = get(session, name)
    assert (held.lag, held.outstanding_count) == (2, 1)
    assert held.acknowledged_cursor.endswith(f".{a - 1}")
    assert held.HasField("oldest_unacknowledged_time")
    acknowledge(session, name, a)
    done = get(session, name)
    assert (done.lag, done.outstanding_count, done.acknowledged_cursor) == (0, 0, core.admin.head())
    assert not done.HasField("oldest_unacknowledged_time")
    assert done.HasField("last_acknowledge_time")


def test_retention_that_passed_it_is_told_and_a_seek_heals(place: str) -> None:
    with running_core() as core:
        session = core.client(SCOPES, [place])
        name = subscribe(session)
        a, b, c = happen(core, place, "a", "b", "c")
        (floor,) = core.core.store.view.subscription_floors()
        assert (floor.name, floor.sequence) == (name, 0)
        remove_events(core, a)
        with refused("OUT_OF_RANGE", "CURSOR_OUT_OF_RANGE") as told:
            pull(session, name)
        assert told.metadata["oldest_cursor"].endswith(f".{a}")
        seek(session, name, told.metadata["oldest_cursor"])
        assert pulled(session, name) == [b, c]
        seek(session, name, "now")
        assert pulled(session, name) == []


def test_leases_end_by_the_clock_and_late_acknowledgements_count(place: str) -> None:
    with running_core(clock=True) as core:
        session = core.client(SCOPES, [place])
        name = subscribe(session, lease=30)
        a, b = happen(core, place, "a", "b")
        assert pulled(session, name) == [a, b]
        assert extend(session, name, [(b, 1)], 100) == []
        core.advance(60)
        answer = pull(session, name)
        assert [(each.event.sequence, each.delivery_count) for each in answer.events] == [(a, 2)]
        assert acknowledge(session, name, a) == 1
        core.advance(60)
        assert acknowledge(session, name, b) == 1
        assert pulled(session, name) == []


def test_no_more_than_so_many_are_outstanding(
    core: RunningCore, session: Session, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subscriptions, "MOST_OUTSTANDING", 3)
    name = subscribe(session, core.admin.head(), merchant_gateway_id=place)
    a, b, a2, c = happen(core, place, "a", "b", "a", "c")
    assert pulled(session, name, 1) == [a]
    assert pulled(session, name) == [b]
    answer = pull(session, name)
    # The second of a waits behind the first, and c has no room.
    assert (list(answer.events), answer.caught_up, get(session, name).outstanding_count) == ([], False, 3)
    acknowledge(session, name, b)
    assert pulled(session, name) == [c]
    acknowledge(session, name, a)
    assert pulled(session, name) == [a2]


def test_what_a_new_filter_leaves_out_holds_nothing_up(core: RunningCore, session: Session, place: str) -> None:
    """More than are asked for were handed out before and are passed over now."""
    name = subscribe(session, core.admin.head(), merchant_gateway_id=place)
    *others, last = happen(core, place, "a", "b", "c", "d", "e")
    assert len(pulled(session, name)) == 5
    extend(session, name, [(sequence, 1) for sequence in (*others, last)], 0)
    wanted = pb.Subscription(name=name, filter=events_pb2.EventFilter(resource=token_name(place, "e")))
    session.subscriptions.UpdateSubscription(
        pb.UpdateSubscriptionRequest(
            request_id=request_id(), subscription=wanted, update_mask=FieldMask(paths=["filter"])
        )
    )
    assert pulled(session, name, 2) == [last]
    assert get(session, name).outstanding_count == 1


def test_an_answer_holds_no_more_than_a_message(
    core: RunningCore, session: Session, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server.rpc.subscriptions, "MESSAGE_BYTES", 1)
    name = subscribe(session, core.admin.head(), merchant_gateway_id=place)
    a, a2, b = happen(core, place, "a", "a", "b")
    assert [pulled(session, name) for _ in range(3)] == [[a], [b], []]
    extend(session, name, [(a, 1)], 0)
    assert pulled(session, name) == [a]
    acknowledge(session, name, a)
    assert pulled(session, name) == [a2]
