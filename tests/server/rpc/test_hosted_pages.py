"""Payments through a page of the partner's: one link, asked for once."""

from typing import Any

import pytest
from mintmark.v1 import accounts_pb2, money_pb2
from mintmark.v1 import payments_pb2 as pb
from mintmark.v1 import tasks_pb2 as tp

from tests.server.rpc import exporting
from tests.server.rpc.hosting import confirmed, opened, paid, token
from tests.server.rpc.paying import (
    PARTNER_MERCHANT,
    QUERY,
    SUBMIT,
    UNKNOWN,
    Shop,
    account,
    address,
    approved,
    declined,
    doubt,
    link,
    open_shop,
    page_details,
    redirect,
    state,
    transaction_id,
)
from tests.server.rpc.running import RunningCore, refused, request_id
from tests.server.rpc.test_payment_webhooks import deliver, token_of
from tests.waiting import eventually


@pytest.fixture
def shop(moving: RunningCore) -> Shop:
    return open_shop(moving)


def test_a_page_is_asked_for_once_and_the_payer_is_sent_there(shop: Shop) -> None:
    payment = shop.page(store_payment_method=True)
    assert (state(payment), payment.token, payment.redirect_url) == ("PENDING", "", "")
    grant = shop.granted(payment)
    said = grant.submission
    assert said.kind == pb.PAYMENT_OPERATION_KIND_HOSTED_PURCHASE
    assert (said.path, said.amount_text) == ("/server-to-server-interface/hpp/generate/link", "1000")
    assert (said.hosted_page_details, said.HasField("details")) == (page_details(), False)
    assert (said.merchant_email, said.store_payment_method) == ("shop@testemail.com", True)
    assert "/payment-options/webhooks/" in said.webhook_url
    assert (said.partner_merchant_id, said.stored_payment_method_id) == (PARTNER_MERCHANT, "")
    told = link(grant)
    assert shop.record(grant.attempt, told) == "REQUIRES_ACTION"
    waiting = shop.get(payment)
    assert (state(waiting), waiting.redirect_url) == ("REQUIRES_ACTION", told.page_url)
    assert waiting.operations[0].partner_transaction_id == ""
    assert shop.claim(SUBMIT, QUERY, of=payment) == []
    assert not any("canary-link" in str(event) for event in shop.core.admin.events_after("0", resource=payment.name))
    assert not any("canary-link" in str(line) for line in shop.evidence(payment))


def test_one_declined_try_does_not_close_the_page(shop: Shop) -> None:
    payment, grant = opened(shop)
    no = declined(grant, http_status=200, partner_transaction_id=transaction_id())
    assert confirmed(shop, payment, no) == "REQUIRES_ACTION"
    assert shop.get(payment).redirect_url
    assert confirmed(shop, payment, paid(grant)) == "SUCCEEDED"


def test_a_declined_try_is_not_asked_for_again_for_ever(shop: Shop) -> None:
    """Whoever tries many cards on a page makes no calls for as long as it is open."""
    payment, grant = opened(shop)
    no = declined(grant, http_status=200, partner_transaction_id=transaction_id())
    assert confirmed(shop, payment, no) == "REQUIRES_ACTION"
    asked = 1
    for _ in range(12):
        shop.advance(3601)
        for task in shop.claim(QUERY, of=payment):
            shop.record_status(task, no)
            asked += 1
    assert asked <= 5
    # A yes counts, whenever it is heard of.
    assert confirmed(shop, payment, paid(grant)) == "SUCCEEDED"


def test_a_lost_link_leaves_doubt_and_is_never_asked_for_again(shop: Shop) -> None:
    payment = shop.page()
    grant = shop.granted(payment)
    assert shop.record(grant.attempt, outcome=UNKNOWN, trouble="reset") == "IN_DOUBT"
    assert doubt(shop.get(payment)) == "OUTCOME_UNKNOWN"
    assert shop.claim(SUBMIT, of=payment) == []
    # A no to one try settles nothing, whatever became of the link.
    no = declined(grant, http_status=200, partner_transaction_id=transaction_id())
    assert confirmed(shop, payment, no) == "IN_DOUBT"
    # The answer, told late.
    assert shop.record(grant.attempt, link(grant)) == "REQUIRES_ACTION"


