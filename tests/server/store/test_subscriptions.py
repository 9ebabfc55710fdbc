"""What the store tells of subscriptions, on both databases."""

from dataclasses import replace

from server.domain.events import EventKind
from server.domain.queries import Page
from server.domain.subscriptions import Delivery, Floor, Queue, Subscription
from server.ports import Transaction
from server.store.store import SqlStore
from tests.server.store import samples
from tests.server.store.writing import appending

TIME = samples.TIME
OTHER = "clients/other"


def subscription(id_: str = "orders", client: str = "clients/shop", scanned: int = 0) -> Subscription:
    return Subscription(
        name=f"{client}/subscriptions/{id_}",
        client=client,
        subscription_id=id_,
        kinds=(EventKind.BINDING_CREATED, EventKind.TOKEN_CREATED),
        merchant_gateway_id=samples.GATEWAY,
        merchant_id=samples.MERCHANT,
        resource="merchantGateways/ä",
        lease_duration=7,
        scanned_sequence=scanned,
        scan_time=TIME,
        create_time=TIME + 1,
        update_time=TIME + 2,
        last_acknowledge_time=TIME + 3,
        revision=4,
    )


def filled(store: SqlStore) -> tuple[Subscription, list[Delivery]]:
    """Ten events; of one subscription four are outstanding: `a` is leased, what is second of it waits, `b` is free."""
    held = subscription(scanned=8)
    out = [
        Delivery(held.name, 3, "a", TIME + 100, 1),
        Delivery(held.name, 5, "b", TIME - 1, 2),
        Delivery(held.name, 6, "a"),
        Delivery(held.name, 7, "b"),
    ]
    another = subscription("all", OTHER, 2)

    def run(transaction: Transaction) -> None:
        transaction.subscriptions.insert([held, another])
        transaction.deliveries.insert([*out, Delivery(another.name, 1, "b", TIME + 100, 1)])

    store.write("events", appending("r", 10))
    store.write(held.name, run)
    return held, out


def test_a_subscription_comes_back_as_it_was(store: SqlStore) -> None:
    held, _ = filled(store)
    assert store.view.subscription(held.name) == held
    assert store.view.subscription("clients/shop/subscriptions/none") is None
    assert store.write("k", lambda t: t.subscriptions.get(held.name)) == held
    assert store.write("k", lambda t: (t.count_subscriptions(held.client), t.count_subscriptions("none"))) == (1, 0)


def test_how_far_each_is(store: SqlStore) -> None:
    held, out = filled(store)
    standing = store.view.standing(held.name)
    assert standing == store.write("k", lambda t: t.standing(held.name))
    assert standing
    assert (standing.subscription, standing.floor, standing.outstanding_count) == (held, 2, 4)
    assert (standing.head, standing.oldest_time) == (10, TIME)
    assert [each.name for each in store.view.standings("", Page())] == [f"{OTHER}/subscriptions/all", held.name]
    assert [each.name for each in store.view.standings(held.client, Page())] == [held.name]
    assert [each.floor for each in store.view.standings("", Page(f"{OTHER}/subscriptions/all", 1))] == [2]
    assert store.view.subscription_floors() == [
        Floor(f"{OTHER}/subscriptions/all", 0, TIME + 2, TIME + 3),
        Floor(held.name, 2, TIME + 2, TIME + 3),
    ]
    store.write("k", lambda t: t.deliveries.remove(held.name, [each.sequence for each in out]))
    assert store.view.subscription_floors()[1].sequence == 8
    caught_up = replace(held, scanned_sequence=10)
    store.write("k", lambda t: t.subscriptions.update([caught_up]))
    done = store.view.standing(held.name)
    assert done
    assert (done.floor, done.outstanding_count, done.oldest_time) == (10, 0, None)


def test_what_a_pull_begins_with(store: SqlStore) -> None:
    held, out = filled(store)
    state = store.view.pull_state(held.name, 10, TIME)
    assert state
    assert (state.subscription, state.floor, state.outstanding_count) == (held, 2, 4)
    assert (state.head, state.removed, state.lease_end) == (10, 0, TIME + 100)
    assert state.free == (out[1], out[3])
    first = store.view.pull_state(held.name, 1, TIME)
    assert first
    assert first.free == (out[1],)
    later = store.view.pull_state(held.name, 10, TIME + 100)
    assert later
    assert (later.free, later.lease_end) == (tuple(out), None)
    assert store.view.pull_state("none", 1, TIME) is None
    assert [event.sequence for event in store.view.events_at([7, 3, 99])] == [3, 7]


def test_what_a_transaction_sees_and_changes(store: SqlStore) -> None:
    held, out = filled(store)

    def run(transaction: Transaction) -> None:
        deliveries = transaction.deliveries
        assert deliveries.named(held.name, (3, 7, 8)) == [out[0], out[3]]
        assert deliveries.front(held.name, {"a", "b"}, 5, TIME) == out[:2]
        assert deliveries.front(held.name, {"a"}, 1, TIME) == out[:1]
        assert deliveries.queues(held.name, {"a", "b", "c"}) == {"a": Queue(2, TIME + 100), "b": Queue(2, TIME - 1)}
        assert (deliveries.named(held.name, ()), deliveries.front(held.name, (), 9, 0)) == ([], [])
        assert (deliveries.queues(held.name, ()), deliveries.count(held.name)) == ({}, 4)
        deliveries.update([replace(out[0], lease_expire_time=None, delivery_count=9)])
        deliveries.remove(held.name, [5])
        assert deliveries.named(held.name, (3, 5)) == [replace(out[0], lease_expire_time=None, delivery_count=9)]
        deliveries.clear(held.name)
        assert deliveries.count(held.name) == 0
        assert deliveries.count(f"{OTHER}/subscriptions/all") == 1

    store.write(held.name, run)
