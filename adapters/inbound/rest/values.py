"""Single values: from JSON or a query's text to what a protobuf field holds."""

import base64
import binascii
import re
from decimal import Decimal, InvalidOperation
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from adapters.inbound.json import Number
from adapters.inbound.rest.schema import FIELD_MASK, enum_of, enum_prefix

MOST_DIGITS = 19
_INTEGER = re.compile(r"-?[0-9]{1,19}")
_CAMEL = re.compile(r"[A-Z]")
_MASK = re.compile(r"[A-Za-z0-9_.]+(,[A-Za-z0-9_.]+)*")
_RANGES = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_UINT32: (0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: (0, 2**64 - 1),
}
# What a request's field may hold; the others are not in use, and a float never is.
SUPPORTED = frozenset(
    {
        *_RANGES,
        FieldDescriptor.TYPE_STRING,
        FieldDescriptor.TYPE_BOOL,
        FieldDescriptor.TYPE_BYTES,
        FieldDescriptor.TYPE_ENUM,
        FieldDescriptor.TYPE_MESSAGE,
    }
)


class Wrong(ValueError):
    """The value does not fit the field. The text says what would."""


def scalar(field: FieldDescriptor, value: object) -> Any:
    """A JSON value as the field holds it. Raises Wrong."""
    if field.type in _RANGES:
        return _integer(field, value)
    match field.type:
        case FieldDescriptor.TYPE_STRING:
            if isinstance(value, str):
                return value
            raise Wrong("must be a string")
        case FieldDescriptor.TYPE_BOOL:
            if isinstance(value, bool):
                return value
            raise Wrong("must be true or false")
        case FieldDescriptor.TYPE_BYTES:
            return _bytes(value)
        case FieldDescriptor.TYPE_ENUM:
            return _enum(field, value)
    raise TypeError(field.full_name)


def of_text(field: FieldDescriptor, text: str) -> Any:
    """A query's text as the field holds it. Raises Wrong."""
    if field.type == FieldDescriptor.TYPE_BOOL:
        return scalar(field, {"true": True, "false": False}.get(text))
    if field.type == FieldDescriptor.TYPE_ENUM and text.isdigit():
        return scalar(field, Number(text))
    return scalar(field, text)


def fill(message: Message, text: object) -> None:
    """Fills a message that is text in JSON: a time, a duration, a field mask. Raises Wrong."""
    filled: Any = message
    what = message.DESCRIPTOR.name
    if not isinstance(text, str):
        raise Wrong(f"must be a {what} as text")
    if message.DESCRIPTOR.full_name == FIELD_MASK:
        if text and not _MASK.fullmatch(text):
            raise Wrong("must be names of fields with commas between them")
        filled.paths.extend(_CAMEL.sub(lambda found: f"_{found[0].lower()}", path) for path in text.split(",") if path)
        return
    example = "2026-01-31T12:00:00Z" if what == "Timestamp" else "1.5s"
    try:
        filled.FromJsonString(text)
    except (ValueError, OverflowError):
        raise Wrong(f"must be a {what} such as {example}") from None


def _integer(field: FieldDescriptor, value: object) -> int:
    lowest, highest = _RANGES[field.type]
    text = value.text if isinstance(value, Number) else value
    if not isinstance(text, str):
        raise Wrong("must be an integer")
    number = int(text) if _INTEGER.fullmatch(text) else _integral(text) if isinstance(value, Number) else None
    if number is None:
        raise Wrong("must be an integer")
    if not lowest <= number <= highest:
        raise Wrong(f"must be from {lowest} to {highest}")
    return number


def _integral(text: str) -> int | None:
    """A number with a fraction or an exponent, where it is an integer none the less."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    if number.adjusted() > MOST_DIGITS or number != number.to_integral_value():
        return None
    return int(number)


def _bytes(value: object) -> bytes:
    try:
        if isinstance(value, str):
            return base64.b64decode(value.replace("-", "+").replace("_", "/") + "=" * (-len(value) % 4), validate=True)
    except (binascii.Error, ValueError):
        pass
    raise Wrong("must be base64")


def _enum(field: FieldDescriptor, value: object) -> int:
    enum = enum_of(field)
    if isinstance(value, Number) and value.text.isdigit() and len(value.text) < MOST_DIGITS:
        found = enum.values_by_number.get(int(value.text))
    elif isinstance(value, str):
        found = enum.values_by_name.get(value) or enum.values_by_name.get(enum_prefix(field) + value)
    else:
        found = None
    if found is None:
        raise Wrong(f"must be the name of a {enum.name}, with or without {enum_prefix(field)}")
    number: int = found.number
    return number
