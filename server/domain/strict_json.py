"""JSON of others that is refused where it could be read in two ways."""

import json
from typing import Any


def json_object(text: str) -> dict[str, Any]:
    """The object. Raises ValueError for everything else, such as a name twice at any depth, or too deep."""
    try:
        found = json.loads(text, object_pairs_hook=_once)
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(found, dict):
        raise ValueError("not an object")
    return found


def _once(members: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(members)
    if len(made) != len(members):
        raise ValueError("a name twice")
    return made
