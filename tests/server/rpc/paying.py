"""An internal service that pays and a dispatcher that answers by script: everything around a payment but the
partner."""

import itertools
from dataclasses import dataclass
from typing import Any

from google.protobuf.duration_pb2 import Duration
from mintmark.v1 import accounts_pb2, money_pb2, tokens_pb2
from mintmark.v1 import events_pb2 as ev
from mintmark.v1 import payments_pb2 as pb
from mintmark.v1 import tasks_pb2 as tp

from tests.server.rpc.running import RunningCore, Session, request_id

METHOD = "094db781-fabc-4c6d-8fcd-18bee06a527a"
MERCHANT = "shop-1"
PARTNER_MERCHANT = "JP00000328"
SECRETS = ("Basic c2VjcmV0LW9uZQ==", "key-canary-7711")
SCOPES = ("payments.read", "payments.write", "payments.resolve", "events.read", "tokens.read", "tokens.write")
ANSWERED = tp.CallOutcome.CALL_OUTCOME_ANSWERED
UNKNOWN = tp.CallOutcome.CALL_OUTCOME_UNKNOWN
NOT_SENT = tp.CallOutcome.CALL_OUTCOME_NOT_SENT
SUBMIT = tp.TaskKind.TASK_KIND_SUBMIT_PAYMENT_OPERATION
QUERY = tp.TaskKind.TASK_KIND_QUERY_TRANSACTION

_NUMBERS = itertools.count(1)


def state(payment: pb.Payment) -> str:
    return pb.PaymentState.Name(payment.state).removeprefix("PAYMENT_STATE_")


def operation_state(value: pb.PaymentOperationState.ValueType) -> str:
    return pb.PaymentOperationState.Name(value).removeprefix("PAYMENT_OPERATION_STATE_")


def doubt(payment: pb.Payment, place: int = 0) -> str:
    return pb.PaymentDoubt.Name(payment.operations[place].doubt).removeprefix("PAYMENT_DOUBT_")


def address(**fields: str) -> pb.PaymentAddress:
    given = {
        "country": "JP",
        "email": "billing@testemail.com",
        "phone_number": "8112345678",
        "address1": "1-2-3 Shinjuku",
        "city": "Shinjuku-ku",
        "state": "Tokyo",
        "postal_code": "1600022",
        **fields,
    }
    return pb.PaymentAddress(**given)


def details(**fields: Any) -> pb.PaymentDetails:
    given = {
        "billing_address": address(),
        "shipping_address": address(email="shipping@testemail.com"),
        "customer_ip": "127.0.0.1",
        "time_zone": "Asia/Kuala_Lumpur",
        "success_url": "https://shop.example.com/checkout/done?order=7",
        "decline_url": "https://shop.example.com/checkout/no",
        **fields,
    }
    return pb.PaymentDetails(**given)


def page_details(**fields: Any) -> pb.HostedPageDetails:
    given = {
        "billing_address": address(),
        "shipping_address": address(email="shipping@testemail.com"),
        "success_url": "https://shop.example.com/checkout/done?order=7",
        "decline_url": "https://shop.example.com/checkout/no",
        "cancel_url": "https://shop.example.com/checkout/back",
        **fields,
    }
    return pb.HostedPageDetails(**given)


def currency(code: str, unit: str = "", payment: int = 0, day: int = 0) -> accounts_pb2.PaymentCurrency:
    value = accounts_pb2.AmountUnit.Value(f"AMOUNT_UNIT_{unit}") if unit else accounts_pb2.AMOUNT_UNIT_UNSPECIFIED
    return accounts_pb2.PaymentCurrency(currency_code=code, amount_unit=value, payment_ceiling=payment, day_ceiling=day)


