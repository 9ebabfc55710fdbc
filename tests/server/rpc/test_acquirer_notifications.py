"""Encrypted notifications: opened, kept, acknowledged, and applied once."""

import json
import os
from pathlib import Path

import pytest
from mintmark.v1 import acquirer_notifications_pb2 as np
from mintmark.v1 import acquirer_transactions_pb2 as pb
from mintmark.v1 import webhook_configs_pb2 as wp

from tests.server.rpc.acquiring import (
    Envelope,
    Merchant,
    add_key,
    booking_of,
    delete_config,
    deliver,
    keys_of,
    open_merchant,
    outcome_of,
    said,
    sealed,
    state_of,
)
from tests.server.rpc.running import RunningCore, refused, request_id
from tests.vectors import contract_vector

CARD = "4111111111111111"


@pytest.fixture
def merchant(core: RunningCore) -> Merchant:
    return open_merchant(core)


def test_a_purchase_is_acknowledged_kept_and_booked_once(core: RunningCore, merchant: Merchant) -> None:
    cursor = core.admin.head()
    message = said(extra={"unknown": [1, 2.50, "x"]})
    first, again = merchant.send(message), merchant.send(message)
    assert (outcome_of(first), first.acknowledgement_status_code) == ("ACKNOWLEDGED", "200")
    assert first.notification_id == again.notification_id == message["notificationID"]
    assert (first.notification, first.repeated, again.repeated) == (again.notification, False, True)
    found = merchant.get(message["transactionID"])
    assert (state_of(found), booking_of(found)) == ("SUCCESS", "PAID")
    assert (found.amount.minor_amount, found.amount.currency_code, found.amount_text) == (5050, "PLN", "50.5")
    assert (found.merchant_reference, found.terminal_id, found.report_count) == ("order-1", "50994", 1)
    (kept,) = merchant.kept()
    assert (kept.delivery_count, kept.resource, kept.webhook_config) == (2, found.name, merchant.config)
    assert kept.partner_notification_id == message["notificationID"]
    (report,) = merchant.reports(message["transactionID"])
    assert json.loads(report.redacted_body) == message
    assert '"unknown":[1,2.5,"x"]' in report.redacted_body
    assert merchant.kinds(cursor) == ["ACQUIRER_TRANSACTION_UPDATED"]


def test_the_published_vector_is_opened_and_acknowledged(core: RunningCore) -> None:
    vector = contract_vector("sibs-webhook-1.json")
    merchant = open_merchant(core, key=vector["key"])
    answer = deliver(core, merchant.config_id, Envelope(vector["body"], vector["iv"], vector["tag"]))
    assert outcome_of(answer) == "ACKNOWLEDGED"
    assert answer.notification_id == "de64fbe2-0e6e-4d94-b50c-3dac491e76ff"
    found = merchant.get("8vfDedn6RvmEC3WNZTRm")
    assert (found.amount.minor_amount, found.amount.currency_code, booking_of(found)) == (200, "EUR", "PAID")
    (report,) = merchant.reports("8vfDedn6RvmEC3WNZTRm")
    assert report.redacted_body == vector["plaintext"]


def test_another_notification_with_the_same_effect_changes_nothing(core: RunningCore, merchant: Merchant) -> None:
    message = said()
    merchant.send(message)
    cursor = core.admin.head()
    merchant.send({**message, "notificationID": request_id(), "more": 1})
    assert merchant.effects(message["transactionID"]) == ["APPLIED", "KNOWN"]
    assert merchant.kinds(cursor) == []


def test_the_same_notification_through_two_configs_of_one_account_is_one(merchant: Merchant) -> None:
    other = open_merchant(merchant.core, like=merchant)
    message = said()
    first, again = merchant.send(message), other.send(message)
    assert (first.notification, again.repeated) == (again.notification, True)
    assert [kept.delivery_count for kept in merchant.kept()] == [2]


def test_the_same_notification_of_two_acquirers_is_two(merchant: Merchant) -> None:
    other = open_merchant(merchant.core)
    message = said()
    assert merchant.send(message).notification != other.send(message).notification
    assert booking_of(other.get(message["transactionID"])) == "PAID"


def test_an_id_that_comes_again_with_other_content_is_kept_acknowledged_and_not_booked(
    core: RunningCore, merchant: Merchant
) -> None:
    first = said(paymentStatus="Declined")
    merchant.send(first)
    cursor = core.admin.head()
    second = {**first, "paymentStatus": "Success"}
    answers = [merchant.send(second), merchant.send(second)]
    assert [(outcome_of(each), each.notification_id) for each in answers] == [
        ("ACKNOWLEDGED", first["notificationID"])
    ] * 2
    found = merchant.get(first["transactionID"])
    assert (state_of(found), booking_of(found), found.contested) == ("DECLINED", "UNSPECIFIED", True)
    assert merchant.effects(first["transactionID"]) == ["APPLIED", "CONTESTED"]
    kept = merchant.kept()[0]
    assert (kept.quarantine_reason, kept.delivery_count, kept.resource) == (20, 2, found.name)
    kinds = merchant.kinds(cursor)
    assert kinds == ["ACQUIRER_TRANSACTION_UPDATED", "ACQUIRER_TRANSACTION_CONTESTED", "NOTIFICATION_QUARANTINED"]


