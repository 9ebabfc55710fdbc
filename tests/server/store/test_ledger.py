"""Payments and tasks as they are kept: what comes back, what is found, and what cannot be there twice."""

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

import pytest

from server.domain.accounts import AccountProvider
from server.domain.callers import Reach
from server.domain.payment_answers import OperationKind
from server.domain.payment_exports import UnknownCharge
from server.domain.payment_operations import OperationState
from server.domain.payments import PaymentState
from server.domain.queries import Page, PaymentQuery, UnknownChargeQuery
from server.domain.tasks import TaskKind
from server.ports import ContentRefused, Ledger
from server.store.store import SqlStore
from tests.server.store import samples

T = TypeVar("T")
EVERYTHING = Reach(frozenset({"*"}))


def within(store: SqlStore, run: Callable[[Ledger], T]) -> T:
    return store.write("k", lambda transaction: run(transaction.ledger))


def test_everything_comes_back_as_it_was_kept(store: SqlStore) -> None:
    operation, attempt, task = samples.operation(), samples.attempt(), samples.task()
    within(store, lambda ledger: ledger.operations.insert([operation]))
    within(store, lambda ledger: ledger.attempts.insert([attempt]))
    within(store, lambda ledger: ledger.tasks.insert([task]))
    within(store, lambda ledger: ledger.add_evidence([samples.evidence()]))
    assert within(store, lambda ledger: ledger.operations_of("payments/p-1")) == [operation]
    assert within(store, lambda ledger: ledger.attempt_of_request(attempt.client, attempt.request_id)) == attempt
    assert within(store, lambda ledger: ledger.tasks_of("payments/p-1")) == [task]
    assert store.view.payment_evidence("payments/p-1", Page()) == [samples.evidence()]
    bare = replace(operation, confirmed_minor_amount=None, decline=None, doubt=None, attend_time=None)
    within(store, lambda ledger: ledger.operations.update([bare]))
    assert within(store, lambda ledger: ledger.operations_of("payments/p-1")) == [bare]


def test_a_payments_event_shows_nothing_that_is_sealed(store: SqlStore) -> None:
    payment = samples.payment()
    event = replace(samples.event(payment.name), snapshot=payment)
    store.write("k", lambda transaction: transaction.append(event))
    (kept,) = store.view.events(0, 10)
    assert kept.snapshot == replace(payment, sealed_details=b"", sealed_redirect_url=b"")


@pytest.mark.parametrize("what", ["reference", "transaction", "merchant's id", "grant", "evidence"])
def test_what_must_be_there_once_cannot_be_there_twice(store: SqlStore, what: str) -> None:
    """A reference and a transaction belong to one operation, a merchant's id to one payment, a request to one grant."""
    first, second = samples.operation("p-1"), samples.operation("p-2")
    payment, other = samples.payment("p-1"), samples.payment("p-2")

    def twice(ledger: Ledger) -> None:
        match what:
            case "reference":
                ledger.operations.insert([first, replace(second, reference=first.reference)])
            case "transaction":
                same = first.partner_transaction_id
                ledger.operations.insert([first, replace(second, partner_transaction_id=same)])
            case "merchant's id":
                ledger.payments.insert([payment, replace(other, merchant_payment_key=payment.merchant_payment_key)])
            case "grant":
                ledger.attempts.insert([samples.attempt(), replace(samples.attempt("p-2"), request_id="r-p-1")])
            case _:
                ledger.add_evidence([samples.evidence(1), replace(samples.evidence(2), digest=bytes([1]) * 32)])

    with pytest.raises(ContentRefused):
        within(store, twice)


def test_nothing_bound_yet_is_no_collision(store: SqlStore) -> None:
    free = [replace(samples.operation(each), partner_transaction_id=None) for each in ("p-1", "p-2")]
    within(store, lambda ledger: ledger.operations.insert(free))
    within(
        store,
        lambda ledger: ledger.payments.insert(
            [replace(samples.payment(each), merchant_payment_key=None) for each in ("p-1", "p-2")]
        ),
    )
    assert len(store.view.payments(PaymentQuery(EVERYTHING), Page())) == 2


def test_amounts_of_the_day_count_unless_nothing_was_moved(store: SqlStore) -> None:
    kinds = [*OperationKind]
    operations = [
        replace(samples.operation(f"p-{kind}-{state}"), kind=kind, state=state, minor_amount=1)
        for kind in kinds
        for state in OperationState
    ]
    old = replace(samples.operation("old"), kind=OperationKind.PURCHASE, create_time=samples.TIME - 1)
    other = replace(samples.operation("other"), kind=OperationKind.PURCHASE, currency_code="JPY")
    within(store, lambda ledger: ledger.operations.insert([*operations, old, other]))
    # Purchases, those through a page, authorizations, subscriptions, their cycles and charges that nobody asked for, in
    # the 7 of 11 states that may have moved money.
    assert within(store, lambda ledger: ledger.charged_since("partnerAccounts/po", "EUR", samples.TIME)) == 6 * 7
    assert within(store, lambda ledger: ledger.charged_since("partnerAccounts/x", "EUR", samples.TIME)) == 0


