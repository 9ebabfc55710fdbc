"""Configs are made, changed, listed and deleted by the API, and behind its callers' backs."""

import uuid
from typing import Any

import httpx
import pytest

from tests.adapters.sandbox.sibs.caller import KEY, MERCHANT, Caller, a_key, accepted


@pytest.fixture
def merchant() -> str:
    """A merchant that no other test has."""
    return str(uuid.uuid4().int % 10**10)


def rejected(answer: httpx.Response) -> bool:
    document = answer.json()
    return (answer.status_code, document["transactionStatus"], document["returnStatus"]["statusCode"]) == (
        200,
        "RJCT",
        "999",
    )


def test_the_life_of_a_config(shared_caller: Caller, merchant: str) -> None:
    caller = shared_caller
    assert caller.listed(merchant) == {}
    code = caller.create(merchant=merchant)
    channel = caller.listed(merchant)[code]["channelTypeNotification"]
    # The real one tells the key, too.
    assert channel["security"] == {"key": KEY, "supportEmail": "ops@gateway.example", "algorithm": "AES-256-GCM"}
    answer = caller.update(code, merchant=merchant, value="https://gateway.example/b", methods=["BNPL"], key=a_key("b"))
    assert accepted(answer)
    (changed,) = caller.listed(merchant).values()
    assert changed["channelTypeNotification"]["value"] == "https://gateway.example/b"
    assert changed["channelTypeNotification"]["security"]["key"] == a_key("b")
    assert changed["paymentMethods"] == [{"paymentMethodNotificationCode": "BNPL"}]
    assert accepted(caller.send(caller.body(code, "DEL"), "PUT", merchant=merchant))
    assert caller.listed(merchant) == {}


def test_the_answer_repeats_the_request_id(shared_caller: Caller) -> None:
    headers = shared_caller.headers()
    answer = shared_caller.list(headers=headers)
    assert answer.headers["TPP-Request-ID"] == headers["tpp-request-id"]


def test_what_cannot_be_is_rejected(shared_caller: Caller, merchant: str) -> None:
    caller = shared_caller
    code = caller.create(merchant=merchant)
    assert rejected(caller.send(caller.body(code), merchant=merchant))
    unknown = str(uuid.uuid4())
    assert rejected(caller.update(unknown, merchant=merchant))
    assert rejected(caller.send(caller.body(unknown, "DEL"), "PUT", merchant=merchant))
    # It belongs to another merchant or terminal.
    assert rejected(caller.update(code, merchant="1"))
    assert rejected(caller.update(code, merchant=merchant, query={"terminalId": "1"}))
    assert rejected(caller.send(caller.body(code, "DEL"), "PUT", merchant="1"))
    assert list(caller.listed(merchant)) == [code]
    # What was deleted can be made again.
    assert accepted(caller.send(caller.body(code, "DEL"), "PUT", merchant=merchant))
    assert rejected(caller.update(code, merchant=merchant))
    assert accepted(caller.send(caller.body(code), merchant=merchant))


def test_a_list_has_one_scope_or_what_is_below_it_too(shared_caller: Caller, merchant: str) -> None:
    caller = shared_caller
    scopes: dict[str, dict[str, str]] = {
        "merchant": {},
        "acceptor": {"acceptorId": "1"},
        "terminal": {"acceptorId": "1", "terminalId": "2"},
    }
    codes = {name: caller.create(merchant=merchant, query=scope) for name, scope in scopes.items()}
    for name, scope in scopes.items():
        assert list(caller.listed(merchant, **scope)) == [codes[name]]
    caller.habits(listScope="within")
    try:
        assert set(caller.listed(merchant)) == set(codes.values())
        assert set(caller.listed(merchant, acceptorId="1")) == {codes["acceptor"], codes["terminal"]}
        assert set(caller.listed(merchant, terminalId="2")) == {codes["terminal"]}
    finally:
        caller.habits(listScope="exact")
    assert caller.listed("4242") == {}


def test_names_known_by_translation_only_can_be_others(caller: Caller) -> None:
    caller.habits(valueName="destination", keyName="secret", algorithmName="cipher")
    assert caller.send(caller.body()).status_code == 400
    security = {"secret": KEY, "cipher": "AES-256-GCM"}
    channel = {"notificationType": "URL", "destination": "https://a.example/", "security": security}
    assert accepted(caller.send(caller.body(channelTypeNotification=channel)))
    (listed,) = caller.listed().values()
    assert listed["channelTypeNotification"] == channel


