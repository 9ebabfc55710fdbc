"""Requests as they come: bytes, which may be no message at all."""

from collections.abc import Callable
from typing import Any

from google.protobuf.message import DecodeError, Message


class Unreadable:
    """What came in place of a message: not of this kind, or with a text that is not UTF-8."""


def reader(of: type[Message]) -> Callable[[bytes], Any]:
    """Reads messages of a kind. What is none is Unreadable, so that the call can be refused in the words of all others:
    from an error here gRPC makes INTERNAL, as if it were a fault of ours."""

    def read(content: bytes) -> Message | Unreadable:
        try:
            return of.FromString(content)
        except DecodeError:
            return Unreadable()

    return read
