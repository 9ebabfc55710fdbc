"""A merchant of the twin: makes requests as the partner documents them, over a real socket."""

import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from adapters.settings import Settings
from tests.adapters.sandbox.running import running

SAMPLE_METHOD = "094db781-fabc-4c6d-8fcd-18bee06a527a"
THREE_DS_METHOD = "00000000-0000-4000-8000-000000077000"
S2S = "/payment-options/api/v1/server-to-server-interface"
CONTROL = "/payment-options/control"
# Nobody listens there.
NOWHERE = "http://127.0.0.1:9"
ADDRESS = {
    "country": "JP",
    "email": "billing@testemail.com",
    "phone_number": "8112345678",
    "address1": "1-2-3 Shinjuku",
    "city": "Shinjuku-ku",
    "state": "Tokyo",
    "postal_code": "1600022",
}
CARD = {"number": "4000000000001091", "name": "Jane Roe", "expiry_month": "12", "expiry_year": "34", "cvc": "100"}


def without(document: Mapping[str, Any], *paths: str) -> dict[str, Any]:
    """A copy without the fields at these dotted paths."""
    changed: dict[str, Any] = json.loads(json.dumps(document))
    for path in paths:
        *above, last = path.split(".")
        inner = changed
        for name in above:
            inner = inner[name]
        del inner[last]
    return changed


class Merchant:
    """`client` reaches the sandbox, `credentials` are the merchant's own."""

    def __init__(self, client: httpx.Client, folder: Path, webhook_url: str = NOWHERE) -> None:
        self.client = client
        self.folder = folder
        self.webhook_url = webhook_url
        self.credentials = json.loads((folder / "credentials" / "sandbox.payment_options.json").read_text())

    @property
    def headers(self) -> dict[str, str]:
        return {
            "authorization": self.credentials["authorization"],
            "x-api-key": self.credentials["x_api_key"],
            "content-type": "application/json",
        }

    def order(self, amount: object = "1000", reference: str = "", **more: Any) -> dict[str, Any]:
        """The body of a payment with a stored payment method."""
        return {
            "amount": amount,
            "currency": "JPY",
            "payment_method": {
                "type": "scheme",
                "store_payment_method": True,
                "stored_payment_method_id": SAMPLE_METHOD,
            },
            "merchant_txn_ref": reference or uuid.uuid4().hex,
            "customer_ip": "127.0.0.1",
            "merchant_id": self.credentials["merchant_id"],
            "return_url": {
                "webhook_url": self.webhook_url,
                "success_url": "http://127.0.0.1:9/success?order=1",
                "decline_url": "http://127.0.0.1:9/decline",
            },
            "billing_address": ADDRESS,
            "time_zone": "Asia/Kuala_Lumpur",
            **more,
        }

    def post(self, path: str, document: object) -> httpx.Response:
        return self.client.post(f"{S2S}/{path}", json=document, headers=self.headers)

    def get(self, path: str) -> httpx.Response:
        return self.client.get(f"{S2S}/{path}", headers=self.headers)

    def pay(self, amount: object = "1000", reference: str = "", path: str = "payment", **more: Any) -> httpx.Response:
        return self.post(path, self.order(amount, reference, **more))

    def paid(self, amount: object = "1000", reference: str = "", path: str = "payment", **more: Any) -> dict[str, Any]:
        """The answer of a payment that has gone well."""
        answer = self.pay(amount, reference, path, **more)
        document: dict[str, Any] = answer.json()
        assert (answer.status_code, document["success"]) == (201, True), document
        return document

    def about(self, transaction_id: str, path: str, amount: object = None) -> httpx.Response:
        """A capture, void or refund."""
        document = {"transactionId": transaction_id, "merchant_id": self.credentials["merchant_id"]}
        return self.post(path, document if amount is None else {**document, "amount": amount})

    def status(self, transaction_id: str) -> dict[str, Any]:
        answer = self.get(f"transaction/status/{transaction_id}")
        assert answer.status_code == 200
        document: dict[str, Any] = answer.json()
        return document

    def control(self, method: str, path: str, document: object = None) -> Any:
        answer = self.client.request(method, CONTROL + path, json=document)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def lines(self, path: str) -> list[Any]:
        return [json.loads(line) for line in self.client.get(CONTROL + path).text.splitlines()]

    def ledger(self) -> list[Any]:
        """The lines of the file, each of them whole."""
        text = (self.folder / "sandbox" / "payment-options" / "ledger.jsonl").read_text()
        assert not text or text.endswith("\n")
        return [json.loads(line) for line in text.splitlines()]

    def fault(self, fault: str, **more: Any) -> None:
        self.control("POST", "/faults", {"fault": fault, **more})


@contextmanager
def merchant_of(folder: Path, *, speed: float = 1000, **settings: Any) -> Iterator[Merchant]:
    """A merchant of a twin that keeps its books in `folder`; `speed` may be more than settings allow."""
    with running(Settings(data_dir=folder, **settings).model_copy(update={"sandbox_speed": speed})) as client:
        yield Merchant(client, folder)
