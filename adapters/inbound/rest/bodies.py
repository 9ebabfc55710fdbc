"""A JSON body as a message: strict about names, types and what is given twice."""

from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from adapters.inbound import json
from adapters.inbound.json import Number
from adapters.inbound.rest.schema import AS_TEXT, descriptor, find_field, is_map, is_message, message_of
from adapters.inbound.rest.values import MOST_DIGITS, Wrong, fill, scalar
from adapters.inbound.rest.violations import Violations

UNKNOWN, TYPE, TWICE = "rest.unknown", "rest.type", "rest.twice"


def parse(body: bytes, depth_limit: int) -> dict[str, Any]:
    """The body's JSON object. Raises json.Unreadable for what no client of ours may send."""
    document = json.parse(body, depth_limit)
    if document.duplicate_key:
        raise json.Unreadable("an object has a key twice")
    if document.nul:
        raise json.Unreadable("a string holds U+0000")
    if document.lone_surrogate:
        raise json.Unreadable("a string holds half of a surrogate pair")
    _check_numbers(document.fields)
    return document.fields


def _check_numbers(value: object) -> None:
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, Number) and sum(character.isdigit() for character in each.text) > MOST_DIGITS:
            raise json.Unreadable(f"a number has more than {MOST_DIGITS} digits")
        if isinstance(each, dict):
            waiting += each.values()
        elif isinstance(each, list):
            waiting += each


def read(message: Message, document: object, violations: Violations, path: str = "") -> None:
    """Fills the message. What is wrong goes to the violations, each with its path such as `tokens[3].token_id`."""
    if not isinstance(document, dict):
        violations.add(path, "must be an object", TYPE)
        return
    seen: dict[str, str] = {}
    for key, value in document.items():
        field = find_field(descriptor(message), key)
        if field is None:
            violations.add(f"{path}.{key[:64]}".removeprefix("."), "there is no such field", UNKNOWN)
            continue
        place = f"{path}.{field.name}".removeprefix(".")
        # Of a oneof only one member may be there, and a field only in one spelling.
        one_of = field.containing_oneof.name if field.containing_oneof else field.name
        if value is None:
            continue
        if one_of in seen:
            violations.add(place, f"{seen[one_of]} is given too", TWICE)
            continue
        seen[one_of] = field.name
        _set(message, field, value, violations, place)


def _set(message: Message, field: FieldDescriptor, value: object, violations: Violations, place: str) -> None:
    try:
        if is_map(field):
            _map(getattr(message, field.name), field, value)
        elif field.is_repeated:
            if not isinstance(value, list):
                raise Wrong("must be a list")
            _items(getattr(message, field.name), field, value, violations, place)
        elif is_message(field):
            child = getattr(message, field.name)
            child.SetInParent()
            _message(child, value, violations, place)
        else:
            setattr(message, field.name, scalar(field, value))
    except Wrong as wrong:
        violations.add(place, str(wrong), TYPE)


def _items(items: Any, field: FieldDescriptor, values: list[object], violations: Violations, place: str) -> None:
    for number, value in enumerate(values):
        try:
            if is_message(field):
                _message(items.add(), value, violations, f"{place}[{number}]")
            else:
                items.append(scalar(field, value))
        except Wrong as wrong:
            violations.add(f"{place}[{number}]", str(wrong), TYPE)


def _message(message: Message, value: object, violations: Violations, place: str) -> None:
    if message.DESCRIPTOR.full_name in AS_TEXT:
        fill(message, value)
    else:
        read(message, value, violations, place)


def _map(items: Any, field: FieldDescriptor, value: object) -> None:
    """Only maps of text: no request has another."""
    if not isinstance(value, dict):
        raise Wrong("must be an object")
    held = message_of(field).fields_by_name["value"]
    for key, each in value.items():
        items[key] = scalar(held, each)
