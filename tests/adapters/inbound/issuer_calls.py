"""D1's calls to card issuers as the tests send them."""

import json
from typing import Any

import httpx
from mintmark.v1 import notifications_pb2 as pb

from tests.adapters.inbound.running import Running

PREFIX = "/notifications/d1"
CARD = f"{PREFIX}/v1/issuers/ISSUER0001/cards/L7f9000000000000f6/notifications"
DIGITAL_CARD = f"{PREFIX}/v1/issuers/ISSUER0001/digitalCards/TOKEN1125/notifications"
THREE_D_SECURE = f"{PREFIX}/v1/issuers/ISSUER0001/cards/card-1/3ds/notifications"
CARDS = f"{PREFIX}/v2/issuers/ISSUER0001/cards"
AUTHORISATIONS = f"{PREFIX}/v2/issuers/ISSUER0001/authorisations"
CONSUMERS = f"{PREFIX}/v2/issuers/ISSUER0001/consumers"
SINGLES = (CARD, DIGITAL_CARD, THREE_D_SECURE)
BATCHES = (CARDS, AUTHORISATIONS, CONSUMERS)

OPERATION = {"operationId": "op-1", "operation": "SUSPEND", "status": "SUCCESSFUL"}
ITEM = {**OPERATION, "cardId": "card-1", "startTime": "2025-01-17T06:28:02.492Z"}
Flag = pb.NotificationFlag


def send(gateway: Running, path: str, body: Any, **headers: str) -> httpx.Response:
    return gateway.d1(body if isinstance(body, bytes) else json.dumps(body).encode(), path, **headers)


def batch(gateway: Running, *items: Any, path: str = CARDS) -> list[pb.NotificationRecord]:
    """The records of a batch that is answered 204."""
    before = len(gateway.core.records)
    answer = send(gateway, path, {"operations": list(items)})
    assert (answer.status_code, answer.content) == (204, b"")
    return gateway.core.records[before:]
