"""`mintmark payment-subscriptions`, against a real core."""

import json
from pathlib import Path

from google.protobuf import json_format

from tests.adapters.cli.test_payments import Command, mintmark, running, shop
from tests.server.rpc.paying import Shop, details
from tests.server.rpc.subscribed import Subscribed

__all__ = ["mintmark", "running", "shop"]


def test_one_is_made_shown_listed_and_taken_back(mintmark: Command, shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "details.json"
    path.write_text(json.dumps(json_format.MessageToDict(details(), preserving_proto_field_name=True)))
    own = "3f2b7c1e-0000-4000-8000-000000000001"
    create = ["payment-subscriptions", "create", "--token", shop.token, "--merchant-subscription-id", "contract-1"]
    create += ["--amount", "980JPY", "--plan", "Tea", "--every", "weekly", "--interval", "2", "--cycles", "6"]
    create += ["--discount", "50", "--discount-cycles", "1", "--details", str(path), "--request-id", own]
    (made,) = mintmark.json(*create)
    assert mintmark.json(*create) == [made]
    plan = made["plan"]
    assert (plan["cycleUnit"], plan["cycleInterval"], plan["maxCycleCount"]) == ("PAYMENT_CYCLE_UNIT_WEEKLY", 2, 6)
    assert mintmark("payment-subscriptions", "show", made["name"]).code == 0
    (listed,) = mintmark.json("payment-subscriptions", "list", "--token", shop.token, "--state", "pending")
    assert listed["name"] == made["name"]
    assert mintmark.json("payment-subscriptions", "list", "--token", shop.token, "--overdue") == []
    refused = mintmark("payment-subscriptions", "resume", made["name"])
    assert refused.code == 1
    assert "PAYMENT_STATE_UNFIT" in refused.err
    mintmark.json("payment-subscriptions", "refresh", made["name"])
    (gone,) = mintmark.json("payment-subscriptions", "cancel", made["name"].removeprefix("paymentSubscriptions/"))
    assert gone["state"] == "PAYMENT_SUBSCRIPTION_STATE_NOT_CREATED"


def test_a_table_tells_cycles_and_wishes(mintmark: Command, shop: Shop) -> None:
    subscribed = Subscribed(shop)
    made, _, _ = subscribed.active()
    subscribed.cancel(made)
    shown = mintmark("payment-subscriptions", "list", "--token", shop.token).out
    assert "1 of 3" in shown
    assert "CANCEL" in shown


def test_words_that_are_none(mintmark: Command, shop: Shop, tmp_path: Path) -> None:
    path = tmp_path / "details.json"
    path.write_text("{}")
    create = [
        "payment-subscriptions",
        "create",
        "--token",
        shop.token,
        "--merchant-subscription-id",
        "c",
        "--plan",
        "T",
    ]
    result = mintmark(*create, "--amount", "980JPY", "--every", "hourly", "--details", str(path))
    assert result.code == 2
    assert "--every" in result.err
