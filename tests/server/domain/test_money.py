import csv
from decimal import Decimal
from xml.etree import ElementTree

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.domain.money import (
    EXPONENTS,
    LARGEST,
    LONGEST_DECIMAL,
    Money,
    MoneyInvalid,
    exponent,
    format_decimal,
    parse_decimal,
)
from tests.vectors import vector_file

CODES = st.sampled_from(sorted(EXPONENTS))
AMOUNTS = st.integers(-LARGEST - 1, LARGEST)


def list_one() -> dict[str, str]:
    """The codes of ISO's table of June 2024 and their minor units as printed."""
    document = ElementTree.parse(vector_file("iso/iso4217-table_a1-2024-06-25.xml"))  # noqa: S314  # a file of ours
    entries = ((entry.findtext("Ccy"), entry.findtext("CcyMnrUnts")) for entry in document.iter("CcyNtry"))
    return {code: unit for code, unit in entries if code and unit}


def current() -> tuple[dict[str, str], set[str]]:
    """The codes in use in February 2026 with their minor units as printed, and those withdrawn."""
    with vector_file("iso/iso4217-codes-all.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["AlphabeticCode"]]
    in_use = {row["AlphabeticCode"]: row["MinorUnit"] for row in rows if not row["WithdrawalDate"]}
    return in_use, {row["AlphabeticCode"] for row in rows} - in_use.keys()


def test_the_table_is_the_current_one() -> None:
    in_use, _ = current()
    assert dict(EXPONENTS) == {code: int(unit) for code, unit in in_use.items() if unit.isdigit()}


def test_the_table_differs_from_the_older_one_by_what_came_and_went() -> None:
    older = {code: int(unit) for code, unit in list_one().items() if unit.isdigit()}
    _, withdrawn = current()
    assert all(EXPONENTS[code] == unit for code, unit in older.items() if code not in withdrawn)
    assert EXPONENTS.keys() - older.keys() == {"XAD", "XCG"}


def test_codes_without_a_minor_unit_and_withdrawn_ones_are_refused() -> None:
    in_use, withdrawn = current()
    refused = {code for code, unit in in_use.items() if not unit.isdigit()} | (withdrawn - in_use.keys())
    assert {"XAU", "XXX", "XTS", "XDR", "DEM"} <= refused
    for code in refused:
        with pytest.raises(MoneyInvalid):
            Money(1, code)


@pytest.mark.parametrize("code", ["", "eur", "EU", "EURO", " EUR", "EUR\n", "XAU", "XXX", "ZZZ", "978"])
def test_other_texts_are_no_currency(code: str) -> None:
    for refused in (lambda: exponent(code), lambda: Money(1, code), lambda: parse_decimal("1", code)):
        with pytest.raises(MoneyInvalid, match="currency_code"):
            refused()


@pytest.mark.parametrize("amount", [LARGEST + 1, -LARGEST - 2, True, 1.0, "1", None, Decimal(1)])
def test_an_amount_is_a_whole_number_of_64_bits(amount: object) -> None:
    with pytest.raises(MoneyInvalid, match="minor_amount"):
        Money(amount, "EUR")  # type: ignore[arg-type]  # what a careless caller may pass


EXACT = [
    ("12.50", "EUR", 1250),
    ("0.01", "EUR", 1),
    ("-0.01", "EUR", -1),
    ("0.00", "EUR", 0),
    ("1250", "JPY", 1250),
    ("0", "JPY", 0),
    ("0.005", "KWD", 5),
    ("1.0000", "CLF", 10_000),
    ("92233720368547758.07", "EUR", LARGEST),
    ("-92233720368547758.08", "EUR", -LARGEST - 1),
]


@pytest.mark.parametrize(("text", "code", "minor"), EXACT)
def test_decimals_are_exact_both_ways(text: str, code: str, minor: int) -> None:
    assert parse_decimal(text, code) == Money(minor, code)
    assert format_decimal(Money(minor, code)) == text


@pytest.mark.parametrize(
    ("text", "code", "minor"),
    [
        ("12", "EUR", 1200),
        ("12.5", "EUR", 1250),
        ("12.5000", "EUR", 1250),
        ("007", "EUR", 700),
        ("5.0", "JPY", 5),
        ("-0", "EUR", 0),
    ],
)
def test_other_writings_of_the_same_amount_are_read(text: str, code: str, minor: int) -> None:
    assert parse_decimal(text, code) == Money(minor, code)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            ".",
            "-",
            "1.",
            ".5",
            "+1",
            "--1",
            "1e2",
            "1E2",
            "0x1",
            "1_000",
            "1,5",
            "1,000.00",
            "1 000",
            " 1",
            "1 ",
        ),
        *(
            "1\n",
            "NaN",
            "Infinity",
            "1.005",
            "0.001",
            "1.0001",
            "1.2.3",
            "\u0663",
            "\uff11",
            "\u22121",
            "1\0",
            "EUR 1",
            "\ud800",
        ),
        *("92233720368547758.08", "-92233720368547758.09", "9" * 30, "0" * (LONGEST_DECIMAL + 1), "1" * 1_000_000),
    ],
)
def test_anything_else_is_no_amount_in_euro(text: str) -> None:
    with pytest.raises(MoneyInvalid):
        parse_decimal(text, "EUR")


@given(minor=AMOUNTS, code=CODES)
def test_every_amount_survives_its_text(minor: int, code: str) -> None:
    money = Money(minor, code)
    text = format_decimal(money)
    assert parse_decimal(text, code) == money
    assert Decimal(text) == Decimal(minor).scaleb(-exponent(code))


@given(text=st.text("0123456789.-", max_size=34) | st.text(max_size=10), code=CODES)
def test_a_text_is_read_exactly_or_refused(text: str, code: str) -> None:
    try:
        money = parse_decimal(text, code)
    except MoneyInvalid:
        return
    assert Decimal(money.minor_amount) == Decimal(text).scaleb(exponent(code))
