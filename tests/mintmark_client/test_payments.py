"""client.payments, against a real core with a dispatcher that answers by script."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from mintmark.v1 import money_pb2
from mintmark.v1 import payments_pb2 as pb

from mintmark_client import AlreadyExists, Client, NotFound, PreconditionFailed
from tests.house.tree import ROOT
from tests.server.rpc import exporting
from tests.server.rpc.paying import (
    MERCHANT,
    QUERY,
    SUBMIT,
    UNKNOWN,
    Shop,
    approved,
    details,
    link,
    open_shop,
    page_details,
)
from tests.server.rpc.running import RunningCore, request_id, running_core
from tests.server.rpc.subscribed import Subscribed, plan
from tests.waiting import eventually

AMOUNT = money_pb2.Money(minor_amount=1000, currency_code="JPY")


@pytest.fixture(scope="module")
def core() -> Iterator[RunningCore]:
    with running_core() as running:
        yield running


@pytest.fixture
def shop(core: RunningCore) -> Shop:
    return open_shop(core)


@pytest.fixture
def client(shop: Shop) -> Iterator[Client]:
    client_id, secret = shop.credentials
    address = shop.core.settings.grpc_address
    with Client(address, client_id=client_id, client_secret=secret) as made:
        yield made


def test_a_payment_is_made_once_waited_for_and_paid_back(client: Client, shop: Shop) -> None:
    own = request_id()
    payment = client.payments.create(shop.token, "order-1", AMOUNT, details(), request_id=own)
    assert client.payments.create(shop.token, "order-1", AMOUNT, details(), request_id=own) == payment
    with pytest.raises(AlreadyExists) as caught:
        client.payments.create(shop.token, "order-1", AMOUNT, details())
    assert caught.value.reason == "MERCHANT_PAYMENT_ID_USED"
    assert not client.payments.wait(payment.name, 0).settled
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.payments.wait, payment.name)
        grant = shop.granted(payment)
        shop.record(grant.attempt, approved(grant))
        assert waiting.result().payment.state == pb.PAYMENT_STATE_CAPTURED
    refunded = client.payments.refund(payment.name, money_pb2.Money(minor_amount=1, currency_code="JPY"))
    assert refunded.operations[-1].state == pb.PAYMENT_OPERATION_STATE_PENDING
    assert client.payments.cancel(payment.name).operations[-1].state == pb.PAYMENT_OPERATION_STATE_CANCELLED
    assert [each.name for each in client.payments.list(merchant_payment_id="order-1")] == [payment.name]
    assert [line.attempt for line in client.payments.evidence(name=payment.name, page_size=2)][:3] == [0, 1, 1]


def test_a_page_is_made_once_and_the_payers_card_becomes_a_token(client: Client, shop: Shop) -> None:
    own = request_id()
    arguments = (shop.gateway, MERCHANT, "order-page", AMOUNT, page_details())
    payment = client.payments.create_hosted_page(*arguments, store_payment_method=True, request_id=own)
    assert client.payments.create_hosted_page(*arguments, store_payment_method=True, request_id=own) == payment
    grant = shop.granted(payment)
    shop.record(grant.attempt, link(grant))
    answer = client.payments.wait(payment.name)
    assert (answer.settled, answer.payment.redirect_url) == (True, link(grant).page_url)
    method, named = request_id(), request_id()
    shop.resolve(payment, named)
    (task,) = shop.claim(QUERY, of=payment)
    yes = approved(grant, http_status=200, stored_payment_method_id=method, partner_transaction_id=named)
    shop.record_status(task, yes)
    token = client.payments.get(payment.name).token
    assert client.tokens.get(token).token_id == method
    with pytest.raises(NotFound):
        client.payments.create_hosted_page("ELSEWHERE", MERCHANT, "order-x", AMOUNT, page_details(), send_within=60)


def test_the_readmes_example_pays(client: Client, shop: Shop) -> None:
    section = (ROOT / "README.md").read_text().partition("\n## Payments\n")[2].partition("\n## ")[0]
    (example,) = re.findall(r"^```python\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    defined: dict[str, Any] = {}
    exec(example, defined)  # noqa: S102  the README's own words
    with ThreadPoolExecutor(1) as pool:
        paying = pool.submit(defined["pay"], client, shop.token, "order-7")
        (task,) = eventually(lambda: shop.claim(SUBMIT), what="the payment")
        grant = shop.begin(task)
        shop.record(grant.attempt, approved(grant))
        assert paying.result() == "PAYMENT_STATE_CAPTURED"


def test_an_authorization_is_captured_or_released(client: Client, shop: Shop) -> None:
    for run, state in ((client.payments.capture, "CAPTURED"), (client.payments.void, "VOIDED")):
        payment = client.payments.authorize(shop.token, f"order-{state}", AMOUNT, details(), send_within=60)
        grant = shop.granted(payment)
        shop.record(grant.attempt, approved(grant))
        run(payment.name)
        grant = shop.granted(payment)
        shop.record(grant.attempt, approved(grant))
        assert client.payments.get(payment.name).state == pb.PaymentState.Value(f"PAYMENT_STATE_{state}")


def test_what_is_in_doubt_is_settled_but_not_paid(client: Client, shop: Shop) -> None:
    payment = client.payments.create(shop.token, "order-1", AMOUNT, details())
    (task,) = shop.claim(SUBMIT, of=payment)
    grant = shop.begin(task)
    with pytest.raises(PreconditionFailed):
        client.payments.cancel(payment.name)
    shop.record(grant.attempt, outcome=UNKNOWN, trouble="reset")
    answer = client.payments.wait(payment.name)
    assert (answer.settled, answer.payment.state) == (True, pb.PAYMENT_STATE_IN_DOUBT)
    assert [each.name for each in client.payments.list(in_doubt=True)] == [payment.name]
    with pytest.raises(NotFound):
        client.payments.get("payments/none")


def test_a_partners_export_is_planned_and_taken_for_evidence(client: Client, shop: Shop) -> None:
    payment, _ = shop.in_doubt()
    rows = [exporting.row(payment), exporting.row(line=3)]
    planned = client.payments.plan_reconciliation(shop.account, rows)
    own = request_id()
    assert client.payments.reconcile(shop.account, rows, request_id=own) == planned
    assert client.payments.reconcile(shop.account, rows, request_id=own) == planned
    assert client.payments.get(payment.name).state == pb.PAYMENT_STATE_CAPTURED
    assert [charge.row for charge in client.payments.unknown_charges(account=shop.account)] == rows[1:]


def test_a_subscription_is_made_once_listed_and_ended(client: Client, shop: Shop) -> None:
    subscribed = Subscribed(shop)
    own = request_id()
    made = client.payment_subscriptions.create(shop.token, "tea-1", AMOUNT, plan(), details(), request_id=own)
    assert client.payment_subscriptions.create(shop.token, "tea-1", AMOUNT, plan(), details(), request_id=own) == made
    assert [each.name for each in client.payment_subscriptions.list(token=shop.token)] == [made.name]
    active, _, _ = subscribed.active()
    with pytest.raises(PreconditionFailed):
        client.payment_subscriptions.resume(active.name)
    assert client.payment_subscriptions.refresh(active.name).name == active.name
    assert client.payment_subscriptions.cancel(active.name).wish
    assert client.payment_subscriptions.get(active.name).partner_subscription_id == active.partner_subscription_id
    client.payment_subscriptions.cancel(made.name, etag=client.payment_subscriptions.get(made.name).etag)
    with pytest.raises(NotFound):
        client.payment_subscriptions.get("paymentSubscriptions/0")
