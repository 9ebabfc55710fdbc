"""What a caller gets wrong is answered as documented and changes nothing."""

import copy
import json
import uuid
from typing import Any

import pytest

from tests.adapters.sandbox.sibs.caller import KEY, NOWHERE, Caller

HEADERS: tuple[tuple[str, str | None, int], ...] = (
    *(("content_type", value, 400) for value in (None, "text/plain", "application/x-www-form-urlencoded")),
    *(("authorization", value, 401) for value in (None, "Bearer wrong", "Basic c2FuZGJveA==", "Bearer", "wrong")),
    *(("x_ibm_client_id", value, 403) for value in (None, "", "another-client")),
    *(("tpp_request_id", value, 400) for value in (None, "", "not-a-uuid", "6f1c5c9e6d2b4f1e9a0b3a3f6f0d9c11")),
    *(("user_id", value, 400) for value in (None, "")),
    *(("user_organization_id", value, 400) for value in (None, "")),
)
CHANNEL, SECURITY = "channelTypeNotification", "channelTypeNotification.security"
NO_METHODS: tuple[Any, ...] = (None, [], {}, "CARD", ["CARD"], [{}], [{"code": "CARD"}])
NO_SECURITY: tuple[Any, ...] = (None, "key", [])
WRONG: tuple[tuple[str, Any], ...] = (
    *(("notificationConfigurationCode", value) for value in (None, "", 7, "c" * 37)),
    *(("requestOperationType", value) for value in (None, "", "UPD", "DEL", "INSERT")),
    *(("paymentMethods", value) for value in NO_METHODS),
    ("paymentMethods", [{"paymentMethodNotificationCode": "M" * 16}]),
    ("paymentMethods", [{"paymentMethodNotificationCode": ""}]),
    (CHANNEL, None),
    (CHANNEL, "URL"),
    *((f"{CHANNEL}.notificationType", value) for value in (None, "", "url", "SMS", "EMAILS")),
    *((f"{CHANNEL}.value", value) for value in (None, "", "ftp://a.example/", "gateway", "https://a b", "https://")),
    (f"{CHANNEL}.value", f"https://a.example/{'x' * 2031}"),
    *((SECURITY, value) for value in NO_SECURITY),
    *((f"{SECURITY}.key", value) for value in (None, "", "k" * 32, "QUJD", KEY[:-1], KEY + "=", KEY[:-2] + "5=", 7)),
    *((f"{SECURITY}.algorithm", value) for value in (None, "", "AES-128-GCM", "aes-256-gcm", "A" * 71)),
    *((f"{SECURITY}.supportEmail", value) for value in ("", "nobody", f"{'a' * 250}@b.example", 7)),
)
PATHS = (
    ("acquirer", "1" * 26),
    ("acquirer", "12x"),
    ("merchant", "1" * 11),
    ("merchant", "m1"),
    ("merchant", "\u0661"),
)
QUERIES = tuple((name, value) for name in ("acceptorId", "terminalId") for value in ("", "1" * 11, "t1"))


