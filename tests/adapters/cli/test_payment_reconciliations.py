"""`mintmark payments reconcile`, against a real core."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from mintmark.v1 import payments_pb2 as pb

from tests.adapters.cli.test_payments import Command
from tests.adapters.sandbox.payment_options.merchant import merchant_of
from tests.server.rpc.exporting import unknown
from tests.server.rpc.paying import PARTNER_MERCHANT, Shop, open_shop, transaction_id
from tests.server.rpc.running import RunningCore, running_core

HEADER = "transaction_id,reference,transaction_type,amount,currency,outcome,merchant_id,time"


@pytest.fixture(scope="module")
def running() -> Iterator[RunningCore]:
    with running_core() as core:
        yield core


@pytest.fixture
def shop(running: RunningCore) -> Shop:
    return open_shop(running)


@pytest.fixture
def mintmark(running: RunningCore, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    return Command(running, monkeypatch, capfd)


class Export:
    """A file that grows, and the command for it."""

    def __init__(self, path: Path, mintmark: Command, shop: Shop) -> None:
        self.path = path
        self._mintmark = mintmark
        self._account = shop.account.partition("/")[2]
        self._lines = [HEADER]

    def add(self, payment: pb.Payment | None, amount: str = "1000", outcome: str = "APPROVED", named: str = "") -> str:
        reference = payment.operations[0].reference if payment else "nobodys"
        named = named or transaction_id()
        self._lines.append(f"{named},{reference},CAPTURE,{amount},JPY,{outcome},{PARTNER_MERCHANT},now")
        self.path.write_text("\n".join(self._lines))
        return named

    def __call__(self, *options: str) -> Any:
        return self._mintmark("payments", "reconcile", str(self.path), "--account", self._account, *options)

    def json(self, *options: str) -> list[dict[str, Any]]:
        out = self("--output", "json", *options).out
        return [json.loads(line) for line in out.splitlines() if line.startswith('{"')]


@pytest.fixture
def export(tmp_path: Path, mintmark: Command, shop: Shop) -> Export:
    return Export(tmp_path / "export.csv", mintmark, shop)


def test_a_plan_is_shown_first_and_made_so_on_request(export: Export, shop: Shop) -> None:
    payment, _ = shop.in_doubt()
    named = export.add(payment)
    planned = export()
    assert planned.code == 0, planned.err
    for word in ("CAPTURE 1000 JPY APPROVED", named, "SETTLES", payment.name, "1000 JPY", "IN_DOUBT", "SUCCEEDED"):
        assert word in planned.out
    assert "1 rows: 1 SETTLES; nothing was changed, --apply makes it so" in planned.err
    assert shop.state(payment) == "IN_DOUBT"
    done = export("--apply")
    assert (done.code, "SETTLES" in done.out, "nothing was changed" in done.err) == (0, True, False)
    assert shop.state(payment) == "CAPTURED"
    again = export("--apply")
    assert (again.code, "CONFIRMS (again)" in again.out) == (0, True)


def test_scripts_get_a_line_for_each_row_and_a_code_of_their_own(export: Export, shop: Shop, mintmark: Command) -> None:
    (doubtful, _), paid = shop.in_doubt(), shop.pay()
    export.add(paid, named=paid.operations[0].partner_transaction_id)
    export.add(doubtful, "999")
    lost = export.add(None)
    export.add(paid)
    told = export.json("--apply")
    assert [each["line"] for each in told] == [2, 3, 4, 5]
    assert [each["finding"].removeprefix("RECONCILIATION_FINDING_") for each in told] == [
        "CONFIRMS",
        "DISAGREES",
        "UNKNOWN_CHARGE",
        "DUPLICATE_CHARGE",
    ]
    assert told[1]["row"]["amount"] == "999"
    assert (told[1]["payment"], told[1]["amount"]["minorAmount"]) == (doubtful.name, "1000")
    last = export()
    # What disagrees and what is one too many was told before; what is unknown goes on being so.
    assert (last.code, "1 rows need a person" in last.err) == (3, True)
    listed = mintmark("payments", "unknown-charges", "--account", shop.account)
    assert [word in listed.out for word in (lost, "nobodys", "1000 JPY")] == [True] * 3


def test_nothing_is_changed_where_a_line_is_wrong(export: Export, shop: Shop) -> None:
    payment, _ = shop.in_doubt()
    export.add(payment)
    export.add(payment, "a thousand")
    export.add(payment, outcome="SURELY")
    result = export("--apply")
    assert result.code == 1
    assert [word in result.err for word in ("line 3", "line 4", "SURELY", "nothing was done")] == [True] * 4
    assert shop.get(payment) == payment


def test_nothing_is_changed_where_the_core_refuses_a_row(export: Export, shop: Shop, mintmark: Command) -> None:
    export.add(None)
    result = mintmark("payments", "reconcile", str(export.path), "--account", "none", "--apply")
    assert (result.code, "RESOURCE_NOT_FOUND" in result.err) == (1, True)
    assert unknown(shop) == []


def test_a_large_file_goes_in_several_calls(export: Export, shop: Shop) -> None:
    (payment, _) = shop.in_doubt()
    for number in range(450):
        export.add(None, named=f"lost-{number}")
    export.add(payment)
    told = export.json("--apply")
    assert [each["line"] for each in told] == list(range(2, 453))
    assert told[-1]["finding"] == "RECONCILIATION_FINDING_SETTLES"
    assert len(unknown(shop)) == 450


def test_the_columns_of_another_partner_are_given(export: Export, shop: Shop) -> None:
    payment, _ = shop.in_doubt()
    export.path.write_text(f"Id;Ref;Kind;Sum;Cur;Result\nt-9;{payment.operations[0].reference};Sale;1000;JPY;Ok\n")
    missing = export("--delimiter", ";")
    assert (missing.code, "'Id', 'Ref', 'Kind'" in missing.err) == (1, True)
    columns = "transaction_id=Id,reference=Ref,transaction_type=Kind,amount=Sum,currency=Cur,outcome=Result"
    given = ("--columns", columns, "--constants", f"merchant_id={PARTNER_MERCHANT}", "--delimiter", ";")
    assert export(*given).code == 1
    assert export(*given, "--types", "Sale=CAPTURE", "--outcomes", "Ok=DONE", "--apply").code == 0
    assert shop.state(payment) == "CAPTURED"


def test_what_the_twin_charged_without_an_answer_is_found_in_its_ledger(
    mintmark: Command, shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paid, grant = shop.in_doubt()
    nothing, _ = shop.in_doubt()
    folder = tmp_path / "twins"
    folder.mkdir()
    with merchant_of(folder) as merchant:
        url = merchant.client.base_url
        monkeypatch.setenv("MINTMARK_SANDBOX_ADDRESS", f"{url.host}:{url.port}")
        charged = merchant.paid("1000", grant.submission.reference)["transaction_details"]["id"]
        ledger = mintmark("sandbox", "payment-options", "ledger", "--csv").out
    file = tmp_path / "ledger.csv"
    file.write_text(ledger)
    assert mintmark("payments", "reconcile", str(file), "--account", shop.account, "--apply").code == 0
    assert shop.get(paid).operations[0].partner_transaction_id == charged
    assert (shop.state(paid), shop.state(nothing)) == ("CAPTURED", "IN_DOUBT")
