"""The partner's answers, shaped as its documentation shows them."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from adapters.sandbox.payment_options.charges import (
    APPROVED,
    CAPTURE,
    PARTIALLY_APPROVED,
    PENDING,
    REFUND,
    VOID,
    Charge,
)
from adapters.sandbox.payment_options.outcomes import PENDING_CODE, Outcome

LEGAL_NAME = "サンドボックス株式会社"
SUCCESS = {CAPTURE: "INFO0001", REFUND: "INFO0002", VOID: "INFO0003"}
MESSAGES = {
    "INFO0000": "Payment Successful.",
    "INFO0001": "Amount Successfully Captured.",
    "INFO0002": "Amount Successfully Refunded.",
    "INFO0003": "Authorization Successfully Cancelled.",
}
# The partner documents no code of a decline by the issuer.
DECLINE_CODE = "ERR0000"
FOLLOW_UPS = frozenset({CAPTURE, REFUND, VOID})
TITLES = {
    **{400: "Bad Request", 401: "Unauthorized", 404: "Not Found", 406: "Not Acceptable", 409: "Conflict"},
    **{412: "Precondition Failed", 422: "Unprocessable Entity", 429: "Too Many Requests"},
    **{500: "Internal Server Error", 502: "Bad Gateway", 504: "Gateway Timeout"},
}

Document = dict[str, Any]


def number(text: str) -> int | float:
    """An amount as the partner's answers have it."""
    value = Decimal(text)
    return int(value) if value == value.to_integral_value() else float(value)


def gateway_code(kind: str, *, success: bool, risk_code: str = "") -> str:
    """The code of the gateway for an outcome."""
    return SUCCESS.get(kind, "INFO0000") if success else risk_code or DECLINE_CODE


def created(charge: Charge, told: Outcome | None = None) -> Document:
    """The answer of the call that made `charge`; `told` is what it says where that is not the truth."""
    document = _payment(charge, told, 201)
    document["transaction_details"] = _transaction(charge)
    if charge.kind in FOLLOW_UPS:
        del document["payment_details"]["additional_data"]
        return document
    document["merchant_details"]["billing_details"] = {"billing_address": charge.billing_address}
    document["merchant_details"]["device_details"] = _device(charge)
    document["risk-details"] = {"risk_score": None}
    return document


def status(charge: Charge) -> Document:
    """The status answer."""
    document = _payment(charge, None, 200)
    document["payment_details"]["responseDescription"] = {
        APPROVED: "Success",
        PARTIALLY_APPROVED: "Partial approval",
        PENDING: "Pending",
    }.get(charge.outcome, "Declined")
    document["transaction_details"] = {
        **_transaction(charge),
        "billing_details": {"billing_address": charge.billing_address},
    }
    document["risk_details"] = {"risk_score": None}
    return document


def webhook(charge: Charge) -> Document:
    """The body of a webhook."""
    document = _payment(charge, None, 200)
    document["merchant_details"]["billing_details"] = {"billing_address": charge.billing_address}
    document["transaction_details"] = _transaction(charge)
    document["risk-details"] = {"risk_score": None}
    document["device_details"] = _device(charge)
    names = ("webhook_url", "success_url", "decline_url")
    document["return_url_details"] = {name: charge.return_url[name] for name in names if name in charge.return_url}
    return document


def redirect(url: str) -> Document:
    """What a 3DS payment answers first: success means only that the payer is to be sent there."""
    return {"url": url, "statusCode": 200, "success": True, "redirect_url": url}


def refused(status: int, message: str = "") -> Document:
    """The body of an HTTP error. 401, 429 and 5xx come from in front of the gateway and look different."""
    if status == 401 or status == 429 or status >= 500:
        return {"message": message or TITLES.get(status, "Error")}
    return {
        "success": False,
        "status_code": status,
        "gateway_response": {
            "version": "1",
            "type": "ERR",
            "message": message or TITLES.get(status, "Error"),
            "code": f"ERR0{status}",
        },
    }


def hosted_page(page_id: str, url: str, request: Mapping[str, Any]) -> Document:
    """The link to a hosted page. It has no wrapper."""
    given = request.get("return_url") or {}
    names = ("webhook_url", "success_url", "decline_url", "cancel_url")
    amount = request.get("amount")
    return {
        "id": page_id,
        "url": url,
        "amount": None if amount in (None, "") else number(str(amount)),
        "currency": request.get("currency"),
        "merchant_txn_ref": request.get("merchant_txn_ref"),
        "merchant_id": request.get("merchant_id"),
        "merchant_email": request.get("merchant_email"),
        "return_url": {name: given[name] for name in names if name in given},
        "billing_address": request.get("billing_address"),
        "shipping_address": request.get("shipping_address"),
    }


def _payment(charge: Charge, told: Outcome | None, status_code: int) -> Document:
    code = told.response_code if told is not None else charge.response_code
    success = charge.outcome in {APPROVED, PARTIALLY_APPROVED}
    name, risk = charge.gateway_code, ""
    if told is not None and told.answer != "clean":
        success, name = False, DECLINE_CODE
    elif charge.outcome == PENDING:
        code, name = PENDING_CODE, DECLINE_CODE
    elif name.startswith("ERR3"):
        # The partner's risk messages hold what the rule was about in clear.
        risk = f"Risk rule {name} for {charge.customer_ip or charge.card.number}"
    details: Document = {
        "amount": number(charge.amount),
        "response_code": code,
        "auth_code": charge.auth_code,
        "currency": charge.currency,
        "payment_method": "ECMC-SSL",
        "scheme": charge.card.scheme,
        "card": {
            "name": charge.card.name,
            "number": charge.card.number,
            "exp_month": charge.card.exp_month,
            "exp_year": charge.card.exp_year,
        },
        "additional_data": {"payment_data_source": {"type": "card"}},
    }
    if not success:
        del details["auth_code"]
    return {
        "success": success,
        "status_code": status_code,
        "is_live": False,
        "transaction_type": charge.transaction_type,
        "gateway_response": {
            "version": "1",
            "type": "INFO" if success else "ERR",
            "message": MESSAGES.get(name) or risk or "Payment Failed.",
            "code": name,
        },
        "merchant_details": {
            "legal_name": LEGAL_NAME,
            "mid": charge.merchant_id,
            "merchant_txn_ref": charge.reference,
        },
        "payment_details": details,
    }


def _transaction(charge: Charge) -> Document:
    details: Document = {
        "id": charge.transaction_id,
        "ref": charge.ref,
        "timestamp": charge.time,
        "merchant_txn_ref": charge.reference,
    }
    if charge.stored_payment_method_id:
        details["stored_payment_method_id"] = charge.stored_payment_method_id
    return details


def _device(charge: Charge) -> Document:
    return {"visited_ip": charge.customer_ip, "customer_ip": charge.customer_ip}