def changed(document: dict[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy with another value at a dotted path; None: without it."""
    copied = copy.deepcopy(document)
    *above, last = path.split(".")
    inner = copied
    for name in above:
        inner = inner[name]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    return copied


@pytest.fixture
def nothing_changes(shared_caller: Caller) -> Any:
    before = shared_caller.lines("/configs")
    yield
    assert shared_caller.lines("/configs") == before


@pytest.mark.parametrize(("name", "value", "status"), HEADERS)
@pytest.mark.usefixtures("nothing_changes")
def test_a_header(shared_caller: Caller, name: str, value: str | None, status: int) -> None:
    def headers() -> dict[str, str]:
        return shared_caller.headers(**{name: value})

    calls = (
        shared_caller.send(shared_caller.body(), headers=headers()),
        shared_caller.send(shared_caller.body(), "PUT", headers=headers()),
        shared_caller.list(headers=headers()),
    )
    assert [answer.status_code for answer in calls] == [status] * 3
    for answer in calls:
        document = answer.json()
        if status == 400:
            assert (document["transactionStatus"], document["returnStatus"]["statusCode"]) == ("RJCT", "E0101")
            assert document["returnStatus"]["statusDescription"].lower().startswith(name.replace("_", "-"))
        else:
            assert document["httpCode"] == str(status)


def test_a_request_id_is_used_once_whatever_became_of_it(shared_caller: Caller) -> None:
    request_id = str(uuid.uuid4())
    headers = shared_caller.headers(TPP_Request_ID=request_id, User_ID=None)
    assert shared_caller.list(headers=headers).status_code == 400
    again = shared_caller.list(headers=shared_caller.headers(TPP_Request_ID=request_id.upper()))
    assert again.status_code == 400
    assert again.json()["returnStatus"]["statusDescription"] == "TPP-Request-ID: was used before"
    assert shared_caller.list().status_code == 200


@pytest.mark.parametrize(("path", "value"), WRONG)
@pytest.mark.usefixtures("nothing_changes")
def test_a_field(shared_caller: Caller, path: str, value: Any) -> None:
    answer = shared_caller.send(changed(shared_caller.body(), path, value))
    assert answer.status_code == 400
    document = answer.json()
    assert (document["transactionStatus"], document["returnStatus"]["statusCode"]) == ("RJCT", "E0101")
    told = document["returnStatus"]["statusDescription"]
    assert path.split(".")[-1] in told
    assert KEY not in answer.text


@pytest.mark.parametrize(("name", "value"), PATHS)
@pytest.mark.usefixtures("nothing_changes")
def test_a_path(shared_caller: Caller, name: str, value: str) -> None:
    ids: Any = {name: value}
    assert shared_caller.send(shared_caller.body(), **ids).status_code == 400


@pytest.mark.parametrize(("name", "value"), QUERIES)
@pytest.mark.usefixtures("nothing_changes")
def test_a_query(shared_caller: Caller, name: str, value: str) -> None:
    assert shared_caller.send(shared_caller.body(), query={name: value}).status_code == 400


@pytest.mark.parametrize(
    "document",
    [
        {"merchantId": "1"},
        {"acquirerId": "1"},
        {"acquirerId": 1, "merchantId": "1"},
        {"acquirerId": "1", "merchantId": "1" * 11},
        {"acquirerId": "1" * 26, "merchantId": "1"},
        {"acquirerId": "1", "merchantId": "1", "acceptorId": "a"},
        {"acquirerId": "1", "merchantId": "1", "terminalId": 1},
        {"acquirerId": "1", "merchantId": "1", "terminalId": ""},
    ],
)
def test_a_list(shared_caller: Caller, document: dict[str, Any]) -> None:
    answer = shared_caller.client.post("/sibs/v1/webhooks", json=document, headers=shared_caller.headers())
    assert answer.status_code == 400
    assert "webhooks" not in answer.json()


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"7", b"\xff", b"[" * 100_000, b" " * 70_000 + b"{}"])
@pytest.mark.usefixtures("nothing_changes")
def test_a_body_that_is_none(shared_caller: Caller, body: bytes) -> None:
    assert shared_caller.send(body).status_code == 400


def test_an_email_has_no_security_and_must_be_one(shared_caller: Caller) -> None:
    document = shared_caller.body()
    channel = {"notificationType": "EMAIL", "value": "ops@gateway.example"}
    assert shared_caller.send({**document, CHANNEL: channel}).status_code == 200
    for wrong in ({**document[CHANNEL], **channel}, {**channel, "value": NOWHERE}):
        assert shared_caller.send({**shared_caller.body(), CHANNEL: wrong}).status_code == 400


def test_what_is_just_right(shared_caller: Caller) -> None:
    longest = shared_caller.body(
        "c" * 36, value=f"https://a.example/{'x' * 2030}", methods=["M" * 15, "CARD", "NEW", "CARD"]
    )
    longest[CHANNEL]["security"]["supportEmail"] = f"{'a' * 246}@b.example"
    query = {"acceptorId": "1" * 10, "terminalId": "2" * 10}
    answer = shared_caller.send(longest, acquirer="9" * 25, merchant="8" * 10, query=query)
    assert answer.status_code == 200, answer.text
    document = {"acquirerId": "9" * 25, "merchantId": "8" * 10, **query}
    listed = shared_caller.client.post("/sibs/v1/webhooks", json=document, headers=shared_caller.headers()).json()
    methods = listed["webhooks"]["webhook"][0]["paymentMethods"]
    assert [each["paymentMethodNotificationCode"] for each in methods] == ["M" * 15, "CARD", "NEW"]
    without = shared_caller.body()
    del without[CHANNEL]["security"]["supportEmail"]
    assert shared_caller.send(without).status_code == 200


def test_codes_of_36_characters_are_one_habit_and_of_35_the_other(shared_caller: Caller) -> None:
    shared_caller.habits(longestCode=35)
    try:
        assert shared_caller.send(shared_caller.body(str(uuid.uuid4()))).status_code == 400
        assert shared_caller.send(shared_caller.body(uuid.uuid4().hex)).status_code == 200
    finally:
        shared_caller.habits(longestCode=36)
    assert shared_caller.send(shared_caller.body(str(uuid.uuid4()))).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/sibs/v1/webhooks", 405),
        ("DELETE", "/sibs/v1/acquirers/1/merchants/1/terminal/webhook", 405),
        ("POST", "/sibs/api/v1/payments/x/status", 405),
        ("POST", "/sibs/v1/webhook", 404),
        ("POST", "/sibs/webhooks", 404),
        ("POST", "/sibs/v1/acquirers/1/merchants/1/terminal/webhook/x", 404),
    ],
)
def test_where_nothing_is(shared_caller: Caller, method: str, path: str, status: int) -> None:
    answer = shared_caller.client.request(method, path, json={}, headers=shared_caller.headers())
    assert (answer.status_code, answer.json()["httpCode"]) == (status, str(status))


@pytest.mark.parametrize("prefix", ["/sibs/v1", "/sibs/v2", "/sibs/onboarding/v1", "/sibs/sibs/spg/v2"])
def test_any_prefix_and_version(shared_caller: Caller, prefix: str) -> None:
    assert shared_caller.send(shared_caller.body(), prefix=prefix).status_code == 200


def test_every_call_is_written_down_without_its_key(shared_caller: Caller) -> None:
    code = shared_caller.create(query={"terminalId": "77"})
    shared_caller.send(changed(shared_caller.body(code), f"{SECURITY}.algorithm", "XYZ"))
    first, second = shared_caller.lines("/requests")[-2:]
    assert (first["endpoint"], first["status"], first["statusCode"], first["code"]) == ("create", 200, "000", code)
    assert (first["userId"], first["organizationId"], first["terminalId"]) == (
        "gateway-service",
        "example-organization",
        "77",
    )
    assert uuid.UUID(first["requestId"])
    assert (second["status"], second["statusCode"], second["decided"]) == (400, "E0101", True)
    assert "algorithm" in second["reason"]
    folder = shared_caller.folder / "sandbox" / "sibs"
    for name in ("requests.jsonl", "ledger.jsonl"):
        assert KEY not in (folder / name).read_text()
    assert KEY not in json.dumps(shared_caller.lines("/configs"))
