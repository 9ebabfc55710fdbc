"""Files of our own keys: a JSON object with a list of keys, the current one first."""

from typing import Any

from adapters.jose.public_keys import KeyInvalid
from adapters.jose.strict import json_object

MOST_KEYS = 16
LONGEST_TEXT = 65_536


def listed(text: str, called: str, wanted: str) -> list[Any]:
    """The list under `keys`. Raises KeyInvalid, which says what it is called and what is wanted."""
    if len(text) > LONGEST_TEXT:
        raise KeyInvalid(f"the keys have more than {LONGEST_TEXT} characters: {wanted}")
    try:
        found = json_object(text).get("keys")
    except ValueError:
        raise KeyInvalid(f"the keys are not a JSON object with each name once: {wanted}") from None
    if not isinstance(found, list):
        raise KeyInvalid(f"the keys are no {called}: {wanted}")
    if not 0 < len(found) <= MOST_KEYS:
        raise KeyInvalid(f"there are {len(found)} keys: give 1 to {MOST_KEYS}")
    return found
