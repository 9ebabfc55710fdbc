"""What is kept comes back as it was, on both databases."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from operator import attrgetter
from typing import Any

import pytest

from server.domain.principals import RevokedAccessToken
from server.ports import Identity, Request, Shelf, Transaction
from server.store.store import SqlStore
from tests.server.store import samples


@dataclass(frozen=True)
class Kind:
    """One resource type: where it lies, a maker of samples by id, and a changed one."""

    shelf: Callable[[Transaction], Shelf[Any]]
    view: str
    make: Callable[[str], Any]
    change: dict[str, Any]


KINDS = {
    "token": Kind(lambda t: t.tokens, "token", samples.token, {"state_text": "", "disable_time": None}),
    "binding": Kind(lambda t: t.bindings, "binding", samples.binding, {"partner_order_time": None}),
    "merchant": Kind(lambda t: t.merchants, "merchant", samples.merchant, {"scheme_registrations": ()}),
    "consumer": Kind(lambda t: t.consumers, "consumers.get", samples.consumer, {"sealed_personal_data": b""}),
    "client": Kind(lambda t: t.clients, "client", samples.client, {"secrets": (), "scopes": ()}),
    "api_key": Kind(lambda t: t.api_keys, "api_key", samples.api_key, {"revoke_time": None, "taken_over": False}),
    "account": Kind(lambda t: t.accounts, "account", samples.account, {"merchant_ids": (), "payment_options": None}),
    "webhook config": Kind(
        lambda t: t.webhooks.configs,
        "webhook_config",
        samples.webhook_config,
        {"applied": None, "observed": None, "differences": (), "delete_time": None},
    ),
    "payment": Kind(lambda t: t.ledger.payments, "payment", samples.payment, {"decline": None, "card": None}),
}


@pytest.fixture(params=sorted(KINDS))
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


def test_a_resource_comes_back_as_it_was_kept(store: SqlStore, kind: Kind) -> None:
    item = kind.make("x/ü 1")
    store.write("k", lambda transaction: kind.shelf(transaction).insert([item]))
    assert store.write("k", lambda transaction: kind.shelf(transaction).get(item.name)) == item
    assert attrgetter(kind.view)(store.view)(item.name) == item


def test_an_absent_resource_is_none(store: SqlStore, kind: Kind) -> None:
    assert store.write("k", lambda transaction: kind.shelf(transaction).get("nothing")) is None
    assert store.write("k", lambda transaction: kind.shelf(transaction).get_many(())) == {}
    assert attrgetter(kind.view)(store.view)("nothing") is None


def test_many_are_read_at_once_and_those_that_are_absent_left_out(store: SqlStore, kind: Kind) -> None:
    items = [kind.make(f"many-{number}") for number in range(5)]
    store.write("k", lambda transaction: kind.shelf(transaction).insert(items))
    wanted = [items[3].name, "nothing", items[1].name, items[3].name]
    found = store.write("k", lambda transaction: kind.shelf(transaction).get_many(wanted))
    assert found == {items[1].name: items[1], items[3].name: items[3]}


def test_all_are_in_the_order_of_their_names(store: SqlStore, kind: Kind) -> None:
    # Bytes, not a language: capitals before small letters, punctuation where its code is.
    items = [kind.make(each) for each in ("b", "B", "a-1", "a_1", "a1", "~")]
    store.write("k", lambda transaction: kind.shelf(transaction).insert(items))
    found = store.write("k", lambda transaction: kind.shelf(transaction).all())
    assert [each.name for each in found] == sorted(item.name for item in items)


def test_an_update_changes_one_resource_and_no_other(store: SqlStore, kind: Kind) -> None:
    first, second = kind.make("one"), kind.make("two")
    store.write("k", lambda transaction: kind.shelf(transaction).insert([first, second]))
    changed = replace(first, **kind.change)
    store.write("k", lambda transaction: kind.shelf(transaction).update([changed]))
    assert attrgetter(kind.view)(store.view)(first.name) == changed
    assert attrgetter(kind.view)(store.view)(second.name) == second


def test_a_deleted_resource_is_gone(store: SqlStore, kind: Kind) -> None:
    first, second = kind.make("one"), kind.make("two")
    store.write("k", lambda transaction: kind.shelf(transaction).insert([first, second]))
    store.write("k", lambda transaction: kind.shelf(transaction).delete([first.name]))
    assert attrgetter(kind.view)(store.view)(first.name) is None
    assert attrgetter(kind.view)(store.view)(second.name) == second


def test_identities_are_known_and_can_be_renewed(store: SqlStore) -> None:
    first, second = Identity(b"\0" * 32, "notifications/1", 1), Identity(b"\xff" * 32, "notifications/2", 2)
    store.write("k", lambda transaction: transaction.know([first, second], []))
    renewed = replace(first, notification="notifications/3", known_since=9)
    store.write("k", lambda transaction: transaction.know([], [renewed]))
    found = store.write("k", lambda transaction: transaction.identities([first.digest, second.digest, b"other"]))
    assert found == {first.digest: renewed, second.digest: second}
    assert store.write("k", lambda transaction: transaction.identities([])) == {}


def test_a_batch_of_512_identities_is_found(store: SqlStore) -> None:
    known = [Identity(number.to_bytes(32, "big"), f"notifications/{number}", number) for number in range(512)]
    store.write("k", lambda transaction: transaction.know(known, []))
    found = store.write("k", lambda transaction: transaction.identities([each.digest for each in known]))
    assert len(found) == 512


def test_a_finished_request_is_found_by_client_method_and_id(store: SqlStore) -> None:
    request = Request("clients/a", "/m", "id", b"\0print", b"\xffanswer", 5)
    store.write("k", lambda transaction: transaction.keep_request(request))
    found = store.write(
        "k",
        lambda transaction: [
            transaction.request(*key)
            for key in (("clients/a", "/m", "id"), ("clients/b", "/m", "id"), ("clients/a", "/n", "id"))
        ],
    )
    assert found == [request, None, None]


def test_deliveries_of_a_notification_are_counted(store: SqlStore) -> None:
    first, second = samples.notification("1"), samples.notification("2")
    store.write("k", lambda transaction: transaction.keep_notifications([first, second]))
    store.write("k", lambda transaction: transaction.count_deliveries({first.name: 3}, samples.TIME + 8))
    counted = replace(first, delivery_count=4, last_delivery_time=samples.TIME + 8)
    assert store.view.notification(first.name) == counted
    assert store.view.notification(second.name) == second


def test_a_revoked_access_token_is_remembered_until_it_expires(store: SqlStore) -> None:
    revoked = RevokedAccessToken("jti", "clients/a", 100)
    for _ in range(2):
        store.write("k", lambda transaction: transaction.revoke_access_token(revoked))
    assert store.view.revoked_access_tokens(99) == [revoked]
    assert store.view.revoked_access_tokens(100) == []


def test_events_are_numbered_in_order_and_keep_their_snapshots(store: SqlStore) -> None:
    kept = [samples.token_event(samples.token()), samples.event()]
    kept += [replace(samples.event(), snapshot=each) for each in (samples.binding(), samples.merchant())]

    def run(transaction: Transaction) -> None:
        for event in kept:
            transaction.append(event)

    store.write("k", run)
    assert store.view.events(0, 10) == [replace(event, sequence=place) for place, event in enumerate(kept, 1)]
    assert store.view.events(2, 1) == [replace(kept[2], sequence=3)]
    assert store.view.bounds() == (0, 4)


def test_the_event_of_a_notification_is_found(store: SqlStore) -> None:
    store.write("k", lambda transaction: transaction.append(samples.event(notification="notifications/1")))
    assert store.view.event_sequence("notifications/1") == 1
    assert store.view.event_sequence("notifications/2") == 0


def test_what_is_kept_outlives_the_store(database: str) -> None:
    first = SqlStore(database)
    first.write("k", lambda transaction: transaction.tokens.insert([samples.token()]))
    first.close()
    second = SqlStore(database)
    try:
        assert second.view.token(samples.token().name) == samples.token()
        assert second.generation == first.generation
    finally:
        second.close()
