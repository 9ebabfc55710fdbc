"""What may be asked for: whose token, how much, in which unit, back to where; and what is kept of it."""

import pytest
from mintmark.v1 import accounts_pb2, tokens_pb2

from tests.server.rpc.paying import (
    SECRETS,
    UNKNOWN,
    Shop,
    address,
    approved,
    currency,
    declined,
    details,
    open_shop,
    redirect,
)
from tests.server.rpc.running import RunningCore, refused, request_id, running_core


@pytest.fixture
def shop(moving: RunningCore) -> Shop:
    return open_shop(moving)


def test_a_merchants_own_id_is_used_once_while_it_may_have_been_charged(shop: Shop) -> None:
    for settle in ("decline", "cancel"):
        payment = shop.create()
        own = payment.merchant_payment_id
        with refused("ALREADY_EXISTS", "MERCHANT_PAYMENT_ID_USED") as told:
            shop.create(merchant_payment_id=own)
        assert told.metadata == {"payment": payment.name}
        if settle == "cancel":
            shop.cancel(payment)
        else:
            grant = shop.granted(payment)
            with refused("ALREADY_EXISTS", "MERCHANT_PAYMENT_ID_USED"):
                shop.create(merchant_payment_id=own)
            shop.record(grant.attempt, declined(grant))
        again = shop.create(merchant_payment_id=own)
        assert again.name != payment.name
        assert again.operations[0].reference != payment.operations[0].reference
    doubtful, _ = shop.in_doubt()
    with refused("ALREADY_EXISTS", "MERCHANT_PAYMENT_ID_USED"):
        shop.create(merchant_payment_id=doubtful.merchant_payment_id)


def test_amounts_are_sent_in_the_units_that_the_account_says_and_never_guessed(shop: Shop) -> None:
    for code, text in (("EUR", "12.50"), ("USD", "1250"), ("JPY", "1250")):
        payment = shop.create(1250, code)
        grant = shop.granted(payment)
        assert grant.submission.amount_text == text
        assert shop.record(grant.attempt, approved(grant)) == "SUCCEEDED"
        assert shop.get(payment).captured_amount.minor_amount == 1250
    with refused("FAILED_PRECONDITION", "AMOUNT_UNSENDABLE"):
        shop.create(1250, "GBP")
    with refused("FAILED_PRECONDITION", "AMOUNT_UNSENDABLE"):
        shop.create(99_999_999_999, "JPY")
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        shop.create(0, "JPY")


def test_ceilings_hold_with_everything_that_may_have_been_charged(moving: RunningCore) -> None:
    shop = open_shop(moving, live=True, currencies=[currency("JPY", "", 500, 1000)])
    with refused("FAILED_PRECONDITION", "CEILING_EXCEEDED") as told:
        shop.create(501)
    assert told.metadata == {"ceiling": "payment", "limit": "500", "currency_code": "JPY"}
    with refused("FAILED_PRECONDITION", "CEILING_EXCEEDED") as told:
        shop.create(10, "CLP")
    assert told.metadata["ceiling"] == "missing"
    doubtful = shop.create(500)
    shop.record(shop.granted(doubtful).attempt, outcome=UNKNOWN, trouble="reset")
    second = shop.create(500)
    with refused("FAILED_PRECONDITION", "CEILING_EXCEEDED") as told:
        shop.create(1)
    assert told.metadata["ceiling"] == "day"
    shop.cancel(second)
    shop.create(500)


@pytest.mark.parametrize(
    "url",
    [
        "https://shop.example.com/checkoutx",
        "https://shop.example.com.evil.example/checkout",
        "http://shop.example.com/checkout",
        "https://shop.example.com:444/checkout",
        "https://user@shop.example.com/checkout",
        "https://shop.example.com/checkout/../steal",
        "https://shop.example.com/checkout/%2e%2e/steal",
        "https://evil.example/?https://shop.example.com/checkout",
    ],
)
def test_return_urls_stay_within_what_the_account_allows(shop: Shop, url: str) -> None:
    with refused("INVALID_ARGUMENT", "RETURN_URL_NOT_ALLOWED") as told:
        shop.create(details=details(decline_url=url))
    assert told.metadata == {"field": "details.decline_url"}


def test_a_token_pays_only_where_it_belongs_and_is_usable(moving: RunningCore, shop: Shop) -> None:
    other = open_shop(moving)
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        shop.create(token=other.token)
    payment = other.create()
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        shop.get(payment)
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        shop.cancel(payment)
    with refused("NOT_FOUND", "RESOURCE_NOT_FOUND"):
        shop.evidence(payment)
    shop.client.tokens.DisableToken(
        tokens_pb2.DisableTokenRequest(request_id=request_id(), name=shop.token, reason="lost")
    )
    with refused("FAILED_PRECONDITION", "TOKEN_UNUSABLE"):
        shop.create()


def test_card_numbers_are_refused_from_services_and_cut_from_partners(shop: Shop) -> None:
    with refused("INVALID_ARGUMENT", "FIELD_INVALID"):
        shop.create(details=details(billing_address=address(address1="4000000000001091")))
    payment = shop.create()
    grant = shop.granted(payment)
    shop.record(grant.attempt, approved(grant, body=b'{"card": "4000000000001091"}', masked_number="4000000000001092"))
    told = shop.get(payment)
    # Where a card number is expected nothing whole is kept, whatever its check digit says.
    assert told.card.masked_number == "400000******1092"
    assert "4000000000001091" not in str(shop.evidence(payment))
    assert shop.evidence(payment)[-1].redacted_body == '{"card": "400000******1091"}'


def test_secrets_and_details_are_kept_sealed(core: RunningCore) -> None:
    shop = open_shop(core)
    payment = shop.create(details=details(billing_address=address(address1="canary-street 5")))
    shop.record(shop.granted(payment).attempt, redirect())
    shown = str(core.admin.accounts.ListAccounts(accounts_pb2.ListAccountsRequest()))
    assert SECRETS[0] not in shown
    assert SECRETS[1] not in shown
    folder = core.folder / "data"
    kept = b"".join(file.read_bytes() for file in folder.glob("mintmark.sqlite*"))
    for canary in (SECRETS[0].encode(), SECRETS[1].encode(), b"canary-street", b"canary-redirect", b"127.0.0.1"):
        assert canary not in kept


def test_an_account_with_unresolved_payments_stays() -> None:
    with running_core() as core:
        shop = open_shop(core)
        payment, grant = shop.in_doubt()
        gone = accounts_pb2.ApplyAccountsRequest(request_id=request_id(), delete_missing=True)
        with refused("FAILED_PRECONDITION", "ACCOUNT_IN_USE"):
            core.admin.accounts.ApplyAccounts(gone)
        shop.record(grant.attempt, approved(grant))
        assert shop.state(payment) == "CAPTURED"
        core.admin.accounts.ApplyAccounts(gone)