def test_a_reused_id_of_another_transaction_books_nothing(merchant: Merchant) -> None:
    first = said()
    merchant.send(first)
    merchant.send({**first, "transactionID": "elsewhere"})
    found = merchant.get("elsewhere")
    assert (booking_of(found), found.contested, found.state_text) == ("UNSPECIFIED", True, "")
    assert merchant.get(first["transactionID"]).contested is False


def test_the_test_button_is_acknowledged_told_and_not_booked(core: RunningCore, merchant: Merchant) -> None:
    cursor = core.admin.head()
    message = said(transactionID="Test")
    assert outcome_of(merchant.send(message)) == "ACKNOWLEDGED"
    assert merchant.kinds(cursor) == ["ACQUIRER_TEST_RECEIVED"]
    assert merchant.kept()[0].resource == merchant.config
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        merchant.get("Test")


@pytest.mark.parametrize("given", [None, "", "t" * 2000, CARD, f"x {CARD}", {"a": 1}])
def test_what_names_no_transaction_is_acknowledged_and_quarantined(merchant: Merchant, given: object) -> None:
    answer = merchant.send(said(transactionID=given))
    assert outcome_of(answer) == "ACKNOWLEDGED"
    (kept,) = merchant.kept()
    assert kept.quarantine_reason in (2, 6)
    assert kept.resource == ""


@pytest.mark.parametrize("plaintext", [b" ", b"no json", b"[1]", b"\xff", b'{"a": NaN}', b'{"paymentStatus": "x"}'])
def test_what_is_no_notification_is_refused_kept_once_and_counted(merchant: Merchant, plaintext: bytes) -> None:
    outcomes = [outcome_of(merchant.send(plaintext)) for _ in range(3)]
    assert outcomes == ["MALFORMED"] * 3
    (kept,) = merchant.kept()
    assert (kept.delivery_count, kept.quarantine_reason in (4, 5)) == (3, True)


@pytest.mark.parametrize(
    "fields",
    [
        {"merchant": {"transactionId": "a\x00b"}},
        {"paymentStatus": "\ud800"},
        {"notificationID": "\ud800\x00"},
        {"transactionID": "t\x00\udfff"},
        {"merchant": [], "amount": "x", "returnStatus": 7},
        {"amount": {"value": 10**300, "currency": "PLN"}},
        {"merchant": {"transactionId": "ł" * 5000}},
        {"transactionDateTime": "9999999-99-99"},
        {"deep": json.loads("[" * 29 + "]" * 29)},
    ],
)
def test_odd_content_never_stops_the_feed(merchant: Merchant, fields: dict[str, object]) -> None:
    message = said(**fields)
    first, again = merchant.send(message), merchant.send(message)
    assert [outcome_of(first), outcome_of(again)] == ["ACKNOWLEDGED"] * 2
    assert again.repeated
    assert merchant.kept()[0].flags or "deep" in fields


def test_a_config_that_is_not_there_is_unknown(core: RunningCore, merchant: Merchant) -> None:
    answer = deliver(core, "nothing", sealed(merchant.key, b"{}"))
    assert outcome_of(answer) == "CONFIG_UNKNOWN"
    answer = deliver(core, "a\x00b/../c", sealed(merchant.key, b"{}"))
    assert outcome_of(answer) == "CONFIG_UNKNOWN"


def test_a_key_serves_its_own_config_only(merchant: Merchant) -> None:
    other = open_merchant(merchant.core, like=merchant)
    assert outcome_of(deliver(merchant.core, other.config_id, sealed(merchant.key, b"{}"))) == "UNREADABLE"


def test_who_may_not_see_the_merchant_sees_nothing_of_it(core: RunningCore, merchant: Merchant) -> None:
    transaction_id = merchant.tell()
    scopes = ["acquirer_transactions.read", "acquirer_transactions.write", "notifications.read", "webhook_configs.read"]
    mine = core.client(scopes, [merchant.gateway], [merchant.merchant_id])
    for theirs in (core.client(scopes, ["OTHER"]), core.client(scopes, [merchant.gateway], ["another"])):
        services, name = theirs.acquirer_transactions, merchant.name_of(transaction_id)
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
            services.GetAcquirerTransaction(pb.GetAcquirerTransactionRequest(name=name))
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
            services.ListAcquirerTransactionReports(pb.ListAcquirerTransactionReportsRequest(name=name))
        with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
            services.RefreshAcquirerTransaction(
                pb.RefreshAcquirerTransactionRequest(request_id=request_id(), name=name)
            )
        asked = pb.ListAcquirerTransactionsRequest(transaction_id=transaction_id)
        assert list(services.ListAcquirerTransactions(asked).acquirer_transactions) == []
        shown = mine.acquirer_transactions.ListAcquirerTransactions(asked).acquirer_transactions
        assert [each.name for each in shown] == [name]


