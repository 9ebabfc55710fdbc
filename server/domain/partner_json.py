"""JSON that a partner has encrypted for us, which no adapter could read and cut before us: read leniently, without card
numbers.

Numbers stay texts of any length, card numbers lose all but their first six and last four digits, keys that are there
twice have their last value. What was odd is told, not refused.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from server.domain import card_numbers
from server.domain.notifications import NotificationFlag

DEPTH = 32
_BOM = b"\xef\xbb\xbf"
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_DIGIT_ESCAPE = re.compile(r"\\u003([0-9])")
# So many digits a card number has.
_CARD_DIGITS = range(13, 20)


class Unreadable(ValueError):
    """No JSON object. The text says what is wrong and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number of any length, as its text."""

    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object without card numbers, and what was odd about it. Strings are as they came: see `storable`."""

    fields: dict[str, Any]
    flags: tuple[NotificationFlag, ...] = ()


def read(body: bytes) -> Document:
    """Raises Unreadable for anything but a JSON object in UTF-8 of bounded depth."""
    return without_cards(*parse(body))


def without_cards(fields: dict[str, Any], duplicate: bool) -> Document:
    """What was parsed, without card numbers."""
    cut_some: list[bool] = []
    without = _cut(fields, cut_some)
    odd = _odd(fields)
    flags = {
        NotificationFlag.DUPLICATE_KEY: duplicate,
        NotificationFlag.NUL: "\0" in odd,
        NotificationFlag.LONE_SURROGATE: bool(odd - {"\0"}),
        NotificationFlag.CARD_NUMBER_CUT: bool(cut_some),
    }
    return Document(without, tuple(flag for flag, so in flags.items() if so))


def parse(body: bytes) -> tuple[dict[str, Any], bool]:
    """The object as it came, and whether a key was there twice. Raises Unreadable."""
    try:
        text = body.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("not UTF-8") from None
    if text.count("{") + text.count("[") > DEPTH and _too_deep(text):
        raise Unreadable(f"nested deeper than {DEPTH}")
    duplicates: list[bool] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) != len(items):
            duplicates.append(True)
        return made

    try:
        value = json.loads(
            text, object_pairs_hook=pairs, parse_int=Number, parse_float=Number, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError):
        raise Unreadable("not JSON") from None
    if not isinstance(value, dict):
        raise Unreadable("not a JSON object")
    return value, bool(duplicates)


def encode(fields: dict[str, Any]) -> bytes:
    """The object as JSON in UTF-8: the order of the keys kept, numbers as they were written."""
    return _encoded(fields, sort_keys=False)


def canonical(fields: dict[str, Any]) -> bytes:
    """The same for every spelling of the same content: keys sorted, no white space."""
    return _encoded(fields, sort_keys=True)


def without_card_numbers(body: bytes) -> bytes:
    """What could not be read, as text that may be kept: card numbers are cut, also where a digit is an escape or NULs
    stand between them."""
    bare = _DIGIT_ESCAPE.sub(r"\1", body.decode("utf-8", "replace").replace("\0", ""))
    chosen = bare if card_numbers.holds_one(bare) else body.decode("utf-8", "backslashreplace")
    return storable(card_numbers.cut(chosen)).encode("utf-8")


def storable(text: str) -> str:
    """The text with U+0000 and lone surrogates written as the escapes that they came as."""
    if not _UNSTORABLE.search(text):
        return text
    return _UNSTORABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _refuse_constant(_text: str) -> None:
    raise ValueError


def _encoded(fields: dict[str, Any], *, sort_keys: bool) -> bytes:
    return _written(fields, sort_keys=sort_keys).encode("utf-8", "backslashreplace")


def _written(value: object, *, sort_keys: bool) -> str:
    """`json` knows no numbers of any length."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        items = sorted(value.items()) if sort_keys else value.items()
        inner = ",".join(f"{_text(key)}:{_written(each, sort_keys=sort_keys)}" for key, each in items)
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{','.join(_written(each, sort_keys=sort_keys) for each in value)}]"
    return _text(value)


def _text(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _too_deep(text: str) -> bool:
    depth = 0
    for token in _STRUCTURE.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > DEPTH:
                return True
        elif token[0] in "]}":
            depth -= 1
    return False


def _cut(value: Any, cut_some: list[bool]) -> Any:
    """The value without card numbers, in keys too; a number that is one becomes a text."""

    def cut_text(text: str) -> str:
        without = card_numbers.cut(text)
        if without != text:
            cut_some.append(True)
        return without

    return _mapped(value, cut_text)


def _mapped(value: Any, cut_text: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return cut_text(value)
    if isinstance(value, Number):
        whole = _whole(value.text)
        without = cut_text(whole) if whole else ""
        return value if without == whole else without
    if isinstance(value, dict):
        return {cut_text(key): _mapped(each, cut_text) for key, each in value.items()}
    if isinstance(value, list):
        return [_mapped(each, cut_text) for each in value]
    return value


def _whole(text: str) -> str:
    """The digits of a number that is whole and as long as a card number, however it is written; else nothing."""
    if len(text) > 64:
        return ""
    try:
        number = abs(Decimal(text))
    except InvalidOperation:
        return ""
    fits = number.adjusted() + 1 in _CARD_DIGITS and number == number.to_integral_value()
    return f"{number:.0f}" if fits else ""


def _odd(value: Any) -> set[str]:
    """The characters in any text of the value that not every database holds."""
    found: set[str] = set()

    def note(text: str) -> str:
        found.update(_UNSTORABLE.findall(text))
        return text

    _mapped(value, note)
    return found