def account(account_id: str, gateway: str, live: bool = False, **options: Any) -> accounts_pb2.Account:
    given: dict[str, Any] = {
        "base_url": "https://api-dev.paymentoptions.com",
        "authorization": SECRETS[0],
        "api_key": SECRETS[1],
        "partner_merchant_id": PARTNER_MERCHANT,
        "return_url_prefixes": ["https://shop.example.com/checkout"],
        "currencies": [currency("EUR", "MAJOR"), currency("USD", "MINOR")],
        "send_concurrency": 256,
        "merchant_email": "shop@testemail.com",
        **options,
    }
    return accounts_pb2.Account(
        account_id=account_id,
        provider=accounts_pb2.ACCOUNT_PROVIDER_PAYMENT_OPTIONS,
        mode=accounts_pb2.ACCOUNT_MODE_LIVE if live else accounts_pb2.ACCOUNT_MODE_TEST,
        merchant_gateway_id=gateway,
        payment_options=accounts_pb2.PaymentOptionsAccount(**given),
    )


@dataclass
class Shop:
    """An account of its own with a token, the service that pays with it, and the dispatcher."""

    core: RunningCore
    gateway: str
    account: str
    token: str
    client: Session
    credentials: tuple[str, str]

    def advance(self, seconds: int) -> None:
        """Moves the core's clock; everybody gets a new access token."""
        self.core.advance(seconds)
        self.client = self.core.session(*self.credentials)

    # The service.

    def request(self, amount: int = 1000, code: str = "JPY", **fields: Any) -> pb.CreatePaymentRequest:
        given = {
            "request_id": request_id(),
            "token": self.token,
            "merchant_payment_id": f"order-{next(_NUMBERS)}",
            "amount": money_pb2.Money(minor_amount=amount, currency_code=code),
            "details": details(),
            **fields,
        }
        return pb.CreatePaymentRequest(**given)

    def create(self, amount: int = 1000, code: str = "JPY", **fields: Any) -> pb.Payment:
        return self.client.payments.CreatePayment(self.request(amount, code, **fields)).payment

    def authorize(self, amount: int = 1000, code: str = "JPY") -> pb.Payment:
        bought = self.request(amount, code)
        request = pb.AuthorizePaymentRequest(
            request_id=bought.request_id,
            token=bought.token,
            merchant_payment_id=bought.merchant_payment_id,
            amount=bought.amount,
            details=bought.details,
        )
        return self.client.payments.AuthorizePayment(request).payment

    def page_request(self, amount: int = 1000, code: str = "JPY", **fields: Any) -> pb.CreateHostedPaymentPageRequest:
        given = {
            "request_id": request_id(),
            "merchant_gateway_id": self.gateway,
            "merchant_id": MERCHANT,
            "merchant_payment_id": f"order-{next(_NUMBERS)}",
            "amount": money_pb2.Money(minor_amount=amount, currency_code=code),
            "details": page_details(),
            **fields,
        }
        return pb.CreateHostedPaymentPageRequest(**given)

    def page(self, amount: int = 1000, code: str = "JPY", **fields: Any) -> pb.Payment:
        """A payment through a hosted page that nobody has asked for yet."""
        return self.client.payments.CreateHostedPaymentPage(self.page_request(amount, code, **fields)).payment

    def refund(self, payment: pb.Payment, amount: int | None = None, **fields: Any) -> pb.Payment:
        part = money_pb2.Money(minor_amount=amount, currency_code=payment.amount.currency_code) if amount else None
        request = pb.RefundPaymentRequest(request_id=request_id(), name=payment.name, amount=part, **fields)
        return self.client.payments.RefundPayment(request).payment

    def capture(self, payment: pb.Payment, amount: int | None = None) -> pb.Payment:
        part = money_pb2.Money(minor_amount=amount, currency_code=payment.amount.currency_code) if amount else None
        request = pb.CapturePaymentRequest(request_id=request_id(), name=payment.name, amount=part)
        return self.client.payments.CapturePayment(request).payment

    def void(self, payment: pb.Payment) -> pb.Payment:
        request = pb.VoidPaymentRequest(request_id=request_id(), name=payment.name)
        return self.client.payments.VoidPayment(request).payment

    def cancel(self, payment: pb.Payment) -> pb.Payment:
        request = pb.CancelPaymentRequest(request_id=request_id(), name=payment.name)
        return self.client.payments.CancelPayment(request).payment

    def get(self, payment: pb.Payment) -> pb.Payment:
        return self.client.payments.GetPayment(pb.GetPaymentRequest(name=payment.name)).payment

    def state(self, payment: pb.Payment) -> str:
        return state(self.get(payment))

    def resolve(self, payment: pb.Payment, charged: str = "") -> pb.Payment:
        word = pb.PAYMENT_RESOLUTION_CHARGED if charged else pb.PAYMENT_RESOLUTION_NOT_CHARGED
        request = pb.ResolvePaymentRequest(
            request_id=request_id(),
            name=payment.name,
            resolution=word,
            partner_transaction_id=charged,
            reason="looked it up in the portal",
        )
        return self.client.payments.ResolvePayment(request).payment

    def evidence(self, payment: pb.Payment) -> list[pb.PaymentEvidence]:
        request = pb.ListPaymentEvidenceRequest(name=payment.name, page_size=1000)
        return list(self.client.payments.ListPaymentEvidence(request).evidence)

    def kinds(self, payment: pb.Payment, cursor: str = "0") -> list[str]:
        """The kinds of the payment's events."""
        found = self.core.admin.events_after(cursor, resource=payment.name)
        return [ev.EventKind.Name(event.kind).removeprefix("EVENT_KIND_") for event in found]

    # The dispatcher.

    def claim(self, *kinds: tp.TaskKind.ValueType, of: pb.Payment | None = None) -> list[tp.Task]:
        """Everything that is due, of one payment or of this shop's."""
        request = tp.ClaimTasksRequest(kinds=kinds, max_tasks=64)
        found: list[tp.Task] = []
        while batch := self.core.dispatcher.tasks.ClaimTasks(request).tasks:
            found += batch
        return [task for task in found if of is None or task.name.startswith(f"tasks/{of.name.partition('/')[2]}-")]

    def begin(self, task: tp.Task, own_id: str = "") -> tp.BeginAttemptResponse:
        lease = tp.TaskLease(task=task.name, fence=task.fence)
        request = tp.BeginAttemptRequest(request_id=own_id or request_id(), lease=lease)
        return self.core.dispatcher.tasks.BeginAttempt(request)

    def granted(self, payment: pb.Payment) -> tp.BeginAttemptResponse:
        """The grant for the payment's unsent operation."""
        (task,) = self.claim(SUBMIT, of=payment)
        return self.begin(task)

    def record(
        self,
        attempt: str,
        answer: tp.PartnerAnswer | None = None,
        outcome: tp.CallOutcome.ValueType = ANSWERED,
        trouble: str = "",
    ) -> str:
        request = tp.RecordAttemptRequest(attempt=attempt, outcome=outcome, answer=answer, trouble=trouble)
        return operation_state(self.core.dispatcher.tasks.RecordAttempt(request).state)

    def record_status(self, task: tp.Task, answer: tp.PartnerAnswer) -> str:
        request = tp.RecordStatusRequest(task=task.name, fence=task.fence, outcome=ANSWERED, answer=answer)
        return operation_state(self.core.dispatcher.tasks.RecordStatus(request).state)

    def pay(self, amount: int = 1000, code: str = "JPY", **fields: Any) -> pb.Payment:
        """A payment that the partner has approved."""
        payment = self.create(amount, code)
        grant = self.granted(payment)
        assert self.record(grant.attempt, approved(grant, **fields)) == "SUCCEEDED"
        return self.get(payment)

    def in_doubt(self) -> tuple[pb.Payment, tp.BeginAttemptResponse]:
        payment = self.create()
        grant = self.granted(payment)
        assert self.record(grant.attempt, outcome=UNKNOWN, trouble="read_timeout") == "IN_DOUBT"
        return self.get(payment), grant


