"""What D1 tells card issuers, from HTTP to gRPC and REST: a real gateway in front of a real core."""

import base64
import json
from collections.abc import Iterator
from itertools import count
from typing import Any

import httpx
import pytest
from mintmark.v1 import digital_cards_pb2, events_pb2
from mintmark.v1 import issuer_operations_pb2 as pb
from mintmark.v1 import notifications_pb2 as notices_pb2

from tests.flows.gateway_process import Gateway, gateway_of
from tests.server.rpc.running import running_core
from tests.vectors import contract_example
from tests.waiting import eventually

CARD = "4111111111111111"
_NUMBERS = count(1)


class Thales:
    """D1's side of one issuer: a client of the token endpoint that sends notifications."""

    def __init__(self, gateway: Gateway) -> None:
        self.issuer_id = f"ISSUER{next(_NUMBERS):04}"
        self.gateway = gateway
        made = gateway.core.create(["d1-notify"], issuers=[self.issuer_id])
        pair = base64.b64encode(f"{made.client.client_id}:{made.client_secret}".encode()).decode()

        def token() -> httpx.Response:
            return gateway.client.post(
                "/authz/d1/v1/oauth2/token",
                headers={"authorization": f"Basic {pair}"},
                data={"grant_type": "client_credentials"},
            )

        eventually(lambda: self._usable(token().json().get("access_token", "")), 20, "a client that the gateway knows")

    def _usable(self, access_token: str) -> bool:
        # With the colon, as D1's own example has it.
        self.headers = {"authorization": f"Bearer: {access_token}"}
        return self.post("v2/{issuer}/cards", {"operations": []}).status_code == 204

    def post(self, path: str, body: Any, issuer_id: str = "") -> httpx.Response:
        version, _, below = path.partition("/")
        place = below.format(issuer=issuer_id or self.issuer_id)
        url = f"/notifications/d1/{version}/issuers/{place}"
        return self.gateway.client.post(url, json=body, headers=self.headers)

    def operations(self) -> dict[str, pb.IssuerOperation]:
        request = pb.ListIssuerOperationsRequest(issuer_id=self.issuer_id)
        found = self.gateway.core.admin.issuer_operations.ListIssuerOperations(request).issuer_operations
        return {each.name.removeprefix(f"issuers/{self.issuer_id}/"): each for each in found}

    def digital_cards(self) -> dict[str, digital_cards_pb2.DigitalCard]:
        request = digital_cards_pb2.ListDigitalCardsRequest(issuer_id=self.issuer_id)
        found = self.gateway.core.admin.digital_cards.ListDigitalCards(request).digital_cards
        return {each.digital_card_id: each for each in found}

    def events(self, *kinds: events_pb2.EventKind.ValueType, resource: str = "") -> list[events_pb2.Event]:
        wanted = events_pb2.EventFilter(issuer_id=self.issuer_id, kinds=kinds, resource=resource)
        asked = events_pb2.ListEventsRequest(cursor="0", filter=wanted)
        return list(self.gateway.core.admin.events.ListEvents(asked).events)


@pytest.fixture(scope="module")
def gateway() -> Iterator[Gateway]:
    with running_core() as core, gateway_of(core, Gateway) as running:
        yield running


@pytest.fixture
def thales(gateway: Gateway) -> Thales:
    return Thales(gateway)


def test_the_contracts_examples_become_operations(thales: Thales) -> None:
    single = json.loads(contract_example("d1-issuer-notify-card-operation-v1.request.json").read_text())
    batch = json.loads(contract_example("d1-issuer-notify-card-operations-v2.request.json").read_text())
    for _ in range(2):
        one = thales.post("v1/{issuer}/cards/L7f9000000000000f6/notifications", single)
        assert (one.status_code, one.content) == (204, b"")
        all_ = thales.post("v2/{issuer}/cards", batch)
        assert (all_.status_code, all_.content) == (204, b"")
    found = thales.operations()
    assert set(found) == {
        "cards/L7f9000000000000f6/operations/XYZ1239",
        *(f"cards/{each['cardId']}/operations/{each['operationId']}" for each in batch["operations"]),
    }
    assert {each.delivery_count for each in found.values()} == {2}
    assert list(found["cards/L7f9000000000000f6/operations/XYZ1239"].digital_card_ids) == ["TOKEN1125", "TOKEN1129"]
    assert len(thales.events(events_pb2.EVENT_KIND_ISSUER_OPERATION_UPDATED)) == 3
    # Both examples name the first one: the batch came last.
    digitized = next(each for each in batch["operations"] if each["operation"] == "DIGITIZE")
    assert {name: card.card_id for name, card in thales.digital_cards().items()} == {
        "TOKEN1125": digitized["cardId"],
        "TOKEN1129": "L7f9000000000000f6",
    }
    assert len(thales.events(events_pb2.EVENT_KIND_DIGITAL_CARD_UPDATED)) == 3