WRONG: list[dict[str, Any]] = [
    {"page_amount": "1001"},
    {"page_amount": "x"},
    {"page_currency": "EUR"},
    {"page_reference": "somebody-elses"},
    {"page_merchant_id": "JP99999999"},
    {"page_url": "javascript:alert(1)"},
    {"page_url": "/HostedPaymentPage/1"},
    {"page_url": "//checkout.example/1"},
    {"page_url": "https://user:secret@checkout.example/1"},
    {"page_url": "https://checkout.example\\@evil.example/"},
    {"page_url": "https:///1"},
    {"page_url": "https://checkout.example/400000******1091"},
    {"page_url": ""},
    {"page_url": "", "success": "true", "response_code": "0", "gateway_code": "INFO0000"},
    {"success": "false"},
    {"response_code": "51"},
    {"gateway_code": "ERR3004"},
    {"redirect_url": "https://checkout.example/3ds"},
    {"readable": False},
    {"http_status": 302},
    {"http_status": 400},
    {"http_status": 500},
    {"http_status": 503, "page_url": ""},
    {"http_status": 409, "page_url": ""},
]


def test_a_link_that_is_not_what_was_asked_for_is_shown_to_nobody(shop: Shop) -> None:
    for wrong in WRONG:
        payment = shop.page()
        grant = shop.granted(payment)
        assert shop.record(grant.attempt, link(grant, **wrong)) == "IN_DOUBT", wrong
        told = shop.get(payment)
        assert (doubt(told) in {"ANSWER_UNREADABLE", "OUTCOME_UNKNOWN"}, told.redirect_url) == (True, ""), wrong
    assert shop.claim(SUBMIT) == []


def test_a_refused_page_is_a_decline(shop: Shop) -> None:
    for status in (201, 400, 401, 404, 406, 412):
        payment = shop.page()
        grant = shop.granted(payment)
        answer = tp.PartnerAnswer(http_status=status, readable=True, success="false", gateway_code="ERR0400")
        assert shop.record(grant.attempt, answer) == "DECLINED", status
        # Nothing can have been charged: the order may be paid otherwise.
        shop.page(merchant_payment_id=payment.merchant_payment_id)


def test_links_and_details_are_kept_sealed(core: RunningCore) -> None:
    shop = open_shop(core)
    payment = shop.page(details=page_details(billing_address=address(address1="canary-road 5")))
    grant = shop.granted(payment)
    body = b'{"url": "https://checkout.example/canary-link"}'
    assert shop.record(grant.attempt, link(grant, body=body)) == "REQUIRES_ACTION"
    assert any("canary-link" in line.redacted_body for line in shop.evidence(payment))
    kept = b"".join(file.read_bytes() for file in (core.folder / "data").glob("mintmark.sqlite*"))
    for canary in (b"canary-road", b"canary-link", b"checkout/back"):
        assert canary not in kept


def test_a_partners_export_settles_a_page(shop: Shop) -> None:
    """The answer was lost and so was the webhook; a no in the export may be another try's."""
    payment, _ = opened(shop)
    lost = shop.page()
    assert shop.record(shop.granted(lost).attempt, outcome=UNKNOWN, trouble="reset") == "IN_DOUBT"
    no = exporting.row(shop.get(payment), outcome=exporting.NO, response_code="51")
    assert exporting.finding(exporting.reconcile(shop, no)[0]) == "PROVES_NOTHING"
    assert shop.state(payment) == "REQUIRES_ACTION"
    rows = [exporting.row(shop.get(payment)), exporting.row(shop.get(lost), line=3)]
    assert [exporting.finding(each) for each in exporting.reconcile(shop, *rows)] == ["SETTLES", "SETTLES"]
    assert (shop.state(payment), shop.state(lost)) == ("CAPTURED", "CAPTURED")


def test_what_the_link_does_not_say_cannot_differ(shop: Shop) -> None:
    payment = shop.page()
    grant = shop.granted(payment)
    bare = link(grant, page_amount="", page_currency="", page_reference="", page_merchant_id="")
    assert shop.record(grant.attempt, bare) == "REQUIRES_ACTION"


def test_on_a_live_account_only_https_is_shown(moving: RunningCore) -> None:
    limits = accounts_pb2.PaymentCurrency(currency_code="JPY", payment_ceiling=10**6, day_ceiling=10**9)
    for live, becomes in ((True, "IN_DOUBT"), (False, "REQUIRES_ACTION")):
        shop = open_shop(moving, live=live, currencies=[limits])
        grant = shop.granted(shop.page())
        assert shop.record(grant.attempt, link(grant, page_url="http://checkout.example/1")) == becomes


