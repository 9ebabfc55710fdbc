"""What D1 tells card issuers: who may, what is taken, batches item by item, and what is answered."""

import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mintmark.v1 import notifications_pb2 as pb
from mintmark.v1 import principals_pb2

from tests.adapters.inbound.running import Running
from tests.vectors import contract_example
from tests.waiting import eventually

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


def test_the_example_of_a_batch(gateway: Running) -> None:
    body = contract_example("d1-issuer-notify-card-operations-v2.request.json").read_bytes()
    assert send(gateway, CARDS, body).status_code == 204
    first, second = gateway.core.records
    assert {record.kind for record in (first, second)} == {pb.NOTIFICATION_KIND_D1_CARD_OPERATION}
    assert (first.card_id, second.card_id) == ("271b-6e47-8ec3-7f3f", "271b-6e47-8ec3-7f40")
    assert first.operation_id == "01c5a05e-e197-11ec-8fea-0242ac120002"
    assert first.d1_issuer_operation == pb.D1IssuerOperation(
        operation="PRODUCE",
        status="PENDING",
        start_time="2025-01-17T06:28:02.492Z",
        details_json='{"status":"CARD_PROD_REQUESTED"}',
    )
    assert list(second.d1_issuer_operation.digital_card_ids) == ["TOKEN1125"]
    assert second.d1_issuer_operation.end_time == "2025-01-17T06:30:01.000Z"
    assert [json.loads(record.body) for record in (first, second)] == [
        {"operations": [item]} for item in json.loads(body)["operations"]
    ]


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


def test_authorisations_have_words_of_their_own(gateway: Running) -> None:
    told = [("R_REFUND", "DECLINED"), ("WITHDRAWAL", "APPROVED"), ("SUSPEND", "APPROVED"), ("PURCHASE", "SUCCESSFUL")]
    items = [{**ITEM, "operation": operation, "status": status} for operation, status in told]
    records = batch(gateway, *items, {**items[0], "operationId": "1234567890123"}, path=AUTHORISATIONS)
    odd = [Flag.NOTIFICATION_FLAG_VALUE_UNRECOGNIZED]
    assert [list(record.flags) for record in records] == [[], [], odd, odd, [Flag.NOTIFICATION_FLAG_FIELD_ODD]]


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


BAD_ITEMS: list[Any] = [
    None,
    "text",
    17,
    ["x"],
    {},
    {**ITEM, "operationId": None},
    {**ITEM, "operation": ["x"]},
    {**ITEM, "status": False},
    {**ITEM, "cardId": {}},
    {**ITEM, "cardId": ""},
    {**ITEM, "cardId": "c" * 49},
    {**ITEM, "cardId": "card 1"},
    {**ITEM, "cardId": "card-1\n"},
    {**ITEM, "cardId": "c" * 70_000},
    {**ITEM, "operationId": "o" * 70_000},
]


def test_a_bad_item_is_quarantined_and_never_refused(gateway: Running) -> None:
    records = batch(gateway, ITEM, *BAD_ITEMS, {**ITEM, "operationId": "op-2"})
    assert [record.quarantine_reason for record in records] == [
        0,
        *[pb.QUARANTINE_REASON_BATCH_ITEM_INVALID] * len(BAD_ITEMS),
        0,
    ]
    assert {record.WhichOneof("content") for record in records[1:-1]} == {None}
    assert [json.loads(record.body)["operations"] for record in records[1:-1]] == [[item] for item in BAD_ITEMS]
    assert len({record.content_digest for record in records}) == len(records)


def test_consumers_are_named_in_the_items(gateway: Running) -> None:
    item = {**OPERATION, "operation": "CLICK_TO_PAY_OPTOUT", "consumerId": "consumer-1"}
    odd = {**item, "consumerId": "c" * 65}
    records = batch(gateway, item, {**item, "consumerId": None}, odd, path=CONSUMERS)
    invalid = pb.QUARANTINE_REASON_BATCH_ITEM_INVALID
    assert [(record.consumer_id, record.quarantine_reason) for record in records] == [
        ("consumer-1", 0),
        ("", invalid),
        ("c" * 65, 0),
    ]
    assert list(records[2].flags) == [Flag.NOTIFICATION_FLAG_FIELD_ODD]


