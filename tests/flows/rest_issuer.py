"""What D1 tells an issuer, over REST and over gRPC alike: an operation of each form that a name has."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.message import Message
from mintmark.v1 import digital_cards_pb2 as cards
from mintmark.v1 import issuer_operations_pb2 as pb

from tests.server.rpc.running import request_id as key
from tests.stack import Stack
from tests.waiting import eventually

Case = tuple[str, Message, str]
SERVICE = "IssuerOperationsService"
ISSUER = "ISSUERWALK"
OPERATION = {"operationId": "o-1", "operation": "DIGITIZE", "status": "PENDING", "startTime": "2026-11-25T03:00:00Z"}
AUTHORISATION = {**OPERATION, "operation": "PURCHASE", "status": "APPROVED", "cardId": "c-1"}
TOLD: dict[str, dict[str, Any]] = {
    "/v1/issuers/{}/cards/c-1/notifications": OPERATION,
    "/v1/issuers/{}/digitalCards/d-1/notifications": OPERATION,
    "/v1/issuers/{}/cards/c-1/3ds/notifications": OPERATION,
    "/v2/issuers/{}/consumers": {"operations": [{**OPERATION, "consumerId": "u-1"}]},
    "/v2/issuers/{}/authorisations": {"operations": [AUTHORISATION]},
}
FORMS = (
    f"issuers/{ISSUER}/cards/c-1/operations/o-1",
    f"issuers/{ISSUER}/digitalCards/d-1/operations/o-1",
    f"issuers/{ISSUER}/cards/c-1/threeDSecureOperations/o-1",
    f"issuers/{ISSUER}/consumers/u-1/operations/o-1",
)


def open_issuer(stack: Stack) -> tuple[str, ...]:
    """The names of the operations that D1 has told of."""
    account = {"accountId": "walked-issuer", "provider": "D1_ISSUER", "issuerId": ISSUER}
    client_id = "walked-issuer"
    client = {"clientId": client_id, "scopes": ["d1-notify"], "issuerIds": [ISSUER]}
    made = {}
    for path, document in (("/v1/partnerAccounts:apply", {"accounts": [account]}), ("/v1/clients", client)):
        answer = stack.http.post(path, json=document, headers={"Idempotency-Key": key()})
        assert answer.is_success, answer.text
        made = answer.json()
    secret = (client_id, made["clientSecret"])
    granted = stack.http.post("/authz/d1/v1/oauth2/token", data={"grant_type": "client_credentials"}, auth=secret)
    headers = {"authorization": f"Bearer {granted.json()['access_token']}"}
    for path, body in TOLD.items():
        place = f"/notifications/d1{path.format(ISSUER)}"
        # The gateway hears of the new account in a moment.
        tell = lambda: stack.http.post(place, json=body, headers=headers).status_code == 204  # noqa: B023, E731  at once
        eventually(tell, what=place)
    listed = stack.http.get("/v1/issuerOperations", params={"issuerId": ISSUER}).json()["issuerOperations"]
    names = tuple(each["name"] for each in listed)
    assert set(FORMS) < set(names)
    assert len(names) == len(TOLD)
    return names


def reads(names: tuple[str, ...]) -> Iterator[Case]:
    get, listed = pb.GetIssuerOperationRequest, pb.ListIssuerOperationsRequest
    for name in names:
        yield f"{SERVICE}.GetIssuerOperation", get(name=name), ""
        yield f"{SERVICE}.GetIssuerOperation", get(name=f"{name}-not"), "RESOURCE_NOT_FOUND"
    wanted = listed(issuer_id=ISSUER, kinds=[pb.ISSUER_OPERATION_KIND_CARD], card_id="c-1", page_size=2)
    yield f"{SERVICE}.ListIssuerOperations", wanted, ""
    yield f"{SERVICE}.ListIssuerOperations", listed(page_size=1001), "FIELD_INVALID"
    yield from _digital_card_reads()


def _digital_card_reads() -> Iterator[Case]:
    get, listed, service = cards.GetDigitalCardRequest, cards.ListDigitalCardsRequest, "DigitalCardsService"
    name = f"issuers/{ISSUER}/digitalCards/d-1"
    yield f"{service}.GetDigitalCard", get(name=name), ""
    yield f"{service}.GetDigitalCard", get(name=f"{name}-not"), "RESOURCE_NOT_FOUND"
    wanted = listed(issuer_id=ISSUER, states=[cards.DIGITAL_CARD_STATE_UNSPECIFIED], page_size=2)
    yield f"{service}.ListDigitalCards", wanted, ""
    yield f"{service}.ListDigitalCards", listed(card_id="c-1"), ""
    yield f"{service}.ListDigitalCards", listed(page_token="AAAA"), "PAGE_TOKEN_INVALID"
