"""Answers with something wrong in them."""

import copy
import uuid
from typing import Any

from adapters.sandbox.payment_options.faults import Fault

ELSEWHERE = "https://checkout.example/integration/3ds?_token=distorted"


def distorted(fault: Fault, document: Any) -> Any:
    """A copy of `document` with what the fault says. What is not there to be changed stays away."""
    if not isinstance(document, dict):
        return document
    changed = copy.deepcopy(document)
    payment = changed.get("payment_details") or {}
    merchant = changed.get("merchant_details") or {}
    transaction = changed.get("transaction_details") or {}
    if is_page := "url" in changed and "merchant_txn_ref" in changed:
        # A link to a hosted page has no blocks.
        payment = changed
    match fault.fault:
        case "wrong-amount":
            payment["amount"] = payment.get("amount", 0) + 1
        case "wrong-currency":
            payment["currency"] = "EUR" if payment.get("currency") != "EUR" else "USD"
        case "wrong-reference":
            merchant["merchant_txn_ref"] = transaction["merchant_txn_ref"] = "somebody-elses"
            if is_page:
                changed["merchant_txn_ref"] = "somebody-elses"
        case "wrong-mid":
            merchant["mid"] = "JP99999999"
            if is_page:
                changed["merchant_id"] = "JP99999999"
        case "wrong-type":
            changed["transaction_type"] = "REFUND" if changed.get("transaction_type") != "REFUND" else "CAPTURE"
        case "wrong-id":
            transaction["id"] = str(uuid.uuid4())
        case "wrong-live":
            changed["is_live"] = True
        case "wrong-method":
            transaction["stored_payment_method_id"] = str(uuid.uuid4())
        case "redirect-url":
            changed["redirect_url"] = ELSEWHERE
        case "unknown-code":
            payment["response_code"] = 31_337
            _block(changed, "gateway_response")["code"] = "WARN4242"
        case "missing-blocks":
            return {"success": True}
        case "card-number":
            with_card_number(changed, fault.number)
        case _:
            raise AssertionError(fault.fault)
    return changed


def with_card_number(document: dict[str, Any], number: str) -> None:
    """Puts a full card number everywhere but into what callers compare or remember."""
    spaced = " ".join(number[start : start + 4] for start in range(0, len(number), 4))
    payment = _block(document, "payment_details")
    _block(payment, "card").update(number=number, name=f"JOHN DOE {number}", track2=f"{number}=34121010000012345678")
    source = _block(_block(payment, "additional_data"), "payment_data_source")
    source.update(token=f"card:{spaced}", digits=int(number))
    _block(document, "gateway_response").update(message=f"Payment Successful. {number}", detail=[spaced, {"a": number}])
    merchant = _block(document, "merchant_details")
    merchant["legal_name"] = f"{merchant.get('legal_name', '')} {number}"
    address = _block(_block(merchant, "billing_details"), "billing_address")
    address.update(address1=number, address2=spaced.replace(" ", "-"))
    _block(document, "transaction_details")["note"] = number
    document[number] = number
    document["unknown"] = {"deep": [[{"pan": int(number)}]]}


def with_duplicates(body: bytes) -> bytes:
    """The JSON object with two keys twice; which one counts is the reader's own affair."""
    return b'{"success": false, "payment_details": {"response_code": 5}, ' + body.removeprefix(b"{")


def _block(document: dict[str, Any], name: str) -> dict[str, Any]:
    found = document.get(name)
    if not isinstance(found, dict):
        found = document[name] = {}
    return found
