"""What people type: enum words, resource names, secrets from stdin, spans of time."""

import re
import sys
from typing import Any
from urllib.parse import quote

from adapters.cli.refusals import usage

_SPAN = re.compile(r"^([0-9]+)(s|m|h|d)?$")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


def enum_number(enum_type: Any, word: str, option: str) -> Any:
    """The number of an enum value from its whole name or the word that sets it apart, in any case: `active`,
    `TOKEN_STATE_ACTIVE`, `d1-ecom`. Raises Refused (usage) that lists the words."""
    prefix = enum_type.values_by_number[0].name.removesuffix("UNSPECIFIED")
    wanted = word.upper().replace("-", "_")
    for value in enum_type.values:
        if wanted in (value.name, value.name.removeprefix(prefix)):
            return value.number
    words = ", ".join(value.name.removeprefix(prefix) for value in enum_type.values if value.number)
    raise usage(f"{option}: {word!r} is none of {words}")


def enum_numbers(enum_type: Any, words: list[str] | None, option: str) -> list[Any]:
    """The same for an option that may be repeated."""
    return [enum_number(enum_type, word, option) for word in words or ()]


def segment(identifier: str) -> str:
    """An id as it stands in a resource name: percent-encoded outside `[A-Za-z0-9._~-]`."""
    return quote(identifier, safe="")


def resource_name(collection: str, text: str) -> str:
    """A name from a name or an id: `clients/a` and `a` are the same."""
    return text if text.startswith(f"{collection}/") else f"{collection}/{segment(text)}"


def parent(*levels: tuple[str, str | None]) -> str:
    """A list's parent from collections and ids; `-` stands for an id that is not given. Empty where none is."""
    given = [index for index, (_, identifier) in enumerate(levels) if identifier]
    if not given:
        return ""
    return "/".join(f"{name}/{segment(identifier) if identifier else '-'}" for name, identifier in levels)


def secret_from_stdin() -> str:
    """A secret that exists elsewhere: all of stdin without the line end. Raises Refused (usage) where it is empty."""
    text = sys.stdin.read().removesuffix("\n").removesuffix("\r")
    if not text:
        raise usage("--secret-stdin: stdin is empty; pipe the secret into the command")
    return text


def members(given: list[str] | None) -> dict[str, str | None]:
    """`NAME=VALUE` texts by name; NAME alone is None, which leaves a field out."""
    found: dict[str, str | None] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        found[name] = value if equals else None
    return found


def seconds(text: str, option: str) -> int:
    """A span of time such as `0`, `90s`, `30m`, `24h`, `7d` in seconds. Raises Refused (usage)."""
    match = _SPAN.match(text)
    if match is None:
        raise usage(f"{option}: {text!r} is not a span of time such as 90s, 30m, 24h or 7d")
    return int(match[1]) * _SECONDS[match[2] or "s"]
