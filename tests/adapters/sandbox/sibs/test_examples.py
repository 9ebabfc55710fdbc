"""The twin takes the contract's examples and answers in their shapes."""

import base64
import json
from typing import Any

import pytest

from adapters.sandbox.sibs import payloads
from adapters.sandbox.sibs.acknowledgement import flaw
from adapters.sandbox.sibs.config import Scope
from adapters.sandbox.sibs.habits import Habits
from adapters.sandbox.sibs.sealing import Sealed, Unopened, seal, unseal
from adapters.sandbox.sibs.transaction import State, Transaction
from tests.adapters.sandbox.sibs.caller import ACQUIRER, MERCHANT, Caller
from tests.vectors import vector_file, vector_json

CODE = "0f8fad5b-d9cb-469f-a165-70867728950e"
TERMINAL = {"terminalId": "50994"}


def example(name: str) -> Any:
    return vector_json(f"../contracts/examples/sibs-{name}.json")


def test_the_examples_of_create_update_and_delete(caller: Caller) -> None:
    answer = caller.send(example("webhook-create.request"), query=TERMINAL)
    assert (answer.status_code, answer.json()) == (200, example("webhook-create.response"))
    # The update's example goes to another address and adds BNPL.
    answer = caller.send(example("webhook-update.request"), "PUT", query=TERMINAL)
    assert (answer.status_code, answer.json()) == (200, example("webhook-update.response"))
    (changed,) = caller.listed(**TERMINAL).values()
    assert [each["paymentMethodNotificationCode"] for each in changed["paymentMethods"]] == ["CARD", "BLIK", "BNPL"]
    answer = caller.send(example("webhook-delete-by-update.request"), "PUT", query=TERMINAL)
    assert answer.json() == example("webhook-update.response")
    assert caller.listed(**TERMINAL) == {}


@pytest.mark.parametrize("shape", ["a", "b", "c"])
def test_the_examples_of_a_list(caller: Caller, shape: str) -> None:
    caller.send(example("webhook-create.request"), query=TERMINAL)
    request = example("webhook-list.request")
    assert request == {"acquirerId": ACQUIRER, "merchantId": MERCHANT, **TERMINAL}
    caller.habits(listShape=shape)
    answer = caller.client.post("/sibs/v1/webhooks", json=request, headers=caller.headers())
    assert answer.json() == example(f"webhook-list.response.shape-{shape}")
    caller.habits(listShape="a")
    caller.fault(f"shape-{shape}")
    again = caller.client.post("/sibs/v1/webhooks", json=request, headers=caller.headers())
    assert again.json() == example(f"webhook-list.response.shape-{shape}")


def test_a_list_without_an_array(caller: Caller) -> None:
    caller.habits(listShape="single")
    assert caller.list().json()["webhooks"] == {"webhook": []}
    code = caller.create()
    assert caller.list().json()["webhooks"]["webhook"]["notificationConfigurationCode"] == code
    caller.create()
    assert len(caller.list().json()["webhooks"]["webhook"]) == 2


def test_the_example_of_a_rejection(caller: Caller) -> None:
    caller.fault("rejected")
    answer = caller.send(example("webhook-create.request"))
    assert (answer.status_code, answer.json()) == (200, example("webhook-rejected.response"))
    assert caller.listed() == {}


def test_the_example_of_a_notification_and_its_acknowledgement() -> None:
    plaintext, acknowledgement = example("notification.plaintext"), example("notification.ack")
    bought = Transaction(
        *(plaintext["transactionID"], "purchase", "PURS", "CARD", "2.00", "EUR"),
        Scope(ACQUIRER, MERCHANT, terminal_id="50994"),
    )
    state = State("Success", "2026-03-12T10:48:44.127Z", "000", "Success")
    habits = Habits(times="absent", unknown_fields=False)
    made = payloads.encode(payloads.notification(bought, state, plaintext["notificationID"], habits))
    assert json.loads(made) == plaintext
    # To the byte, as the vector has it.
    assert made.encode() == published()[1]
    body = json.dumps(acknowledgement).encode()
    assert flaw(200, "application/json", body, plaintext["notificationID"], "200") == ""


def published() -> tuple[str, bytes, Sealed, bytes]:
    found = vector_json("../contracts/vectors/sibs-webhook-1.json")
    sealed = Sealed(found["body"], found["iv"], found["tag"])
    return found["key"], found["plaintext"].encode(), sealed, base64.b64decode(found["iv"])


def test_the_public_vector_opens_and_is_made_again() -> None:
    key, plaintext, sealed, iv = published()
    assert unseal(key, sealed) == plaintext
    assert seal(key, plaintext, iv) == sealed
    assert json.loads(plaintext) == example("notification.plaintext")
    request = vector_file("../contracts/examples/sibs-notification.request.http").read_text()
    assert request.split("\n\n")[1].strip() == sealed.body


def test_a_vector_that_is_changed_does_not_open() -> None:
    key, _plaintext, sealed, _iv = published()
    for changed in (
        Sealed("A" + sealed.body[1:], sealed.iv, sealed.tag),
        Sealed(sealed.body, "A" + sealed.iv[1:], sealed.tag),
        Sealed(sealed.body, sealed.iv, "A" + sealed.tag[1:]),
        Sealed(sealed.body, sealed.iv[:-4], sealed.tag),
        Sealed("!" + sealed.body[1:], sealed.iv, sealed.tag),
    ):
        with pytest.raises(Unopened):
            unseal(key, changed)


def test_an_iv_is_never_used_twice() -> None:
    key, plaintext, _sealed, _iv = published()
    assert len({seal(key, plaintext).iv for _ in range(1000)}) == 1000
