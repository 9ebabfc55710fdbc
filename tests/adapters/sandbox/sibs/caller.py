"""A caller of the twin: makes requests as the contract has them, over a real socket."""

import base64
import json
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from adapters.settings import Settings
from tests.adapters.sandbox.running import running

ACQUIRER = "1000000000000000000000001"
MERCHANT = "1000000001"
CONTROL = "/sibs/control"
KEY = "DIpKxQVMTAj3ms0QfPOOuxmzPc2zqNnC7eR3m2uV3E4="
# Nobody listens there.
NOWHERE = "http://127.0.0.1:9/hooks"


def a_key(letter: str) -> str:
    """A key that is known by one letter."""
    return base64.b64encode(letter.encode() * 32).decode()


class Caller:
    """`client` reaches the sandbox; who calls is `access_token` and `client_id`."""

    def __init__(self, client: httpx.Client, folder: Path) -> None:
        self.client = client
        self.folder = folder
        state = client.get(f"{CONTROL}/state").json()
        self.access_token = state["accessToken"]
        self.client_id = state["clientId"]
        self.client_secret = state["clientSecret"]

    def headers(self, **changes: str | None) -> dict[str, str]:
        """The six, with a new TPP-Request-ID; a change names one with underscores, None leaves it out."""
        names = {
            "Content-Type": "application/json",
            "Authorization": f"Bearer {self.access_token}",
            "x-ibm-client-id": self.client_id,
            "TPP-Request-ID": str(uuid.uuid4()),
            "User-ID": "gateway-service",
            "User-Organization-ID": "example-organization",
        }
        changed = {name.replace("_", "-").lower(): value for name, value in changes.items()}
        merged = {**{name.lower(): value for name, value in names.items()}, **changed}
        return {name: value for name, value in merged.items() if value is not None}

    def body(self, code: str = "", operation: str = "INS", **more: Any) -> dict[str, Any]:
        """Of a create or update; `value`, `key`, `methods` and whole fields can be given."""
        security = {"key": more.pop("key", KEY), "supportEmail": "ops@gateway.example", "algorithm": "AES-256-GCM"}
        methods = more.pop("methods", ["CARD", "BLIK"])
        return {
            "notificationConfigurationCode": code or str(uuid.uuid4()),
            "requestOperationType": operation,
            "paymentMethods": [{"paymentMethodNotificationCode": method} for method in methods],
            "channelTypeNotification": {
                "notificationType": "URL",
                "value": more.pop("value", NOWHERE),
                "security": security,
            },
            **more,
        }

    def send(
        self,
        document: object,
        method: str = "POST",
        *,
        merchant: str = MERCHANT,
        acquirer: str = ACQUIRER,
        query: Mapping[str, str] | None = None,
        prefix: str = "/sibs/v1",
        headers: dict[str, str] | None = None,
    ) -> httpx.Response:
        """A create or update with any body."""
        path = f"{prefix}/acquirers/{acquirer}/merchants/{merchant}/terminal/webhook"
        content = document if isinstance(document, bytes) else json.dumps(document).encode()
        return self.client.request(method, path, params=query or {}, content=content, headers=headers or self.headers())

    def create(
        self, code: str = "", *, query: Mapping[str, str] | None = None, merchant: str = MERCHANT, **more: Any
    ) -> str:
        """A config that is accepted; its code."""
        document = self.body(code, **more)
        answer = self.send(document, query=query, merchant=merchant)
        assert accepted(answer), answer.text
        return str(document["notificationConfigurationCode"])

    def update(
        self, code: str, *, query: Mapping[str, str] | None = None, merchant: str = MERCHANT, **more: Any
    ) -> httpx.Response:
        return self.send(self.body(code, **more), "PUT", query=query, merchant=merchant)

    def delete(self, code: str, **more: Any) -> httpx.Response:
        return self.send(self.body(code, "DEL", **more), "PUT")

    def list(self, merchant: str = MERCHANT, **more: Any) -> httpx.Response:
        """The list of a scope; `headers` and other fields of the body can be given."""
        headers = more.pop("headers", None) or self.headers()
        document = {"acquirerId": ACQUIRER, "merchantId": merchant, **more}
        return self.client.post("/sibs/v1/webhooks", content=json.dumps(document), headers=headers)

    def listed(self, merchant: str = MERCHANT, **more: Any) -> dict[str, Any]:
        """The configs of a list in shape a, by code."""
        found = self.list(merchant, **more).json()["webhooks"]["webhook"]
        return {each["notificationConfigurationCode"]: each for each in found}

    def status(self, transaction_id: str, prefix: str = "/sibs/api/v1") -> httpx.Response:
        headers = {"authorization": f"Bearer {self.access_token}", "x-ibm-client-id": self.client_id}
        return self.client.get(f"{prefix}/payments/{transaction_id}/status", headers=headers)

    def issue(self, **more: str) -> httpx.Response:
        """The token endpoint's answer."""
        fields = {"grant_type": "client_credentials", "client_id": self.client_id, "client_secret": self.client_secret}
        return self.client.post("/sibs/oauth2/token", data={**fields, **more})

    def control(self, method: str, path: str, document: object = None) -> Any:
        answer = self.client.request(method, CONTROL + path, json=document)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def refused(self, method: str, path: str, document: object = None) -> tuple[int, str]:
        answer = self.client.request(method, CONTROL + path, json=document)
        return answer.status_code, answer.json()["error"]

    def lines(self, path: str) -> Any:
        return [json.loads(line) for line in self.client.get(CONTROL + path).text.splitlines()]

    def habits(self, **changes: Any) -> None:
        self.control("PATCH", "/habits", changes)

    def fault(self, fault: str, **more: Any) -> None:
        self.control("POST", "/faults", {"fault": fault, **more})

    def rule(self, mode: str, **more: Any) -> None:
        self.control("POST", "/notifications/rules", {"mode": mode, **more})

    def transact(self, kind: str = "purchase", **more: Any) -> dict[str, Any]:
        """One transaction."""
        (made,) = self.control("POST", "/transactions", {"kind": kind, **more})["transactions"]
        return dict(made)

    def advance(self, seconds: float) -> float:
        return float(self.control("POST", "/clock/advance", {"seconds": seconds})["time"])

    def told(self, *names: str) -> Any:
        """These fields of each notification."""
        return [tuple(each[name] for name in names) for each in self.lines("/notifications")]


def accepted(answer: httpx.Response) -> bool:
    """HTTP 200, ACTC and "000"."""
    document = answer.json()
    return (answer.status_code, document["transactionStatus"], document["returnStatus"]["statusCode"]) == (
        200,
        "ACTC",
        "000",
    )


@contextmanager
def caller_of(folder: Path, *, speed: float = 0.001, **settings: Any) -> Iterator[Caller]:
    """A caller of a twin that keeps its books in `folder`; its clock stands nearly still, and leaps with `advance`."""
    with running(Settings(data_dir=folder, sandbox_speed=speed, **settings)) as client:
        yield Caller(client, folder)