def test_only_the_gateway_may_record(core: RunningCore, merchant: Merchant) -> None:
    request = np.RecordAcquirerNotificationRequest(
        webhook_config_id=merchant.config_id,
        ciphertext=b"x",
        initialization_vector=bytes(12),
        authentication_tag=bytes(16),
        correlation_id="c",
    )
    with refused("PERMISSION_DENIED", "SCOPE_MISSING"):
        core.dispatcher.acquirer_notifications.RecordAcquirerNotification(request)


def test_neither_keys_nor_card_numbers_nor_contents_are_stored_in_plain(core: RunningCore, merchant: Merchant) -> None:
    canary = f"canary-{request_id()}"
    merchant.send(said(token={"value": CARD}, customer=canary))
    merchant.send(f"{canary} {CARD}".encode())
    deliver(core, merchant.config_id, sealed(os.urandom(32), canary.encode()))
    files = [path.read_bytes() for path in Path(core.folder).rglob("*") if path.is_file()]
    assert files
    for secret in (canary.encode(), CARD.encode(), merchant.key):
        assert not any(secret in content for content in files)
    bodies = [
        report.redacted_body
        for each in merchant.kept()
        if each.resource
        for report in merchant.reports(each.resource.partition("~")[2])
    ]
    assert any("411111******1111" in body and canary in body for body in bodies)


def test_a_transaction_that_may_have_been_forgotten_is_asked_about_and_not_booked(merchant: Merchant) -> None:
    """Its key opens it still, but what was known of it could have been removed."""
    old = merchant.get(merchant.tell(transactionDateTime="2020-03-12T10:48:44Z"))
    assert (booking_of(old), old.contested, old.report_count) == ("UNSPECIFIED", True, 1)
    known = merchant.tell(transactionDateTime=None)
    merchant.tell(transactionID=known, transactionDateTime="2020-03-12T10:48:44Z")
    assert (booking_of(merchant.get(known)), merchant.get(known).contested) == ("PAID", False)


def test_a_use_of_a_key_is_noted_once_an_hour(merchant: Merchant) -> None:
    (key,) = keys_of(merchant)
    assert not key.HasField("last_use_time")
    merchant.tell()
    (key,) = keys_of(merchant)
    assert key.HasField("last_use_time")
    merchant.tell()
    assert keys_of(merchant) == [key]


def test_a_key_opens_from_the_moment_of_its_rotation_and_the_old_one_goes_on(
    core: RunningCore, merchant: Merchant
) -> None:
    key = os.urandom(32)
    add_key(merchant, key)
    for each in (key, merchant.key, key):
        message = said()
        answer = deliver(core, merchant.config_id, sealed(each, json.dumps(message).encode()))
        assert outcome_of(answer) == "ACKNOWLEDGED"
        assert booking_of(merchant.get(message["transactionID"])) == "PAID"
    assert [each.HasField("last_use_time") for each in keys_of(merchant)] == [True, True]


def test_a_deleted_config_goes_on_receiving(core: RunningCore, merchant: Merchant) -> None:
    message = said()
    delete_config(merchant)
    assert outcome_of(merchant.send(message)) == "ACKNOWLEDGED"
    assert booking_of(merchant.get(message["transactionID"])) == "PAID"


def test_a_config_says_with_which_status_code_it_acknowledges(core: RunningCore) -> None:
    merchant = open_merchant(core, acknowledgement_status_code="000")
    assert merchant.send(said()).acknowledgement_status_code == "000"


def test_a_config_without_a_key_is_unknown(core: RunningCore) -> None:
    merchant = open_merchant(core)
    wanted = wp.DesiredWebhookConfig(
        webhook_config_id=f"{merchant.config_id}-mail",
        account=merchant.account,
        merchant_id=merchant.merchant_id,
        channel=wp.NOTIFICATION_CHANNEL_EMAIL,
        value="ops@example.com",
        payment_method_codes=["CARD"],
    )
    core.admin.webhook_configs.CreateWebhookConfig(
        wp.CreateWebhookConfigRequest(request_id=request_id(), desired=wanted)
    )
    answer = deliver(core, wanted.webhook_config_id, sealed(merchant.key, b"{}"))
    assert outcome_of(answer) == "CONFIG_UNKNOWN"