def transaction_id() -> str:
    return request_id()


def answer(grant: tp.BeginAttemptResponse, **fields: Any) -> tp.PartnerAnswer:
    """What the partner says of what was submitted, before it says what became of it."""
    submission = grant.submission
    types = {
        pb.PAYMENT_OPERATION_KIND_AUTHORIZATION: ("PRE_AUTH", "INFO0000"),
        pb.PAYMENT_OPERATION_KIND_VOID: ("VOID", "INFO0003"),
        pb.PAYMENT_OPERATION_KIND_REFUND: ("REFUND", "INFO0002"),
        pb.PAYMENT_OPERATION_KIND_CAPTURE: ("CAPTURE", "INFO0001"),
    }
    kind, code = types.get(submission.kind, ("CAPTURE", "INFO0000"))
    given = {
        "http_status": 201,
        "readable": True,
        "body": b'{"success": true}',
        "success": "true",
        "transaction_type": kind,
        "is_live": "false",
        "gateway_code": code,
        "gateway_type": "INFO",
        "message": "Payment Successful.",
        "response_code": "0",
        "amount": submission.amount_text,
        "currency": submission.currency_code,
        "auth_code": "268004",
        "scheme": "MASTERCARD",
        "masked_number": "400000******1091",
        "card_expiry": "1224",
        "partner_merchant_id": submission.partner_merchant_id,
        "reference": submission.reference,
        "partner_transaction_id": transaction_id(),
        "partner_reference": "74811",
        "stored_payment_method_id": submission.stored_payment_method_id,
        **fields,
    }
    return tp.PartnerAnswer(**given)


