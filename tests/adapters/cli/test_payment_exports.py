"""Reading a partner's export: rows, or a refusal that names every wrong line; never a trace, never a card number."""

import itertools
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mintmark.v1 import payments_pb2 as pb

from adapters.cli.export_mappings import FIELDS, ExportMapping, mapping_of
from adapters.cli.payment_exports import read_export, rows_of
from adapters.cli.payment_reconciliations import BATCH, MOST, batches
from adapters.cli.refusals import REFUSED, USAGE, Refused
from tests.server.rpc.paying import transaction_id

HEADER = "transaction_id,reference,transaction_type,amount,currency,outcome,merchant_id,time"
GOOD = "t-1,r-1,CAPTURE,12.50,EUR,APPROVED,JP00000328,2026-11-25"
CARD = "4111111111111111"


def rows(*lines: str, mapping: ExportMapping | None = None, header: str = HEADER) -> list[pb.ExportRow]:
    return rows_of("\n".join((header, *lines)).encode(), mapping or ExportMapping())


def refusal(*lines: str, mapping: ExportMapping | None = None, header: str = HEADER) -> Refused:
    with pytest.raises(Refused) as caught:
        rows(*lines, mapping=mapping, header=header)
    return caught.value


def test_a_row() -> None:
    (row,) = rows(GOOD)
    assert row == pb.ExportRow(
        line=2,
        partner_transaction_id="t-1",
        reference="r-1",
        transaction_type="CAPTURE",
        amount="12.50",
        currency_code="EUR",
        outcome=pb.EXPORT_OUTCOME_DONE,
        outcome_text="APPROVED",
        partner_merchant_id="JP00000328",
        time_text="2026-11-25",
    )


def test_a_mark_at_the_beginning_quotes_and_empty_lines_are_no_trouble() -> None:
    content = f'\ufeff{HEADER}\r\n\r\n"t-1","r\n1",CAPTURE, 5 ,jpy,APPROVED,M,\r\n,,,,,,,\r\n{GOOD}\r\n'.encode()
    first, second = rows_of(content, ExportMapping())
    assert (first.line, first.reference, first.amount, first.currency_code) == (3, "r\n1", "5", "JPY")
    assert second.line == 6


def test_another_export_is_read_by_what_is_stated_of_it(tmp_path: Path) -> None:
    file = tmp_path / "mapping.toml"
    file.write_text(
        "[columns]\n"
        'transaction_id = "Txn"\nreference = "Merchant Ref"\ntransaction_type = "Type"\namount = "Amount"\n'
        'currency = "Cur"\noutcome = "Status"\nresponse_code = "Code"\n'
        '[constants]\nmerchant_id = "JP1"\n[types]\nSale = "CAPTURE"\n[outcomes]\nSettled = "DONE"\n'
    )
    export = tmp_path / "export.csv"
    export.write_bytes(
        "Cur;Note;Txn;Merchant Ref;Type;Amount;Status;Code;Fee\nJPY;支払;t;r;Sale;5;Settled;00;1".encode("cp932")
    )
    mapping = mapping_of(file, outcomes=["Refused=DECLINED"])
    assert mapping.outcomes == {"Settled": "DONE", "Refused": "DECLINED"}
    (row,) = read_export(export, mapping, ";", "cp932")
    assert (row.partner_merchant_id, row.response_code, row.transaction_type) == ("JP1", "00", "CAPTURE")
    assert (row.outcome, row.outcome_text) == (pb.EXPORT_OUTCOME_DONE, "Settled")
    assert "支払" not in str(row)


def test_what_is_not_stated_is_never_guessed() -> None:
    """Columns that are stated take the place of all the default ones, and so do words."""
    told = refusal(GOOD, mapping=mapping_of(None, columns=["reference=reference"]))
    assert "transaction_id, transaction_type, amount, currency, outcome, merchant_id" in told.text
    told = refusal("5,6", header="Txn,Ref")
    assert "there is no column for transaction_id (transaction_id)" in told.text
    assert "the columns are 'Txn', 'Ref'" in told.text
    assert "more than one column amount" in refusal(f"{GOOD},5", header=f"{HEADER},amount").text
    told = refusal(GOOD, mapping=mapping_of(None, outcomes=["Settled=DONE"]))
    assert [str(each.field) for each in told.violations] == ["line 2"]
    assert "'APPROVED'" in told.violations[0].description
    assert "Settled" in told.violations[0].description


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("t-1", "t/1"), "transaction_id"),
        (("t-1", ""), "transaction_id"),
        (("t-1", CARD), "transaction_id: holds a card number"),
        (("12.50", '"1,250.00"'), "amount"),
        (("12.50", "-12.50"), "amount"),
        (("12.50", "1e3"), "amount"),
        (("12.50", "١٢"), "amount"),
        (("EUR", "€"), "currency"),
        (("CAPTURE", "SALE"), "transaction_type"),
        (("APPROVED", "approved"), "outcome"),
        (("JP00000328", ""), "merchant_id"),
        (("r-1", "r\0"), "reference"),
        (("r-1", "r" * 129), "reference"),
        (("r-1,", ""), "columns"),
        (("t-1", '"t"1'), "not CSV"),
    ],
)
def test_every_wrong_line_is_named(change: tuple[str, str], told: str) -> None:
    wrong = GOOD.replace(*change, 1)
    refused = refusal(wrong, GOOD, wrong)
    named = [each.field for each in refused.violations]
    assert named == (["line 2"] if told == "not CSV" else ["line 2", "line 4"])
    assert told in refused.violations[0].description
    assert refused.code == REFUSED


