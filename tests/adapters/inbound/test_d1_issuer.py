"""What D1 tells card issuers: who may, what is taken, and what is answered."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from mintmark.v1 import notifications_pb2 as pb
from mintmark.v1 import principals_pb2

from tests.adapters.inbound.issuer_calls import (
    AUTHORISATIONS,
    BATCHES,
    CARD,
    CARDS,
    CONSUMERS,
    DIGITAL_CARD,
    ITEM,
    OPERATION,
    PREFIX,
    SINGLES,
    THREE_D_SECURE,
    Flag,
    batch,
    send,
)
from tests.adapters.inbound.running import Running
from tests.vectors import contract_example
from tests.waiting import eventually


def test_the_example_of_a_single_call(gateway: Running) -> None:
    head, _, body = contract_example("d1-issuer-notify-card-operation-v1.request.http").read_text().partition("\n\n")
    message = head.replace("2zzLJmBAtTNIU8nF8e8XbmDvaNGs", gateway.core.sign()).replace("\n", "\r\n")
    sent = f"{message}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    assert gateway.raw(sent.encode()).startswith(b"HTTP/1.1 204 ")
    [record] = gateway.core.records
    assert record.kind == pb.NOTIFICATION_KIND_D1_CARD_OPERATION
    assert record.sender == "clients/d1.partner"
    assert (record.issuer_id, record.card_id) == ("ISSUER0001", "L7f9000000000000f6")
    assert record.operation_id == "XYZ1239"
    assert record.d1_issuer_operation == pb.D1IssuerOperation(
        operation="DIGITIZE", status="SUCCESSFUL", digital_card_ids=["TOKEN1125", "TOKEN1129"]
    )
    assert record.body == body.encode()
    assert list(record.flags) == []


def test_each_call_is_a_kind_of_its_own(gateway: Running) -> None:
    three_d_secure = {**OPERATION, "operation": "3DS_FRICTIONLESS", "consumerId": "consumer-1"}
    assert send(gateway, DIGITAL_CARD, OPERATION).status_code == 204
    assert send(gateway, THREE_D_SECURE, three_d_secure).status_code == 204
    authorisation = {**ITEM, "operation": "PURCHASE", "status": "APPROVED", "operationId": "123456789012"}
    batch(gateway, authorisation, path=AUTHORISATIONS)
    batch(gateway, {**OPERATION, "operation": "CLICK_TO_PAY_OPTOUT", "consumerId": "consumer-2"}, path=CONSUMERS)
    assert [
        (record.kind, record.card_id, record.digital_card_id, record.consumer_id, list(record.flags))
        for record in gateway.core.records
    ] == [
        (pb.NOTIFICATION_KIND_D1_DIGITAL_CARD_OPERATION, "", "TOKEN1125", "", []),
        (pb.NOTIFICATION_KIND_D1_THREE_D_SECURE_OPERATION, "card-1", "", "consumer-1", []),
        (pb.NOTIFICATION_KIND_D1_CARD_AUTHORISATION, "card-1", "", "", []),
        (pb.NOTIFICATION_KIND_D1_CONSUMER_OPERATION, "", "", "consumer-2", []),
    ]


def test_every_field_is_kept_as_text(gateway: Running) -> None:
    more = {
        "startTime": "2022-06-16T06:028:02",
        "endTime": "never",
        "errorCode": 17,
        "error": "declined",
        "inputFileName": "cards.csv",
        "issuerRequestId": "r-1",
        "message": {"text": "hello", "n": 1.50},
        "details": {"shipment": {"trackingNumber": 12, "carrier": "dhl"}, "ä": None},
        "digitalCardIds": ["d-1", 7, None],
    }
    [record] = batch(gateway, {**ITEM, **more})
    assert record.d1_issuer_operation == pb.D1IssuerOperation(
        operation="SUSPEND",
        status="SUCCESSFUL",
        start_time="2022-06-16T06:028:02",
        end_time="never",
        digital_card_ids=["d-1", "7"],
        details_json='{"shipment":{"trackingNumber":12,"carrier":"dhl"},"ä":null}',
        message='{"text":"hello","n":1.5}',
        error_code="17",
        error="declined",
        input_file_name="cards.csv",
        issuer_request_id="r-1",
    )
    assert list(record.flags) == [Flag.NOTIFICATION_FLAG_NUMBER_AS_TEXT, Flag.NOTIFICATION_FLAG_FIELD_ODD]


@pytest.mark.parametrize(
    ("more", "flags"),
    [
        ({"operationId": "o" * 65}, [Flag.NOTIFICATION_FLAG_FIELD_ODD]),
        ({"operationId": "op 1"}, [Flag.NOTIFICATION_FLAG_FIELD_ODD]),
        ({"operation": "TELEPORT"}, [Flag.NOTIFICATION_FLAG_VALUE_UNRECOGNIZED]),
        ({"status": "MAYBE"}, [Flag.NOTIFICATION_FLAG_VALUE_UNRECOGNIZED]),
        ({"details": ["x"]}, [Flag.NOTIFICATION_FLAG_FIELD_ODD]),
        ({"digitalCardIds": "d-1"}, [Flag.NOTIFICATION_FLAG_FIELD_ODD]),
        ({"error": {"code": 1}}, [Flag.NOTIFICATION_FLAG_FIELD_ODD]),
        ({"details": {"x": "\0"}}, [Flag.NOTIFICATION_FLAG_NUL]),
        ({"message": "\ud800"}, [Flag.NOTIFICATION_FLAG_LONE_SURROGATE]),
        ({"message": "card 4111 1111 1111 1111"}, [Flag.NOTIFICATION_FLAG_CARD_NUMBER_CUT]),
    ],
)
@pytest.mark.parametrize("path", [CARD, CARDS])
def test_oddities_are_flagged_kept_and_not_refused(
    gateway: Running, path: str, more: dict[str, Any], flags: list[int]
) -> None:
    item = {**ITEM, **more}
    assert send(gateway, path, item if path == CARD else {"operations": [item]}).status_code == 204
    [record] = gateway.core.records
    assert list(record.flags) == flags
    assert record.quarantine_reason == pb.QUARANTINE_REASON_UNSPECIFIED
    assert record.operation_id == item["operationId"]
    assert record.d1_issuer_operation.operation == item["operation"]
    assert record.d1_issuer_operation.status == item["status"]
    assert b"4111 1111" not in record.SerializeToString()
    if "details" in more:
        assert json.loads(record.d1_issuer_operation.details_json) == more["details"]


@pytest.mark.parametrize("path", SINGLES)
@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"not json", pb.QUARANTINE_REASON_BODY_UNREADABLE),
        (b"[]", pb.QUARANTINE_REASON_BODY_UNREADABLE),
        ({**OPERATION, "operationId": None}, pb.QUARANTINE_REASON_FIELD_INVALID),
        ({**OPERATION, "operation": {}}, pb.QUARANTINE_REASON_FIELD_INVALID),
        ({**OPERATION, "status": True}, pb.QUARANTINE_REASON_FIELD_INVALID),
    ],
)
def test_a_single_call_that_can_never_become_right_is_kept_and_400(
    gateway: Running, path: str, body: Any, reason: int
) -> None:
    answer = send(gateway, path, body)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    [record] = gateway.core.records
    assert (record.quarantine_reason, record.WhichOneof("content")) == (reason, None)
    assert record.issuer_id == "ISSUER0001"
    assert record.body == (body if isinstance(body, bytes) else json.dumps(body).encode())


@pytest.mark.parametrize(
    ("path", "cut"), [(CARD, "L7f9000000000000f6"), (DIGITAL_CARD, "TOKEN1125"), (THREE_D_SECURE, "card-1")]
)
def test_a_card_number_in_the_path_is_quarantined(gateway: Running, path: str, cut: str) -> None:
    assert send(gateway, path.replace(cut, "4111111111111111"), OPERATION).status_code == 204
    [record] = gateway.core.records
    assert record.quarantine_reason == pb.QUARANTINE_REASON_CARD_NUMBER_IN_IDENTIFIER
    assert "411111******1111" in (record.card_id, record.digital_card_id)
    assert b"4111111111111111" not in record.SerializeToString()


@pytest.mark.parametrize("name", ["consumerId", "operationId"])
def test_a_card_number_as_identifier_of_a_single_call_is_quarantined(gateway: Running, name: str) -> None:
    assert send(gateway, THREE_D_SECURE, {**OPERATION, name: "4111111111111111"}).status_code == 204
    [record] = gateway.core.records
    assert record.quarantine_reason == pb.QUARANTINE_REASON_CARD_NUMBER_IN_IDENTIFIER


@pytest.mark.parametrize(
    "path",
    [
        CARD.replace("ISSUER0001", "ISSUER001"),
        CARD.replace("ISSUER0001", "ISSUER00001"),
        CARD.replace("ISSUER0001", "ISSUER000%C3%A4"),
        CARD.replace("ISSUER0001", "ISSUER000%0A"),
        CARD.replace("L7f9000000000000f6", "c" * 49),
        CARD.replace("L7f9000000000000f6", ""),
        CARD.replace("L7f9000000000000f6", "a%2Fb"),
        CARD.replace("L7f9000000000000f6", "%FF"),
        DIGITAL_CARD.replace("TOKEN1125", "d" * 65),
        THREE_D_SECURE.replace("card-1", "card.1"),
        CARDS.replace("ISSUER0001", "ISSUER 001"),
        CONSUMERS.replace("ISSUER0001", ""),
    ],
)
def test_a_path_that_breaks_its_pattern_is_400(gateway: Running, path: str) -> None:
    assert send(gateway, path, {"operations": [ITEM], **OPERATION}).status_code == 400
    assert gateway.core.records == []


@pytest.mark.parametrize(
    "path", [f"{CARD}/", CARD.removesuffix("s"), f"{PREFIX}/v2/issuers/ISSUER0001/digitalCards", f"{PREFIX}/v3"]
)
def test_another_path_is_404(gateway: Running, path: str) -> None:
    assert send(gateway, path, OPERATION).status_code == 404


def test_a_path_is_decoded_once(gateway: Running) -> None:
    assert send(gateway, DIGITAL_CARD.replace("ISSUER", "%49SSUER"), OPERATION).status_code == 204
    assert gateway.core.records[0].issuer_id == "ISSUER0001"


@pytest.mark.parametrize("path", [*SINGLES, *BATCHES])
def test_who_may_send(gateway: Running, path: str) -> None:
    body = {"operations": [], **OPERATION}

    def status(path: str, **claims: Any) -> int:
        return send(gateway, path, body, authorization=f"Bearer: {gateway.core.sign(**claims)}").status_code

    answer = send(gateway, path, b"nonsense", authorization="Bearer nonsense")
    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert status(path) == 204
    assert status(path, client_id="all") == 204
    assert status(path, client_id="other") == 403
    assert status(path, client_id="reader") == 403
    assert status(path, scope="tokens.read") == 403
    assert status(path.replace("ISSUER0001", "ISSUER0009")) == 403
    assert status(path.replace("ISSUER0001", "ISSUER7777"), client_id="all") == 404
    assert gateway.client.get(path).status_code == 405
    assert send(gateway, path, body, **{"content-type": "text/plain"}).status_code == 415


@pytest.mark.parametrize("path", [CARD, CARDS])
def test_with_oauth_switched_off_the_certificate_or_loopback_counts(gateway: Running, path: str) -> None:
    body = json.dumps({"operations": [ITEM], **OPERATION}).encode()
    plain = {"content-type": "application/json"}
    certified = path.replace("ISSUER0001", "ISSUER0002")
    assert gateway.client.post(certified, content=body, headers=plain).status_code == 204
    assert gateway.core.records[0].sender == "partnerAccounts/ISSUER0002"
    proxied = {**plain, "x-forwarded-for": "203.0.113.9"}
    assert gateway.client.post(certified, content=body, headers=proxied).status_code == 401
    named = path.replace("ISSUER0001", "ISSUER0003")
    assert gateway.client.post(named, content=body, headers=plain).status_code == 401
    assert gateway.client.post(path, content=body, headers=plain).status_code == 401


@pytest.mark.parametrize("path", [CARD, CARDS])
@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (pb.RECORD_OUTCOME_REPEATED, 204),
        (pb.RECORD_OUTCOME_UNAUTHENTICATED, 401),
        (pb.RECORD_OUTCOME_FORBIDDEN, 403),
        (pb.RECORD_OUTCOME_NOT_OURS, 404),
        (pb.RECORD_OUTCOME_NOT_STORED, 503),
    ],
)
def test_the_core_has_the_last_word(
    gateway: Running, path: str, outcome: "pb.RecordOutcome.ValueType", status: int
) -> None:
    gateway.core.outcome = outcome
    assert send(gateway, path, {"operations": [ITEM, OPERATION], **OPERATION}).status_code == status


def test_batches_are_larger_than_single_calls(gateway: Running) -> None:
    details = {"x": "x" * 500_000}
    assert len(batch(gateway, {**ITEM, "details": details}, {**ITEM, "details": details})) == 2
    for path in SINGLES:
        assert send(gateway, path, {**OPERATION, "details": details}).status_code == 413
    assert send(gateway, CARDS, {"operations": [{**ITEM, "details": {"x": "x" * 1024 * 1024}}]}).status_code == 413
    assert send(gateway, CARDS, {"operations": [0] * 1001}).status_code == 413
    assert len(gateway.core.records) == 2


def test_paths_and_limits_are_settings(start: Callable[..., Running]) -> None:
    gateway = start(
        MINTMARK_ISSUER_NOTIFICATIONS_PREFIX="/from.d1",
        MINTMARK_HTTP_BATCH_BODY_LIMIT="2048",
        MINTMARK_HTTP_BATCH_ITEM_LIMIT="2",
    )
    moved = CARDS.replace(PREFIX, "/from.d1")
    assert send(gateway, moved, {"operations": [ITEM, ITEM]}).status_code == 204
    assert send(gateway, moved, {"operations": [0, 0, 0]}).status_code == 413
    assert send(gateway, moved, {"operations": [], "x": "x" * 2048}).status_code == 413
    for path in (CARDS, moved.replace(".", "x")):
        assert send(gateway, path, {"operations": []}).status_code == 404
    change = principals_pb2.WatchPrincipalsResponse(removed_names=["partnerAccounts/ISSUER0002"])
    lost = moved.replace("ISSUER0001", "ISSUER0002")
    assert send(gateway, lost, {"operations": []}).status_code == 204
    gateway.core.change(change)
    eventually(lambda: send(gateway, lost, {"operations": []}).status_code == 404)
