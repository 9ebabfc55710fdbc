"""Notifications that go wrong on command."""

import base64
import json
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from adapters.sandbox.sibs.rules import CANARY, CONTENTS, DAMAGES, DELIVERIES, MODES
from adapters.sandbox.sibs.sealing import Unopened
from tests.adapters.sandbox.sibs.caller import KEY, Caller, a_key
from tests.adapters.sandbox.sibs.receiver import Message, Receiver


def raw(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


def sizes(message: Message) -> tuple[int, int]:
    """Of IV and tag."""
    return len(raw(message.sealed.iv)), len(raw(message.sealed.tag))


def opens(message: Message, *keys: str) -> bool:
    try:
        message.text(*(keys or (KEY,)))
    except Unopened:
        return False
    return True


# What each damage looks like from outside. All are told from a whole message, which they are not.
SEEN: dict[str, Callable[[Message], bool]] = {
    "damaged-tag": lambda message: sizes(message) == (12, 16),
    "damaged-body": lambda message: sizes(message) == (12, 16),
    "damaged-iv": lambda message: sizes(message) == (12, 16),
    "truncated-iv": lambda message: sizes(message) == (11, 16),
    "truncated-tag": lambda message: sizes(message) == (12, 15),
    "tag-in-body": lambda message: raw(message.body).endswith(raw(message.sealed.tag)),
    "old-key": lambda message: opens(message, a_key("o")),
    "wrong-key": lambda message: sizes(message) == (12, 16) and not opens(message, a_key("o")),
    "hex": lambda message: bool(bytes.fromhex(message.body)) and len(bytes.fromhex(message.sealed.iv)) == 12,
    "not-base64": lambda message: message.body.startswith("!") and sizes(message) == (12, 16),
    "no-iv": lambda message: "x-initialization-vector" not in message.headers,
    "no-tag": lambda message: "x-authentication-tag" not in message.headers,
    "empty": lambda message: message.body == "",
}


def test_every_mode_is_tried_here() -> None:
    assert set(SEEN) == set(DAMAGES)
    assert set(SAID) == set(CONTENTS)
    assert {*DELIVERIES, *DAMAGES, *CONTENTS} == set(MODES)


def test_each_damage_for_two_tries_then_whole(caller: Caller, receiver: Receiver) -> None:
    code = caller.create(value=receiver.url, key=a_key("o"))
    assert caller.update(code, value=receiver.url).status_code == 200
    for mode in DAMAGES:
        caller.rule(mode, tries=2)
        caller.transact()
        caller.advance(0)
        assert SEEN[mode](receiver.messages[-1]), mode
    caller.advance(300)
    assert caller.told("state", "tries") == [("Requested", 2)] * len(DAMAGES)
    assert not [message for message in receiver.messages if opens(message)]
    caller.advance(300)
    assert caller.told("mode", "state", "tries") == [(mode, "Processed", 3) for mode in DAMAGES]


def test_a_damaged_part_differs_by_one_bit(caller: Caller, receiver: Receiver) -> None:
    from adapters.sandbox.sibs.damage import message

    for mode, header in (("damaged-tag", "X-Authentication-Tag"), ("damaged-iv", "X-Initialization-Vector")):
        headers, body = message(mode, KEY, "", b'{"a": 1}')
        flips = 0
        part = raw(headers[header])
        for place in range(len(part)):
            for bit in range(8):
                flipped = part[:place] + bytes([part[place] ^ (1 << bit)]) + part[place + 1 :]
                mended = {**headers, header: base64.b64encode(flipped).decode()}
                lowered = {name.lower(): text for name, text in mended.items()}
                flips += opens(Message("", lowered, body.decode()))
        assert flips == 1, mode


def value_of(message: Message) -> Any:
    return message.json()["amount"]["value"]


SAID: dict[str, Callable[[Message], bool]] = {
    "number-amount": lambda message: value_of(message) == 16.2,
    "string-amount": lambda message: value_of(message) == "16.20",
    "number-terminal": lambda message: message.json()["merchant"]["terminalId"] == 50994,
    "string-terminal": lambda message: message.json()["merchant"]["terminalId"] == "50994",
    "no-time": lambda message: "transactionDateTime" not in message.json(),
    "blank-time": lambda message: message.json()["transactionDateTime"].endswith("Z "),
    "no-notification-id": lambda message: "notificationID" not in message.json(),
    "not-json": lambda message: message.text(KEY).startswith("<"),
    "duplicate-keys": lambda message: message.text(KEY).count('"paymentStatus"') == 2,
    "nul": lambda message: "\0" in message.json()["merchantNote"],
    "card-number": lambda message: message.text(KEY).count(CANARY) >= 3,
}
CANNOT_BE_ACKNOWLEDGED = {"no-notification-id", "not-json"}


def test_each_odd_content(caller: Caller, receiver: Receiver) -> None:
    caller.create(value=receiver.url)
    for mode in CONTENTS:
        caller.rule(mode)
        caller.transact(amount="16.20", terminalId="50994")
        caller.advance(0)
        assert SAID[mode](receiver.messages[-1]), mode
    told = dict(caller.told("mode", "state"))
    assert {mode for mode, state in told.items() if state == "Requested"} == CANNOT_BE_ACKNOWLEDGED
    caller.advance(300)
    assert SAID["not-json"](receiver.messages[-1]) or SAID["no-notification-id"](receiver.messages[-1])


def test_duplicates_and_losses(caller: Caller, receiver: Receiver) -> None:
    caller.create(value=receiver.url)
    caller.rule("duplicate", copies=4)
    caller.rule("lost")
    for _ in range(3):
        caller.transact()
    caller.advance(61 * 86_400)
    ids = Counter(message.json()["notificationID"] for message in receiver.messages)
    assert sorted(ids.values()) == [1, 4]
    assert len({message.text(KEY) for message in receiver.messages}) == 2
    assert caller.told("mode", "state", "copy") == [
        *(("duplicate", "Processed", copy) for copy in range(4)),
        ("lost", "Requested", 0),
        ("", "Processed", 0),
    ]


def test_the_same_id_with_other_content(caller: Caller, receiver: Receiver) -> None:
    caller.create(value=receiver.url)
    caller.rule("other-content")
    caller.transact(amount="16.20")
    caller.advance(0)
    told = [message.json() for message in receiver.messages]
    assert len({each["notificationID"] for each in told}) == 1
    assert sorted(each["amount"]["value"] for each in told) == [16.2, 32.4]
    assert caller.told("state") == [("Processed",)] * 2


def test_late_and_out_of_order(caller: Caller, receiver: Receiver) -> None:
    caller.create(value=receiver.url)
    caller.rule("late", seconds=3600, merchantTransactionId="late")
    caller.rule("out-of-order", seconds=80_000, paymentStatus="Pending")
    caller.transact(merchantTransactionId="late")
    caller.transact("blik")
    caller.advance(9)
    assert receiver.messages == []
    caller.advance(2)
    caller.advance(0)
    assert [message.json()["paymentStatus"] for message in receiver.messages] == ["Success", "Pending"]
    caller.advance(3600)
    assert receiver.messages[-1].json()["merchant"]["transactionId"] == "late"
    # Without another one it is sent in the end.
    caller.rule("out-of-order", seconds=60)
    caller.transact()
    caller.advance(0)
    assert len(receiver.messages) == 3
    caller.advance(60)
    assert len(receiver.messages) == 4


def test_which_notification_follows_which_rule(caller: Caller) -> None:
    code, other = caller.create(), caller.create()
    script = {
        "rules": [
            {"mode": "lost", "config": code, "paymentType": "RFND", "times": 0},
            {"mode": "late", "config": other, "times": 2},
        ]
    }
    caller.control("PUT", "/notifications/rules", script)
    paid = [caller.transact()["transactionId"] for _ in range(2)]
    for transaction_id in paid:
        caller.transact("refund", originalTransactionId=transaction_id)
    told = [mode for config, mode in caller.told("config", "mode") if config == code]
    assert told == ["", "", "lost", "lost"]
    assert [mode for config, mode in caller.told("config", "mode") if config == other] == ["late", "late", "", ""]
    assert [each["followed"] for each in caller.control("GET", "/notifications/rules")["rules"]] == [2, 2]
    assert caller.control("DELETE", "/notifications/rules")["rules"] == []


def test_a_script_replays_by_its_seed(caller: Caller) -> None:
    caller.create()

    def followed(seed: int) -> int:
        rule = {"mode": "lost", "times": 0, "probability": 0.5}
        caller.control("PUT", "/notifications/rules", {"seed": seed, "rules": [rule]})
        caller.control("POST", "/transactions", {"count": 40})
        (told,) = caller.control("GET", "/notifications/rules")["rules"]
        return int(told["followed"])

    assert 5 < followed(7) < 35


def test_the_habits_of_plaintexts(caller: Caller, receiver: Receiver) -> None:
    caller.create(value=receiver.url)
    caller.habits(amounts="string", terminalIds="string", times="absent", contentType="application/json")
    caller.habits(unknownFields=False)
    caller.transact(amount="2", terminalId="099978")
    caller.advance(0)
    (message,) = receiver.messages
    assert message.headers["content-type"] == "application/json"
    assert message.json()["amount"]["value"] == "2"
    assert message.json()["merchant"]["terminalId"] == "099978"
    assert set(message.json()) == {
        *("returnStatus", "paymentStatus", "paymentMethod", "transactionID", "amount", "merchant", "paymentType"),
        "notificationID",
    }
    caller.habits(amounts="number", unknownFields=True, times="seconds")
    for amount in ("2", "100", "15.90", "0.001", "123456789012.345"):
        caller.transact(amount=amount)
    caller.advance(0)
    texts = [message.text(KEY) for message in receiver.messages[1:]]
    told = [text.partition('"value":')[2].partition("}")[0] for text in texts]
    assert sorted(told) == sorted(["2.0", "100.0", "15.9", "0.001", "123456789012.345"])
    assert all("fieldOfTheFuture" in json.loads(text) for text in texts)


@pytest.mark.parametrize(
    "rule",
    [
        {},
        {"mode": "nothing"},
        {"mode": "lost", "probability": 2},
        {"mode": "lost", "times": -1},
        {"mode": "hex", "tries": 0},
        {"mode": "duplicate", "copies": 1},
        {"mode": "card-number", "number": "x"},
        {"mode": "lost", "unknown": 1},
    ],
)
def test_a_wrong_rule_is_refused_and_changes_nothing(shared_caller: Caller, rule: dict[str, Any]) -> None:
    before = shared_caller.control("GET", "/notifications/rules")
    assert shared_caller.refused("POST", "/notifications/rules", rule)[0] == 400
    assert shared_caller.refused("PUT", "/notifications/rules", {"rules": [{"mode": "lost"}, rule]})[0] == 400
    assert shared_caller.control("GET", "/notifications/rules") == before


def test_canaries_are_not_shown(shared_caller: Caller) -> None:
    shared_caller.rule("card-number", number="4000001234567899", merchantTransactionId="nobody")
    assert "4000001234567899" not in json.dumps(shared_caller.control("GET", "/notifications/rules"))
