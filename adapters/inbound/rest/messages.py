"""Protobuf messages as JSON: the canonical form, with fields that have their default value written too."""

import asyncio
import json
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

# What takes longer than notifications should wait for the event loop.
LARGE = 16 * 1024


def document(message: Message) -> dict[str, Any]:
    """The message as what JSON is made of. Only fields that can be absent are left out where they are."""
    return json_format.MessageToDict(message, always_print_fields_with_no_presence=True)


def text(message: Message) -> str:
    """The message as one line of JSON."""
    return json.dumps(document(message), separators=(",", ":"), ensure_ascii=False)


async def body(message: Message) -> bytes:
    """The message as a body; a large one is written beside the event loop."""
    if message.ByteSize() > LARGE:
        return (await asyncio.to_thread(text, message)).encode()
    return text(message).encode()
