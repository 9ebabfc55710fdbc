"""What the acquirer tells, in the store: on both databases."""

from dataclasses import replace
from typing import Any

import pytest

from server.domain.acquirer_tellings import Telling
from server.domain.acquirer_transactions import AcquirerTransaction, Report, ReportEffect, ReportKind, heard
from server.domain.callers import Reach
from server.domain.queries import AcquirerTransactionQuery, Page, UnreadableNotificationQuery
from server.domain.tasks import Task, TaskKind
from server.domain.unreadable_notifications import UnreadableNotification, UnreadableTally
from server.domain.webhook_configs import AcquirerCall, AcquirerOperation, CallOutcome
from server.store.store import SqlStore
from tests.server.store import samples

EVERYTHING = Reach(frozenset({"*"}))
CALL = AcquirerCall(AcquirerOperation.STATUS, CallOutcome.UNKNOWN, trouble="read_timeout", time=5)
NOW = 1_800_000_000_000_000


def transaction(number: int = 1, **fields: Any) -> AcquirerTransaction:
    given: dict[str, Any] = {
        "name": f"acquirerTransactions/a~{number}",
        "account": "partnerAccounts/a",
        "transaction_id": str(number),
        "merchant_gateway_id": "G",
        "merchant_id": "M",
        "create_time": NOW,
        "update_time": NOW,
        "report_time": NOW,
        **fields,
    }
    told = Telling(str(number), "Success", "PURS", "CARD", "2.00", "EUR", "2026-03-12T10:48:44Z", flags=())
    return heard(AcquirerTransaction(**given), told, NOW)[0]


def report(of: str, number: int = 1, **fields: Any) -> Report:
    texts = ("Success", "PURS", "2.0", "EUR", "", "000")
    name = f"{of}/reports/{number:08}"
    made = Report(name, of, number, ReportKind.NOTIFICATION, ReportEffect.APPLIED, NOW, *texts)
    return replace(made, **fields)


def unreadable(number: int = 1, config: str = "webhookConfigs/w", **fields: Any) -> UnreadableNotification:
    made = UnreadableNotification(
        f"{config}/unreadableNotifications/{number:026}",
        f"{number:026}",
        config,
        "G",
        "M",
        bytes([number]) * 32,
        100 + number,
        NOW + number,
        NOW,
        "c",
        1,
        b"sealed",
    )
    return replace(made, **fields)


def test_a_transaction_comes_back_as_it_was(store: SqlStore) -> None:
    made = transaction(contested=True, conflict=True, last_query=CALL)
    store.write("k", lambda t: t.acquirer.transactions.insert([made]))
    assert store.view.acquirer.transaction(made.name) == made
    later = replace(made, succeeded=None, payment="payments/1", revision=2)
    store.write("k", lambda t: t.acquirer.transactions.update([later]))
    assert store.view.acquirer.transaction(made.name) == later
    assert store.view.acquirer.contested_counts() == {"partnerAccounts/a": 1}


def test_a_transaction_is_found_by_everything_that_may_be_asked_for(store: SqlStore) -> None:
    wanted = transaction(1, payment="payments/1", merchant_reference="r", contested=True, reused=True)
    store.write("k", lambda t: t.acquirer.transactions.insert([wanted, transaction(2, merchant_id="N")]))
    for fields in (
        {"states": frozenset({wanted.state}), "merchant_id": "M"},
        {"account": wanted.account, "transaction_id": "1"},
        {"merchant_gateway_id": "G", "merchant_reference": "r"},
        {"payment": "payments/1"},
        {"contested": True},
    ):
        query = AcquirerTransactionQuery(EVERYTHING, **fields)
        assert store.view.acquirer.transactions(query, Page()) == [wanted], fields
    mine = AcquirerTransactionQuery(Reach(frozenset({"G"}), frozenset({"N"})))
    assert [each.transaction_id for each in store.view.acquirer.transactions(mine, Page())] == ["2"]


def test_reports_are_told_apart_by_what_they_say(store: SqlStore) -> None:
    of = transaction().name
    kept = [report(of, 1, effect_digest=b"e" * 32), report(of, 2, kind=ReportKind.STATUS_ANSWER, digest=b"d" * 32)]
    store.write("k", lambda t: t.acquirer.add_reports(kept))
    assert store.view.acquirer.reports(of, Page()) == kept
    assert store.view.acquirer.reports(of, Page(kept[0].name)) == kept[1:]
    asked = store.write(
        "k",
        lambda t: (
            t.acquirer.has_effect(of, b"e" * 32),
            t.acquirer.has_effect(of, b"d" * 32),
            t.acquirer.has_effect("other", b"e" * 32),
            t.acquirer.is_known(of, b"d" * 32),
            t.acquirer.is_known(of, b"e" * 32),
        ),
    )
    assert asked == (True, False, False, True, False)