def approved(grant: tp.BeginAttemptResponse, **fields: Any) -> tp.PartnerAnswer:
    return answer(grant, **fields)


def declined(grant: tp.BeginAttemptResponse, **fields: Any) -> tp.PartnerAnswer:
    no = {
        "success": "false",
        "gateway_code": "",
        "gateway_type": "ERR",
        "response_code": "51",
        "message": "no",
        "body": b'{"success": false}',
    }
    return answer(grant, **no | fields)


def redirect(**fields: Any) -> tp.PartnerAnswer:
    given = {
        "http_status": 201,
        "readable": True,
        "success": "true",
        "redirect_url": "https://checkout-dev.paymentoptions.com/integration/3ds?_token=canary-redirect",
        **fields,
    }
    return tp.PartnerAnswer(**given)


def link(grant: tp.BeginAttemptResponse, **fields: Any) -> tp.PartnerAnswer:
    """A link to a hosted page, which has no wrapper."""
    submission = grant.submission
    given = {
        "http_status": 201,
        "readable": True,
        "body": b'{"id": "page-1"}',
        "page_url": "https://checkout-dev.paymentoptions.com/en/HostedPaymentPage/canary-link",
        "page_amount": submission.amount_text,
        "page_currency": submission.currency_code,
        "page_reference": submission.reference,
        "page_merchant_id": submission.partner_merchant_id,
        **fields,
    }
    return tp.PartnerAnswer(**given)


def duration(seconds: int) -> Duration:
    return Duration(seconds=seconds)


def open_shop(core: RunningCore, live: bool = False, **options: Any) -> Shop:
    """A shop on a merchant gateway that nobody else uses."""
    number = next(_NUMBERS)
    gateway, account_id = f"PAY_{number:06}", f"po-{number}"
    stated = account(account_id, gateway, live, **options)
    core.admin.accounts.ApplyAccounts(accounts_pb2.ApplyAccountsRequest(request_id=request_id(), accounts=[stated]))
    made = core.create(SCOPES, [gateway])
    credentials = (made.client.client_id, made.client_secret)
    client = core.session(*credentials)
    imported = tokens_pb2.TokenImport(
        merchant_gateway_id=gateway,
        merchant_id=MERCHANT,
        token_id=METHOD,
        provider=tokens_pb2.TOKEN_PROVIDER_PAYMENT_OPTIONS,
    )
    client.tokens.ImportTokens(tokens_pb2.ImportTokensRequest(request_id=request_id(), tokens=[imported]))
    token = f"merchantGateways/{gateway}/merchants/{MERCHANT}/tokens/{METHOD}"
    return Shop(core, gateway, f"partnerAccounts/{account_id}", token, client, credentials)
