"""Notify token update: who may send it, what is taken, and what is answered."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mintmark.v1 import notifications_pb2 as pb
from mintmark.v1 import principals_pb2

from tests.adapters.inbound.running import CERTIFIED, NOTIFY_UPDATE, Running
from tests.vectors import contract_example
from tests.waiting import eventually


def test_the_example_of_the_contract(gateway: Running) -> None:
    head, _, body = contract_example("d1-ecom-notify-update.request.http").read_text().partition("\n\n")
    message = head.replace("ey...HRT6LOON7w", gateway.core.sign()).replace("\n", "\r\n")
    sent = f"{message}\r\nConnection: close\r\nContent-Length: {len(body)}\r\n\r\n{body}"
    answer = gateway.raw(sent.encode())
    assert answer.startswith(contract_example("d1-ecom-notify-update.response.http").read_text().strip().encode())
    assert answer.endswith(b"\r\n\r\n")
    [record] = gateway.core.records
    assert record.correlation_id == "5b2f0c1e-7d1a-4a52-9f0e-1f6f2a9d3c41"
    assert record.d1_token_update.update_type == "TOKEN_METADATA_UPDATED"
    assert record.body == body.encode()


def test_it_is_recorded_as_it_came(gateway: Running) -> None:
    answer = gateway.d1(b'{"updateType": "CARD_RENEWED", "more": [1]}')
    assert (answer.status_code, answer.content) == (204, b"")
    assert not {"content-type", "transfer-encoding", "server"} & set(answer.headers)
    [record] = gateway.core.records
    assert record.kind == pb.NOTIFICATION_KIND_D1_TOKEN_UPDATE
    assert record.sender == "clients/d1.partner"
    assert (record.merchant_gateway_id, record.merchant_id) == ("MGW_000001", "10610027312")
    assert record.token_id == "01fb32ff-5ed0-497f-8835-6af0916f29c0"
    assert (record.correlation_id, record.correlation_id_given) == ("c-1", True)
    assert record.body == b'{"updateType": "CARD_RENEWED", "more": [1]}'
    assert list(record.flags) == []


@pytest.mark.parametrize(
    ("body", "update_type", "flags"),
    [
        ({"updateType": "later value, unknown today"}, "later value, unknown today", [pb.NOTIFICATION_FLAG_FIELD_ODD]),
        (
            b'{"updateType": 17}',
            "17",
            [pb.NOTIFICATION_FLAG_NUMBER_AS_TEXT],
        ),
        (b'{"updateType": "A", "updateType": "B"}', "B", [pb.NOTIFICATION_FLAG_DUPLICATE_KEY]),
        (
            b'{"updateType": "A\\u0000\\ud800"}',
            "A\\u0000\\ud800",
            [
                pb.NOTIFICATION_FLAG_NUL,
                pb.NOTIFICATION_FLAG_LONE_SURROGATE,
                pb.NOTIFICATION_FLAG_FIELD_ODD,
            ],
        ),
        (
            b'{"updateType": "X", "pan": "4111111111111111"}',
            "X",
            [pb.NOTIFICATION_FLAG_CARD_NUMBER_CUT],
        ),
        (b'\xef\xbb\xbf{"updateType": "X"}', "X", []),
    ],
)
def test_oddities_are_flagged_and_not_refused(gateway: Running, body: Any, update_type: str, flags: list[int]) -> None:
    assert gateway.d1(body).status_code == 204
    [record] = gateway.core.records
    assert record.d1_token_update.update_type == update_type
    assert list(record.flags) == flags
    assert b"4111111111111111" not in record.body


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", pb.QUARANTINE_REASON_BODY_UNREADABLE),
        (b"not json", pb.QUARANTINE_REASON_BODY_UNREADABLE),
        (b"[]", pb.QUARANTINE_REASON_BODY_UNREADABLE),
        (b'{"updateType": "\xff"}', pb.QUARANTINE_REASON_BODY_UNREADABLE),
        (b'{"a":' * 50, pb.QUARANTINE_REASON_BODY_UNREADABLE),
        (b"{}", pb.QUARANTINE_REASON_FIELD_INVALID),
        (b'{"updateType": null}', pb.QUARANTINE_REASON_FIELD_INVALID),
        (b'{"updateType": true}', pb.QUARANTINE_REASON_FIELD_INVALID),
        (b'{"updateType": ["X"]}', pb.QUARANTINE_REASON_FIELD_INVALID),
    ],
)
def test_what_can_never_become_right_is_kept_and_answered_400(gateway: Running, body: bytes, reason: int) -> None:
    answer = gateway.d1(body)
    assert answer.status_code == 400
    assert list(answer.json()) == ["error"]
    [record] = gateway.core.records
    assert (record.quarantine_reason, record.body) == (reason, body)
    assert record.WhichOneof("content") is None


@pytest.mark.parametrize(
    "path",
    [
        NOTIFY_UPDATE.replace("MGW_000001", "MGW_00001"),
        NOTIFY_UPDATE.replace("10610027312", "1061002731"),
        NOTIFY_UPDATE.replace("10610027312", "1061002731%0A"),
        NOTIFY_UPDATE.replace("01fb32ff", "%2501fb32ff"),
        NOTIFY_UPDATE.replace("01fb32ff-5ed0-497f-8835-6af0916f29c0", "a" * 49),
        NOTIFY_UPDATE.replace("01fb32ff-5ed0-497f-8835-6af0916f29c0", ""),
        NOTIFY_UPDATE.replace("01fb32ff-5ed0-497f-8835-6af0916f29c0", "a%2Fb"),
        NOTIFY_UPDATE.replace("01fb32ff-5ed0-497f-8835-6af0916f29c0", "%FF"),
        NOTIFY_UPDATE.replace("01fb32ff-5ed0-497f-8835-6af0916f29c0", "%C3%A4"),
    ],
)
def test_a_path_that_breaks_its_pattern_is_400(gateway: Running, path: str) -> None:
    assert gateway.d1(path=path).status_code == 400
    assert gateway.core.records == []


def test_a_path_is_decoded_once(gateway: Running) -> None:
    assert gateway.d1(path=NOTIFY_UPDATE.replace("MGW_", "%4DGW%5F")).status_code == 204
    assert gateway.core.records[0].merchant_gateway_id == "MGW_000001"


@pytest.mark.parametrize(
    "header",
    [
        "",
        "Bearer",
        "Bearer x",
        "Basic aXNfdGJhbmswMToxMjM=",
        "APIKEY c03f88fe-01ba-11e8-ba89-0ed5f89f718b",
        "Bearer ü",
    ],
)
def test_without_a_good_access_token_it_is_401(gateway: Running, header: str) -> None:
    headers = {b"content-type": b"text/plain", b"authorization": header.encode()}
    answer = gateway.client.post(NOTIFY_UPDATE, content=b"nonsense", headers=headers)
    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert gateway.core.records == []


@pytest.mark.parametrize(
    "claims",
    [
        {"exp": int(time.time()) - 1},
        {"client_id": "nobody"},
        {"iss": "http://elsewhere"},
        {"jti": None},
    ],
)
def test_an_access_token_that_does_not_count_is_401(gateway: Running, claims: dict[str, Any]) -> None:
    assert gateway.d1(authorization=f"Bearer {gateway.core.sign(**claims)}").status_code == 401


def test_a_colon_behind_the_scheme_is_taken(gateway: Running) -> None:
    assert gateway.d1(authorization=f"bearer: {gateway.core.sign()}").status_code == 204


def test_credentials_for_something_else_are_403(gateway: Running) -> None:
    for client in ("other", "reader"):
        assert gateway.d1(authorization=f"Bearer {gateway.core.sign(client_id=client)}").status_code == 403
    assert gateway.d1(authorization=f"Bearer {gateway.core.sign(scope='tokens.read')}").status_code == 403
    assert gateway.core.records == []


def test_a_gateway_that_nobody_knows_is_404(gateway: Running) -> None:
    answer = gateway.d1(path=NOTIFY_UPDATE.replace("MGW_000001", "MGW_777777"))
    assert (answer.status_code, answer.json()) == (404, {"error": "Resource not found"})


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (pb.RECORD_OUTCOME_REPEATED, 204),
        (pb.RECORD_OUTCOME_UNAUTHENTICATED, 401),
        (pb.RECORD_OUTCOME_FORBIDDEN, 403),
        (pb.RECORD_OUTCOME_NOT_OURS, 404),
    ],
)
def test_the_core_has_the_last_word(gateway: Running, outcome: "pb.RecordOutcome.ValueType", status: int) -> None:
    gateway.core.outcome = outcome
    assert gateway.d1().status_code == status


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/x-www-form-urlencoded", "application/jsonp"])
def test_another_content_type_is_415(gateway: Running, content_type: str) -> None:
    answer = gateway.d1(**{"content-type": content_type})
    assert answer.status_code == 415
    assert gateway.d1(**{"content-type": "Application/JSON ; charset=utf-8"}).status_code == 204


def test_a_compressed_body_is_415(gateway: Running) -> None:
    assert gateway.d1(**{"content-encoding": "gzip"}).status_code == 415


def test_a_card_number_as_token_id_is_cut_and_acknowledged(gateway: Running) -> None:
    path = NOTIFY_UPDATE.replace("01fb32ff-5ed0-497f-8835-6af0916f29c0", "4111111111111111")
    assert gateway.d1(path=path).status_code == 204
    [record] = gateway.core.records
    assert record.token_id == "411111******1111"
    assert record.quarantine_reason == pb.QUARANTINE_REASON_CARD_NUMBER_IN_IDENTIFIER


def test_with_oauth_switched_off_it_works_on_loopback(gateway: Running) -> None:
    content = {"content-type": "application/json"}
    body = json.dumps({"updateType": "X"})
    assert gateway.client.post(CERTIFIED, content=body, headers=content).status_code == 204
    assert gateway.core.records[0].sender == "partnerAccounts/certified"
    proxied = {**content, "x-forwarded-for": "203.0.113.9"}
    assert gateway.client.post(CERTIFIED, content=body, headers=proxied).status_code == 401


def test_a_change_of_principals_holds_at_once(start: Callable[..., Running]) -> None:
    gateway = start()
    token = gateway.core.sign(jti="to-be-revoked")
    authorization = {"authorization": f"Bearer {token}"}
    assert gateway.d1(**authorization).status_code == 204
    change = principals_pb2.WatchPrincipalsResponse()
    change.revoked_access_tokens.add(jwt_id="to-be-revoked").expire_time.FromSeconds(int(time.time()) + 900)
    gateway.core.change(change)
    eventually(lambda: gateway.d1(**authorization).status_code == 401)
    assert gateway.d1().status_code == 204
    gateway.core.change(principals_pb2.WatchPrincipalsResponse(removed_names=["clients/d1.partner"]))
    eventually(lambda: gateway.d1().status_code == 401)
    alerts = [line for line in gateway.logged() if line.get("alert")]
    assert alerts
    assert alerts[0]["level"] == "warning"
    assert 'mintmark_failed_authentications_total{route="/merchant-gateways/' in gateway.admin("/metrics").text


def test_while_nobody_knows_what_was_revoked_it_is_503_and_never_401(start: Callable[..., Running]) -> None:
    gateway = start()
    gateway.core.silent = True
    answer = eventually(lambda: (found := gateway.d1()).status_code == 503 and found, 10)
    assert answer
    assert answer.headers["retry-after"] == "1"
    assert gateway.d1(authorization="Bearer nonsense").status_code == 503
    assert gateway.tsh("/notify-merchant-update", {}, authorization="").status_code == 503
    assert gateway.admin("/readyz").status_code == 503
    gateway.core.silent = False
    eventually(lambda: gateway.d1().status_code == 204, 10)


def test_a_clock_that_jumps_does_not_cost_a_notification(start: Callable[..., Running], tmp_path: Path) -> None:
    clock = tmp_path / "clock"
    gateway = start(MINTMARK_DEVELOPMENT="1", MINTMARK_CLOCK_FILE=str(clock))
    assert gateway.d1().status_code == 204
    clock.write_text("5000")
    assert gateway.d1().status_code in {204, 503}
    eventually(lambda: gateway.d1().status_code == 204)
    gateway.core.clock_offset = 5000
    eventually(lambda: gateway.d1().status_code == 401)
