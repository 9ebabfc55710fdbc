"""D1 towards a card issuer: single notifications and batches of operations (contract, sections 3.4 to 3.9 and 3.13)."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

from adapters.sandbox.notifications import (
    D1_ISSUER,
    D1_ISSUER_BATCHES,
    Notification,
    new_correlation_id,
    timestamp,
)

ISSUER = "ISSUER0001"


@dataclass(frozen=True, slots=True)
class Kind:
    """One of D1's calls: its path below the prefix, an operation and a status as it tells them, and which id its items
    have in the body."""

    path: str
    operation: str
    status: str = "SUCCESSFUL"
    item_id: str = ""

    @property
    def is_batch(self) -> bool:
        """Whether its body is a list of operations."""
        return bool(self.item_id)


KINDS: Mapping[str, Kind] = {
    "card-operation": Kind("/v1/issuers/{issuerId}/cards/{cardId}/notifications", "DIGITIZE"),
    "digital-card-operation": Kind("/v1/issuers/{issuerId}/digitalCards/{digitalCardId}/notifications", "SUSPEND"),
    "three-d-secure-operation": Kind("/v1/issuers/{issuerId}/cards/{cardId}/3ds/notifications", "3DS_FRICTIONLESS"),
    "card-operations": Kind("/v2/issuers/{issuerId}/cards", "PRODUCE", "PENDING", "cardId"),
    "card-authorisations": Kind("/v2/issuers/{issuerId}/authorisations", "PURCHASE", "APPROVED", "cardId"),
    "consumer-operations": Kind(
        "/v2/issuers/{issuerId}/consumers", "CLICK_TO_PAY_OPTOUT", "SUCCESSFUL", item_id="consumerId"
    ),
}


def operation(name: str, at: datetime, fields: Mapping[str, Any]) -> dict[str, Any]:
    """An operation of `name`'s kind as of `at`. `fields` win over what is made up; None leaves a field out."""
    kind = KINDS[name]
    made = {
        # An authorisation's is its retrieval reference number, of twelve characters.
        "operationId": uuid.uuid4().hex[:12] if name == "card-authorisations" else str(uuid.uuid4()),
        "operation": kind.operation,
        "status": kind.status,
        "startTime": timestamp(at),
    }
    if kind.is_batch:
        made[kind.item_id] = f"twin-{uuid.uuid4().hex[:12]}"
    return {field: value for field, value in {**made, **fields}.items() if value is not None}


def bad_items(name: str, at: datetime, count: int) -> list[Any]:
    """Items that break the contract, each in another way."""
    item_id = KINDS[name].item_id
    ways: list[Any] = [
        operation(name, at, {item_id: None}),
        "no object",
        operation(name, at, {"status": None}),
        operation(name, at, {item_id: {"no": "text"}}),
    ]
    return [ways[number % len(ways)] for number in range(count)]


def single(
    name: str, at: datetime, ids: Mapping[str, str], fields: Mapping[str, Any], correlation_id: str = ""
) -> Notification:
    """A notification of one operation; `ids` are those of the path, what is not given is made up."""
    return _notification(name, ids, operation(name, at, fields), correlation_id)


def batch(name: str, ids: Mapping[str, str], items: list[Any], correlation_id: str = "") -> Notification:
    """A batch of these items."""
    return _notification(name, ids, {"operations": items}, correlation_id)


def _notification(name: str, ids: Mapping[str, str], body: Mapping[str, Any], correlation_id: str) -> Notification:
    kind = KINDS[name]
    given = {field: value for field, value in ids.items() if value}
    made = {"issuerId": ISSUER, "cardId": str(uuid.uuid4()), "digitalCardId": str(uuid.uuid4()), **given}
    return Notification(
        kind=f"d1-{name}",
        feed=D1_ISSUER_BATCHES if kind.is_batch else D1_ISSUER,
        path=kind.path.format_map({field: quote(value, safe="") for field, value in made.items()}),
        correlation_id=correlation_id or new_correlation_id(),
        body=body,
        issuer_id=made["issuerId"],
        card_id=made["cardId"] if "{cardId}" in kind.path else "",
    )
