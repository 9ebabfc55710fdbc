"""Calls that go wrong on command: each fault, and which call meets it."""

import json
import threading
from typing import Any

import httpx
import pytest

from tests.adapters.sandbox.sibs.caller import Caller, accepted
from tests.waiting import eventually

# What becomes of a call, where it has its effect, and what its caller can see.
BROKEN = {
    "reset": httpx.ReadError,
    "close": httpx.RemoteProtocolError,
    "truncated": httpx.RemoteProtocolError,
}


def codes(caller: Caller) -> list[str]:
    return list(caller.listed())


@pytest.mark.parametrize("fault", BROKEN)
@pytest.mark.parametrize("applied", [True, False])
def test_no_answer(caller: Caller, fault: str, applied: bool) -> None:
    caller.fault(fault, applied=applied)
    document = caller.body()
    with pytest.raises(BROKEN[fault]):
        caller.send(document)
    assert codes(caller) == ([document["notificationConfigurationCode"]] if applied else [])


@pytest.mark.parametrize(
    ("status", "more"), [(401, {}), (403, {}), (429, {"retryAfter": "7"}), (500, {}), (503, {"empty": True})]
)
@pytest.mark.parametrize("applied", [True, False])
def test_a_status(caller: Caller, status: int, more: dict[str, Any], applied: bool) -> None:
    caller.fault("status", status=status, applied=applied, endpoint="create", **more)
    document = caller.body()
    answer = caller.send(document)
    assert answer.status_code == status
    assert answer.headers.get("retry-after") == more.get("retryAfter")
    assert answer.content == b"" if more.get("empty") else answer.json()["httpCode"] == str(status)
    assert codes(caller) == ([document["notificationConfigurationCode"]] if applied else [])


def test_rejections(caller: Caller) -> None:
    code = caller.create()
    before = caller.listed()
    caller.fault("rejected", code="E0123", message="No", endpoint="update")
    document = caller.update(code, methods=["IDEL"]).json()
    assert document["transactionStatus"] == "RJCT"
    assert document["returnStatus"] == {"statusCode": "E0123", "statusMsg": "No", "statusDescription": "No"}
    caller.fault("rejected-with-success")
    document = caller.update(code, methods=["IDEL"]).json()
    assert (document["transactionStatus"], document["returnStatus"]["statusCode"]) == ("RJCT", "000")
    assert caller.listed() == before
    caller.fault("accepted-with-code", code="012")
    document = caller.update(code, methods=["IDEL"]).json()
    assert (document["transactionStatus"], document["returnStatus"]["statusCode"]) == ("ACTC", "012")
    assert caller.listed() != before
    caller.fault("rejected", endpoint="list")
    assert "webhooks" not in caller.list().json()
    caller.fault("rejected", endpoint="delete")
    assert caller.delete(code).json()["transactionStatus"] == "RJCT"
    assert accepted(caller.delete(code))


def test_bodies_that_are_no_answer(caller: Caller) -> None:
    caller.create()

    def listed(fault: str, **more: Any) -> httpx.Response:
        caller.fault(fault, endpoint="list", **more)
        return caller.list()

    assert listed("html").text.startswith("<!doctype html>")
    assert listed("empty").content == b""
    assert not is_json(listed("cut-json"))
    assert b"\xff" in listed("invalid-utf8").content
    assert listed("duplicate-keys").text.count('"transactionStatus"') == 2
    assert len(listed("huge", bytes=2_000_000).content) > 2_000_000
    assert listed("redirect", status=302, location="http://127.0.0.1:9/x").headers["location"] == "http://127.0.0.1:9/x"
    assert "tpp-request-id" not in listed("no-request-id").headers
    for drip in ("drip-headers", "drip-body"):
        assert is_json(listed(drip, seconds=0))
    assert is_json(caller.list())


def is_json(answer: httpx.Response) -> bool:
    try:
        return isinstance(answer.json(), dict)
    except (json.JSONDecodeError, UnicodeDecodeError):
        return False


def test_a_call_hangs_until_it_is_released(caller: Caller) -> None:
    caller.fault("hang", endpoint="create")
    ended: list[int] = []
    code = caller.body()["notificationConfigurationCode"]
    thread = threading.Thread(target=lambda: ended.append(caller.send(caller.body(code)).status_code))
    thread.start()
    eventually(lambda: codes(caller) == [code])
    assert ended == []
    caller.control("POST", "/faults/release")
    thread.join()
    assert ended == [200]


