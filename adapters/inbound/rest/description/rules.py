"""The rules of buf.validate as JSON Schema, so that callers know them before the core enforces them."""

from typing import Any

from buf.validate import validate_pb2
from google.protobuf.descriptor import FieldDescriptor

UUID = "^[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}$"

Schema = dict[str, Any]


def of(field: FieldDescriptor) -> validate_pb2.FieldRules:
    """The rules of a field."""
    found: validate_pb2.FieldRules = field.GetOptions().Extensions[validate_pb2.field]
    return found


def of_value(rules: validate_pb2.FieldRules) -> Schema:
    """What the rules say about one value."""
    match rules.WhichOneof("type"):
        case "string":
            return _string(rules.string)
        case "int32":
            return _bounds(rules.int32)
        case "int64":
            return _bounds(rules.int64)
        case _:
            return {}


def of_list(rules: validate_pb2.FieldRules) -> Schema:
    """What the rules say about a list, besides its items."""
    found: Schema = {}
    said = rules.repeated
    if said.min_items:
        found["minItems"] = said.min_items
    if said.HasField("max_items"):
        found["maxItems"] = said.max_items
    if said.unique:
        found["uniqueItems"] = True
    return found


def excluded(rules: validate_pb2.FieldRules) -> set[int]:
    """The numbers of an enum that a field must not have."""
    return set(rules.enum.not_in)


def _string(said: validate_pb2.StringRules) -> Schema:
    found: Schema = {}
    if said.min_len:
        found["minLength"] = said.min_len
    if said.HasField("max_len"):
        found["maxLength"] = said.max_len
    if said.HasField("len"):
        found |= {"minLength": said.len, "maxLength": said.len}
    if said.pattern:
        found["pattern"] = said.pattern
    if said.uuid:
        found |= {"format": "uuid", "pattern": UUID}
    values = list(getattr(said, "in"))
    if values:
        found["enum"] = values
    return found


def _bounds(said: "validate_pb2.Int32Rules | validate_pb2.Int64Rules") -> Schema:
    found: Schema = {}
    for rule, keyword in (
        ("gte", "minimum"),
        ("gt", "exclusiveMinimum"),
        ("lte", "maximum"),
        ("lt", "exclusiveMaximum"),
    ):
        if rule in (said.WhichOneof("greater_than"), said.WhichOneof("less_than")):
            found[keyword] = getattr(said, rule)
    return found
