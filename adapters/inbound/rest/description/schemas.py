"""Messages and enums as the JSON Schemas of the document's components."""

import re
from collections.abc import Iterable
from typing import Any

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor

from adapters.inbound.rest.description import comments, rules
from adapters.inbound.rest.description.rules import Schema
from adapters.inbound.rest.schema import DURATION, FIELD_MASK, TIMESTAMP, enum_of, is_map, is_message, message_of, named

# Strings of the canonical JSON form. A duration of a request has at most as many digits as its rule needs.
TEXTS: dict[str, Schema] = {
    TIMESTAMP: {"type": "string", "format": "date-time"},
    DURATION: {"type": "string", "pattern": r"^[0-9]{1,8}(\.[0-9]{1,9})?s$", "examples": ["30s"]},
    FIELD_MASK: {
        "type": "string",
        "pattern": r"^[A-Za-z0-9_.]+(,[A-Za-z0-9_.]+)*$",
        "examples": ["displayName,scopes"],
    },
}
INTEGERS = {FieldDescriptor.TYPE_INT32: "int32", FieldDescriptor.TYPE_UINT32: "uint32"}
LONG = {FieldDescriptor.TYPE_INT64: "int64", FieldDescriptor.TYPE_UINT64: "uint64"}


class Schemas:
    """The components in the making: what a reference needs is added with it.

    Messages that come in know no other fields than their own; of those that only go out, every field is always there
    unless it can be absent.
    """

    def __init__(self, coming_in: Iterable[Descriptor]) -> None:
        self.made: dict[str, Schema] = {}
        self._incoming: set[str] = set()
        for message in coming_in:
            self._reach(message)

    def body(self, message: Descriptor, without: frozenset[str]) -> Schema:
        """A request's body, without the fields that come from elsewhere."""
        fields = [field for field in message.fields if field.name not in without]
        found: Schema = {"type": "object", "additionalProperties": False}
        if fields:
            found["properties"] = {field.camelcase_name: self.field(field) for field in fields}
        required = [field.camelcase_name for field in fields if self._required(field)]
        if required:
            found["required"] = required
        return found

    def reference(self, message: Descriptor) -> Schema:
        """A reference to a message's schema."""
        if message.name not in self.made:
            self.made[message.name] = {}
            self.made[message.name] = self._message(message)
        return {"$ref": f"#/components/schemas/{message.name}"}

    def field(self, field: FieldDescriptor) -> Schema:
        """The schema of a field, with its comment."""
        said = rules.of(field)
        if is_map(field):
            value = message_of(field).fields_by_name["value"]
            found: Schema = {"type": "object", "additionalProperties": self._value(value, rules.of(value))}
        elif field.is_repeated:
            found = {"type": "array", "items": self._value(field, said.repeated.items), **rules.of_list(said)}
        else:
            found = self._value(field, said)
        described = comments.of(field.full_name)
        return {**found, **({"description": described} if described else {})}

    def _message(self, message: Descriptor) -> Schema:
        found: Schema = {"type": "object"}
        if text := comments.of(message.full_name):
            found["description"] = text
        found["properties"] = {field.camelcase_name: self.field(field) for field in message.fields}
        incoming = message.full_name in self._incoming
        if incoming:
            found["additionalProperties"] = False
            required = [field.camelcase_name for field in message.fields if self._required(field)]
        else:
            required = [field.camelcase_name for field in message.fields if not field.has_presence]
        if required:
            found["required"] = required
        return found

    def _value(self, field: FieldDescriptor, said: Any) -> Schema:
        if is_message(field):
            return dict(TEXTS[named(field)]) if named(field) in TEXTS else self.reference(message_of(field))
        if field.type == FieldDescriptor.TYPE_ENUM:
            return self._enum(enum_of(field), rules.excluded(said))
        if field.type == FieldDescriptor.TYPE_BOOL:
            return {"type": "boolean"}
        if field.type in INTEGERS:
            return {"type": "integer", "format": INTEGERS[field.type], **rules.of_value(said)}
        if field.type in LONG:
            return {"type": "string", "format": LONG[field.type], "pattern": "^-?[0-9]{1,19}$"}
        if field.type == FieldDescriptor.TYPE_BYTES:
            return {"type": "string", "contentEncoding": "base64"}
        return {"type": "string", **rules.of_value(said)}

    def _enum(self, enum: EnumDescriptor, excluded: set[int]) -> Schema:
        if enum.name not in self.made:
            values = [value.name for value in enum.values]
            meanings = {value: comments.of_value(enum.full_name, value) for value in values}
            described = comments.of(enum.full_name)
            self.made[enum.name] = {
                "type": "string",
                "enum": values,
                "description": described,
                "x-enumDescriptions": meanings,
            }
        reference: Schema = {"$ref": f"#/components/schemas/{enum.name}"}
        if excluded:
            left_out = [value.name for value in enum.values if value.number in excluded]
            return {**reference, "not": {"enum": left_out}}
        return reference

    def _reach(self, message: Descriptor) -> None:
        """Notes everything that can be in a request."""
        if message.full_name not in self._incoming:
            self._incoming.add(message.full_name)
            for field in message.fields:
                if is_message(field) and named(field) not in TEXTS:
                    self._reach(message_of(field))

    @staticmethod
    def _required(field: FieldDescriptor) -> bool:
        """Whether a request without the field breaks its rules."""
        said = rules.of(field)
        if said.required or said.repeated.min_items or said.enum.not_in or said.string.min_len or said.string.uuid:
            return True
        pattern = said.string.pattern
        return bool(pattern) and not _matches_nothing(pattern)


def _matches_nothing(pattern: str) -> bool:
    return re.search(pattern, "") is not None
