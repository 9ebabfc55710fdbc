"""Batches of D1's to card issuers: each item is a notification of its own."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mintmark.v1 import notifications_pb2 as pb

from tests.adapters.inbound.issuer_calls import (
    AUTHORISATIONS,
    BATCHES,
    CARDS,
    CONSUMERS,
    ITEM,
    OPERATION,
    Flag,
    batch,
    send,
)
from tests.adapters.inbound.running import Running
from tests.vectors import contract_example


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


def test_authorisations_have_words_of_their_own(gateway: Running) -> None:
    told = [("R_REFUND", "DECLINED"), ("WITHDRAWAL", "APPROVED"), ("SUSPEND", "APPROVED"), ("PURCHASE", "SUCCESSFUL")]
    items = [{**ITEM, "operation": operation, "status": status} for operation, status in told]
    records = batch(gateway, *items, {**items[0], "operationId": "1234567890123"}, path=AUTHORISATIONS)
    odd = [Flag.NOTIFICATION_FLAG_VALUE_UNRECOGNIZED]
    assert [list(record.flags) for record in records] == [[], [], odd, odd, [Flag.NOTIFICATION_FLAG_FIELD_ODD]]


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


def test_digits_in_digital_card_ids_are_no_card_number_by_chance(gateway: Running) -> None:
    [record] = batch(gateway, {**ITEM, "digitalCardIds": ["9999999999999995", "4111111111111111"]})
    assert list(record.d1_issuer_operation.digital_card_ids) == ["9999999999999995", "411111******1111"]


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
