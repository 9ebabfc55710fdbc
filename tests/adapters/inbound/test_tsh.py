"""The five notifications of TSH."""

import base64
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from mintmark.v1 import notifications_pb2 as pb

from tests.adapters.inbound.running import API_KEY, TAKEN_OVER_KEY, Running
from tests.vectors import contract_example

CREATION = {
    "tokenId": "t-1",
    "deviceId": "d-1",
    "deviceType": "PHONE",
    "appType": "ANDROID",
    "vProvisionedTokenId": "v-1",
    "selectedIdvMethod": "APP_TO_APP",
    "merchantId": "m-1",
    "creationTimestamp": "2017-11-10T09:08:24.479Z",
}
UPDATE = {
    "tokenId": "t-1",
    "deviceId": "d-1",
    "merchantId": "m-1",
    "bindingState": "DELETED",
    "eventInitiator": "TSP",
    "lastUpdateTimestamp": "2017-11-13T11:012:41.165Z",
}
TOKEN = {"tokenId": "t-1", "merchantId": "m-1", "tokenState": "ACTIVE", "cardBin": "453421", "par": "p"}
MERCHANT = {"merchantId": "m-1", "scheme": "VISA", "trId": "40000000080"}
BODIES: dict[str, dict[str, Any]] = {
    "/notify-binding-creation": CREATION,
    "/notify-binding-update": UPDATE,
    "/notify-token-creation": {"merchantId": "m-1"},
    "/notify-token-update": TOKEN,
    "/notify-merchant-update": MERCHANT,
}
MANDATORY = [
    ("/notify-binding-creation", ("tokenId", "deviceId", "selectedIdvMethod", "merchantId")),
    ("/notify-binding-update", ("tokenId", "deviceId", "bindingState", "eventInitiator", "merchantId")),
    ("/notify-token-creation", ("merchantId",)),
    ("/notify-token-update", ("tokenId", "merchantId", "tokenState")),
    ("/notify-merchant-update", ("merchantId", "scheme")),
]


@pytest.mark.parametrize("name", ["binding-creation", "binding-update", "token-update", "merchant-update"])
def test_the_examples_of_the_contract(gateway: Running, name: str) -> None:
    body = contract_example(f"tsh-notify-{name}.request.json").read_bytes()
    answer = gateway.tsh(f"/notify-{name}", body)
    assert (answer.status_code, answer.content) == (204, b"")
    [record] = gateway.core.records
    assert record.body == body
    assert list(record.flags) == []


@pytest.mark.parametrize("prefix", ["", "/tsh-cof"])
@pytest.mark.parametrize("path", BODIES)
def test_each_is_taken_at_the_root_and_under_the_prefix(gateway: Running, prefix: str, path: str) -> None:
    answer = gateway.tsh(prefix + path, BODIES[path])
    assert (answer.status_code, answer.content) == (204, b"")
    [record] = gateway.core.records
    assert (record.sender, record.merchant_id, record.merchant_gateway_id) == ("apiKeys/tsh", "m-1", "")


def test_the_fields_of_a_binding(gateway: Running) -> None:
    gateway.tsh("/notify-binding-creation", CREATION)
    gateway.tsh("/notify-binding-update", UPDATE)
    created, updated = gateway.core.records
    assert (created.token_id, created.device_id) == ("t-1", "d-1")
    assert created.tsh_binding == pb.TshBinding(
        device_type="PHONE",
        app_type="ANDROID",
        visa_provisioned_token_id="v-1",
        idv_method="APP_TO_APP",
        creation_timestamp="2017-11-10T09:08:24.479Z",
    )
    assert updated.tsh_binding == pb.TshBinding(
        binding_state="DELETED", event_initiator="TSP", last_update_timestamp="2017-11-13T11:012:41.165Z"
    )