def test_a_payment_is_found_by_its_reference_and_only_where_it_is_the_only_one(store: SqlStore) -> None:
    account, gateway = samples.account(), samples.GATEWAY
    account = replace(account, merchant_gateway_id=gateway)
    payments = [
        replace(samples.payment(f"p-{number}"), merchant_payment_id=own)
        for number, own in ((1, "order-1"), (2, "order-2"), (3, "twice"), (4, "twice"))
    ]
    operation = replace(samples.operation("p-1"), account=account.name, reference="ref-1")

    def fill(t: Any) -> None:
        t.accounts.insert([account])
        t.ledger.payments.insert(payments)
        t.ledger.operations.insert([operation])

    store.write("k", fill)

    def found(reference: str, of: str = gateway) -> str:
        return store.write("k", lambda t: t.acquirer.payment_with_reference(of, reference))

    assert found("ref-1") == payments[0].name
    assert found("order-2") == payments[1].name
    assert (found("twice"), found("nothing"), found("ref-1", "ANOTHER"), found("order-2", "ANOTHER")) == ("",) * 4


def test_unreadable_ones_are_kept_in_the_order_in_which_they_came(store: SqlStore) -> None:
    kept = [unreadable(number) for number in (1, 2, 3)]
    other = unreadable(4, "webhookConfigs/v", merchant_id="N")
    store.write("k", lambda t: t.acquirer.unreadable.insert([*kept, other]))
    sizes = store.write("k", lambda t: t.acquirer.unreadable_sizes("webhookConfigs/w"))
    assert sizes == [(each.name, each.size) for each in kept]
    after = store.write("k", lambda t: t.acquirer.unreadable_of("webhookConfigs/w", kept[0].unreadable_id, 1))
    assert after == [kept[1]]
    assert store.write("k", lambda t: t.acquirer.unreadable_with_digest(kept[2].digest)) == kept[2]
    assert store.write("k", lambda t: t.acquirer.unreadable_with_digest(b"?")) is None
    every = UnreadableNotificationQuery(EVERYTHING)
    assert store.view.acquirer.unreadable_notifications(every, Page()) == [other, *reversed(kept)]
    assert store.view.acquirer.unreadable_notifications(every, Page(kept[2].name, 1)) == [kept[1]]
    mine = UnreadableNotificationQuery(Reach(frozenset({"G"}), frozenset({"N"})))
    assert store.view.acquirer.unreadable_notifications(mine, Page()) == [other]
    tally = UnreadableTally("webhookConfigs/w", 7, NOW)
    store.write("k", lambda t: t.acquirer.tallies.insert([tally]))
    assert store.write("k", lambda t: t.acquirer.tallies.get("webhookConfigs/w")) == tally


@pytest.mark.parametrize("seconds", [0, 1])
def test_retention_removes_what_has_not_changed_since_with_all_that_belongs_to_it(
    store: SqlStore, seconds: int
) -> None:
    old, young = transaction(1), transaction(2, update_time=NOW + 2_000_000)
    task = Task("tasks/1", TaskKind.QUERY_ACQUIRER_TRANSACTION, old.account, "", "", NOW, NOW, resource=old.name)

    def fill(t: Any) -> None:
        t.acquirer.transactions.insert([old, young])
        t.acquirer.add_reports([report(old.name), report(young.name)])
        t.ledger.tasks.insert([task])
        t.acquirer.unreadable.insert([unreadable(1)])

    store.write("k", fill)
    before = NOW + seconds * 1_000_000
    removed = store.write(
        "k", lambda t: (t.removal.acquirer_transactions(before, 10), t.removal.unreadable_notifications(before, 10))
    )
    assert removed == (seconds, seconds)
    assert (store.view.acquirer.transaction(old.name) is None) is bool(seconds)
    assert (store.view.acquirer.reports(old.name, Page()) == []) is bool(seconds)
    assert (store.write("k", lambda t: t.ledger.tasks.get("tasks/1")) is None) is bool(seconds)
    assert store.view.acquirer.transaction(young.name) == young
    assert len(store.view.acquirer.reports(young.name, Page())) == 1
