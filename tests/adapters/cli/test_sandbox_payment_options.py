"""`mintmark sandbox payment-options ...` against a twin that serves."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from mintmark.v1 import payments_pb2 as pb

from adapters.cli.export_mappings import ExportMapping
from adapters.cli.payment_exports import rows_of
from tests.adapters.cli.conftest import Command
from tests.adapters.sandbox.payment_options.merchant import THREE_DS_METHOD, Merchant, merchant_of
from tests.adapters.sandbox.payment_options.test_pages import hosted
from tests.adapters.sandbox.payment_options.test_subscriptions import PLAN
from tests.stack import free_ports

TWIN = ("sandbox", "payment-options")


@pytest.fixture
def merchant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Merchant]:
    folder = tmp_path / "twins"
    folder.mkdir()
    (port,) = free_ports(1)
    with merchant_of(folder, speed=1, sandbox_payment_options_address=f"127.0.0.1:{port}") as made:
        url = made.client.base_url
        monkeypatch.setenv("MINTMARK_SANDBOX_ADDRESS", f"{url.host}:{url.port}")
        yield made


def test_what_was_charged(mintmark: Command, merchant: Merchant) -> None:
    paid = merchant.paid("1000", "paid")["transaction_details"]["id"]
    merchant.about(paid, "refund", "400")
    merchant.pay("70051", "declined")
    text = mintmark(*TWIN, "ledger").out.splitlines()
    assert [" moved " in line for line in text] == [True, True, False]
    assert "PURCHASE" in text[0]
    lines = mintmark(*TWIN, "ledger", "--output", "json").lines
    assert lines == merchant.ledger()
    assert mintmark("--output", "json", *TWIN, "ledger").lines == lines
    assert "refunded 400 paid" in " ".join(mintmark(*TWIN, "transactions", paid).out.split())
    assert len(mintmark(*TWIN, "transactions", "--output", "json").lines) == 3
    assert mintmark(*TWIN, "transactions", "nothing").code == 1
    assert [line.split()[1] for line in mintmark(*TWIN, "requests").out.splitlines()] == [
        "payment",
        "refund",
        "payment",
    ]
    assert "3 transactions, 2 moved money" in mintmark(*TWIN, "state").out
    assert mintmark(*TWIN, "state", "--output", "json").lines[0]["merchantId"] == "JP00000328"


def test_the_ledger_is_an_export_that_can_be_reconciled(mintmark: Command, merchant: Merchant) -> None:
    paid = merchant.paid("1000", "paid")["transaction_details"]["id"]
    merchant.about(paid, "refund", "400")
    merchant.pay("70051", "declined")
    merchant.pay("1", "by, the way")
    rows = rows_of(mintmark(*TWIN, "ledger", "--csv").out.encode(), ExportMapping())
    told = [(row.reference, row.transaction_type, row.amount, row.outcome_text) for row in rows]
    assert told == [
        ("paid", "CAPTURE", "1000", "APPROVED"),
        ("paid", "REFUND", "400", "APPROVED"),
        ("declined", "CAPTURE", "70051", "DECLINED"),
        ("by, the way", "CAPTURE", "1", "APPROVED"),
    ]
    assert rows[0].partner_transaction_id == paid
    # What was pending is one transaction, however often it has a line.
    merchant.pay("70578", "pending")
    rows = rows_of(mintmark(*TWIN, "ledger", "--csv").out.encode(), ExportMapping())
    assert [row.outcome for row in rows if row.reference == "pending"] == [pb.EXPORT_OUTCOME_OPEN]


def test_the_table_of_outcomes(mintmark: Command, merchant: Merchant) -> None:
    text = mintmark(*TWIN, "outcomes").out
    assert "70051  00000000-0000-4000-8000-000000070051  soft-decline-51" in text
    assert "fault reset" in text
    rows = mintmark(*TWIN, "outcomes", "--output", "json").lines
    assert {"approved", "pending-charged", "three-ds"} <= {row.get("name") for row in rows}


def test_faults(mintmark: Command, merchant: Merchant, tmp_path: Path) -> None:
    added = mintmark(*TWIN, "faults", "add", "status", "--status", "502", "--reference", "r", "--uncharged")
    assert (added.code, added.out) == (0, "1 status uncharged reference r (0 of 1)\n")
    assert merchant.pay("1", "r").status_code == 502
    assert merchant.ledger() == []
    assert mintmark(*TWIN, "faults", "list").out == "1 status uncharged reference r (1 of 1)\n"
    script = tmp_path / "script.json"
    script.write_text(json.dumps({"seed": 3, "faults": [{"fault": "html", "times": 0}]}))
    assert mintmark(*TWIN, "faults", "script", str(script)).out == "1 html (0 of all)\n"
    assert merchant.pay("1").headers["content-type"].startswith("text/html")
    assert mintmark(*TWIN, "faults", "clear").code == 0
    assert mintmark(*TWIN, "faults", "list").out == ""
    options = ("--always", "--seconds", "0.5", "--endpoint", "refund", "--nth", "2", "--probability", "0.5")
    mintmark(*TWIN, "faults", "add", "hang", *options)
    (fault,) = mintmark(*TWIN, "faults", "list", "--output", "json").lines
    assert (fault["times"], fault["seconds"], fault["endpoint"], fault["probability"]) == (0, 0.5, "refund", 0.5)
    assert mintmark(*TWIN, "faults", "release").code == 0
    assert mintmark(*TWIN, "faults", "add", "nothing").code == 1
    script.write_text("[]")
    assert mintmark(*TWIN, "faults", "script", str(script)).code == 2
    script.write_text("{")
    assert mintmark(*TWIN, "faults", "script", str(script)).code == 2


def test_webhooks(mintmark: Command, merchant: Merchant) -> None:
    added = mintmark(*TWIN, "webhooks", "add", "lost", "--reference", "r", "--always")
    assert (added.code, added.out) == (0, "lost r (0 of all)\n")
    merchant.paid("1", "r")
    assert "lost lost" in mintmark(*TWIN, "webhooks", "list").out
    assert mintmark(*TWIN, "webhooks", "rules", "--output", "json").lines[0]["followed"] == 1
    assert mintmark(*TWIN, "webhooks", "clear").code == 0
    assert mintmark(*TWIN, "webhooks", "rules").out == ""
    assert mintmark(*TWIN, "webhooks", "add", "never").code == 1


@pytest.mark.parametrize(("decision", "outcome"), [("approve", "APPROVED"), ("decline", "DECLINED")])
def test_three_ds(mintmark: Command, merchant: Merchant, decision: str, outcome: str) -> None:
    merchant.pay("1", "r", "paymentv2", payment_method={"stored_payment_method_id": THREE_DS_METHOD})
    assert mintmark(*TWIN, "three-ds", "pages").out.startswith("OPEN     three-ds  r ")
    (document,) = mintmark(*TWIN, "three-ds", decision, "r", "--output", "json").lines
    assert document["outcome"] == outcome
    assert mintmark(*TWIN, "three-ds", decision, "nobody").code == 1


@pytest.mark.parametrize(("decision", "outcome"), [("pay", "APPROVED"), ("decline", "DECLINED")])
def test_the_hosted_page(mintmark: Command, merchant: Merchant, decision: str, outcome: str) -> None:
    hosted(merchant, merchant_txn_ref="r")
    assert mintmark(*TWIN, "three-ds", "pages").out.startswith("OPEN     hosted    r ")
    (document,) = mintmark(*TWIN, "hosted", decision, "r", "--output", "json").lines
    assert document["outcome"] == outcome
    assert mintmark(*TWIN, "hosted", decision, "nobody").code == 1


def test_subscriptions(mintmark: Command, merchant: Merchant) -> None:
    made = merchant.pay("1000", "r", "subscription/payment", subscription=PLAN).json()["subscription_details"]
    assert mintmark(*TWIN, "subscriptions", "list").out == f"{made['id']} ACTIVE 1 of 3\n"
    (charged,) = mintmark(*TWIN, "subscriptions", "charge", made["id"], "--output", "json").lines
    assert charged["cycle"] == 2
    assert mintmark(*TWIN, "subscriptions", "charge", "nothing").code == 1


def test_the_listener(mintmark: Command, merchant: Merchant) -> None:
    assert mintmark(*TWIN, "listener", "closed").out.endswith(": closed\n")
    assert mintmark(*TWIN, "listener", "open").out.endswith(": open\n")
    assert mintmark(*TWIN, "listener", "ajar").code == 2
