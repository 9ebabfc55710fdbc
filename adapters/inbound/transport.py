"""The side of a connection that the server writes to."""

import asyncio
from collections.abc import Callable
from typing import Any


class LingeringTransport(asyncio.Transport):
    """Closes a connection so that the client can read the answer though it has not sent everything yet.

    A socket closed with unread bytes resets the connection, and the answer may be lost with it. So where `unread`
    says that more may come, closing only ends our half; `BoundedProtocol` throws away what comes until the end.
    """

    def __init__(self, transport: asyncio.Transport, unread: Callable[[], bool], linger: Callable[[], None]) -> None:
        super().__init__()
        self._transport = transport
        self._unread = unread
        self._linger = linger
        self._closing = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Sends."""
        self._transport.write(data)

    def pause_reading(self) -> None:
        """Lets the client wait."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Takes more from the client."""
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Facts about the connection."""
        return self._transport.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """Whether no answer can be written any more."""
        return self._closing or self._transport.is_closing()

    def close(self) -> None:
        """Closes, or begins to."""
        if self.is_closing():
            return
        self._closing = True
        if not self._unread():
            self._transport.close()
            return
        if self._transport.can_write_eof():
            self._transport.write_eof()
        self._transport.resume_reading()
        self._linger()

    def end(self) -> None:
        """Closes for good."""
        self._closing = True
        self._transport.close()

    def abort(self) -> None:
        """Closes at once; what has not been sent is lost."""
        self._closing = True
        self._transport.abort()
