"""The twin's answers have the shape of the partner's own examples."""

from typing import Any

from tests.adapters.sandbox.payment_options.merchant import THREE_DS_METHOD, Merchant
from tests.adapters.sandbox.payment_options.receiver import Receiver
from tests.vectors import vector_json
from tests.waiting import eventually


def example(name: str) -> Any:
    return vector_json(f"../contracts/examples/paymentoptions-{name}.json")


def shape(value: Any) -> Any:
    """Names and types."""
    if isinstance(value, dict):
        return {name: shape(inner) for name, inner in value.items()}
    return [shape(inner) for inner in value] if isinstance(value, list) else type(value).__name__


def request(merchant: Merchant) -> Any:
    """The request of the example with its placeholders filled in."""
    document = example("use-token.request")
    document["merchant_id"] = merchant.credentials["merchant_id"]
    document["return_url"]["webhook_url"] = merchant.webhook_url
    return document


def test_the_example_of_a_payment_with_a_token(merchant: Merchant) -> None:
    answer = merchant.post("payment", request(merchant))
    expected = example("use-token.response")
    assert answer.status_code == 201
    assert answer.headers["content-type"] == "application/json"
    got = answer.json()
    assert shape(got) == shape(expected)
    # What does not depend on who the merchant is, and when.
    for block in ("gateway_response", "transaction_type", "is_live", "status_code", "success", "risk-details"):
        assert got[block] == expected[block]
    for name in ("amount", "response_code", "currency", "payment_method", "scheme", "additional_data"):
        assert got["payment_details"][name] == expected["payment_details"][name]
    assert got["payment_details"]["card"]["number"] == "400000******1091"
    method_id = "stored_payment_method_id"
    assert got["transaction_details"][method_id] == expected["transaction_details"][method_id]


def test_the_example_as_the_seed_prints_it_names_no_method(merchant: Merchant) -> None:
    document = {**example("use-token.request.as-printed-in-seed"), "merchant_id": merchant.credentials["merchant_id"]}
    document["return_url"]["webhook_url"] = merchant.webhook_url
    answer = merchant.post("payment", document)
    assert answer.status_code == 400
    assert "stored_payment_method_id" in answer.json()["gateway_response"]["message"]


def test_the_example_of_a_status(merchant: Merchant) -> None:
    paid = merchant.post("payment", request(merchant)).json()
    status = merchant.status(paid["transaction_details"]["id"])
    expected = example("status.response")
    assert shape(status) == shape(expected)
    assert "risk_details" in status
    assert "risk-details" not in status
    assert status["payment_details"]["responseDescription"] == expected["payment_details"]["responseDescription"]


def test_the_example_of_a_webhook(merchant: Merchant, receiver: Receiver) -> None:
    merchant.post("payment", request(merchant))
    (body,) = eventually(lambda: receiver.bodies)
    assert shape(body) == shape(example("webhook-completed.request"))
    assert body["return_url_details"]["webhook_url"] == receiver.url


def test_the_example_of_a_redirect_to_3ds(merchant: Merchant) -> None:
    document = request(merchant)
    document["payment_method"]["stored_payment_method_id"] = THREE_DS_METHOD
    answer = merchant.post("paymentv2", document)
    assert answer.status_code == 200
    assert shape(answer.json()) == shape(example("3ds-redirect.response"))
    assert answer.json()["success"] is True
