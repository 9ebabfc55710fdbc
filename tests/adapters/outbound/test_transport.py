"""The transport against sockets that misbehave: what was sent, what was not, and how long anything takes."""

import asyncio
import contextlib
import inspect
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import httpcore
import httpx
import pytest

from adapters.outbound import transport as module
from adapters.outbound.outcomes import TROUBLES, Answered, NotSent, OutcomeUnknown, Result, TooLate, failed
from adapters.outbound.transport import Transport
from tests.flows.test_tls import Authority
from tests.waiting import paused

Answer = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"


class Partner:
    """Counts the connections and the requests that came, and answers as it is told."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.connections = 0
        self.heads: list[bytes] = []
        self.port = 0
        self._taking: list[asyncio.Task[None]] = []

    async def take(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._taking.append(task)
        self.connections += 1
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while True:
                    self.heads.append(await reader.readuntil(b"\r\n\r\n"))
                    await self._answer(reader, writer)
        finally:
            writer.close()
            with contextlib.suppress(ConnectionError, ssl.SSLError):
                await writer.wait_closed()

    async def close(self) -> None:
        for task in self._taking:
            task.cancel()
        await asyncio.gather(*self._taking, return_exceptions=True)


def saying(answer: bytes) -> Answer:
    async def say(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()

    return say


async def silent(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
    await reader.read()
    raise ConnectionError


@contextlib.asynccontextmanager
async def listening(answer: Answer) -> AsyncIterator[Partner]:
    partner = Partner(answer)
    server = await asyncio.start_server(partner.take, "127.0.0.1", 0)
    partner.port = server.sockets[0].getsockname()[1]
    try:
        yield partner
    finally:
        server.close()
        await partner.close()


async def called(
    transport: Transport, port: int, total: float = 20, send_by: float | None = None, scheme: str = "http"
) -> Result:
    url = f"{scheme}://127.0.0.1:{port}/x"
    return await transport.call("POST", url, {"authorization": "Basic x"}, b"", total=total, send_by=send_by)


def run(answer: Answer, total: float = 20, send_by: float | None = None) -> tuple[Result, Partner]:
    async def both() -> tuple[Result, Partner]:
        async with listening(answer) as partner, contextlib.aclosing(Transport(4)) as transport:
            return await called(transport, partner.port, total, send_by), partner

    return asyncio.run(both())


def test_an_answer_is_taken_whole() -> None:
    result, partner = run(saying(OK))
    assert result == Answered(200, b"{}")
    assert partner.heads[0].startswith(b"POST /x HTTP/1.1\r\n")


def test_a_connection_that_is_refused_has_sent_nothing() -> None:
    async def refused() -> Result:
        async with listening(silent) as partner:
            port = partner.port
        async with contextlib.aclosing(Transport(4)) as transport:
            return await called(transport, port)

    assert asyncio.run(refused()) == NotSent("connect")


def test_past_its_time_nothing_is_sent_though_there_is_a_connection() -> None:
    result, partner = run(saying(OK), send_by=time.monotonic())
    assert result == NotSent("too_late")
    assert partner.heads == []
    assert partner.connections == 1


def test_a_time_out_after_the_headers_is_unknown() -> None:
    result, partner = run(silent, total=0.3)
    assert result == OutcomeUnknown("timeout")
    assert len(partner.heads) == 1


@pytest.mark.parametrize(
    "answer",
    [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n{}", b"rubbish\r\n\r\n", b"HTTP/1.1 200 OK\r\nconte"],
    ids=["nothing", "half a body", "no HTTP", "half a head"],
)
def test_an_answer_that_breaks_off_is_unknown_and_nothing_is_repeated(answer: bytes) -> None:
    async def break_off(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(answer)
        await writer.drain()
        raise ConnectionError

    result, partner = run(break_off)
    assert isinstance(result, OutcomeUnknown)
    assert len(partner.heads) == 1


def test_a_drip_ends_with_the_total_time() -> None:
    async def drip(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n")
        while True:
            writer.write(b" ")
            await writer.drain()
            await paused(0.01)

    assert run(drip, total=0.5)[0] == OutcomeUnknown("timeout")


def test_of_a_body_no_more_than_a_part_is_read() -> None:
    huge = b"x" * (module.LONGEST_BODY + 1)
    result, _ = run(saying(b"HTTP/1.1 201 Created\r\ncontent-length: %d\r\n\r\n%b" % (len(huge), huge)))
    assert result == Answered(201, huge[:-1], whole=False)


def test_a_compressed_body_is_not_looked_into() -> None:
    result, _ = run(saying(b"HTTP/1.1 201 Created\r\ncontent-encoding: gzip\r\ncontent-length: 2\r\n\r\n{}"))
    assert result == Answered(201, b"", whole=False)


@pytest.mark.parametrize("status", [301, 302, 307, 308, 429, 503])
def test_redirects_and_requests_to_come_again_are_answers(status: int) -> None:
    head = b"HTTP/1.1 %d x\r\nlocation: http://127.0.0.1:9/\r\nretry-after: 7\r\nset-cookie: a=b\r\n" % status
    result, partner = run(saying(head + b"content-length: 0\r\n\r\n"))
    assert result == Answered(status, b"", retry_after=7.0)
    assert len(partner.heads) == 1


def test_a_certificate_that_nobody_vouches_for_is_not_taken(tmp_path: Path) -> None:
    pair = Authority(tmp_path, "nobody").issue("127.0.0.1")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)

    async def refused() -> tuple[Result, Partner]:
        partner = Partner(saying(OK))
        server = await asyncio.start_server(partner.take, "127.0.0.1", 0, ssl=context)
        async with contextlib.aclosing(Transport(4)) as transport:
            result = await called(transport, server.sockets[0].getsockname()[1], scheme="https")
        server.close()
        await partner.close()
        return result, partner

    result, partner = asyncio.run(refused())
    assert result == NotSent("connect")
    assert partner.heads == []


def test_connections_that_were_idle_for_long_are_not_used_again(monkeypatch: pytest.MonkeyPatch) -> None:
    async def idle(seconds: float) -> int:
        monkeypatch.setattr(module, "IDLE_S", seconds)
        async with listening(saying(OK)) as partner, contextlib.aclosing(Transport(4)) as transport:
            for _ in range(3):
                assert await called(transport, partner.port) == Answered(200, b"{}")
                await paused(0.01)
            return partner.connections

    assert module.IDLE_S < 2
    assert asyncio.run(idle(60)) == 1
    assert asyncio.run(idle(0.001)) == 3


def test_hurry_ends_calls_as_if_their_time_were_over() -> None:
    async def hurried() -> Result:
        async with listening(silent) as partner, contextlib.aclosing(Transport(4)) as transport:
            calling = asyncio.create_task(called(transport, partner.port))
            while not partner.heads:
                await asyncio.sleep(0)
            transport.hurry()
            return await calling

    assert asyncio.run(hurried()) == OutcomeUnknown("timeout")


def exceptions() -> list[type[Exception]]:
    found = []
    for library in (httpx, httpcore):
        for _, each in inspect.getmembers(library, inspect.isclass):
            if issubclass(each, Exception) and each.__module__.startswith(library.__name__):
                found.append(each)
    return found


def test_every_exception_of_the_http_libraries_has_a_word() -> None:
    assert len(exceptions()) > 35
    assert {each.__name__ for each in exceptions() if each not in TROUBLES} == set()


def test_nothing_is_called_unsent_once_its_headers_began_whatever_went_wrong() -> None:
    kinds: list[Any] = [*TROUBLES, TooLate, KeyError, UnicodeError]
    for each in kinds:
        # Whatever it takes to make one.
        assert isinstance(failed(each.__new__(each), began=True), OutcomeUnknown), each


@pytest.mark.parametrize("each", [httpx.ReadTimeout, httpx.ReadError, httpx.WriteError, httpx.RemoteProtocolError])
def test_what_comes_of_a_request_on_its_way_is_never_unsent(each: type[Exception]) -> None:
    """Were the transport's trace to fall silent one day, nothing would be sent twice for it."""
    assert isinstance(failed(each("x"), began=False), OutcomeUnknown)


def test_an_answer_without_a_trace_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEADERS_BEGIN", "another name")
    assert run(saying(OK))[0] == OutcomeUnknown("trace_silent")
