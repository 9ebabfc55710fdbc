"""Payments for the walk of the REST table: made by REST against the twin, each in the state that a call needs."""

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from google.protobuf.message import Message
from mintmark.v1 import payments_pb2 as pb
from mintmark.v1.money_pb2 import Money

from adapters.cli.supervisor.payments import ACCOUNT, RETURN_URL_PREFIX, SHOP_GATEWAY, SHOP_MERCHANT, TOKEN
from tests.stack import Stack
from tests.waiting import eventually

SERVICE = "PaymentsService"
HELD = "po-walked"
HELD_TOKEN = "merchantGateways/PO_WALK/merchants/m/tokens/094db781-fabc-4c6d-8fcd-18bee06a527a"
# The twin answers an amount of 75000 + status with that status.
HTTP_500 = 75500
Case = tuple[str, Message, str]


def key() -> str:
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Shop:
    """Payments by their states."""

    captured: str = "payments/1"
    authorized: str = "payments/2"
    reserved: str = "payments/3"
    doubtful: str = "payments/4"
    cancelled: str = "payments/5"


def details() -> pb.PaymentDetails:
    return pb.PaymentDetails(
        billing_address=pb.PaymentAddress(
            country="JP",
            email="payer@example.com",
            phone_number="8112345678",
            address1="1-2-3 Shinjuku",
            city="Shinjuku-ku",
            state="Tokyo",
            postal_code="1600022",
        ),
        customer_ip="203.0.113.7",
        time_zone="Asia/Tokyo",
        success_url=f"{RETURN_URL_PREFIX}/done",
        decline_url=f"{RETURN_URL_PREFIX}/declined",
    )


def order(minor_amount: int = 1000, token: str = TOKEN) -> pb.CreatePaymentRequest:
    return pb.CreatePaymentRequest(
        request_id=key(),
        token=token,
        merchant_payment_id=key(),
        amount=Money(minor_amount=minor_amount, currency_code="JPY"),
        details=details(),
    )


def body(minor_amount: int = 1000, token: str = TOKEN) -> dict[str, Any]:
    """The same as REST takes it, the key left out."""
    from google.protobuf import json_format

    request = order(minor_amount, token)
    request.ClearField("request_id")
    return json_format.MessageToDict(request)


def pay(stack: Stack, path: str, state: str, minor_amount: int = 1000) -> str:
    """A new payment, settled in this state within the same call."""
    headers = {"Idempotency-Key": key(), "Prefer": "respond-async, wait=20"}
    answer = stack.http.post(path, json=body(minor_amount), headers=headers)
    assert answer.is_success, answer.text
    assert answer.headers["preference-applied"] == "wait"
    payment = answer.json()["payment"]
    assert payment["state"] == f"PAYMENT_STATE_{state}", payment
    name: str = payment["name"]
    return name


def open_shop(stack: Stack) -> Shop:
    """The payments, and an account of its own that is held."""
    eventually(lambda: stack.http.get(f"/v1/{TOKEN}").status_code == 200, 20, "the token to pay with")
    account = stack.http.get(f"/v1/partnerAccounts/{ACCOUNT}").json()["account"]
    options = account["paymentOptions"] | {"authorization": "Basic fake", "apiKey": "fake"}
    for output in ("authorizationSet", "apiKeySet", "held", "holdReason"):
        options.pop(output, None)
    mine = {"accountId": HELD, "provider": "PAYMENT_OPTIONS", "merchantGatewayId": "PO_WALK", "paymentOptions": options}
    _post(stack, "/v1/partnerAccounts:apply", {"accounts": [mine]})
    token = {"merchantGatewayId": "PO_WALK", "merchantId": "m", "tokenId": HELD_TOKEN.rpartition("/")[2]}
    _post(stack, "/v1/tokens:import", {"tokens": [{**token, "provider": "PAYMENT_OPTIONS"}]})
    _post(stack, "/v1/payments:hold", {"account": f"partnerAccounts/{HELD}", "reason": "for the walk"})
    cancelled = _post(stack, "/v1/payments", body(token=HELD_TOKEN))["payment"]["name"]
    _post(stack, f"/v1/{cancelled}:cancel", {})
    return Shop(
        captured=pay(stack, "/v1/payments", "CAPTURED"),
        authorized=pay(stack, "/v1/payments:authorize", "AUTHORIZED"),
        reserved=pay(stack, "/v1/payments:authorize", "AUTHORIZED"),
        doubtful=pay(stack, "/v1/payments", "IN_DOUBT", HTTP_500),
        cancelled=cancelled,
    )


def _post(stack: Stack, path: str, document: dict[str, Any]) -> Any:
    answer = stack.http.post(path, json=document, headers={"Idempotency-Key": key()})
    assert answer.is_success, answer.text
    return answer.json()


