"""Notifications: whom they reach, what they say, what acknowledges them."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from tests.adapters.sandbox.sibs.caller import KEY, Caller, a_key, accepted
from tests.adapters.sandbox.sibs.receiver import Answer, Receiver, Reply, acknowledgement
from tests.waiting import eventually

OTHER = "0e9de2a9-27ea-4cf8-8c1c-6ea1c9d6e1aa"


def processed(caller: Caller, count: int) -> bool:
    return list(caller.told("state")) == [("Processed",)] * count


def test_a_purchase_is_told_and_acknowledged(caller: Caller, receiver: Receiver) -> None:
    code = caller.create(value=receiver.url)
    made = caller.transact(amount="16.20", terminalId="50994", merchantTransactionId="order-1")
    eventually(lambda: processed(caller, 1))
    (message,) = receiver.messages
    assert message.headers["content-type"] == "text/plain"
    assert message.path == "/hooks/3d0f"
    told = message.json()
    assert told["transactionID"] == made["transactionId"]
    assert (told["paymentStatus"], told["paymentType"], told["paymentMethod"]) == ("Success", "PURS", "CARD")
    assert told["amount"] == {"currency": "EUR", "value": 16.2}
    assert '"value":16.2}' in message.text(KEY)
    assert told["merchant"] == {"terminalId": 50994, "transactionId": "order-1"}
    assert told["returnStatus"] == {"statusMsg": "Success", "statusCode": "000"}
    assert caller.told("config", "tries", "status", "why") == [(code, 1, 200, "")]
    whole = caller.control("GET", f"/notifications/{told['notificationID']}")
    assert json.loads(whole["plaintext"]) == told
    assert json.loads(whole["history"][0]["answer"])["notificationID"] == told["notificationID"]


SCOPES: dict[str, tuple[str, dict[str, str]]] = {
    "merchant": ("7", {}),
    "acceptor": ("7", {"acceptorId": "1"}),
    "terminal": ("7", {"terminalId": "2"}),
    "both": ("7", {"acceptorId": "1", "terminalId": "2"}),
    "elsewhere": ("8", {}),
}


@pytest.mark.parametrize(
    ("order", "reached"),
    [
        ({}, {"merchant"}),
        ({"acceptorId": "1"}, {"merchant", "acceptor"}),
        ({"terminalId": "2"}, {"merchant", "terminal"}),
        ({"acceptorId": "1", "terminalId": "2"}, {"merchant", "acceptor", "terminal", "both"}),
        ({"acceptorId": "3", "terminalId": "2"}, {"merchant", "terminal"}),
        ({"merchantId": "8", "acceptorId": "1"}, {"elsewhere"}),
        ({"merchantId": "9"}, set()),
        ({"acquirerId": "1"}, set()),
        ({"paymentMethod": "XPAY"}, set()),
        ({"kind": "blik"}, {"merchant"}),
        ({"paymentMethod": "TOKEN"}, {"merchant"}),
    ],
)
def test_scope_and_method_decide_whom_it_reaches(
    scoped: tuple[Caller, dict[str, str]], order: dict[str, str], reached: set[str]
) -> None:
    caller, names = scoped
    made = caller.transact(**{"merchantId": "7", **order})["transactionId"]
    told = caller.told("transactionId", "config")
    assert {names[config] for transaction, config in told if transaction == made} == reached


@pytest.fixture(scope="module")
def scoped(shared_caller: Caller) -> tuple[Caller, dict[str, str]]:
    """With a config for each of SCOPES that nobody listens to; their names by code."""
    return shared_caller, {
        shared_caller.create(merchant=merchant, query=query): name for name, (merchant, query) in SCOPES.items()
    }


def test_one_change_has_one_id_or_each_config_its_own(caller: Caller, receiver: Receiver) -> None:
    for terminal in ({}, {"terminalId": "1"}):
        caller.create(value=receiver.url, query=terminal)
    caller.transact(terminalId="1")
    caller.habits(notificationIds="config")
    caller.transact(terminalId="1")
    ids = [identifier for (identifier,) in caller.told("notificationId")]
    assert [len(set(ids[:2])), len(set(ids[2:]))] == [1, 2]
    eventually(lambda: processed(caller, 4))


def test_neither_an_email_nor_a_deleted_config_gets_any(caller: Caller, receiver: Receiver) -> None:
    channel = {"notificationType": "EMAIL", "value": "ops@gateway.example"}
    assert accepted(caller.send(caller.body(channelTypeNotification=channel)))
    code = caller.create(value=receiver.url)
    assert accepted(caller.delete(code))
    caller.transact()
    assert caller.told("config") == []


def changed(**changes: Any) -> Reply:
    return lambda notification_id: acknowledgement(notification_id, **changes)


def raw(change: Callable[[bytes], bytes]) -> Reply:
    return lambda notification_id: Answer(body=change(acknowledgement(notification_id).body))


WRONG: dict[str, Reply] = {
    "204": lambda _id: Answer(204),
    "201 with the right body": lambda i: Answer(201, acknowledgement(i).body),
    "202 with the right body": lambda i: Answer(202, acknowledgement(i).body),
    "500 with the right body": lambda i: Answer(500, acknowledgement(i).body),
    "400": lambda _id: Answer(400),
    "a redirect": lambda i: Answer(307, acknowledgement(i).body),
    "no body": lambda _id: Answer(),
    "no JSON": lambda _id: Answer(body=b"Success"),
    "half of it": raw(lambda body: body[:-10]),
    "in an array": raw(lambda body: b"[" + body + b"]"),
    "as text": lambda i: Answer(200, acknowledgement(i).body, "text/plain"),
    "a code of the other platform": changed(statusCode="000"),
    "a number as code": changed(statusCode=200),
    "the payload's code": changed(statusCode="0"),
    "no code": changed(statusCode=None),
    "another message": changed(statusMsg="OK"),
    "no message": changed(statusMsg=None),
    "another id": changed(notificationID=OTHER),
    "the id in capitals": lambda i: acknowledgement(i.upper()),
    "no id": changed(notificationID=None),
    "another name for the id": changed(notificationID=None, notificationId=OTHER),
    "one field more": changed(extra="1"),
    "too long": raw(lambda body: body + b" " * 70_000),
}


def test_nothing_else_acknowledges(caller: Caller, receiver: Receiver) -> None:
    """Each wrong answer in turn to one notification, which is tried again after each."""
    receiver.replies.extend(WRONG.values())
    caller.create(value=receiver.url)
    caller.transact()
    caller.advance(30 * 86_400)
    assert caller.told("state", "tries") == [("Processed", len(WRONG) + 1)]
    history = caller.control("GET", "/notifications/1")["history"]
    assert [name for name, each in zip(WRONG, history, strict=False) if each["acknowledged"] or not each["why"]] == []
    assert (history[-1]["acknowledged"], history[-1]["why"]) == (True, "")
    assert len({message.sealed.iv for message in receiver.messages}) == len(WRONG) + 1
    assert len({message.text(KEY) for message in receiver.messages}) == 1


def test_the_other_platforms_code_by_habit(caller: Caller, receiver: Receiver) -> None:
    caller.create(value=receiver.url)
    caller.habits(acknowledgement="000")
    caller.transact()
    caller.advance(0)
    assert caller.told("state") == [("Requested",)]
    receiver.otherwise = changed(statusCode="000")
    caller.advance(300)
    assert processed(caller, 1)
    caller.habits(acknowledgement="either")
    for receiver.otherwise in (changed(statusCode="000"), changed(statusCode="200")):
        caller.transact()
        caller.advance(0)
    assert processed(caller, 3)


def test_nobody_there_and_somebody_who_may_not_be_called(caller: Caller) -> None:
    caller.create()
    caller.create(value="https://gateway.example/hooks")
    caller.transact()
    caller.advance(0)
    assert caller.told("state", "status", "why") == [
        ("Requested", 0, "ConnectError"),
        ("Requested", 0, "the sandbox may not call this host"),
    ]


def test_a_retry_has_the_key_of_the_first_try_or_the_new_one(caller: Caller, receiver: Receiver) -> None:
    receiver.refuse()
    receiver.keys = [a_key("a"), a_key("b")]
    code = caller.create(value=receiver.url, key=a_key("a"))
    caller.transact()
    caller.advance(0)
    assert accepted(caller.update(code, value=receiver.url, key=a_key("b")))
    caller.transact()
    caller.advance(300)
    caller.habits(retryKey="current")
    receiver.accept()
    caller.advance(300)
    assert processed(caller, 2)
    histories = [caller.control("GET", f"/notifications/{number}")["history"] for number in (1, 2)]
    assert [[each["keyNumber"] for each in history] for history in histories] == [[0, 0, 1], [1, 1, 1]]
    opened = [message.text(a_key("a")) for message in receiver.messages if opens(message, a_key("a"))]
    assert len(opened) == 2
    assert len(receiver.messages) == 6


def opens(message: Any, key: str) -> bool:
    from adapters.sandbox.sibs.sealing import Unopened

    try:
        message.text(key)
    except Unopened:
        return False
    return True


def test_a_queue_follows_the_config_to_its_new_address(caller: Caller, receiver: Receiver) -> None:
    code = caller.create()
    caller.transact()
    caller.advance(0)
    assert accepted(caller.update(code, value=receiver.url))
    caller.advance(300)
    assert processed(caller, 1)
    # What was made before its config was deleted is still sent.
    receiver.refuse()
    caller.transact()
    caller.advance(0)
    assert accepted(caller.delete(code, value=receiver.url))
    receiver.accept()
    caller.advance(300)
    assert processed(caller, 2)


def test_redelivery(caller: Caller, receiver: Receiver) -> None:
    caller.create(value=receiver.url)
    caller.transact()
    caller.advance(0)
    (identifier,) = caller.told("notificationId")[0]
    assert caller.control("POST", "/notifications/1/redeliver")["tries"] == 2
    receiver.refuse()
    again = caller.control("POST", f"/notifications/{identifier}/redeliver")
    assert (again["tries"], again["state"], again["due"]) == (3, "Processed", None)
    assert len(receiver.messages) == 3
    assert caller.refused("POST", "/notifications/99/redeliver")[0] == 404


def test_the_test_button_looks_like_a_purchase(caller: Caller, receiver: Receiver) -> None:
    code = caller.create(value=receiver.url, methods=["BLIK"])
    caller.control("POST", f"/configs/{code}/test")
    caller.habits(testTransactionId="TEST-BUTTON")
    caller.control("POST", f"/configs/{code}/test")
    caller.advance(0)
    told = [message.json() for message in receiver.messages]
    assert [each["transactionID"] for each in told] == ["TEST", "TEST-BUTTON"]
    assert {(each["paymentStatus"], each["paymentType"], each["paymentMethod"]) for each in told} == {
        ("Success", "PURS", "BLIK")
    }
    assert caller.lines("/transactions") == []
    assert processed(caller, 2)
    email = caller.control("POST", "/configs", {"channel": "EMAIL", "value": "a@b.example"})["code"]
    assert caller.refused("POST", f"/configs/{email}/test")[0] == 409
