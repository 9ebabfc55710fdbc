"""Cards, keys and accesses in the store: on both databases."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from server.domain.callers import Reach
from server.domain.card_accesses import CardAccess, CardDataAccessResult, CardDataPurpose, Step
from server.domain.card_keys import CardHashKey, CardKey
from server.domain.cards import Card, CardRejection, CardState, CardSuspensionReason, CurrentKeys, NumberHash
from server.domain.events import Event, EventKind
from server.domain.queries import CardAccessQuery, CardQuery, Page
from server.domain.tasks import Task, TaskKind
from server.ports import ContentRefused, Shelf, Transaction
from server.store import card_reads
from server.store import cards as statements
from server.store.store import SqlStore
from tests.server.store.test_searches import plan_of

EVERYTHING = Reach(issuer_ids=frozenset({"*"}))
NOW = 1_800_000_000_000_000
CURRENT = CurrentKeys("k5", "h5")


def card(card_id: str = "c-1", issuer: str = "I", **fields: Any) -> Card:
    """Every field has a value of its own."""
    given: dict[str, Any] = {
        "name": f"issuers/{issuer}/cards/{card_id}",
        "issuer_id": issuer,
        "card_id": card_id,
        "consumer_id": "u-1",
        "account_id": "a-1",
        "create_time": NOW,
        "update_time": NOW + 1,
        "state": CardState.SUSPENDED,
        "suspension_reason": CardSuspensionReason.STOLEN,
        "suspension_text": "ÄÖ — 'quoted\"",
        "rejection": CardRejection.UNREADABLE,
        "replacement_rejection": CardRejection.CARD_NUMBER_TAKEN,
        "generation": 7,
        "pending_key_id": "k6",
        "pending_card": "pending jwe",
        "live_generation": 6,
        "card_key_id": "k5",
        "encrypted_card": "live jwe",
        "hash_key_id": "h5",
        "number_hash": card_id.encode().ljust(32, b"\0"),
        "bin": "41111111",
        "last_digits": "1234",
        "expiry": "1239",
        "has_security_code": True,
        "verification_attempts": 3,
        "last_verification_attempt_time": NOW + 2,
        "attempts_exceeded_told": True,
        "revision": 9,
        **fields,
    }
    return Card(**given)


def access(number: int = 1, **fields: Any) -> CardAccess:
    given: dict[str, Any] = {
        "name": f"cardDataAccesses/{number:04}",
        "issuer_id": "I",
        "card": "issuers/I/cards/c-1",
        "purpose": CardDataPurpose.VERIFICATION,
        "result": CardDataAccessResult.SECURITY_CODE_WRONG,
        "sender": "clients/d1",
        "correlation_id": "corr",
        "create_time": NOW + number,
        "step": Step.COMPARE,
        "expiry_given": True,
        "code_given": True,
        "code_compared": True,
        "attempts_exceeded": True,
        "generation": 2,
        **fields,
    }
    return CardAccess(**given)


def task(of: Card, **fields: Any) -> Task:
    made = Task(of.task, TaskKind.FINGERPRINT_CARD, "", "", "", NOW, NOW, resource=of.name)
    return replace(made, **fields)


KINDS: dict[str, tuple[Callable[[Transaction], Shelf[Any]], Any, dict[str, Any]]] = {
    "card": (
        lambda t: t.cards.cards,
        card(),
        {"suspension_reason": None, "rejection": None, "number_hash": None, "last_verification_attempt_time": None},
    ),
    "key": (lambda t: t.cards.keys, CardKey("cardKeys/k", "k", "{}", "thumb", 5, 6), {"first_current_time": 0}),
    "hash key": (lambda t: t.cards.hash_keys, CardHashKey("cardHashKeys/h", "h", 5, 6), {"publish_time": 7}),
    "access": (lambda t: t.cards.accesses, access(), {"result": CardDataAccessResult.SUCCEEDED, "card": ""}),
}


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_what_is_kept_comes_back_as_it_was(store: SqlStore, kind: str) -> None:
    shelf, item, change = KINDS[kind]
    store.write("k", lambda t: shelf(t).insert([item]))
    assert store.write("k", lambda t: shelf(t).get(item.name)) == item
    changed = replace(item, **change)
    store.write("k", lambda t: shelf(t).update([changed]))
    assert store.write("k", lambda t: shelf(t).all()) == [changed]


def test_views_show_what_is_kept(store: SqlStore) -> None:
    key, hash_key = KINDS["key"][1], KINDS["hash key"][1]

    def fill(transaction: Transaction) -> None:
        for shelf, item, _ in KINDS.values():
            shelf(transaction).insert([item])

    store.write("k", fill)
    view = store.view.cards
    assert (view.card(card().name), view.card("none")) == (card(), None)
    assert (view.keys(), view.hash_keys()) == ([key], [hash_key])
    assert view.accesses(CardAccessQuery(EVERYTHING), Page()) == [access()]


def test_an_event_holds_nothing_that_is_encrypted_or_hashed(store: SqlStore) -> None:
    told = Event(EventKind.CARD_UPDATED, card().name, NOW, snapshot=card(), issuer_id="I")
    store.write("k", lambda t: t.append(told))
    (kept,) = store.view.events(0, 10)
    assert kept.snapshot == replace(card(), pending_card="", encrypted_card="", number_hash=None)


def insert(store: SqlStore, *cards: Card) -> None:
    store.write("k", lambda t: t.cards.cards.insert(cards))


def test_a_number_is_of_one_card_of_an_issuer(store: SqlStore) -> None:
    insert(store, card("c-1", number_hash=b"n" * 32))
    insert(store, card("c-2", number_hash=b"m" * 32), card("c-3", number_hash=None), card("c-4", number_hash=None))
    insert(store, card("c-1", "J", number_hash=b"n" * 32), card("c-5", number_hash=b"n" * 32, hash_key_id="h6"))
    with pytest.raises(ContentRefused):
        store.write("k", lambda t: t.cards.cards.update([card("c-2", number_hash=b"n" * 32)]))


def both_ways(asked: Sequence[NumberHash], transaction: Transaction) -> tuple[list[Card], Card | None]:
    return transaction.cards.with_number("I", asked), transaction.cards.lock_with_number("I", asked)


def test_cards_are_found_by_number_in_the_order_that_is_asked_for(store: SqlStore) -> None:
    insert(store, card("c-1", hash_key_id="h1"), card("c-2", hash_key_id="h2"), card("c-3", "J", hash_key_id="h1"))
    hashes = [NumberHash("h2", b"c-2".ljust(32, b"\0")), NumberHash("h1", b"c-1".ljust(32, b"\0"))]
    for asked, expected in ((hashes, ["c-2", "c-1"]), (hashes[::-1], ["c-1", "c-2"]), ([], [])):
        found, first = store.write("k", partial(both_ways, asked))
        assert [each.card_id for each in found] == expected
        assert (first.card_id if first else "") == "".join(expected[:1])
    # The hash of one key under another is none.
    assert store.write("k", lambda t: t.cards.with_number("I", [NumberHash("h1", hashes[0].hash)])) == []


def test_a_consumers_card_is_one_that_is_not_gone(store: SqlStore) -> None:
    gone = [card("c-1", state=CardState.DELETED), card("c-2", state=CardState.REJECTED)]
    insert(store, *gone, card("c-3", "J"), card("c-4", consumer_id="u-2"))
    assert store.write("k", lambda t: t.cards.of_consumer("I", "u-1")) == ""
    for state in (CardState.PENDING, CardState.ACTIVE, CardState.SUSPENDED):
        kept = card("c-5", state=state)
        insert(store, kept)
        assert store.write("k", lambda t: t.cards.of_consumer("I", "u-1")) == kept.name
        store.write("k", lambda t: t.cards.cards.delete([card("c-5").name]))


def test_saving_tries_touches_nothing_else(store: SqlStore) -> None:
    insert(store, card())
    counted: dict[str, Any] = {
        "verification_attempts": 4,
        "last_verification_attempt_time": 5,
        "attempts_exceeded_told": False,
    }
    store.write("k", lambda t: t.cards.save_attempts(card(state=CardState.ACTIVE, revision=10, **counted)))
    assert store.view.cards.card(card().name) == card(**counted)


def test_nothing_waits_in_an_empty_store(store: SqlStore) -> None:
    assert store.view.cards.waiting() == (0, None)


def due(store: SqlStore, *kids: str, now: int = NOW, limit: int = 10, with_rotations: bool = True) -> list[str]:
    def run(transaction: Transaction) -> list[str]:
        found = transaction.cards.due(kids, now, limit, with_rotations=with_rotations)
        return [each.card_id for _, each in found]

    found = store.write("k", run)
    assert store.view.cards.has_due(kids, now, with_rotations=with_rotations) == bool(found)
    return found


def test_due_tasks_are_for_who_has_the_key_and_what_waits_comes_first(store: SqlStore) -> None:
    bare = {"pending_key_id": "", "pending_card": ""}
    cards = [
        card("rotate", **bare, card_key_id="k1"),
        card("wait-2", pending_key_id="k1"),
        card("wait-1", pending_key_id="k1"),
        card("other", pending_key_id="k2", card_key_id="k1"),
        card("later", pending_key_id="k1"),
        card("leased", pending_key_id="k1"),
    ]
    insert(store, *cards)
    times = {"rotate": NOW - 9, "wait-1": NOW - 3, "wait-2": NOW - 2, "leased": NOW - 1, "later": NOW + 1}
    tasks = [task(each, due_time=times.get(each.card_id, NOW)) for each in cards]
    tasks[-1] = replace(tasks[-1], lease_expire_time=NOW + 5)
    webhook = replace(tasks[0], name="tasks/w", kind=TaskKind.LIST_WEBHOOK_CONFIGS)
    store.write("k", lambda t: t.ledger.tasks.insert([*tasks, webhook]))
    assert store.view.cards.waiting() == (6, NOW)
    assert due(store, "k1") == ["wait-1", "wait-2", "rotate"]
    assert due(store, "k1", limit=1) == ["wait-1"]
    assert due(store, "k1", with_rotations=False) == ["wait-1", "wait-2"]
    assert due(store, "k2") == ["other"]
    assert due(store, "k3") == []
    assert due(store, "k1", "k2", now=NOW + 5) == ["wait-1", "wait-2", "leased", "other", "later", "rotate"]
    found = store.write("k", lambda t: t.cards.tasks_of(cards[1].name))
    assert found == [tasks[1]]


def rotating(store: SqlStore, *kids: str, limit: int = 10, current: CurrentKeys = CURRENT) -> list[str]:
    found = store.write("k", lambda t: t.cards.to_rotate(current, kids, limit))
    assert store.view.cards.has_to_rotate(current, kids) == bool(found)
    return [each.card_id for each in found]


def test_cards_under_other_keys_are_to_be_rotated(store: SqlStore) -> None:
    insert(
        store,
        card("current"),
        card("older-key", card_key_id="k4"),
        card("newer-key", card_key_id="k6"),
        card("older-hash", hash_key_id="h4"),
        card("newer-hash", hash_key_id="h6"),
        card("both", card_key_id="k4", hash_key_id="h4"),
        card("no-key", card_key_id="k9"),
        card("empty", card_key_id="", hash_key_id="", encrypted_card="", number_hash=None),
        card("tasked", card_key_id="k4"),
    )
    store.write("k", lambda t: t.ledger.tasks.insert([task(card("tasked"))]))
    expected = ["both", "newer-hash", "newer-key", "older-hash", "older-key"]
    assert rotating(store, "k4", "k5", "k6") == expected
    assert len(rotating(store, "k4", "k5", "k6", limit=2)) == 2
    assert rotating(store, "k5") == ["newer-hash", "older-hash"]
    assert rotating(store, "k1") == []


def test_a_look_for_what_is_to_be_rotated_goes_by_an_index(sqlite_database: str) -> None:
    for place, statement in enumerate(statements.to_rotate(CURRENT, ["k4", "k5"], 1)):
        plan = plan_of(sqlite_database, statement)
        index = "cards_by_hash_key (hash_key_id" if place else "cards_by_card_key (card_key_id="
        assert plan[0].startswith(f"SEARCH cards USING INDEX {index}"), plan
        assert not [line for line in plan if line.startswith("SCAN")], plan


def test_cards_under_former_keys_are_counted_until_there_are_none(store: SqlStore) -> None:
    assert store.view.cards.under_former_keys(CURRENT) == (0, 0)
    insert(
        store,
        card("current"),
        card("older-key", card_key_id="k4"),
        card("newer-key", card_key_id="k6"),
        card("older-hash", hash_key_id="h4"),
        card("both", card_key_id="k4", hash_key_id="h6"),
        card("empty", card_key_id="", hash_key_id="", encrypted_card="", number_hash=None),
    )
    # One that somebody has a task for counts as the others do.
    store.write("k", lambda t: t.ledger.tasks.insert([task(card("older-key"))]))
    assert store.view.cards.under_former_keys(CURRENT) == (3, 2)
    assert store.view.cards.under_former_keys(replace(CURRENT, card_key_id="k4")) == (3, 2)
    assert store.view.cards.under_former_keys(replace(CURRENT, hash_key_id="h9")) == (3, 5)


def test_cards_under_former_keys_are_counted_by_an_index(sqlite_database: str) -> None:
    for kind, pair in zip(("card_key", "hash_key"), statements.under_former_keys(CURRENT), strict=True):
        for statement in pair:
            (line,) = plan_of(sqlite_database, statement)
            assert line.startswith(f"SEARCH cards USING INDEX cards_by_{kind} ({kind}_id"), line


ONE = Reach(issuer_ids=frozenset({"I"}))
PAGE = Page(after="issuers/I/cards/c", limit=50)
PAGES = {
    "an issuer's cards": (card_reads.card_page(CardQuery(EVERYTHING, issuer_id="I"), PAGE), "cards_by_issuer"),
    "cards of one who sees one issuer": (card_reads.card_page(CardQuery(ONE), PAGE), "cards_by_issuer"),
    "a consumer's cards": (
        card_reads.card_page(CardQuery(EVERYTHING, issuer_id="I", consumer_id="u"), PAGE),
        "cards_by_consumer",
    ),
    "cards by their last digits": (
        card_reads.card_page(CardQuery(EVERYTHING, last_digits="1234"), PAGE),
        "cards_by_last_digits",
    ),
    "an issuer's accesses": (
        card_reads.access_page(CardAccessQuery(EVERYTHING, issuer_id="I"), Page()),
        "card_accesses_by_issuer",
    ),
    "a card's accesses": (
        card_reads.access_page(CardAccessQuery(EVERYTHING, card="issuers/I/cards/c"), Page()),
        "card_accesses_by_card",
    ),
}


@pytest.mark.parametrize("of", sorted(PAGES))
def test_a_page_is_found_in_its_order(sqlite_database: str, of: str) -> None:
    statement, index = PAGES[of]
    (plan,) = plan_of(sqlite_database, statement)
    assert f"USING INDEX {index} (" in plan


def test_the_last_access_that_nobody_reported_is_found(store: SqlStore) -> None:
    unreported, looks = CardDataAccessResult.UNSPECIFIED, CardDataPurpose.FINGERPRINT
    kept = [
        access(1, purpose=looks, result=unreported),
        access(2, purpose=looks, result=unreported),
        access(3, purpose=CardDataPurpose.VERIFICATION, result=unreported),
        access(4, purpose=looks, result=unreported, card="issuers/I/cards/c-2"),
    ]
    store.write("k", lambda t: t.cards.accesses.insert(kept))
    name = card().name
    assert store.write("k", lambda t: t.cards.unreported(name, [looks])) == kept[1]
    store.write("k", lambda t: t.cards.accesses.update([replace(kept[1], result=CardDataAccessResult.REJECTED)]))
    assert store.write("k", lambda t: t.cards.unreported(name, [looks])) is None
    assert store.write("k", lambda t: t.cards.unreported("none", [looks])) is None


def test_pages_hold_what_somebody_may_see(store: SqlStore) -> None:
    insert(store, card("c-1"), card("c-2", consumer_id="u-2", state=CardState.ACTIVE), card("c-3", "J"))
    view = store.view.cards

    def listed(page: Page, **wanted: Any) -> list[str]:
        query = CardQuery(**{"reach": EVERYTHING, **wanted})
        return [each.card_id for each in view.cards(query, page)]

    assert listed(Page()) == ["c-1", "c-2", "c-3"]
    assert listed(Page(after=card("c-1").name, limit=1)) == ["c-2"]
    assert listed(Page(), issuer_id="J") == ["c-3"]
    assert listed(Page(), consumer_id="u-2") == ["c-2"]
    assert listed(Page(), states=frozenset({CardState.ACTIVE})) == ["c-2"]
    assert listed(Page(), last_digits="0000") == []
    assert listed(Page(), reach=Reach(issuer_ids=frozenset({"J"}))) == ["c-3"]
    assert listed(Page(), reach=Reach(frozenset({"*"}))) == []


def test_accesses_are_shown_the_newest_first(store: SqlStore) -> None:
    kept = [access(1), access(2, issuer_id="J"), access(3, purpose=CardDataPurpose.CREDENTIALS), access(4, card="")]
    store.write("k", lambda t: t.cards.accesses.insert(kept))
    view = store.view.cards

    def listed(page: Page, **wanted: Any) -> list[int]:
        query = CardAccessQuery(**{"reach": EVERYTHING, **wanted})
        return [int(each.name[-4:]) for each in view.accesses(query, page)]

    assert listed(Page()) == [4, 3, 2, 1]
    assert listed(Page(after=access(4).name, limit=2)) == [3, 2]
    assert listed(Page(), issuer_id="I", card=access().card) == [3, 1]
    assert listed(Page(), purposes=frozenset({CardDataPurpose.CREDENTIALS})) == [3]
    assert listed(Page(), results=frozenset({CardDataAccessResult.SUCCEEDED})) == []
    assert listed(Page(), reach=Reach(issuer_ids=frozenset({"J"}))) == [2]
    assert listed(Page(), reach=Reach(frozenset({"*"}))) == []


def test_accesses_go_when_their_time_is_over(store: SqlStore) -> None:
    store.write("k", lambda t: t.cards.accesses.insert([access(each) for each in (3, 1, 2)]))
    assert store.write("k", lambda t: t.removal.card_accesses(NOW + 3, 1)) == 1
    query = CardAccessQuery(EVERYTHING)
    assert [each.create_time - NOW for each in store.view.cards.accesses(query, Page())] == [3, 2]
    assert store.write("k", lambda t: t.removal.card_accesses(NOW + 3, 10)) == 1