def test_a_window_of_its_own_ends_in_doubt_and_a_late_payer_still_pays(moving: RunningCore) -> None:
    shop = open_shop(moving)
    payment, grant = opened(shop, store_payment_method=True)
    left = shop.get(payment).redirect_expire_time.ToSeconds() - shop.get(payment).update_time.ToSeconds()
    assert left == 1800
    shop.advance(1801)
    eventually(lambda: shop.state(payment) == "IN_DOUBT", what="the end of the window")
    told = shop.get(payment)
    assert (doubt(told), told.redirect_url) == ("ACTION_WINDOW_PASSED", "")
    # The payer may have acted to the last second.
    with refused("FAILED_PRECONDITION", "TOO_EARLY"):
        shop.resolve(payment)
    # The same answer again opens nothing.
    assert shop.record(grant.attempt, link(grant, message="again")) == "IN_DOUBT"
    shop.advance(901)
    assert state(shop.resolve(payment)) == "NOT_CHARGED"
    method = request_id()
    assert confirmed(shop, payment, paid(grant, method)) == "SUCCEEDED"
    assert shop.state(payment) == "CAPTURED"
    assert "PAYMENT_CHARGED_AFTER_ALL" in shop.kinds(payment)
    assert shop.get(payment).token == token(shop, method).name


def test_a_webhook_before_the_answer_moves_nothing_and_the_answer_counts(shop: Shop) -> None:
    payment = shop.page()
    grant = shop.granted(payment)
    yes = paid(grant, partner_transaction_id=transaction_id())
    deliver(shop.core, token_of(grant), yes)
    assert shop.state(payment) == "PROCESSING"
    (task,) = shop.claim(QUERY, of=payment)
    assert shop.record_status(task, yes) == "SUCCEEDED"
    assert shop.record(grant.attempt, link(grant)) == "SUCCEEDED"
    assert (shop.state(payment), shop.get(payment).redirect_url) == ("CAPTURED", "")


def test_a_declined_try_before_the_answer_does_not_decline(shop: Shop) -> None:
    payment = shop.page()
    grant = shop.granted(payment)
    no = declined(grant, http_status=200, partner_transaction_id=transaction_id())
    assert confirmed(shop, payment, no) == "SENDING"
    assert shop.record(grant.attempt, link(grant)) == "REQUIRES_ACTION"


def test_the_page_blocks_no_other_payment_and_is_neither_captured_nor_released(shop: Shop) -> None:
    payment, grant = opened(shop)
    shop.pay()
    for call in (shop.capture, shop.void, shop.refund):
        with refused("FAILED_PRECONDITION", "OPERATION_IN_DOUBT"):
            call(payment)
    with refused("FAILED_PRECONDITION", "ALREADY_SENT"):
        shop.cancel(payment)
    assert confirmed(shop, payment, paid(grant)) == "SUCCEEDED"
    for call in (shop.capture, shop.void):
        with refused("FAILED_PRECONDITION", "PAYMENT_STATE_UNFIT"):
            call(payment)
    shop.refund(payment, 400)
    refund = shop.granted(payment)
    assert refund.submission.parent_transaction_id == shop.get(payment).operations[0].partner_transaction_id
    assert shop.record(refund.attempt, approved(refund, stored_payment_method_id=request_id())) == "SUCCEEDED"
    assert shop.state(payment) == "PARTIALLY_REFUNDED"
    # A refund makes no token.
    assert shop.get(payment).token == ""


def test_a_page_may_be_paid_in_part(shop: Shop) -> None:
    payment, grant = opened(shop)
    part = paid(grant, response_code="10", amount="600")
    assert confirmed(shop, payment, part) == "PARTIALLY_APPROVED"
    assert shop.get(payment).captured_amount.minor_amount == 600


def test_it_is_a_payment_like_any_other(moving: RunningCore) -> None:
    shop = open_shop(moving)
    request = shop.page_request()
    first = shop.client.payments.CreateHostedPaymentPage(request).payment
    assert shop.client.payments.CreateHostedPaymentPage(request).payment == first
    changed = pb.CreateHostedPaymentPageRequest()
    changed.CopyFrom(request)
    changed.store_payment_method = True
    with refused("FAILED_PRECONDITION", "REQUEST_ID_REUSED"):
        shop.client.payments.CreateHostedPaymentPage(changed)
    with refused("ALREADY_EXISTS", "MERCHANT_PAYMENT_ID_USED"):
        shop.page(merchant_payment_id=first.merchant_payment_id)
    with refused("ALREADY_EXISTS", "MERCHANT_PAYMENT_ID_USED"):
        shop.create(merchant_payment_id=first.merchant_payment_id)
    assert state(shop.cancel(first)) == "CANCELLED"
    shop.page(merchant_payment_id=first.merchant_payment_id)
    unsent = shop.page()
    shop.advance(301)
    eventually(lambda: shop.state(unsent) == "EXPIRED", what="the end of its time to be sent")


