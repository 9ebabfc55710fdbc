"""A query string as a message: `states=ACTIVE&states=CREATED&filter.merchantGatewayId=MGW_1&pageSize=10`."""

import re
from collections.abc import Collection
from urllib.parse import unquote_to_bytes

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message

from adapters.inbound.rest.bodies import TWICE, TYPE, UNKNOWN
from adapters.inbound.rest.schema import AS_TEXT, descriptor, find_field, is_map, is_message, named
from adapters.inbound.rest.values import Wrong, fill, of_text
from adapters.inbound.rest.violations import Violations

_ESCAPE_MALFORMED = re.compile(rb"%(?![0-9A-Fa-f]{2})")


def parse(query: bytes, violations: Violations) -> list[tuple[str, str]]:
    """Names and values in their order; what is not percent-encoded UTF-8 goes to the violations."""
    found = []
    for part in query.split(b"&"):
        if not part:
            continue
        name, _, value = part.partition(b"=")
        try:
            found.append((_text(name), _text(value)))
        except ValueError:
            shown = name[:64].decode("ascii", "replace")
            violations.add(shown, "is not percent-encoded UTF-8", TYPE)
    return found


def _text(raw: bytes) -> str:
    if _ESCAPE_MALFORMED.search(raw):
        raise ValueError
    return unquote_to_bytes(raw.replace(b"+", b" ")).decode("utf-8")


def read(
    message: Message, given: list[tuple[str, str]], violations: Violations, only: Collection[str] | None = None
) -> None:
    """Fills the message; with `only`, from these of its fields."""
    seen: set[str] = set()
    for name, text in given:
        path = _path(descriptor(message), name)
        if not path or (only is not None and path[0].name not in only):
            violations.add(name[:64], "there is no such parameter here", UNKNOWN)
            continue
        place = ".".join(field.name for field in path)
        if place in seen and not path[-1].is_repeated:
            violations.add(place, "is given more than once", TWICE)
            continue
        seen.add(place)
        try:
            _set(message, path, text)
        except Wrong as wrong:
            violations.add(place, str(wrong), TYPE)


def _path(message: Descriptor, name: str) -> list[FieldDescriptor]:
    """The fields that a dotted name leads through; none where it leads to nothing that text can fill."""
    path: list[FieldDescriptor] = []
    within: Descriptor | None = message
    for part in name.split("."):
        field = find_field(within, part) if within is not None else None
        if field is None or is_map(field):
            return []
        path.append(field)
        deeper = is_message(field) and not field.is_repeated and named(field) not in AS_TEXT
        within = field.message_type if deeper else None
    return [] if within is not None or (is_message(path[-1]) and path[-1].is_repeated) else path


def _set(message: Message, path: list[FieldDescriptor], text: str) -> None:
    *through, last = path
    for field in through:
        message = getattr(message, field.name)
    if is_message(last):
        child = getattr(message, last.name)
        child.SetInParent()
        fill(child, text)
    elif last.is_repeated:
        getattr(message, last.name).append(of_text(last, text))
    else:
        setattr(message, last.name, of_text(last, text))
