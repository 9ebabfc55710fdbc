"""The partner's side of the books: what reached the twin, what it did, and what it told by itself.

A piece of work is known by its key: the first of a payment by our reference, what follows by the transaction that it
is about, with its amount. No two of them are asked for with one key.
"""

import json
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from mintmark.v1 import payments_pb2 as pb

from tests.plain import PLAIN

Key = tuple[str, str, str]
FIRST = "first"
Kind = pb.PaymentOperationKind
FOLLOWING = {
    pb.PAYMENT_OPERATION_KIND_CAPTURE: "capture",
    pb.PAYMENT_OPERATION_KIND_VOID: "void",
    pb.PAYMENT_OPERATION_KIND_REFUND: "refund",
}
FOLLOWING_ENDPOINTS = {"capture": "capture", "void": "void", "refund": "refund"}
FIRST_ENDPOINTS = ("payment", "authorization", "subscription-create", "hosted-link")
ENDPOINTS = dict.fromkeys(FIRST_ENDPOINTS, FIRST) | FOLLOWING_ENDPOINTS
FIRST_KINDS = ("PURCHASE", "AUTHORIZATION", "SUBSCRIPTION_CHARGE")
KINDS = dict.fromkeys(FIRST_KINDS, FIRST) | {"CAPTURE": "capture", "VOID": "void", "REFUND": "refund"}


def key_of_operation(payment: pb.Payment, operation: pb.PaymentOperation) -> Key:
    what = FOLLOWING.get(operation.kind)
    if what is None:
        return FIRST, operation.reference, ""
    parent = next(each for each in payment.operations if each.name == operation.parent)
    return what, parent.partner_transaction_id, "" if what == "void" else str(operation.amount.minor_amount)


class Partner:
    """The twin at an address, and its files, which outlive it."""

    def __init__(self, url: str, data: Path, deliveries: Path) -> None:
        self.url = url
        self.deliveries_file = deliveries
        self._books = data / "sandbox" / "payment-options"

    def control(self, method: str, path: str, document: Any = None) -> Any:
        """A call of the twin's control API."""
        answer = self._client(method, path, document)
        assert answer.status_code < 300, answer.text
        return answer.json()

    def _client(self, method: str, path: str, document: Any = None) -> httpx.Response:
        return httpx.request(
            method, f"{self.url}/control{path}", json=document, timeout=30, trust_env=False, verify=PLAIN
        )

    def answers(self) -> bool:
        try:
            return bool(self.control("GET", "/state"))
        except httpx.TransportError:
            return False

    def press(self, reference: str, decision: str) -> bool:
        """What a payer does on the page of this reference. Whether it was heard: else nobody knows, as with a form that
        is sent while the line breaks."""
        try:
            self._client("POST", f"/hosted/{reference}/{decision}")
        except httpx.TransportError:
            return False
        # A page that is closed by now was paid.
        return True

    def subscriptions(self) -> dict[str, list[str]]:
        """The states of the subscriptions that the twin has, by our reference, which is their mark."""
        found: dict[str, list[str]] = defaultdict(list)
        for line in self._client("GET", "/subscriptions").text.splitlines():
            said = json.loads(line)
            _, _, mark = said["subscription_plan_details"]["desc"].rpartition("[")
            found[mark.rstrip("]").replace("_", "")].append(said["status"])
        return found

    def ledger(self) -> list[dict[str, Any]]:
        """The twin's ledger, from its fsynced file: the newest line of each transaction."""
        newest = {line["transactionId"]: line for line in _lines(self._books / "ledger.jsonl")}
        return list(newest.values())

    def lines(self) -> defaultdict[Key, list[dict[str, Any]]]:
        """The ledger by the work that its lines are about."""
        found: defaultdict[Key, list[dict[str, Any]]] = defaultdict(list)
        for line in self.ledger():
            found[_key(line)].append(line)
        return found

    def moved(self) -> list[dict[str, Any]]:
        """The transactions by which money moved, or was held or released."""
        return [line for line in self.ledger() if line["moved"]]

    def requests(self) -> list[dict[str, Any]]:
        """What reached the twin and asked it to move money, as it is known last; not what broke off before its body."""
        newest = {line["number"]: line for line in _lines(self._books / "requests.jsonl")}
        asked = (each for each in newest.values() if each["endpoint"] in ENDPOINTS)
        return [each for each in asked if each["reference"] or each["aboutTransactionId"]]

    def asked(self) -> defaultdict[Key, list[dict[str, Any]]]:
        """The requests by the work that they ask for."""
        found: defaultdict[Key, list[dict[str, Any]]] = defaultdict(list)
        for request in self.requests():
            what = ENDPOINTS[request["endpoint"]]
            about = request["reference"] if what == FIRST else request["aboutTransactionId"]
            found[what, about, request["amount"] if what in ("capture", "refund") else ""].append(request)
        return found

    def acknowledged(self) -> list[dict[str, Any]]:
        """The webhooks that were answered with a 2xx, one for each delivery."""
        return list(_lines(self.deliveries_file))


def _key(line: dict[str, Any]) -> Key:
    what = KINDS[line["kind"]]
    if what == FIRST:
        return FIRST, line["reference"], ""
    return what, line["originalTransactionId"], "" if what == "void" else line["requestedAmount"]


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    content = file.read_text() if file.exists() else ""
    return (json.loads(line) for line in content.splitlines(keepends=True) if line.endswith("\n"))
