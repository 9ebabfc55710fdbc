"""One connection to Redis whose every wait ends at a deadline, and which believes nothing of what it reads."""

import contextlib
import re
import select
import socket
import time
from collections.abc import Mapping
from typing import Any

import hiredis
from redis.backoff import NoBackoff
from redis.connection import Connection, parse_url
from redis.exceptions import RedisError
from redis.retry import Retry

# The longest answer that we read: a view is a few kB, and what is longer is not from us.
LARGEST_REPLY = 256 * 1024
CHUNK = 64 * 1024
# Texts, errors, numbers and nothing, as the protocol begins them.
PLAIN = (b"+", b"-", b":", b"$", b"_")
_NOTHING = object()


class RedisFault(Exception):
    """Redis did not answer in time, or with something that cannot be used. The text holds nothing that it sent."""


class Link:
    """A connection. `deadline` is on the monotonic clock and holds for everything that is asked until it is moved."""

    def __init__(self, connection: Any, deadline: float) -> None:
        self.deadline = deadline
        self.life = b""
        self.idle_since = 0.0
        self._connection = connection
        self._socket: socket.socket = connection._get_socket()
        self._reader = hiredis.Reader(notEnoughData=_NOTHING)

    def ask(self, *command: bytes | int) -> Any:
        """The answer to one command: bytes, an integer or None. Raises RedisFault."""
        try:
            reply = self._ask(command)
        except (OSError, hiredis.HiredisError) as error:
            raise RedisFault(type(error).__name__) from None
        if isinstance(reply, Exception):
            raise RedisFault("it refuses a command")
        return reply

    def _ask(self, command: tuple[Any, ...]) -> Any:
        self._socket.settimeout(self._left())
        self._socket.sendall(hiredis.pack_command(command))
        read = 0
        while (reply := self._reader.gets()) is _NOTHING:
            self._socket.settimeout(self._left())
            chunk = self._socket.recv(CHUNK)
            read += len(chunk)
            if not chunk or read > LARGEST_REPLY:
                raise RedisFault("it hung up" if not chunk else "its answer is too long")
            if read == len(chunk) and chunk[:1] not in PLAIN:
                # A list of a billion would be made before its first member has come.
                raise RedisFault("its answer is of a kind that nobody asked for")
            self._reader.feed(chunk)
        if self._reader.has_data():
            # Whatever follows would be taken for the next answer.
            raise RedisFault("it said more than it was asked")
        return reply

    def _left(self) -> float:
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left

    def quiet(self) -> bool:
        """Whether the other side has neither hung up nor said anything that nobody asked for."""
        try:
            return not select.select([self._socket], [], [], 0)[0]
        except (OSError, ValueError):
            return False

    def close(self) -> None:
        with contextlib.suppress(Exception):
            self._connection.disconnect()


class Redis:
    """Where Redis is and who we are there, from a URL. Raises ValueError for one that cannot be understood."""

    def __init__(self, url: str, step_seconds: float) -> None:
        """`step_seconds` bounds each step of connecting."""
        options: dict[str, Any] = dict(parse_url(url))  # type: ignore[no-untyped-call]
        self._made_by = options.pop("connection_class", Connection)
        self._login = tuple(str(options.pop(each, None) or "") for each in ("username", "password"))
        self._database = int(options.pop("db", 0) or 0)
        self._options: Mapping[str, Any] = {
            **options,
            "socket_timeout": step_seconds,
            "socket_connect_timeout": step_seconds,
            "retry": Retry(NoBackoff(), 0),
            # What to say first is said by us, within the deadline.
            "redis_connect_func": lambda _connection: None,
        }
        try:
            self._made_by(**self._options)
        except TypeError:
            raise ValueError("an option that nobody knows") from None

    def connect(self, seconds: float) -> Link:
        """A link that is ready. Raises RedisFault. Looking up the host's name may take longer than `seconds`."""
        connection = self._made_by(**self._options)
        try:
            connection.connect()
            link = Link(connection, time.monotonic() + seconds)
            self._greet(link)
        except RedisFault:
            connection.disconnect()
            raise
        except (OSError, RedisError) as error:
            connection.disconnect()
            raise RedisFault(type(error).__name__) from None
        return link

    def _greet(self, link: Link) -> None:
        username, password = self._login
        if password:
            link.ask(b"AUTH", *(each.encode() for each in (username, password) if each))
        if self._database:
            link.ask(b"SELECT", self._database)
        told = link.ask(b"INFO", b"server")
        life = re.search(rb"^run_id:(\w{1,64})\r?$", told, re.MULTILINE) if isinstance(told, bytes) else None
        if life is None:
            raise RedisFault("it does not say which one it is")
        link.life = life[1]
