"""What a shared cache holds of a view: when it was made, and its fields in their order, as JSON."""

import json
from collections.abc import Callable
from dataclasses import fields
from enum import StrEnum
from operator import attrgetter
from typing import Any, get_type_hints

from server.domain.bindings import Binding
from server.domain.tokens import Token
from server.ports import CachedKind

MICROS = 1_000_000
# How long an entry is believed. What honest changes drop is dropped at once; this bounds what a cache that lies by
# showing an old entry again can do.
LIFETIME_S = 60
ABSENT_LIFETIME_S = 5
# Two cores' ideas of the database's clock differ by less.
CLOCKS_DIFFER_S = 1


class EntryInvalid(Exception):
    """Too old, or not what this version writes."""


class Fields:
    """The fields of one dataclass."""

    def __init__(self, of: type[Token] | type[Binding]) -> None:
        hints = get_type_hints(of)
        names = [field.name for field in fields(of)]
        self._make: Callable[..., Any] = of
        self._values = attrgetter(*names)
        # With other fields, as in another version, an entry is not read.
        self._names = ",".join(names)
        self._enums: list[tuple[int, type[StrEnum]]] = [
            (place, hints[name])
            for place, name in enumerate(names)
            if isinstance(hints[name], type) and issubclass(hints[name], StrEnum)
        ]

    def write(self, view: Token | Binding | None, now: int) -> bytes:
        values = None if view is None else self._values(view)
        return json.dumps([now, self._names, values], separators=(",", ":")).encode()

    def read(self, entry: bytes, now: int) -> Any:
        """The view or None. Raises EntryInvalid."""
        made, names, values = json.loads(entry)
        lifetime = ABSENT_LIFETIME_S if values is None else LIFETIME_S
        if names != self._names or not -CLOCKS_DIFFER_S * MICROS <= now - made <= lifetime * MICROS:
            raise EntryInvalid
        if values is None:
            return None
        for place, enum in self._enums:
            values[place] = enum(values[place])
        return self._make(*values)


FIELDS = {CachedKind.TOKEN: Fields(Token), CachedKind.BINDING: Fields(Binding)}
