"""Pages of lists, and what a reach hides of them."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from server.domain.bindings import BindingState
from server.domain.callers import ANY, Reach
from server.domain.notification_filters import NotificationFilter
from server.domain.notifications import NotificationKind, NotificationState
from server.domain.queries import BindingQuery, MerchantQuery, NotificationQuery, Page, TokenQuery
from server.domain.tokens import TokenProvider, TokenState
from server.store.store import SqlStore
from tests.server.store import samples

EVERYTHING = Reach(frozenset({ANY}))
PLACES = [("g1", "m1"), ("g1", "m2"), ("g2", "m1"), ("g2", "m3")]
REACHES = {
    "all": (EVERYTHING, PLACES),
    "none": (Reach(), []),
    "a gateway": (Reach(frozenset({"g1"})), PLACES[:2]),
    "two gateways": (Reach(frozenset({"g1", "g2", "g3"})), PLACES),
    "a merchant of a gateway": (Reach(frozenset({"g1"}), frozenset({"m1", "m3"})), PLACES[:1]),
    "a merchant of any gateway": (Reach(frozenset({ANY}), frozenset({"m1"})), [PLACES[0], PLACES[2]]),
}


def fill(store: SqlStore) -> None:
    store.write("k", lambda t: t.tokens.insert([samples.token("t", *place) for place in PLACES]))
    store.write("k", lambda t: t.bindings.insert([samples.binding("d", *place) for place in PLACES]))
    store.write("k", lambda t: t.merchants.insert([samples.merchant(m, g) for g, m in PLACES]))
    kept = [samples.notification(f"n-{number}", *place) for number, place in enumerate(PLACES)]
    store.write("k", lambda t: t.keep_notifications(kept))


def places(found: Sequence[Any]) -> list[tuple[str, str]]:
    return sorted((each.merchant_gateway_id, each.merchant_id) for each in found)


@pytest.mark.parametrize("name", sorted(REACHES))
def test_lists_show_what_is_in_reach(store: SqlStore, name: str) -> None:
    reach, seen = REACHES[name]
    fill(store)
    view, page = store.view, Page()
    assert places(view.tokens(TokenQuery(reach), page)) == seen
    assert places(view.bindings(BindingQuery(reach), page)) == seen
    assert places(view.merchants(MerchantQuery(reach), page)) == seen
    assert places(view.notifications(NotificationQuery(reach), page)) == seen


def test_what_belongs_to_no_merchant_is_for_those_whom_no_merchant_limits(store: SqlStore) -> None:
    kept = [samples.notification("1", "g1", ""), samples.notification("2", "", "")]
    store.write("k", lambda t: t.keep_notifications(kept))

    def seen(reach: Reach) -> list[tuple[str, str]]:
        return places(store.view.notifications(NotificationQuery(reach), Page()))

    assert seen(EVERYTHING) == [("", ""), ("g1", "")]
    assert seen(Reach(frozenset({"g1"}))) == [("g1", "")]
    assert seen(Reach(frozenset({"g1"}), frozenset({"m1"}))) == []


def pages(read: Callable[[Page], Sequence[Any]], size: int) -> list[str]:
    names: list[str] = []
    while found := read(Page(names[-1] if names else "", size)):
        assert len(found) <= size
        names += [each.name for each in found]
    return names


def test_pages_follow_each_other_without_gaps(store: SqlStore) -> None:
    tokens = [samples.token(f"T-{n:02}" if n % 2 else f"t_{n:02}") for n in range(11)]
    kept = [samples.notification(f"n-{number:02}") for number in range(11)]
    store.write("k", lambda t: t.tokens.insert(tokens))
    store.write("k", lambda t: t.keep_notifications(kept))
    query, newest = TokenQuery(EVERYTHING), NotificationQuery(EVERYTHING)
    assert pages(lambda page: store.view.tokens(query, page), 3) == sorted(each.name for each in tokens)
    found = pages(lambda page: store.view.notifications(newest, page), 4)
    assert found == sorted((each.name for each in kept), reverse=True)


def test_administrative_lists_are_in_the_order_of_names(store: SqlStore) -> None:
    ids = ["b", "B", "a-1", "a_1"]
    store.write("k", lambda t: t.clients.insert([samples.client(each) for each in ids]))
    store.write("k", lambda t: t.api_keys.insert([samples.api_key(each) for each in ids]))
    store.write("k", lambda t: t.accounts.insert([samples.account(each) for each in ids]))
    for read, prefix in (
        (store.view.clients, "clients"),
        (store.view.api_keys, "apiKeys"),
        (store.view.accounts, "partnerAccounts"),
    ):
        assert pages(read, 2) == [f"{prefix}/{each}" for each in sorted(ids)]


def test_tokens_are_filtered(store: SqlStore) -> None:
    plain = replace(samples.token("plain"), disable_time=None, refreshed_generation=3, state=TokenState.ACTIVE)
    ecom = replace(samples.token("ecom", "g2"), provider=TokenProvider.D1_ECOM, state=TokenState.CREATED)
    store.write("k", lambda t: t.tokens.insert([plain, ecom, samples.token("odd")]))

    def ids(**wanted: Any) -> list[str]:
        found = store.view.tokens(TokenQuery(EVERYTHING, **wanted), Page())
        return sorted(each.token_id for each in found)

    assert ids(merchant_gateway_id="g2") == ["ecom"]
    assert ids(merchant_gateway_id="g2", merchant_id="other") == []
    assert ids(provider=TokenProvider.TSH) == ["odd", "plain"]
    assert ids(states=frozenset({TokenState.ACTIVE, TokenState.CREATED})) == ["ecom", "plain"]
    assert ids(refresh_due=True) == ["ecom", "odd"]
    assert ids(disabled=True) == ["ecom", "odd"]


def test_bindings_and_notifications_are_filtered(store: SqlStore) -> None:
    active = replace(samples.binding("other"), state=BindingState.ACTIVE)
    store.write("k", lambda t: t.bindings.insert([samples.binding("gone"), active]))
    update = samples.notification("1")
    applied = replace(
        samples.notification("2"),
        kind=NotificationKind.TSH_TOKEN_UPDATE,
        state=NotificationState.APPLIED,
        correlation_id="c-2",
        token_id="t-2",
        device_id="",
    )
    store.write("k", lambda t: t.keep_notifications([update, applied]))

    def bindings(**wanted: Any) -> list[str]:
        return [each.device_id for each in store.view.bindings(BindingQuery(EVERYTHING, **wanted), Page())]

    def notifications(**wanted: Any) -> list[str]:
        query = NotificationQuery(EVERYTHING, NotificationFilter(**wanted))
        return [each.name for each in store.view.notifications(query, Page())]

    assert bindings(device_id="other") == ["other"]
    assert bindings(states=frozenset({BindingState.DELETED})) == ["gone"]
    assert bindings(token_id="t-2") == []
    assert notifications(states=frozenset({NotificationState.QUARANTINED})) == [update.name]
    assert notifications(kinds=frozenset({NotificationKind.TSH_TOKEN_UPDATE})) == [applied.name]
    assert notifications(correlation_id="c-2") == [applied.name]
    assert notifications(token_id="t-1") == [update.name]
    assert notifications(device_id="d-1") == [update.name]
    assert notifications(merchant_gateway_id="other") == []
