"""Messages from what people write in files: field names in either protobuf spelling, enum values as their words."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from adapters.cli.refusals import Refused
from adapters.cli.words import enum_number

if TYPE_CHECKING:
    from google.protobuf.message import Message

M = TypeVar("M", bound="Message")
# As YAML writes them.
TRUE, FALSE = frozenset({"true", "yes", "on"}), frozenset({"false", "no", "off"})


class Wrong(Exception):
    """One entry is wrong: `field` and why."""

    def __init__(self, field: str, description: str) -> None:
        super().__init__(f"{field}: {description}" if field else description)
        self.field = field
        self.description = description


def message_of(kind: type[M], document: Mapping[str, Any]) -> tuple[M | None, list[Wrong]]:
    """The message that `document` describes, or everything that is wrong with it."""
    message = kind()
    wrongs: list[Wrong] = []
    for key, value in document.items():
        _set(message, key, value, "", wrongs)
    return (None if wrongs else message), wrongs


def _set(message: Any, key: Any, value: Any, path: str, wrongs: list[Wrong]) -> None:
    at = f"{path}{key}"
    field = _field(message, key)
    if field is None:
        known = ", ".join(known.name for known in message.DESCRIPTOR.fields)
        wrongs.append(Wrong(at, f"there is no such field; known are {known}"))
    elif value is None:
        return
    elif field.is_repeated and field.type == field.TYPE_MESSAGE:
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            wrongs.append(Wrong(at, "must be a list of entries with fields of their own"))
            return
        for place, item in enumerate(value):
            each = getattr(message, field.name).add()
            for name, inner_value in item.items():
                _set(each, name, inner_value, f"{at}[{place}].", wrongs)
    elif field.is_repeated:
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            wrongs.append(Wrong(at, "must be a list of texts (put quotes around numbers)"))
        else:
            getattr(message, field.name).extend(value)
    elif field.type == field.TYPE_ENUM:
        try:
            setattr(message, field.name, enum_number(field.enum_type, str(value), ""))
        except Refused as refused:
            wrongs.append(Wrong(at, refused.text.removeprefix(": ")))
    elif field.type == field.TYPE_MESSAGE:
        if field.message_type.full_name == "google.protobuf.Timestamp":
            return  # an output field, as `list` shows it: ignored
        if not isinstance(value, Mapping):
            wrongs.append(Wrong(at, "must hold fields of its own"))
            return
        inner = getattr(message, field.name)
        inner.SetInParent()
        for name, item in value.items():
            _set(inner, name, item, f"{at}.", wrongs)
    elif field.type == field.TYPE_BOOL:
        if str(value).lower() in TRUE | FALSE:
            setattr(message, field.name, str(value).lower() in TRUE)
        else:
            wrongs.append(Wrong(at, "must be true or false"))
    elif field.type in (field.TYPE_INT32, field.TYPE_INT64):
        _set_number(message, field, value, at, wrongs)
    elif not isinstance(value, str):
        wrongs.append(Wrong(at, "must be a text (put quotes around numbers)"))
    else:
        setattr(message, field.name, value)


def _set_number(message: Any, field: Any, value: Any, at: str, wrongs: list[Wrong]) -> None:
    """A whole number, as JSON has it or as its text."""
    try:
        setattr(message, field.name, int(value) if isinstance(value, str) else value)
    except (TypeError, ValueError):
        wrongs.append(Wrong(at, "must be a whole number"))


def _field(message: Any, key: Any) -> Any:
    for field in message.DESCRIPTOR.fields:
        if key in (field.name, field.json_name):
            return field
    return None
