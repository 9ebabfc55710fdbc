"""A partner's export as rows: all of it is read and checked before the first is sent, and card numbers are cut."""

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from adapters.cli.card_numbers import cut, cut_text
from adapters.cli.export_mappings import NEEDED, ExportMapping
from adapters.cli.refusals import Refused, Violation, usage

if TYPE_CHECKING:
    from mintmark.v1 import payments_pb2

# What is shown of a wrong cell, and of wrong lines.
LONGEST_SHOWN = 40
MOST_SHOWN = 50
_ID = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_AMOUNT = re.compile(r"[0-9]{1,19}(\.[0-9]{1,12})?", re.ASCII)
_CURRENCY = re.compile(r"[A-Z]{3}", re.ASCII)
_CODE = re.compile(r"(-?[0-9]{1,6})?", re.ASCII)
_UNFIT = re.compile("[\0\ud800-\udfff]")
_LENGTHS = {"reference": 128, "outcome": 128, "merchant_id": 128, "time": 64}

Cells = dict[str, str]


def read_export(
    file: Path, mapping: ExportMapping, delimiter: str = ",", encoding: str = "utf-8-sig"
) -> "list[payments_pb2.ExportRow]":
    """The rows of a CSV file with their line numbers. Raises Refused that names every wrong line."""
    try:
        content = file.read_bytes()
    except OSError as error:
        raise usage(f"cannot read {file}: {error}") from None
    return rows_of(content, mapping, delimiter, encoding)


def rows_of(
    content: bytes, mapping: ExportMapping, delimiter: str = ",", encoding: str = "utf-8-sig"
) -> "list[payments_pb2.ExportRow]":
    """The rows of CSV. Raises Refused that names every wrong line."""
    if len(delimiter) != 1 or delimiter in '\r\n"\0 ' or not delimiter.isascii():
        raise usage("--delimiter: one character such as , or ; or a tab")
    reader = csv.reader(io.StringIO(_text(content, encoding), newline=""), delimiter=delimiter, strict=True)
    wrong: list[Violation] = []
    places: dict[str, int] | None = None
    columns = 0
    rows = []
    try:
        for line, cells in _records(reader):
            if places is None:
                places, columns = _places(cells, mapping), len(cells)
            elif len(cells) != columns:
                wrong.append(Violation(f"line {line}", f"has {len(cells)} columns and the first line has {columns}"))
            else:
                named = {name: cells[place].strip() for name, place in places.items()} | mapping.constants
                problems = _problems(named, mapping)
                wrong += [Violation(f"line {line}", problem) for problem in problems]
                if not problems:
                    rows.append(_row(line, named, mapping))
    except csv.Error as error:
        wrong.append(Violation(f"line {reader.line_num}", f"from here on it is not CSV: {error}"))
    if places is None and not wrong:
        raise Refused("there is nothing in the file")
    if wrong:
        more = [Violation("more", f"{len(wrong) - MOST_SHOWN} wrong lines")] if len(wrong) > MOST_SHOWN else []
        shown = tuple(wrong[:MOST_SHOWN] + more)
        raise Refused("nothing was done: the file is not as it must be", violations=shown)
    if not rows:
        raise Refused("there are no rows in the file")
    return rows


def _text(content: bytes, encoding: str) -> str:
    try:
        return content.decode(encoding)
    except UnicodeError as error:
        at = f" at byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        raise Refused(
            f"the file is not text in {encoding}{at}", "name its encoding with --encoding, such as cp932 or latin-1"
        ) from None
    except (LookupError, ValueError):
        raise usage(f"--encoding: {encoding!r} is no encoding that is known here") from None


def _records(reader: Any) -> Iterator[tuple[int, list[str]]]:
    """Records that hold anything, each with the line that it begins on."""
    line = 1
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield line, cells
        line = reader.line_num + 1


def _places(header: list[str], mapping: ExportMapping) -> dict[str, int]:
    """Where each field's column is. Raises Refused that names the columns that there are."""
    there = [cell.strip() for cell in header]
    shown = f"the columns are {', '.join(_shown(name) for name in there)}"
    advice = "say which column is what with --columns or --mapping, such as --columns reference='Merchant Ref'"
    unsaid = [name for name in NEEDED if name not in mapping.columns and name not in mapping.constants]
    if unsaid:
        raise Refused(f"nothing says which column is {', '.join(unsaid)}; {shown}", advice)
    missing = [f"{name} ({column})" for name, column in mapping.columns.items() if column not in there]
    if missing:
        raise Refused(f"there is no column for {', '.join(missing)}; {shown}", advice)
    twice = sorted({column for column in mapping.columns.values() if there.count(column) > 1})
    if twice:
        raise Refused(f"there is more than one column {', '.join(twice)}", "rename one of them in the file")
    return {name: there.index(column) for name, column in mapping.columns.items()}


def _problems(cells: Cells, mapping: ExportMapping) -> list[str]:
    """What is wrong with a row."""
    checks = (
        ("transaction_id", _ID, "an id of letters, digits and dashes"),
        ("amount", _AMOUNT, "an amount such as 12.50, without sign and separators"),
        ("response_code", _CODE, "a response code"),
    )
    found = [
        f"{name}: {_shown(cells[name])} is not {what}"
        for name, pattern, what in checks
        if name in cells and not pattern.fullmatch(cells[name])
    ]
    if not _CURRENCY.fullmatch(cells["currency"].upper()):
        found.append(f"currency: {_shown(cells['currency'])} is not a code such as EUR")
    if cut(cells["transaction_id"]) != cells["transaction_id"]:
        found.append("transaction_id: holds a card number")
    if not cells["merchant_id"]:
        found.append("merchant_id: is empty")
    for name, words in (("transaction_type", mapping.types), ("outcome", mapping.outcomes)):
        if cells[name] not in words:
            known = ", ".join(words)
            found.append(f"{name}: nothing says what {_shown(cells[name])} stands for; known are {known}")
    for name, text in cells.items():
        if _UNFIT.search(text):
            found.append(f"{name}: holds a character that is none")
        if len(text) > _LENGTHS.get(name, len(text)):
            found.append(f"{name}: is longer than {_LENGTHS[name]} characters")
    return found


def _row(line: int, cells: Cells, mapping: ExportMapping) -> "payments_pb2.ExportRow":
    from mintmark.v1 import payments_pb2

    return payments_pb2.ExportRow(
        line=line,
        partner_transaction_id=cells["transaction_id"],
        reference=cut(cells["reference"]),
        transaction_type=mapping.types[cells["transaction_type"]],
        amount=cells["amount"],
        currency_code=cells["currency"].upper(),
        outcome=payments_pb2.ExportOutcome.Value(f"EXPORT_OUTCOME_{mapping.outcomes[cells['outcome']]}"),
        outcome_text=cut_text(cells["outcome"]),
        response_code=cells.get("response_code", ""),
        partner_merchant_id=cut(cells["merchant_id"]),
        time_text=cut_text(cells.get("time", "")),
    )


def _shown(text: str) -> str:
    """A cell as it may be shown: without card numbers, not for long, on one line."""
    without = cut_text(text)
    return repr(without if len(without) <= LONGEST_SHOWN else f"{without[:LONGEST_SHOWN]}...")
