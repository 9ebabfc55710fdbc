"""PaymentOptions: what its calls look like (its contract, sections 2 to 4)."""

import json
from typing import Any
from urllib.parse import quote

from mintmark.v1 import payment_subscriptions_pb2 as subscriptions
from mintmark.v1 import payments_pb2 as payments
from mintmark.v1 import tasks_pb2 as pb

from adapters.outbound.outcomes import Result
from adapters.outbound.transport import Transport

STATUS = "/server-to-server-interface/transaction/status/"
SUBSCRIPTIONS = "/server-to-server-interface/subscription/"
SUBSCRIPTION_CALLS = {
    pb.SUBSCRIPTION_CALL_KIND_LIST: ("GET", f"{SUBSCRIPTIONS}list"),
    pb.SUBSCRIPTION_CALL_KIND_DETAILS: ("GET", f"{SUBSCRIPTIONS}{{}}"),
    pb.SUBSCRIPTION_CALL_KIND_CANCEL: ("POST", f"{SUBSCRIPTIONS}{{}}/cancel"),
    pb.SUBSCRIPTION_CALL_KIND_RESUME: ("POST", f"{SUBSCRIPTIONS}{{}}/resume"),
}
ADDRESS = ("country", "email", "phone_number", "address1", "address2", "city", "state", "postal_code")
FOLLOWING = (
    payments.PAYMENT_OPERATION_KIND_CAPTURE,
    payments.PAYMENT_OPERATION_KIND_VOID,
    payments.PAYMENT_OPERATION_KIND_REFUND,
)


class PaymentOptions:
    """The partner, as the dispatcher calls it. Every call is made once."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def submit(self, submission: pb.PaymentSubmission, *, total: float, send_by: float) -> Result:
        """Sends what moves money: within `total` seconds, and not begun at `send_by` (monotonic) or later."""
        content = json.dumps(document(submission), ensure_ascii=False, separators=(",", ":")).encode()
        headers = {**_credentials(submission.endpoint), "content-type": "application/json"}
        url = _url(submission.endpoint, submission.path)
        return await self._transport.call("POST", url, headers, content, total=total, send_by=send_by)

    async def call(self, call: pb.SubscriptionCall, *, total: float, send_by: float) -> Result:
        """Asks or tells the partner about a subscription; not begun at `send_by` (monotonic) or later."""
        verb, path = SUBSCRIPTION_CALLS[call.kind]
        url = _url(call.endpoint, path.format(quote(call.partner_subscription_id, safe="")))
        return await self._transport.call(verb, url, _credentials(call.endpoint), b"", total=total, send_by=send_by)

    async def query(self, query: pb.TransactionQuery, *, total: float) -> Result:
        """Asks for the status of a transaction within `total` seconds."""
        url = _url(query.endpoint, STATUS + quote(query.partner_transaction_id, safe=""))
        return await self._transport.call("GET", url, _credentials(query.endpoint), b"", total=total)


def _url(endpoint: pb.PartnerEndpoint, path: str) -> str:
    return f"{endpoint.base_url.rstrip('/')}{endpoint.path_prefix}{path}"


def _credentials(endpoint: pb.PartnerEndpoint) -> dict[str, str]:
    return {"authorization": endpoint.authorization, "x-api-key": endpoint.api_key}


def document(submission: pb.PaymentSubmission) -> dict[str, Any]:
    """The body of a submission."""
    if submission.kind in FOLLOWING:
        following = {"transactionId": submission.parent_transaction_id, "merchant_id": submission.partner_merchant_id}
        if submission.kind != payments.PAYMENT_OPERATION_KIND_VOID:
            following["amount"] = submission.amount_text
        return following
    if submission.kind == payments.PAYMENT_OPERATION_KIND_HOSTED_PURCHASE:
        return _hosted_page(submission)
    details = submission.details
    made: dict[str, Any] = {
        "amount": submission.amount_text,
        "currency": submission.currency_code,
        "payment_method": {
            "type": "scheme",
            "store_payment_method": True,
            "stored_payment_method_id": submission.stored_payment_method_id,
        },
        "merchant_txn_ref": submission.reference,
        "customer_ip": details.customer_ip,
        "merchant_id": submission.partner_merchant_id,
        "return_url": {
            "webhook_url": submission.webhook_url,
            "success_url": details.success_url,
            "decline_url": details.decline_url,
        },
        "billing_address": _address(details.billing_address),
        "time_zone": details.time_zone,
    }
    if details.HasField("shipping_address"):
        made["shipping_address"] = _address(details.shipping_address)
    if details.HasField("browser_info"):
        made["browser_info"] = _browser(details.browser_info)
    if submission.HasField("plan"):
        made["subscription"] = _plan(submission.plan)
    return made


def _plan(plan: subscriptions.PaymentPlan) -> dict[str, Any]:
    unit = subscriptions.PaymentCycleUnit.Name(plan.cycle_unit).removeprefix("PAYMENT_CYCLE_UNIT_")
    return {
        "plan_name": plan.name,
        "plan_desc": plan.description,
        "cycle_type": unit,
        "subscription_end_type": "CYCLE",
        "cycle_interval": plan.cycle_interval,
        "max_cycle_count": plan.max_cycle_count,
        "has_trial_period": bool(plan.trial_days),
        "trial_period_duration_type": "DAYS",
        "trial_period_duration": plan.trial_days,
        "has_discount": bool(plan.discount_percentage),
        "discount_percentage": plan.discount_percentage,
        "discount_duration": plan.discount_cycle_count,
    }


def _hosted_page(submission: pb.PaymentSubmission) -> dict[str, Any]:
    """The body of a request for a link. The amount is always given: else the payer would type one."""
    details = submission.hosted_page_details
    return_url = {
        "webhook_url": submission.webhook_url,
        "success_url": details.success_url,
        "decline_url": details.decline_url,
        "cancel_url": details.cancel_url,
    }
    made: dict[str, Any] = {
        "return_url": {name: url for name, url in return_url.items() if url},
        "amount": submission.amount_text,
        "currency": submission.currency_code,
        "merchant_id": submission.partner_merchant_id,
        "merchant_email": submission.merchant_email,
        "merchant_txn_ref": submission.reference,
        "billing_address": _address(details.billing_address),
    }
    if details.HasField("shipping_address"):
        made["shipping_address"] = _address(details.shipping_address)
    if submission.store_payment_method:
        made["payment_method"] = {"type": "scheme", "store_payment_method": True}
    return made


def _address(address: payments.PaymentAddress) -> dict[str, str]:
    """Without what is empty."""
    return {name: text for name in ADDRESS if (text := getattr(address, name))}


def _browser(browser: payments.BrowserInfo) -> dict[str, Any]:
    """Numbers are texts there."""
    return {
        "acceptHeader": browser.accept_header,
        "screenColorDepth": str(browser.screen_color_depth),
        "javaEnabled": browser.java_enabled,
        "language": browser.language,
        "screenHeight": str(browser.screen_height),
        "screenWidth": str(browser.screen_width),
        "challengeWindow": str(browser.challenge_window),
        "userAgent": browser.user_agent,
    }
