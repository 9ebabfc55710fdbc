"""Webhooks from PaymentOptions: a hint makes us ask, and moves nothing."""

from mintmark.v1 import notifications_pb2, payments_pb2, tasks_pb2
from mintmark.v1 import payment_webhooks_pb2 as pb

from tests.server.rpc.paying import (
    NOT_SENT,
    QUERY,
    SUBMIT,
    UNKNOWN,
    Shop,
    approved,
    declined,
    duration,
    open_shop,
    transaction_id,
)
from tests.server.rpc.running import RunningCore, refused, running_core
from tests.waiting import eventually


def deliver(core: RunningCore, token: str, answer: tasks_pb2.PartnerAnswer) -> str:
    request = pb.RecordPaymentWebhookRequest(url_token=token, answer=answer, correlation_id="c-1")
    outcome = core.gateway.payment_webhooks.RecordPaymentWebhook(request).outcome
    return notifications_pb2.RecordOutcome.Name(outcome).removeprefix("RECORD_OUTCOME_")


def token_of(grant: tasks_pb2.BeginAttemptResponse) -> str:
    return grant.submission.webhook_url.rpartition("/")[2]


def test_a_webhook_alone_moves_no_state_and_its_confirmation_does(core: RunningCore) -> None:
    shop = open_shop(core)
    payment, grant = shop.in_doubt()
    named = transaction_id()
    said = approved(grant, http_status=0, partner_transaction_id=named)
    assert deliver(core, token_of(grant), said) == "STORED"
    assert shop.state(payment) == "IN_DOUBT"
    assert deliver(core, token_of(grant), said) == "REPEATED"
    (task,) = shop.claim(QUERY, of=payment)
    assert task.query.partner_transaction_id == named
    assert [line.summary for line in shop.evidence(payment)][-1].startswith("a webhook: a hint")
    assert shop.record_status(task, approved(grant, http_status=200, partner_transaction_id=named)) == "SUCCEEDED"
    kept = core.admin.notifications.ListNotifications(notifications_pb2.ListNotificationsRequest()).notifications
    (mine,) = [each for each in kept if each.resource == payment.name]
    assert mine.delivery_count == 2
    assert mine.partner == notifications_pb2.PARTNER_PAYMENT_OPTIONS
    for partner, there in ((notifications_pb2.PARTNER_PAYMENT_OPTIONS, True), (notifications_pb2.PARTNER_TSH, False)):
        asked = notifications_pb2.ListNotificationsRequest(partners=[partner], page_size=1000)
        found = core.admin.notifications.ListNotifications(asked).notifications
        assert (mine.name in {each.name for each in found}) is there


def test_a_webhook_that_says_no_moves_nothing_either(core: RunningCore) -> None:
    shop = open_shop(core)
    payment, grant = shop.in_doubt()
    deliver(core, token_of(grant), declined(grant, http_status=0))
    assert shop.state(payment) == "IN_DOUBT"


def test_a_webhook_while_sending_is_evidence_that_it_was_sent(core: RunningCore) -> None:
    """A sender that says afterwards that nothing was sent is not believed, and nothing is sent again."""
    shop = open_shop(core)
    payment = shop.create()
    grant = shop.granted(payment)
    deliver(core, token_of(grant), approved(grant, http_status=0))
    assert shop.state(payment) == "PROCESSING"
    assert shop.record(grant.attempt, outcome=NOT_SENT, trouble="x") == "IN_DOUBT"
    assert shop.claim(SUBMIT, of=payment) == []


def test_a_capture_without_an_answer_is_settled_by_its_webhook_which_has_the_payments_reference(
    core: RunningCore,
) -> None:
    shop = open_shop(core)
    payment = shop.authorize()
    first = shop.granted(payment)
    assert shop.record(first.attempt, approved(first)) == "SUCCEEDED"
    shop.capture(payment)
    grant = shop.granted(payment)
    assert grant.submission.reference == shop.get(payment).operations[0].reference
    assert shop.record(grant.attempt, outcome=UNKNOWN, trouble="read_timeout") == "IN_DOUBT"
    named = transaction_id()
    deliver(core, token_of(first), approved(grant, http_status=0, partner_transaction_id=named))
    (task,) = [each for each in shop.claim(QUERY, of=payment) if each.query.partner_transaction_id == named]
    assert shop.record_status(task, approved(grant, http_status=200, partner_transaction_id=named)) == "SUCCEEDED"
    assert shop.state(payment) == "CAPTURED"


def test_a_webhook_of_another_type_is_not_about_what_is_open(core: RunningCore) -> None:
    """A second charge that nobody asked for is seen, though a refund is on its way."""
    shop = open_shop(core)
    payment = shop.create()
    first = shop.granted(payment)
    assert shop.record(first.attempt, approved(first)) == "SUCCEEDED"
    shop.refund(payment)
    shop.granted(payment)
    named = transaction_id()
    deliver(core, token_of(first), approved(first, http_status=0, partner_transaction_id=named))
    (task,) = [each for each in shop.claim(QUERY, of=payment) if each.query.partner_transaction_id == named]
    shop.record_status(task, approved(first, http_status=200, partner_transaction_id=named))
    assert shop.get(payment).duplicate_charge


def test_a_token_that_we_never_made_is_not_ours(core: RunningCore) -> None:
    shop = open_shop(core)
    _, grant = shop.in_doubt()
    right = token_of(grant)
    other = token_of(shop.granted(shop.create()))
    mixed = f"{right.partition('.')[0]}.{other.partition('.')[2]}"
    for wrong in ("", "x", right[:-1], f"{right}0", mixed, right.upper()):
        assert deliver(core, wrong, approved(grant)) == "NOT_OURS"


def test_a_webhook_for_a_payment_that_is_gone_is_kept_and_told(core: RunningCore) -> None:
    cursor = core.admin.head()
    gone = core.core.payments.webhook_token("payments/0123456789abcdef0123456789")
    said = tasks_pb2.PartnerAnswer(readable=True, success="true", partner_transaction_id="t-1")
    assert deliver(core, gone, said) == "STORED"
    (event,) = core.admin.events_after(cursor)
    assert event.details["quarantine_reason"] == "PAYMENT_UNKNOWN"


def test_only_the_gateway_may_tell_of_webhooks(core: RunningCore) -> None:
    with refused("PERMISSION_DENIED", "SCOPE_MISSING"):
        core.dispatcher.payment_webhooks.RecordPaymentWebhook(
            pb.RecordPaymentWebhookRequest(url_token="x", answer=tasks_pb2.PartnerAnswer(), correlation_id="c")
        )


def expired_in_doubt(shop: Shop, payment: str) -> bool:
    told = shop.client.payments.GetPayment(payments_pb2.GetPaymentRequest(name=payment)).payment
    return told.state == payments_pb2.PAYMENT_STATE_IN_DOUBT


def test_what_was_heard_of_does_not_expire_as_unsent() -> None:
    with running_core(clock=True) as core:
        shop = open_shop(core)
        payment = shop.create(send_within=duration(120))
        grant = shop.granted(payment)
        assert shop.record(grant.attempt, outcome=NOT_SENT, trouble="connect_timeout") == "PENDING"
        deliver(core, token_of(grant), approved(grant, http_status=0))
        shop.advance(10)
        (task,) = shop.claim(SUBMIT, of=payment)
        with refused("ABORTED", "ATTEMPT_REFUSED"):
            shop.begin(task)
        shop.advance(120)
        eventually(lambda: expired_in_doubt(shop, payment.name), what="doubt instead of expiry")