def test_the_fields_of_a_token_and_a_merchant(gateway: Running) -> None:
    token = {
        **TOKEN,
        "cardLastDigits": "2366",
        "cardExpiryDate": "0420",
        "tokenLastDigits": 5589,
        "tokenExpiryDate": None,
    }
    gateway.tsh("/notify-token-update", token)
    gateway.tsh("/notify-merchant-update", {**MERCHANT, "error": {"errorCode": "NON_RETRYABLE_ERROR"}})
    gateway.tsh("/notify-token-creation", {"merchantId": "m-1", "error": "no luck"})
    updated, merchant, failed = gateway.core.records
    assert updated.tsh_token == pb.TshToken(
        token_state="ACTIVE",
        card_bin="453421",
        card_last_digits="2366",
        card_expiry="0420",
        token_last_digits="5589",
        payment_account_reference="p",
    )
    assert list(updated.flags) == [pb.NOTIFICATION_FLAG_NUMBER_AS_TEXT]
    assert merchant.tsh_merchant == pb.TshMerchant(
        scheme="VISA", token_requestor_id="40000000080", error_code="NON_RETRYABLE_ERROR"
    )
    assert (failed.tsh_token, failed.token_id) == (pb.TshToken(error_code="no luck"), "")


@pytest.mark.parametrize(("path", "field"), [(path, field) for path, fields in MANDATORY for field in fields])
@pytest.mark.parametrize("value", [None, {"a": 1}])
def test_a_mandatory_field_missing_or_of_the_wrong_type_is_400(
    gateway: Running, path: str, field: str, value: object
) -> None:
    answer = gateway.tsh(path, {**BODIES[path], field: value})
    assert (answer.status_code, answer.json()) == (400, {"error": f"{field} is missing or not text"})
    [record] = gateway.core.records
    assert record.quarantine_reason == pb.QUARANTINE_REASON_FIELD_INVALID
    assert record.WhichOneof("content") is None
    assert json.loads(record.body)["merchantId"] == (value if field == "merchantId" else "m-1")


@pytest.mark.parametrize(
    ("path", "changes", "flag"),
    [
        ("/notify-binding-creation", {"deviceType": "FRIDGE"}, pb.NOTIFICATION_FLAG_VALUE_UNRECOGNIZED),
        ("/notify-binding-creation", {"selectedIdvMethod": "DREAM"}, pb.NOTIFICATION_FLAG_VALUE_UNRECOGNIZED),
        ("/notify-binding-update", {"bindingState": "ASLEEP"}, pb.NOTIFICATION_FLAG_VALUE_UNRECOGNIZED),
        ("/notify-binding-creation", {"deviceId": "d" * 25}, pb.NOTIFICATION_FLAG_FIELD_ODD),
        ("/notify-binding-creation", {"tokenId": ""}, pb.NOTIFICATION_FLAG_FIELD_ODD),
        ("/notify-binding-creation", {"tokenId": "t" * 60000}, pb.NOTIFICATION_FLAG_FIELD_ODD),
        ("/notify-binding-creation", {"appType": ["WEB"]}, pb.NOTIFICATION_FLAG_FIELD_ODD),
        ("/notify-binding-creation", {"tokenId": 12}, pb.NOTIFICATION_FLAG_NUMBER_AS_TEXT),
        ("/notify-token-update", {"tokenState": "PAUSED"}, pb.NOTIFICATION_FLAG_VALUE_UNRECOGNIZED),
        ("/notify-merchant-update", {"scheme": "OTHER"}, pb.NOTIFICATION_FLAG_VALUE_UNRECOGNIZED),
    ],
)
def test_odd_fields_are_flagged_and_not_refused(
    gateway: Running, path: str, changes: dict[str, Any], flag: int
) -> None:
    assert gateway.tsh(path, BODIES[path] | changes).status_code == 204
    assert list(gateway.core.records[0].flags) == [flag]


