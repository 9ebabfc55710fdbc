"""Tokens that the payer's card becomes: known by a confirmed charge, made once, and never more than completed."""

import pytest
from mintmark.v1 import payments_pb2 as pb
from mintmark.v1 import tokens_pb2

from tests.server.rpc.hosting import confirmed, opened, paid, token, tokens
from tests.server.rpc.paying import (
    MERCHANT,
    QUERY,
    Shop,
    declined,
    open_shop,
    state,
    transaction_id,
)
from tests.server.rpc.running import RunningCore, refused, request_id
from tests.server.rpc.test_payment_webhooks import deliver, token_of


@pytest.fixture
def shop(moving: RunningCore) -> Shop:
    return open_shop(moving)


def test_a_webhook_makes_us_ask_and_the_answer_pays_and_makes_the_token(shop: Shop) -> None:
    payment, grant = opened(shop, store_payment_method=True)
    method, named = request_id(), transaction_id()
    yes = paid(grant, method, partner_transaction_id=named)
    deliver(shop.core, token_of(grant), yes)
    assert shop.state(payment) == "REQUIRES_ACTION"
    # Remembered by a cache as one that is not there.
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        token(shop, method)
    (task,) = shop.claim(QUERY, of=payment)
    assert task.query.partner_transaction_id == named
    assert shop.record_status(task, yes) == "SUCCEEDED"
    told = shop.get(payment)
    assert (state(told), told.redirect_url, told.captured_amount.minor_amount) == ("CAPTURED", "", 1000)
    made = token(shop, method)
    assert told.token == made.name
    assert made.provider == tokens_pb2.TOKEN_PROVIDER_PAYMENT_OPTIONS
    assert (made.card.bin, made.card.last_digits, made.card.expiry) == ("520000", "1005", "1224")
    (event,) = shop.core.admin.events_after("0", resource=made.name)
    assert event.details["payment"] == payment.name
    # The payments that a token is known by.
    listed = shop.client.payments.ListPayments(pb.ListPaymentsRequest(token=made.name)).payments
    assert [each.name for each in listed] == [payment.name]
    # And now it pays.
    again = shop.create(token=made.name)
    assert shop.granted(again).submission.stored_payment_method_id == method


def test_what_nobody_confirmed_makes_no_token(shop: Shop) -> None:
    payment, grant = opened(shop, store_payment_method=True)
    before = tokens(shop)
    for wrong in (
        {"amount": "999"},
        {"partner_merchant_id": "JP99999999"},
        {"reference": "somebody-elses"},
        {"transaction_type": "REFUND"},
        {"is_live": "true"},
    ):
        yes = paid(grant, request_id(), partner_transaction_id=transaction_id(), **wrong)
        deliver(shop.core, token_of(grant), yes)
        assert confirmed(shop, payment, yes) == "REQUIRES_ACTION", wrong
    no = declined(
        grant, http_status=200, stored_payment_method_id=request_id(), partner_transaction_id=transaction_id()
    )
    assert confirmed(shop, payment, no) == "REQUIRES_ACTION"
    assert tokens(shop) == before


def test_where_storing_was_not_asked_for_there_is_no_token(shop: Shop) -> None:
    payment, grant = opened(shop)
    method = request_id()
    assert confirmed(shop, payment, paid(grant, method)) == "SUCCEEDED"
    assert shop.get(payment).token == ""
    assert method not in tokens(shop)


def test_an_odd_id_is_no_token(shop: Shop) -> None:
    for method in ("../x", "a b", "x" * 65, "ü"):
        payment, grant = opened(shop, store_payment_method=True)
        assert confirmed(shop, payment, paid(grant, method)) == "SUCCEEDED"
        assert shop.get(payment).token == ""
        assert any("can be no token" in line.summary for line in shop.evidence(payment))


def test_repeated_evidence_makes_a_token_once(shop: Shop) -> None:
    payment, grant = opened(shop, store_payment_method=True)
    method = request_id()
    yes = paid(grant, method, partner_transaction_id=transaction_id())
    assert confirmed(shop, payment, yes) == "SUCCEEDED"
    for place in range(3):
        deliver(shop.core, token_of(grant), paid(grant, method, partner_transaction_id=yes.partner_transaction_id))
        assert (
            confirmed(
                shop,
                payment,
                paid(grant, method, partner_transaction_id=yes.partner_transaction_id, message=f"again {place}"),
            )
            == "SUCCEEDED"
        )
    made = token(shop, method)
    assert len(shop.core.admin.events_after("0", resource=made.name)) == 1
    assert made.etag == "1"


def test_a_disabled_token_stays_disabled_and_only_its_card_is_completed(shop: Shop) -> None:
    disable = tokens_pb2.DisableTokenRequest(request_id=request_id(), name=shop.token, reason="lost")
    shop.client.tokens.DisableToken(disable)
    method = shop.token.rpartition("/")[2]
    payment, grant = opened(shop, store_payment_method=True)
    assert confirmed(shop, payment, paid(grant, method)) == "SUCCEEDED"
    known = token(shop, method)
    assert known.HasField("disable_time")
    assert (known.disable_reason, known.card.bin, known.card.last_digits) == ("lost", "520000", "1005")
    assert shop.get(payment).token == shop.token
    with refused("FAILED_PRECONDITION", "TOKEN_UNUSABLE"):
        shop.create()
    # Of another card nothing is written over what is known.
    payment, grant = opened(shop, store_payment_method=True)
    assert confirmed(shop, payment, paid(grant, method, masked_number="411111******1111")) == "SUCCEEDED"
    assert token(shop, method).card == known.card


def test_a_payment_with_a_token_tells_of_its_card(shop: Shop) -> None:
    method = shop.token.rpartition("/")[2]
    assert not token(shop, method).HasField("card")
    payment = shop.pay()
    assert payment.token == shop.token
    assert token(shop, method).card.last_digits == "1091"
    etag = token(shop, method).etag
    shop.pay()
    assert token(shop, method).etag == etag


def test_a_token_of_another_provider_is_left_alone(shop: Shop) -> None:
    method = request_id()
    other = tokens_pb2.TokenImport(
        merchant_gateway_id=shop.gateway,
        merchant_id=MERCHANT,
        token_id=method,
        provider=tokens_pb2.TOKEN_PROVIDER_TSH,
    )
    shop.client.tokens.ImportTokens(tokens_pb2.ImportTokensRequest(request_id=request_id(), tokens=[other]))
    payment, grant = opened(shop, store_payment_method=True)
    assert confirmed(shop, payment, paid(grant, method)) == "SUCCEEDED"
    assert shop.get(payment).token == ""
    held = token(shop, method)
    assert (held.provider, held.HasField("card")) == (tokens_pb2.TOKEN_PROVIDER_TSH, False)


def test_two_confirmed_payments_on_one_page_are_told(shop: Shop) -> None:
    payment, grant = opened(shop, store_payment_method=True)
    first = request_id()
    assert confirmed(shop, payment, paid(grant, first)) == "SUCCEEDED"
    assert confirmed(shop, payment, paid(grant, request_id())) == "SUCCEEDED"
    told = shop.get(payment)
    assert (told.duplicate_charge, told.captured_amount.minor_amount) == (True, 2000)
    assert told.token == token(shop, first).name
