"""Texts in partners' JSON, as they came: numbers as their text, words for true and false."""

from collections.abc import Mapping
from typing import Any

from adapters import json

_WORDS = {True: "true", False: "false", None: ""}


class Odd(ValueError):
    """A value that cannot be told as the text that it must be."""


def at(document: Mapping[str, Any], path: str) -> Any:
    """The value at a dotted path, None where there is none. Raises Odd where a block is no block."""
    inner: Any = document
    for name in path.split("."):
        if inner is None:
            return None
        if not isinstance(inner, dict):
            raise Odd
        inner = inner.get(name)
    return inner


def text_of(value: object, longest: int) -> str:
    """Raises Odd for what is no text, or more than there is room for: cut short it could look like something else."""
    if isinstance(value, json.Number):
        text = value.text
    elif isinstance(value, str):
        text = json.storable(value)
    elif value is None or isinstance(value, bool):
        text = _WORDS[value]
    else:
        raise Odd
    if len(text) > longest:
        raise Odd
    return text


def first(document: Mapping[str, Any], places: tuple[str, ...], longest: int) -> str:
    """The first text that is at one of the places; empty where none is. Raises Odd."""
    texts = (text_of(at(document, place), longest) for place in places)
    return next((text for text in texts if text), "")