def test_due_tasks_are_claimable_unless_leased_held_or_full(store: SqlStore) -> None:
    now = samples.TIME + 100
    free = replace(samples.task("free"), lease_expire_time=None)
    leased = replace(samples.task("leased"), lease_expire_time=now + 1)
    ended = replace(samples.task("ended"), lease_expire_time=now, due_time=now - 1)
    later = replace(samples.task("later"), lease_expire_time=None, due_time=now + 1)
    submit = replace(samples.task("submit", TaskKind.SUBMIT_PAYMENT_OPERATION), lease_expire_time=None, due_time=now)
    account = replace(samples.account(), provider=AccountProvider.PAYMENT_OPTIONS, held=False)
    store.write("k", lambda transaction: transaction.accounts.insert([account]))
    within(store, lambda ledger: ledger.tasks.insert([free, leased, ended, later, submit]))

    def claimable(full: tuple[str, ...] = (), *kinds: TaskKind, paused: tuple[str, ...] = ()) -> list[str]:
        found = within(store, lambda ledger: ledger.claimable(kinds or tuple(TaskKind), full, paused, now, 10))
        return [task.name.partition("/")[2] for task in found]

    assert claimable() == ["free", "ended", "submit"]
    assert claimable((account.name,)) == ["free", "ended"]
    assert claimable((), TaskKind.SUBMIT_PAYMENT_OPERATION) == ["submit"]
    assert claimable(paused=(account.name,)) == []
    assert not store.view.has_due_task(tuple(TaskKind), now, (account.name,))
    assert store.view.has_due_task([TaskKind.SUBMIT_PAYMENT_OPERATION], now)
    assert not store.view.has_due_task([TaskKind.SUBMIT_PAYMENT_OPERATION], now - 1)
    store.write("k", lambda transaction: transaction.accounts.update([replace(account, held=True)]))
    assert claimable() == ["free", "ended"]


def test_payments_are_listed_the_newest_first_and_only_those_in_reach(store: SqlStore) -> None:
    mine = [replace(samples.payment(f"p-{n}"), state=PaymentState.CAPTURED, in_doubt=n == 1) for n in range(3)]
    theirs = samples.payment("p-9", "MGW_9")
    within(store, lambda ledger: ledger.payments.insert([*mine, theirs]))
    reach = Reach(frozenset({samples.GATEWAY}))

    def names(query: PaymentQuery, page: Page | None = None) -> list[str]:
        return [payment.name.partition("/")[2] for payment in store.view.payments(query, page or Page())]

    assert names(PaymentQuery(reach)) == ["p-2", "p-1", "p-0"]
    assert names(PaymentQuery(reach), Page("payments/p-2", 1)) == ["p-1"]
    assert names(PaymentQuery(reach, in_doubt=True)) == ["p-1"]
    assert names(PaymentQuery(reach, frozenset({PaymentState.IN_DOUBT}))) == []
    assert names(PaymentQuery(EVERYTHING, frozenset({PaymentState.IN_DOUBT}))) == ["p-9"]
    assert names(PaymentQuery(EVERYTHING, merchant_gateway_id="MGW_9")) == ["p-9"]


def test_the_identity_of_a_database_is_kept(store: SqlStore) -> None:
    first = within(store, lambda ledger: ledger.database_identity())
    assert first == within(store, lambda ledger: ledger.database_identity())
    assert within(store, lambda ledger: ledger.kept_identity()) == ""
    generation = store.generation
    within(store, lambda ledger: ledger.keep_identity(first))
    assert within(store, lambda ledger: ledger.kept_identity()) == first
    store.renew_generation()
    assert store.generation == generation
    within(store, lambda ledger: ledger.keep_identity(first, "another"))
    store.renew_generation()
    assert store.generation == "another"
    within(store, lambda ledger: ledger.keep_identity("", generation))


def test_operations_are_found_by_their_reference_or_transaction_within_their_account(store: SqlStore) -> None:
    one, two, other = (samples.operation(each) for each in ("p-1", "p-2", "p-3"))
    other = replace(other, account="partnerAccounts/other")
    within(store, lambda ledger: ledger.operations.insert([one, two, other]))
    references = [one.reference, other.reference, "nobodys"]
    transactions = [str(each.partner_transaction_id) for each in (one, two, other)]

    def named(references: list[str], transactions: list[str]) -> list[str]:
        found = within(store, lambda ledger: ledger.operations_named(one.account, references, transactions))
        return [each.name for each in found]

    assert named(references, transactions) == [one.name, two.name]
    assert named(references, []) == [one.name]
    assert named([], []) == []


def test_unknown_charges_are_for_who_sees_the_whole_gateway(store: SqlStore) -> None:
    one, two = samples.unknown_charge(), samples.unknown_charge(account="partnerAccounts/second", gateway="SECOND")
    within(store, lambda ledger: ledger.unknown_charges.insert([two, one]))

    def seen(reach: Reach, account: str = "", after: str = "") -> list[UnknownCharge]:
        return store.view.unknown_charges(UnknownChargeQuery(reach, account), Page(after))

    assert seen(EVERYTHING) == [one, two]
    assert seen(EVERYTHING, after=one.name) == seen(EVERYTHING, two.account) == [two]
    assert seen(Reach(frozenset({"SECOND"}))) == [two]
    assert seen(Reach(frozenset({"SECOND", samples.GATEWAY}), frozenset({samples.MERCHANT}))) == []
    within(store, lambda ledger: ledger.unknown_charges.delete([one.name]))
    assert seen(EVERYTHING) == [two]
