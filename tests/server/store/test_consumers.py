"""Lists of consumers, on both databases."""

from dataclasses import replace

from server.domain.callers import ANY, Reach
from server.domain.consumers import ConsumerState
from server.domain.events import Event, EventKind
from server.domain.queries import ConsumerQuery, Page
from server.store.store import SqlStore
from tests.server.store import samples

EVERYBODY = Reach(issuer_ids=frozenset({ANY}))


def listed(store: SqlStore, query: ConsumerQuery, page: Page = Page()) -> list[str]:  # noqa: B008  a value
    return [each.name.removeprefix("issuers/") for each in store.view.consumers.page(query, page)]


def test_lists_are_narrowed_by_reach_issuer_and_state_in_the_order_of_names(store: SqlStore) -> None:
    first = [samples.consumer(each, "ISSUER0001") for each in ("b", "B", "a")]
    second = [replace(samples.consumer("c", "ISSUER0002"), state=ConsumerState.ACTIVE)]
    store.write("k", lambda transaction: transaction.consumers.insert([*first, *second]))
    everything = [
        "ISSUER0001/consumers/B",
        "ISSUER0001/consumers/a",
        "ISSUER0001/consumers/b",
        "ISSUER0002/consumers/c",
    ]
    assert listed(store, ConsumerQuery(EVERYBODY)) == everything
    assert listed(store, ConsumerQuery(EVERYBODY), Page(f"issuers/{everything[0]}", 2)) == everything[1:3]
    assert listed(store, ConsumerQuery(EVERYBODY, "ISSUER0002")) == everything[3:]
    active = frozenset({ConsumerState.ACTIVE})
    assert listed(store, ConsumerQuery(EVERYBODY, states=active)) == everything[3:]
    one = Reach(frozenset({ANY}), frozenset(), frozenset({"ISSUER0001"}))
    assert listed(store, ConsumerQuery(one)) == everything[:3]
    assert listed(store, ConsumerQuery(one, "ISSUER0002")) == []
    assert listed(store, ConsumerQuery(Reach(frozenset({ANY})))) == []


def test_an_event_keeps_nothing_of_the_person(store: SqlStore) -> None:
    held = samples.consumer()
    event = Event(EventKind.CONSUMER_REGISTERED, held.name, samples.TIME, snapshot=held, issuer_id=held.issuer_id)
    store.write("k", lambda transaction: transaction.append(event))
    (kept,) = store.view.events(0, 10)
    assert kept.snapshot == replace(held, sealed_personal_data=b"")