def test_sister_apis_spell_it_otherwise(caller: Caller) -> None:
    caller.habits(spelling="ACT")
    code = str(uuid.uuid4())
    told = [caller.send(caller.body(code)).json()["transactionStatus"] for _ in range(2)]
    assert told == ["ACT", "RJT"]
    assert caller.list().json()["transactionStatus"] == "ACT"
    caller.fault("sister-spelling")
    answer = caller.send(caller.body(code))
    assert answer.json()["transactionStatus"] == "RJT"
    assert "x-request-id" in answer.headers


def test_drift(caller: Caller) -> None:
    code, other = caller.create(), caller.create()
    before = caller.listed()
    caller.control("PATCH", f"/configs/{code}", {"value": "https://elsewhere.example/"})
    caller.control("PATCH", f"/configs/{code}", {"key": "new", "methods": ["IDEL"], "supportEmail": "x@y.example"})
    changed = caller.control("PATCH", f"/configs/{code}", {"algorithm": "AES-128-CBC"})
    assert (changed["changedBy"], changed["keyNumber"]) == ("operator", 1)
    channel = caller.listed()[code]["channelTypeNotification"]
    assert channel["value"] == "https://elsewhere.example/"
    assert channel["security"]["key"] != KEY
    assert (channel["security"]["algorithm"], channel["security"]["supportEmail"]) == ("AES-128-CBC", "x@y.example")
    assert caller.listed()[code]["paymentMethods"] == [{"paymentMethodNotificationCode": "IDEL"}]
    caller.control("DELETE", f"/configs/{other}")
    foreign = caller.control("POST", "/configs", {"value": "https://foreign.example/"})["code"]
    assert set(caller.listed()) == {code, foreign}
    # The API heals it.
    assert accepted(caller.update(code))
    assert accepted(caller.delete(foreign))
    assert accepted(caller.send(caller.body(other)))
    assert caller.listed() == before
    assert KEY not in str(caller.lines("/configs"))


@pytest.mark.parametrize(
    ("method", "path", "document", "status"),
    [
        ("POST", "/configs", {}, 400),
        ("POST", "/configs", {"value": "no url"}, 400),
        ("POST", "/configs", {"value": "https://a.example/", "merchantId": "x"}, 400),
        ("POST", "/configs", {"value": "https://a.example/", "key": "QUJD"}, 400),
        ("POST", "/configs", {"value": "https://a.example/", "channel": "SMS"}, 400),
        ("POST", "/configs", {"value": "https://a.example/", "methods": []}, 400),
        ("POST", "/configs", {"value": "https://a.example/", "code": "c" * 37}, 400),
        ("PATCH", "/configs/unknown", {}, 404),
        ("DELETE", "/configs/unknown", None, 404),
        ("GET", "/configs/unknown", None, 404),
        ("POST", "/configs/unknown/test", None, 404),
        ("PATCH", "/habits", {"listShape": "d"}, 400),
        ("PATCH", "/habits", {"unknown": 1}, 400),
        ("PATCH", "/habits", [], 400),
    ],
)
def test_wrong_control_calls(shared_caller: Caller, method: str, path: str, document: Any, status: int) -> None:
    before = shared_caller.control("GET", "/state")
    assert shared_caller.refused(method, path, document)[0] == status
    after = shared_caller.control("GET", "/state")
    assert {**before, "time": 0} == {**after, "time": 0}


def test_a_wrong_drift_changes_nothing(shared_caller: Caller, merchant: str) -> None:
    code = shared_caller.create(merchant=merchant)
    before = shared_caller.listed(merchant)
    drifts: list[dict[str, Any]] = [{"value": ""}, {"value": "no url"}, {"key": "QUJD"}, {"key": ""}]
    drifts += [{"methods": []}, {"scope": "x"}]
    for wrong in drifts:
        assert shared_caller.refused("PATCH", f"/configs/{code}", wrong)[0] == 400
    assert shared_caller.listed(merchant) == before


def test_a_foreign_config_cannot_take_a_code_that_is_there(shared_caller: Caller, merchant: str) -> None:
    code = shared_caller.create(merchant=merchant)
    order = {"value": "https://a.example/", "code": code, "merchantId": merchant}
    assert "exists already" in shared_caller.refused("POST", "/configs", order)[1]


def test_two_creates_at_once_make_one(shared_caller: Caller, merchant: str) -> None:
    from concurrent.futures import ThreadPoolExecutor

    code = str(uuid.uuid4())
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: shared_caller.send(shared_caller.body(code), merchant=merchant), range(8)))
    assert sorted(map(accepted, answers)) == [False] * 7 + [True]
    assert merchant != MERCHANT
