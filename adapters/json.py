"""The one JSON parser for everything that comes in (RFC 8259), and the canonical form that digests are made of."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_BOM = b"\xef\xbb\xbf"
_STRUCTURE = re.compile(r'"(?:[^"\\]|\\.)*+"?|[\[\]{}]', re.DOTALL)
_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")


class Unreadable(ValueError):
    """The body is not what it must be. The text says what is wrong and quotes nothing of it."""


@dataclass(frozen=True, slots=True)
class Number:
    """A JSON number of any length, as its text."""

    text: str


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object, and what was odd about it. Strings in `fields` are as they came: see `storable`."""

    fields: dict[str, Any]
    duplicate_key: bool = False
    nul: bool = False
    lone_surrogate: bool = False


def parse(body: bytes, depth_limit: int) -> Document:
    """Reads a body whose top level is an object. Raises Unreadable."""
    try:
        text = body.removeprefix(_BOM).decode("utf-8")
    except UnicodeDecodeError:
        raise Unreadable("the body is not UTF-8") from None
    if text.count("{") + text.count("[") > depth_limit and _deeper_than(text, depth_limit):
        raise Unreadable(f"the body is nested deeper than {depth_limit}")
    duplicates: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        made = dict(items)
        if len(made) != len(items):
            duplicates.append("")
        return made

    try:
        value = json.loads(
            text, object_pairs_hook=pairs, parse_int=Number, parse_float=Number, parse_constant=_refuse_constant
        )
    except (ValueError, RecursionError):
        raise Unreadable("the body is not JSON") from None
    if not isinstance(value, dict):
        raise Unreadable("the body is not a JSON object")
    # NUL and surrogates reach a string only by an escape.
    odd = {found for string in _strings(value) for found in _UNSTORABLE.findall(string)} if "\\u" in text else set()
    return Document(value, bool(duplicates), "\0" in odd, bool(odd - {"\0"}))


def digest(document: Document) -> bytes:
    """SHA-256 of the canonical form: keys sorted, no white space, numbers as they were written."""
    return value_digest(document.fields)


def value_digest(value: object) -> bytes:
    """The same of one parsed value."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), default=_tagged)
    return hashlib.sha256(canonical.encode("ascii")).digest()


def raw_digest(body: bytes) -> bytes:
    """SHA-256 of a body that has no canonical form."""
    return hashlib.sha256(body).digest()


def written(value: object) -> str:
    """A parsed value as compact JSON: numbers as they were written, what cannot be stored as escapes."""
    if isinstance(value, Number):
        return value.text
    if isinstance(value, dict):
        return "{" + ",".join(f"{written(name)}:{written(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(written, value)) + "]"
    return storable(json.dumps(value, ensure_ascii=False))


def holds(value: object, pattern: re.Pattern[str]) -> bool:
    """Whether the pattern is found in any string or key of a parsed value."""
    return any(pattern.search(each) for each in _strings(value))


def storable(text: str) -> str:
    """The text with U+0000 and lone surrogates written as the escapes that they came as."""
    if not _UNSTORABLE.search(text):
        return text
    return _UNSTORABLE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _refuse_constant(_text: str) -> None:
    raise ValueError


def _tagged(value: Number) -> str:
    return f"\0number {value.text}"


def _deeper_than(text: str, limit: int) -> bool:
    depth = 0
    for token in _STRUCTURE.finditer(text):
        if token[0] in "[{":
            depth += 1
            if depth > limit:
                return True
        elif token[0] in "]}":
            depth -= 1
    return False


def _strings(value: object) -> Iterator[str]:
    waiting: list[object] = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            waiting += (*each.keys(), *each.values())
        elif isinstance(each, list):
            waiting += each
