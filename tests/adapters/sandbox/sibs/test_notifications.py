"""Notifications: whom they reach, what they say, what acknowledges them."""

import json
from typing import Any

import pytest

from tests.adapters.sandbox.sibs.caller import KEY, NOWHERE, Caller
from tests.adapters.sandbox.sibs.receiver import Answer, Receiver, acknowledgement
from tests.waiting import eventually


def processed(caller: Caller, count: int) -> bool:
    return [state for (state,) in caller.told("state")] == ["Processed"] * count


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