def test_a_consumer_body_without_operations_is_one_item(gateway: Running) -> None:
    item = {**OPERATION, "operation": "CLICK_TO_PAY_OPTOUT", "consumerId": "consumer-1"}
    wrapped = batch(gateway, item, path=CONSUMERS)[0]
    assert send(gateway, CONSUMERS, item).status_code == 204
    assert send(gateway, CONSUMERS, {"authenticator": "enrolled"}).status_code == 204
    bare, unknown = gateway.core.records[1:]
    assert bare.content_digest == wrapped.content_digest
    assert bare.body == json.dumps(item).encode()
    assert (bare.consumer_id, bare.quarantine_reason) == ("consumer-1", 0)
    assert unknown.quarantine_reason == pb.QUARANTINE_REASON_BATCH_ITEM_INVALID


@pytest.mark.parametrize("path", [CARDS, AUTHORISATIONS])
@pytest.mark.parametrize("body", [{}, {"operations": None}, {"operations": {"0": ITEM}}, ITEM])
def test_a_batch_without_a_list_is_kept_and_400(gateway: Running, path: str, body: Any) -> None:
    answer = send(gateway, path, body)
    assert (answer.status_code, list(answer.json())) == (400, ["error"])
    [record] = gateway.core.records
    assert record.quarantine_reason == pb.QUARANTINE_REASON_FIELD_INVALID
    assert record.body == json.dumps(body).encode()


@pytest.mark.parametrize("path", BATCHES)
def test_an_unreadable_batch_is_kept_and_400(gateway: Running, path: str) -> None:
    assert send(gateway, path, b'{"operations": [').status_code == 400
    [record] = gateway.core.records
    assert record.quarantine_reason == pb.QUARANTINE_REASON_BODY_UNREADABLE


@pytest.mark.parametrize("path", BATCHES)
def test_an_empty_batch_is_taken(gateway: Running, path: str) -> None:
    assert batch(gateway, path=path) == []


def test_an_item_is_known_again_in_another_batch(gateway: Running) -> None:
    item = {**ITEM, "details": {"a": 1, "b": [1.0, "x"]}, "unknown": 1}
    first = batch(gateway, item)[0]
    spaced = json.dumps({"fileId": 7, "operations": [OPERATION, dict(reversed(item.items()))]}, indent=2).encode()
    assert send(gateway, CARDS, spaced).status_code == 204
    again = gateway.core.records[-1]
    assert again.content_digest == first.content_digest
    assert json.loads(again.body) == {"fileId": 7, "operations": [item]}
    other = batch(gateway, {**item, "unknown": 2})[0]
    assert other.content_digest != first.content_digest


def test_a_large_envelope_is_kept_once(gateway: Running) -> None:
    envelope = {"note": "n" * 2000, "operations": [ITEM, {**ITEM, "operationId": "op-2"}]}
    assert send(gateway, CARDS, envelope).status_code == 204
    assert [sorted(json.loads(record.body)) for record in gateway.core.records] == [
        ["note", "operations"],
        ["operations"],
    ]


def test_flags_are_those_of_the_item(gateway: Running) -> None:
    odd = {**ITEM, "message": "\0 \ud800", "error": "4111111111111111"}
    records = batch(gateway, ITEM, odd)
    assert list(records[0].flags) == []
    assert set(records[1].flags) == {
        Flag.NOTIFICATION_FLAG_CARD_NUMBER_CUT,
        Flag.NOTIFICATION_FLAG_NUL,
        Flag.NOTIFICATION_FLAG_LONE_SURROGATE,
    }
    assert json.loads(records[1].body)["operations"] == [{**odd, "error": "411111******1111"}]
    item = b'{"operationId": "a", "operationId": "op-1", "cardId": "card-1", "operation": "X", "status": "Y"}'
    twice = b'{"operations": [' + item + b"]}"
    assert send(gateway, CARDS, twice).status_code == 204
    assert Flag.NOTIFICATION_FLAG_DUPLICATE_KEY in gateway.core.records[-1].flags
    assert gateway.core.records[-1].operation_id == "op-1"


