"""`mintmark acquirer-transactions` and `mintmark unreadable-notifications`, against a real core."""

import os
from collections.abc import Iterator

import pytest

from tests.adapters.cli.test_payments import Command
from tests.server.rpc.acquiring import Merchant, add_key, deliver, open_merchant, said, sealed
from tests.server.rpc.running import RunningCore, running_core


@pytest.fixture(scope="module")
def running() -> Iterator[RunningCore]:
    with running_core() as core:
        yield core


@pytest.fixture
def merchant(running: RunningCore) -> Merchant:
    return open_merchant(running, payments_base_url="https://api.example.com")


@pytest.fixture
def mintmark(running: RunningCore, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(running, monkeypatch, capfd)


def test_transactions_are_listed_shown_and_asked_for(mintmark: Command, merchant: Merchant) -> None:
    transaction_id = merchant.tell(merchant={"transactionId": "order-cli"})
    name = merchant.name_of(transaction_id)
    listed = mintmark.json("acquirer-transactions", "list", "--reference", "order-cli", "--state", "success")
    assert [each["name"] for each in listed] == [name]
    table = mintmark("acquirer-transactions", "list", "--account", merchant.account.partition("/")[2])
    assert [word in table.out for word in (name, "PURS", "PAID", "50.5 PLN")] == [True] * 4
    shown = mintmark("acquirer-transactions", "show", name.partition("/")[2])
    assert [word in shown.out for word in ("SUCCESS", "NOTIFICATION", "APPLIED", merchant.config)] == [True] * 4
    asked = mintmark.json("acquirer-transactions", "refresh", name)
    assert asked[0]["queryPending"] is True
    assert mintmark("acquirer-transactions", "show", "nothing").code == 1
    assert mintmark.json("acquirer-transactions", "list", "--contested") == []


def test_what_no_key_opens_is_listed_and_opened(mintmark: Command, merchant: Merchant) -> None:
    import json

    key = os.urandom(32)
    deliver(merchant.core, merchant.config_id, sealed(key, json.dumps(said()).encode()))
    deliver(merchant.core, merchant.config_id, sealed(os.urandom(32), b"{}"))
    listed = mintmark.json("unreadable-notifications", "list", "--webhook-config", merchant.config_id)
    assert {each["webhookConfig"] for each in listed} == {merchant.config}
    assert merchant.config in mintmark("unreadable-notifications", "list").out
    add_key(merchant, key)
    opened = mintmark("unreadable-notifications", "open", merchant.config_id)
    assert opened.code == 0
    # The core may have been first.
    assert "1 no key opens still" in opened.out
    again = mintmark.json("unreadable-notifications", "open", merchant.config)
    assert again == [{"unreadableCount": 1}]
    assert mintmark("unreadable-notifications", "open", "nothing").code == 1