def test_a_digital_card_is_followed_from_its_making_to_its_end(thales: Thales) -> None:
    """As D1 tells of it, retries and disorder included: over HTTP in, over gRPC and REST out."""
    bound = {"operationId": "op-1", "operation": "DIGITIZE", "status": "SUCCESSFUL", "digitalCardIds": ["d-1"]}
    assert thales.post("v1/{issuer}/cards/c-1/notifications", bound).status_code == 204
    for number, (operation, status) in enumerate(
        (
            ("CREATE", "SUCCESSFUL"),
            ("SUSPEND", "PENDING"),
            ("SUSPEND", "FAILED"),
            ("DELETE", "SUCCESSFUL"),
            # Retried late, without a time of its own.
            ("RESUME", "SUCCESSFUL"),
        )
    ):
        told = {"operationId": f"op-{operation}-{number}", "operation": operation, "status": status}
        for _ in range(2):
            assert thales.post("v1/{issuer}/digitalCards/d-1/notifications", told).status_code == 204
    card = thales.digital_cards()["d-1"]
    assert (card.card_id, card.state) == ("c-1", digital_cards_pb2.DIGITAL_CARD_STATE_DELETED)
    assert (card.last_operation, card.last_operation_id) == ("RESUME", "op-RESUME-4")
    kind = events_pb2.EVENT_KIND_DIGITAL_CARD_UPDATED
    states = [each.details["state"] for each in thales.events(kind, resource=card.name)]
    assert states == ["UNSPECIFIED", "ACTIVE", "ACTIVE", "ACTIVE", "DELETED", "DELETED"]


def test_v1_and_v2_tell_of_one_operation(thales: Thales) -> None:
    told = {"operationId": "op-1", "operation": "DIGITIZE", "status": "PENDING"}
    assert thales.post("v1/{issuer}/cards/c-1/notifications", told).status_code == 204
    item = {**told, "status": "SUCCESSFUL", "cardId": "c-1", "startTime": "2025-01-17T06:28:02.492Z"}
    assert thales.post("v2/{issuer}/cards", {"operations": [item]}).status_code == 204
    ((name, found),) = thales.operations().items()
    assert (name, found.state_text) == ("cards/c-1/operations/op-1", "SUCCESSFUL")


@pytest.mark.parametrize(
    ("path", "body", "name"),
    [
        ("v1/{issuer}/digitalCards/d-1/notifications", {"operation": "SUSPEND"}, "digitalCards/d-1/operations/op-1"),
        (
            "v1/{issuer}/cards/c-1/3ds/notifications",
            {"operation": "3DS_FRICTIONLESS", "startTime": "2025-01-17T06:28:02Z"},
            "cards/c-1/threeDSecureOperations/op-1",
        ),
        (
            "v2/{issuer}/consumers",
            {"operations": [{"operation": "CLICK_TO_PAY_OPTOUT", "consumerId": "u-1"}]},
            "consumers/u-1/operations/op-1",
        ),
    ],
)
def test_the_other_notifications_become_operations(thales: Thales, path: str, body: dict[str, Any], name: str) -> None:
    common = {"operationId": "op-1", "status": "SUCCESSFUL"}
    sent = {"operations": [{**common, **body["operations"][0]}]} if "operations" in body else {**common, **body}
    assert thales.post(path, sent).status_code == 204
    assert set(thales.operations()) == {name}


def test_authorisations_are_told_by_their_time(thales: Thales) -> None:
    item = {
        "operationId": "000000000001",
        "operation": "PURCHASE",
        "status": "DECLINED",
        "errorCode": "51",
        "startTime": "2022-06-16T06:28:02.492Z",
        "cardId": "c-1",
    }
    later = {**item, "startTime": "2023-06-16T06:28:02.492Z"}
    for _ in range(2):
        assert thales.post("v2/{issuer}/authorisations", {"operations": [item, later]}).status_code == 204
    assert len(thales.operations()) == len(thales.events()) == 2
    assert {each.error_code for each in thales.operations().values()} == {"51"}


def test_one_bad_item_fails_no_batch_and_is_shown(thales: Thales) -> None:
    good = {"operationId": "op-1", "operation": "PRODUCE", "status": "PENDING", "cardId": "c-1"}
    bad: list[Any] = [7, {}, {**good, "cardId": None}, {**good, "operationId": ["x"]}, {**good, "cardId": "a b"}]
    assert thales.post("v2/{issuer}/cards", {"operations": [*bad, good]}).status_code == 204
    assert set(thales.operations()) == {"cards/c-1/operations/op-1"}
    wanted = notices_pb2.ListNotificationsRequest(
        issuer_id=thales.issuer_id, states=[notices_pb2.NOTIFICATION_STATE_QUARANTINED]
    )
    kept = thales.gateway.core.admin.notifications.ListNotifications(wanted).notifications
    assert {each.quarantine_reason for each in kept} == {notices_pb2.QUARANTINE_REASON_BATCH_ITEM_INVALID}
    assert len(kept) == len(bad)


def test_a_card_number_is_cut_before_it_is_kept(thales: Thales) -> None:
    item = {
        "operationId": "op-1",
        "operation": "PRODUCE",
        "status": "FAILED",
        "cardId": "c-1",
        "error": f"card {CARD} is gone",
        "details": {"pan": CARD},
    }
    assert thales.post("v2/{issuer}/cards", {"operations": [item]}).status_code == 204
    (found,) = thales.operations().values()
    assert "411111******1111" in found.error
    assert CARD not in str(found)
    for file in thales.gateway.core.folder.rglob("*"):
        if file.is_file():
            assert CARD.encode() not in file.read_bytes(), file.name


def test_who_may_not_speak_for_the_issuer_gets_the_familys_answers(thales: Thales) -> None:
    other = Thales(thales.gateway)
    assert thales.post("v2/{issuer}/cards", {"operations": []}, other.issuer_id).status_code == 403
    assert thales.post("v2/{issuer}/cards", {"operations": []}, "NOBODY0000").status_code == 404
    answer = thales.post("v1/{issuer}/cards/c-1/notifications", {"operation": "DIGITIZE"})
    assert answer.status_code == 400
    assert set(answer.json()) == {"error"}
    thales.headers = {"authorization": "Bearer no"}
    refused = thales.post("v2/{issuer}/cards", {"operations": []})
    assert (refused.status_code, refused.content) == (401, b"")