def test_a_file_with_nothing_in_it_is_refused() -> None:
    for content in (b"", b"\n\n", HEADER.encode(), b"\xff\xfe\x00"):
        with pytest.raises(Refused):
            rows_of(content, ExportMapping())


def test_very_many_wrong_lines_are_counted() -> None:
    told = refusal(*(["x,,,,,,,"] * 100))
    assert len(told.violations) == 51
    assert told.violations[-1].field == "more"


def test_card_numbers_stay_here() -> None:
    spaced = "4111 1111 1111 1111"
    (row,) = rows(GOOD.replace("r-1", f"pay {CARD}").replace("2026-11-25", spaced).replace("JP00000328", CARD))
    assert (row.reference, row.time_text) == ("pay 411111******1111", "411111******1111")
    assert row.partner_merchant_id == "411111******1111"
    mapping = mapping_of(None, outcomes=[f"paid {CARD}=DONE"])
    (row,) = rows(GOOD.replace("APPROVED", f"paid {CARD}"), mapping=mapping)
    assert row.outcome_text == "paid 411111******1111"
    # Nor do they come back in what is told of wrong lines.
    for wrong in (GOOD.replace("12.50", CARD + "x").replace("CAPTURE", spaced), GOOD.replace("t-1", spaced)):
        assert re.search(r"4111 ?1111", str(refusal(wrong, GOOD.replace("APPROVED", CARD)))) is None
    assert CARD not in str(refusal(GOOD, header=f"{CARD},b"))


@pytest.mark.parametrize(
    ("text", "options"),
    [
        ("[columns]\nreference = 5", {}),
        ("[nonsense]\n", {}),
        ("columns = 1", {}),
        ("[columns", {}),
        ("[columns]\nref = 'x'", {}),
        ("[types]\nSale = 'SALE'", {}),
        ("[outcomes]\nOk = 'PAID'", {}),
        ("", {"columns": ["reference"]}),
        ("", {"columns": ["=x"]}),
        ("", {"columns": ["amount=A"], "constants": ["amount=5"]}),
    ],
)
def test_a_mapping_that_says_nothing_sensible_is_refused(
    tmp_path: Path, text: str, options: dict[str, list[str]]
) -> None:
    file = tmp_path / "mapping.toml"
    file.write_text(text)
    with pytest.raises(Refused):
        mapping_of(file, **options)


def test_what_cannot_be_read_is_a_wrong_use(tmp_path: Path) -> None:
    export = tmp_path / "export.csv"
    for use in (
        lambda: read_export(export, ExportMapping()),
        lambda: mapping_of(tmp_path / "none"),
        lambda: rows_of(b"a", ExportMapping(), ",,"),
        lambda: rows_of(b"a", ExportMapping(), ",", "no-such"),
        lambda: rows_of(b"a", ExportMapping(), ",", "hex"),
    ):
        with pytest.raises(Refused) as caught:
            use()
        assert caught.value.code == USAGE


CELLS = st.one_of(
    st.sampled_from(["t-1", "5", "EUR", "CAPTURE", "APPROVED", "M", CARD, '"', "\0", "\r", "12.5", ""]),
    st.text(max_size=20),
)
FILES = st.one_of(
    st.binary(max_size=300),
    st.lists(st.lists(CELLS, max_size=9).map(",".join), max_size=5).map(
        lambda lines: "\n".join([HEADER, *lines]).encode("utf-8", "replace")
    ),
)


@given(content=FILES, encoding=st.sampled_from(["utf-8-sig", "utf-16", "utf-7", "cp932", "latin-1"]))
def test_any_file_is_rows_or_a_clear_refusal(content: bytes, encoding: str) -> None:
    told, found = "", []
    try:
        found = rows_of(content, ExportMapping(), ",", encoding)
    except Refused as refused:
        told = str(refused)
    assert CARD not in told
    assert bool(found) != told.startswith("mintmark: ")
    for row in found:
        assert row.line > 1
        # It can travel, and holds no card number.
        assert pb.ExportRow.FromString(row.SerializeToString()) == row
        assert CARD not in str(row)


@given(references=st.lists(st.sampled_from([f"r-{number}" for number in range(8)]), max_size=900))
def test_rows_of_one_reference_travel_together(references: list[str]) -> None:
    made = [pb.ExportRow(line=line, reference=reference) for line, reference in enumerate(references, 2)]
    sent = list(batches(made))
    assert sorted(row.line for batch in sent for row in batch) == [row.line for row in made]
    assert all(0 < len(batch) <= MOST for batch in sent)
    if len(made) <= BATCH:
        assert len(sent) <= 1
    for one, next_one in itertools.pairwise(sent):
        assert one[-1].reference != next_one[0].reference


def test_a_reference_with_more_rows_than_a_call_takes_is_parted() -> None:
    made = [pb.ExportRow(line=line, reference="r", partner_transaction_id=transaction_id()) for line in range(2500)]
    assert [len(batch) for batch in batches(made)] == [1000, 1000, 500]


def test_every_field_has_its_place() -> None:
    header = ",".join(FIELDS)
    mapping = mapping_of(None, columns=[f"{name}={name}" for name in FIELDS])
    (row,) = rows("t,r,VOID,1,EUR,PENDING,m,-1,now", header=header, mapping=mapping)
    assert (row.response_code, row.time_text, row.outcome) == ("-1", "now", pb.EXPORT_OUTCOME_OPEN)