@pytest.mark.parametrize("field", ["success_url", "decline_url", "cancel_url"])
def test_the_payer_is_sent_back_to_allowed_places_only(shop: Shop, field: str) -> None:
    with refused("INVALID_ARGUMENT", "RETURN_URL_NOT_ALLOWED") as told:
        shop.page(details=page_details(**{field: "https://shop.example.com.evil.example/checkout"}))
    assert told.metadata == {"field": f"details.{field}"}
    assert shop.page(details=page_details(cancel_url=""))


def test_amounts_are_given_and_within_the_ceilings(moving: RunningCore) -> None:
    limits = accounts_pb2.PaymentCurrency(currency_code="JPY", payment_ceiling=1000, day_ceiling=1500)
    shop = open_shop(moving, currencies=[limits])
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        shop.page(0)
    with refused("FAILED_PRECONDITION", "AMOUNT_UNSENDABLE"):
        shop.page(100, "EUR")
    with refused("FAILED_PRECONDITION", "CEILING_EXCEEDED"):
        shop.page(1001)
    opened(shop)
    # What waits for a payer counts.
    with refused("FAILED_PRECONDITION", "CEILING_EXCEEDED"):
        shop.page(501)
    with refused("FAILED_PRECONDITION", "CEILING_EXCEEDED"):
        shop.create(501)


def test_an_account_without_the_merchants_address_makes_no_pages(moving: RunningCore) -> None:
    shop = open_shop(moving, merchant_email="")
    with refused("FAILED_PRECONDITION", "ACCOUNT_UNUSABLE") as told:
        shop.page()
    assert "merchant_email" in told.metadata["why"]
    shop.pay()


def test_a_page_that_the_account_cannot_have_any_more_is_not_asked_for(moving: RunningCore) -> None:
    shop = open_shop(moving)
    payment = shop.page()
    bare = account(shop.account.partition("/")[2], shop.gateway, merchant_email="")
    moving.admin.accounts.ApplyAccounts(accounts_pb2.ApplyAccountsRequest(request_id=request_id(), accounts=[bare]))
    (task,) = shop.claim(SUBMIT, of=payment)
    with refused("ABORTED", "ATTEMPT_REFUSED"):
        shop.begin(task)
    assert shop.state(payment) == "PENDING"


def test_the_older_path_is_a_setting(moving: RunningCore) -> None:
    shop = open_shop(moving, hosted_page_path=accounts_pb2.HOSTED_PAGE_PATH_OLDER)
    assert shop.granted(shop.page()).submission.path == "/hpp/generate/link"


def test_foreign_merchants_are_not_there(moving: RunningCore) -> None:
    shop, other = open_shop(moving), open_shop(moving)
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        shop.page(merchant_gateway_id=other.gateway)
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        shop.page(merchant_gateway_id="NOWHERE")
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        other.get(shop.page())
    made = moving.create(["payments.read"], [shop.gateway])
    reader = moving.session(made.client.client_id, made.client_secret)
    with refused("PERMISSION_DENIED", "SCOPE_MISSING"):
        reader.payments.CreateHostedPaymentPage(shop.page_request())


def test_held_accounts_ask_for_nothing(moving: RunningCore) -> None:
    shop = open_shop(moving)
    hold = pb.HoldPaymentsRequest(request_id=request_id(), account=shop.account, reason="incident")
    moving.admin.payments.HoldPayments(hold)
    payment = shop.page()
    assert shop.claim(SUBMIT, of=payment) == []


def test_card_numbers_in_addresses_are_refused(shop: Shop) -> None:
    details = page_details()
    details.billing_address.address1 = "4012888888881881"
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        shop.page(details=details)


def test_a_link_is_no_answer_to_another_payment(shop: Shop) -> None:
    payment = shop.create()
    grant = shop.granted(payment)
    assert shop.record(grant.attempt, link(grant)) == "IN_DOUBT"
    payment = shop.page()
    grant = shop.granted(payment)
    assert shop.record(grant.attempt, redirect()) == "IN_DOUBT"
    payment = shop.page()
    grant = shop.granted(payment)
    # Neither is a payment an answer to the request for a page; but its transaction is asked about.
    said = approved(grant)
    assert shop.record(grant.attempt, said) == "IN_DOUBT"
    shop.advance(11)
    (task,) = shop.claim(QUERY, of=payment)
    assert task.query.partner_transaction_id == said.partner_transaction_id


def test_money_is_in_the_accounts_unit(moving: RunningCore) -> None:
    shop = open_shop(moving)
    payment = shop.page(1250, "EUR")
    assert payment.amount == money_pb2.Money(minor_amount=1250, currency_code="EUR")
    grant = shop.granted(payment)
    assert grant.submission.amount_text == "12.50"
    assert shop.record(grant.attempt, link(grant, page_amount="12.5")) == "REQUIRES_ACTION"