def test_a_call_that_hangs_without_effect_is_never_answered(caller: Caller) -> None:
    caller.fault("hang", seconds=0.01, applied=False)
    with pytest.raises(httpx.RemoteProtocolError):
        caller.send(caller.body())
    caller.fault("drip-body", seconds=0, applied=False)
    assert caller.send(caller.body()).status_code == 500
    assert codes(caller) == []
    # Who hears yes or no, hears the truth.
    for fault in ("rejected", "accepted-with-code", "shape-b", "duplicate-keys"):
        assert caller.refused("POST", "/faults", {"fault": fault, "applied": False})[0] == 400


def test_a_call_hangs_for_a_while(caller: Caller) -> None:
    caller.fault("hang", seconds=0.01)
    assert caller.list().status_code == 200


def test_the_status_inquiry_can_lie(caller: Caller) -> None:
    made = caller.transact("blik", amount="5.00")["transactionId"]
    caller.advance(10)
    caller.fault("stale")
    caller.fault("wrong-amount")
    caller.fault("wrong-id")
    told = [caller.status(made).json() for _ in range(4)]
    assert [each["paymentStatus"] for each in told] == ["Pending", "Success", "Success", "Success"]
    assert [each["amount"]["value"] for each in told] == [5, 10, 5, 5]
    assert [each["transactionID"] == made for each in told] == [True, True, False, True]


def test_which_call_meets_which_fault(caller: Caller) -> None:
    code = caller.create()
    script = {
        "seed": 7,
        "faults": [
            {"fault": "status", "status": 502, "endpoint": "list", "merchantId": "7", "times": 0},
            {"fault": "status", "status": 503, "endpoint": "update", "nth": 2},
            {"fault": "status", "status": 504, "config": code, "times": 2},
            {"fault": "status", "status": 505, "transactionId": "t", "endpoint": "status"},
        ],
    }
    assert caller.control("PUT", "/faults", script)["seed"] == 7
    assert [caller.list("7").status_code for _ in range(3)] == [502, 502, 502]
    assert caller.list("8").status_code == 200
    assert [caller.update(code).status_code for _ in range(4)] == [504, 503, 504, 200]
    assert [caller.status(each).status_code for each in ("u", "t", "t")] == [404, 505, 404]
    counts = [(each["id"], each["struck"]) for each in caller.control("GET", "/faults")["faults"]]
    assert counts == [(1, 3), (2, 1), (3, 2), (4, 1)]
    assert {each["fault"] for each in caller.lines("/requests")} == {"", "status#1", "status#2", "status#3", "status#4"}
    assert caller.control("DELETE", "/faults")["faults"] == []
    assert caller.list("7").status_code == 200


def test_a_caller_that_is_refused_meets_no_fault(caller: Caller) -> None:
    caller.fault("status", status=503)
    assert caller.list(headers=caller.headers(Authorization="Bearer wrong")).status_code == 401
    assert caller.list().status_code == 503


def test_a_script_replays_by_its_seed(shared_caller: Caller) -> None:
    def struck(seed: int) -> set[int]:
        fault = {"fault": "status", "times": 0, "probability": 0.5, "endpoint": "list"}
        shared_caller.control("PUT", "/faults", {"seed": seed, "faults": [fault]})
        return {number for number in range(30) if shared_caller.list(str(number)).status_code == 500}

    first = struck(7)
    assert 3 < len(first) < 27
    assert struck(7) == first
    assert struck(8) != first
    shared_caller.control("DELETE", "/faults")


@pytest.mark.parametrize(
    "order",
    [
        {},
        {"fault": "nothing"},
        {"fault": "reset", "endpoint": "nothing"},
        {"fault": "reset", "probability": 2},
        {"fault": "reset", "nth": -1},
        {"fault": "redirect", "status": 200},
        {"fault": "redirect", "location": "http://a\r\nx: y"},
        {"fault": "status", "retryAfter": "1\r\nx: y"},
        {"fault": "status", "retryAfter": "é"},
        {"fault": "reset", "unknown": 1},
    ],
)
def test_a_wrong_script_is_refused_and_changes_nothing(shared_caller: Caller, order: dict[str, Any]) -> None:
    before = shared_caller.control("GET", "/faults")
    assert shared_caller.refused("POST", "/faults", order)[0] == 400
    assert shared_caller.refused("PUT", "/faults", {"faults": [{"fault": "reset"}, order]})[0] == 400
    assert shared_caller.control("GET", "/faults") == before