def reads(shop: Shop) -> Iterator[Case]:
    yield f"{SERVICE}.GetPayment", pb.GetPaymentRequest(name=shop.captured), ""
    yield f"{SERVICE}.GetPayment", pb.GetPaymentRequest(name="payments/0"), "RESOURCE_NOT_FOUND"
    listed = pb.ListPaymentsRequest(merchant_gateway_id=SHOP_GATEWAY, merchant_id=SHOP_MERCHANT, in_doubt=True)
    yield f"{SERVICE}.ListPayments", listed, ""
    yield f"{SERVICE}.ListPayments", pb.ListPaymentsRequest(page_size=2), ""
    yield f"{SERVICE}.ListPaymentEvidence", pb.ListPaymentEvidenceRequest(name=shop.captured), ""
    yield f"{SERVICE}.WaitPayment", pb.WaitPaymentRequest(name=shop.captured), ""


def writes(shop: Shop) -> Iterator[Case]:
    held = order(token=HELD_TOKEN)
    yield f"{SERVICE}.CreatePayment", held, ""
    again = pb.CreatePaymentRequest()
    again.CopyFrom(held)
    again.request_id = key()
    yield f"{SERVICE}.CreatePayment", again, "MERCHANT_PAYMENT_ID_USED"
    stray = order()
    stray.details.success_url = "https://elsewhere.example/done"
    yield f"{SERVICE}.CreatePayment", stray, "RETURN_URL_NOT_ALLOWED"
    authorize = pb.AuthorizePaymentRequest()
    authorize.ParseFromString(order(token=HELD_TOKEN).SerializeToString())
    yield f"{SERVICE}.AuthorizePayment", authorize, ""
    page = pb.CreateHostedPaymentPageRequest(
        request_id=key(),
        merchant_gateway_id=SHOP_GATEWAY,
        merchant_id=SHOP_MERCHANT,
        merchant_payment_id=key(),
        amount=Money(minor_amount=1000, currency_code="JPY"),
        details=pb.HostedPageDetails(
            billing_address=details().billing_address,
            success_url=f"{RETURN_URL_PREFIX}/done",
            decline_url=f"{RETURN_URL_PREFIX}/declined",
        ),
    )
    yield f"{SERVICE}.CreateHostedPaymentPage", page, ""
    nowhere = pb.CreateHostedPaymentPageRequest()
    nowhere.CopyFrom(page)
    nowhere.request_id, nowhere.merchant_gateway_id = key(), "NOWHERE"
    yield f"{SERVICE}.CreateHostedPaymentPage", nowhere, "ACCOUNT_UNUSABLE"
    some = Money(minor_amount=400, currency_code="JPY")
    much = Money(minor_amount=4000, currency_code="JPY")
    capture = pb.CapturePaymentRequest
    yield f"{SERVICE}.CapturePayment", capture(request_id=key(), name=shop.authorized, amount=much), "AMOUNT_EXCEEDED"
    yield f"{SERVICE}.CapturePayment", capture(request_id=key(), name=shop.authorized, amount=some), ""
    yield f"{SERVICE}.VoidPayment", pb.VoidPaymentRequest(request_id=key(), name=shop.reserved), ""
    # Before it has an operation that may be unsent, or on its way: of a refusal there is no first answer to repeat.
    yield f"{SERVICE}.CancelPayment", pb.CancelPaymentRequest(request_id=key(), name=shop.captured), "ALREADY_SENT"
    yield f"{SERVICE}.RefundPayment", pb.RefundPaymentRequest(request_id=key(), name=shop.captured, amount=some), ""
    refused = pb.RefundPaymentRequest(request_id=key(), name=shop.doubtful)
    yield f"{SERVICE}.RefundPayment", refused, "OPERATION_IN_DOUBT"
    yield f"{SERVICE}.CancelPayment", pb.CancelPaymentRequest(request_id=key(), name=shop.cancelled), ""
    resolve = pb.ResolvePaymentRequest(request_id=key(), name=shop.doubtful, reason="asked the partner")
    resolve.resolution = pb.PAYMENT_RESOLUTION_NOT_CHARGED
    yield f"{SERVICE}.ResolvePayment", resolve, "TOO_EARLY"
    told = pb.ResolvePaymentRequest(request_id=key(), name=shop.doubtful, reason="asked the partner")
    told.resolution, told.partner_transaction_id = pb.PAYMENT_RESOLUTION_CHARGED, key()
    yield f"{SERVICE}.ResolvePayment", told, ""
    mine = f"partnerAccounts/{HELD}"
    yield f"{SERVICE}.ReleasePayments", pb.ReleasePaymentsRequest(request_id=key(), account=mine, reason="walked"), ""
    yield f"{SERVICE}.HoldPayments", pb.HoldPaymentsRequest(request_id=key(), account=mine, reason="walked"), ""