@pytest.mark.parametrize("field", ["tokenId", "deviceId", "merchantId"])
@pytest.mark.parametrize("value", ["4111111111111111", 4111111111111111])
def test_a_card_number_in_an_identifier_is_cut_and_acknowledged(gateway: Running, field: str, value: object) -> None:
    assert gateway.tsh("/notify-binding-creation", {**CREATION, field: value}).status_code == 204
    [record] = gateway.core.records
    assert record.quarantine_reason == pb.QUARANTINE_REASON_CARD_NUMBER_IN_IDENTIFIER
    assert b"4111111111111111" not in record.SerializeToString()


def test_an_identifier_that_only_looks_like_a_card_number_stays(gateway: Running) -> None:
    assert gateway.tsh("/notify-binding-creation", {**CREATION, "tokenId": "0000000000000000"}).status_code == 204
    assert gateway.core.records[0].token_id == "0000000000000000"


def test_a_card_number_as_correlation_id_counts_as_none(gateway: Running) -> None:
    gateway.tsh("/notify-merchant-update", MERCHANT, **{"x-correlation-id": "4111111111111111"})
    [record] = gateway.core.records
    assert not record.correlation_id_given
    assert pb.NOTIFICATION_FLAG_CARD_NUMBER_CUT in record.flags


@pytest.mark.parametrize("header", ["", "APIKEY", "APIKEY wrong", f"Bearer {API_KEY}", API_KEY, "APIKEY " + "x" * 600])
def test_without_a_good_api_key_it_is_401(gateway: Running, header: str) -> None:
    answer = gateway.tsh("/notify-merchant-update", b"nonsense", authorization=header)
    assert (answer.status_code, answer.content) == (401, b"")
    assert answer.headers["www-authenticate"].startswith("APIKEY")
    assert gateway.core.records == []


@pytest.mark.parametrize("key", [API_KEY, TAKEN_OVER_KEY])
def test_both_kinds_of_keys_open(gateway: Running, key: str) -> None:
    for scheme in ("APIKEY", "apikey:"):
        assert gateway.tsh("/notify-merchant-update", MERCHANT, authorization=f"{scheme} {key}").status_code == 204


def test_basic_is_for_those_who_switch_it_on(gateway: Running, start: Callable[..., Running]) -> None:
    basic = f"Basic {base64.b64encode(f'tsh:{API_KEY}'.encode()).decode()}"
    assert gateway.tsh("/notify-merchant-update", MERCHANT, authorization=basic).status_code == 401
    other = start(MINTMARK_TSH_BASIC="1", MINTMARK_TSH_PREFIX="")
    assert other.tsh("/notify-merchant-update", MERCHANT, authorization=basic).status_code == 204
    assert other.tsh("/notify-merchant-update", MERCHANT).status_code == 204
    wrong = f"Basic {base64.b64encode(f'old:{API_KEY}'.encode()).decode()}"
    answer = other.tsh("/notify-merchant-update", MERCHANT, authorization=wrong)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == 'APIKEY realm="mintmark", Basic realm="mintmark", charset="UTF-8"'
    assert other.tsh("/tsh-cof/notify-merchant-update", MERCHANT).status_code == 404


def test_a_flood_of_wrong_keys_does_not_keep_out_a_key_that_was_taken_over(gateway: Running) -> None:
    def wrong(number: int) -> int:
        return gateway.tsh("/notify-binding-update", {}, authorization=f"APIKEY wrong {number}").status_code

    good = {"authorization": f"APIKEY {TAKEN_OVER_KEY}"}
    body = contract_example("tsh-notify-binding-update.request.json")
    assert gateway.tsh("/notify-binding-update", body.read_bytes(), **good).status_code == 204
    with ThreadPoolExecutor(40) as pool:
        flood = [pool.submit(wrong, number) for number in range(80)]
        answers = [gateway.tsh("/notify-binding-update", body.read_bytes(), **good).status_code for _ in range(3)]
        statuses = {each.result() for each in flood}
    assert answers == [204, 204, 204]
    assert statuses == {401, 429}
