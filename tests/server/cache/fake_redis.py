"""A Redis that does not do what it is asked, on a unix socket of its own, or with TLS on a port of this machine."""

import shutil
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import hiredis

RUN_ID = b"f" * 40
Answer = Callable[[list[bytes]], bytes]


def bulk(value: bytes) -> bytes:
    return b"$%d\r\n%s\r\n" % (len(value), value)


class FakeRedis:
    """Greets as it should, and gives to every other command what `answer` makes of it: bytes as they go to the wire.

    `seen` are the commands, `seconds` is how long each byte of an answer takes.
    """

    def __init__(
        self, answer: Answer, *, greets: bool = True, seconds: float = 0.0, tls: ssl.SSLContext | None = None
    ) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="mm-fake-"))
        self.url = f"unix://{self.folder}/redis.sock"
        self.seen: list[list[bytes]] = []
        self.connections = 0
        self._answer = answer
        self._greets = greets
        self._seconds = seconds
        self._closing = threading.Event()
        self._open: list[socket.socket] = []
        self._tls = tls
        if tls:
            self._server = socket.create_server(("127.0.0.1", 0))
            self.url = f"rediss://127.0.0.1:{self._server.getsockname()[1]}"
        else:
            self._server = socket.socket(socket.AF_UNIX)
            self._server.bind(f"{self.folder}/redis.sock")
            self._server.listen(64)
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def remove(self) -> None:
        self._closing.set()
        for each in (self._server, *self._open):
            try:
                each.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
            finally:
                each.close()
        for thread in self._threads:
            thread.join(5)
        shutil.rmtree(self.folder)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = self._server.accept()
            except OSError:
                return
            self.connections += 1
            self._open.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        reader = hiredis.Reader()
        try:
            if self._tls:
                connection = self._tls.wrap_socket(connection, server_side=True)
                self._open.append(connection)
            while chunk := connection.recv(65536):
                reader.feed(chunk)
                while (command := reader.gets()) is not False:
                    self.seen.append(command)
                    self._send(connection, command)
        except (OSError, hiredis.HiredisError):
            return

    def _send(self, connection: socket.socket, command: list[bytes]) -> None:
        if command[0] == b"INFO" and self._greets:
            connection.sendall(bulk(b"# Server\r\nrun_id:" + RUN_ID + b"\r\n"))
            return
        answer = self._answer(command)
        if not self._seconds:
            connection.sendall(answer)
            return
        for place in range(len(answer)):
            if self._closing.wait(self._seconds):
                return
            connection.sendall(answer[place : place + 1])


def believable(command: list[bytes], held: bytes = b"") -> bytes:
    """What says that everything went well, and for a look at a slot that `held` is in it."""
    if command[0] == b"SET" and b"GET" in command:
        return bulk(held) if held else b"$-1\r\n"
    if command[0] == b"EVAL":
        return b":%s\r\n" % command[2]
    return b"+OK\r\n"


def slow(command: list[bytes]) -> bytes:
    """The right answer after longer than anybody waits."""
    time.sleep(0.3)
    return believable(command)