def test_numbers_in_a_body_stay_as_they_were_written(gateway: Running) -> None:
    item = b'{"operationId":12,"operation":"PRODUCE","status":"PENDING","cardId":34,"details":{"n":1.50e+2}}'
    assert send(gateway, CARDS, b'{"operations": [' + item + b"]}").status_code == 204
    [record] = gateway.core.records
    assert record.body == b'{"operations":[' + item + b"]}"
    assert (record.operation_id, record.card_id) == ("12", "34")
    assert record.d1_issuer_operation.details_json == '{"n":1.50e+2}'
    assert list(record.flags) == [Flag.NOTIFICATION_FLAG_NUMBER_AS_TEXT]


@pytest.mark.parametrize("name", ["operationId", "cardId"])
def test_a_card_number_as_identifier_of_an_item_is_quarantined(gateway: Running, name: str) -> None:
    [record] = batch(gateway, {**ITEM, name: "4111111111111111"})
    assert record.quarantine_reason == pb.QUARANTINE_REASON_CARD_NUMBER_IN_IDENTIFIER
    assert Flag.NOTIFICATION_FLAG_CARD_NUMBER_CUT in record.flags
    assert b"4111111111111111" not in record.SerializeToString()


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


def test_digits_in_digital_card_ids_are_no_card_number_by_chance(gateway: Running) -> None:
    [record] = batch(gateway, {**ITEM, "digitalCardIds": ["9999999999999995", "4111111111111111"]})
    assert list(record.d1_issuer_operation.digital_card_ids) == ["9999999999999995", "411111******1111"]


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


def test_a_batch_of_which_one_item_is_not_stored_comes_again(gateway: Running) -> None:
    items = [{**ITEM, "operationId": f"op-{number}"} for number in range(600)]
    gateway.core.outcomes["op-300"] = pb.RECORD_OUTCOME_NOT_STORED
    answer = send(gateway, CARDS, {"operations": items})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert len(gateway.core.records) == 600
    gateway.core.outcomes["op-599"] = pb.RECORD_OUTCOME_FORBIDDEN
    assert send(gateway, CARDS, {"operations": items}).status_code == 403
    gateway.core.outcomes.clear()
    assert send(gateway, CARDS, {"operations": items}).status_code == 204


def test_the_items_of_a_batch_travel_together(gateway: Running) -> None:
    batch(gateway, *({**ITEM, "operationId": f"op-{number}"} for number in range(100)))
    assert len(gateway.core.batches) <= 2


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


values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["4111111111111111", "\0", "\ud800"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
items = (
    st.dictionaries(st.sampled_from([*ITEM, "consumerId", "details", "message", "digitalCardIds", "error"]), values)
    | values
)


@given(st.sampled_from(BATCHES), st.lists(items, max_size=5), st.dictionaries(st.text(max_size=3), values, max_size=2))
@settings(max_examples=150)
def hostile(gateway: Running, path: str, sent: list[Any], envelope: dict[str, Any]) -> None:
    gateway.core.records.clear()
    body = json.dumps({**envelope, "operations": sent})
    answer = send(gateway, path, body.encode())
    if "NaN" in body or "Infinity" in body:
        assert answer.status_code in {204, 400}
        return
    assert answer.status_code == 204
    assert len(gateway.core.records) == len(sent)
    for record in gateway.core.records:
        json.loads(record.body)
        assert b"4111111111111111" not in record.SerializeToString()


def test_a_hostile_batch_is_taken_apart_and_never_an_error(gateway: Running) -> None:
    hostile(gateway)
