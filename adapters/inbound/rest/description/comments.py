"""What the protos say of their services, methods, messages, fields and values, in the words of their comments."""

import importlib.resources
import json
from functools import cache

from adapters.inbound.rest.schema import PACKAGE


@cache
def comments() -> dict[str, str]:
    """Comments by the full name of what they are about, such as `mintmark.v1.Token.name`."""
    text = importlib.resources.files(PACKAGE).joinpath("comments.json").read_text("utf-8")
    found: dict[str, str] = json.loads(text)
    return found


def of(full_name: str) -> str:
    """The comment; empty where there is none."""
    return comments().get(full_name, "")


def of_value(enum: str, value: str) -> str:
    """The comment of an enum's value."""
    return of(f"{enum}.{value}")
