"""Closed loops, so many callers, each of which calls again when it has its answer; and an even pace, kept whatever the
answers take."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

WARM_UP_S = 0.5


@dataclass
class Sample:
    """One round: the seconds that each call took, how long the round was, and the calls that failed."""

    latencies: list[float] = field(default_factory=list)
    seconds: float = 0.0
    failed: int = 0

    @property
    def rate(self) -> float:
        """Calls a second."""
        return len(self.latencies) / self.seconds if self.seconds else 0.0

    def percentile(self, share: float) -> float:
        """The seconds within which this share of the calls had its answer."""
        ordered = sorted(self.latencies)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def threads(count: int, seconds: float, call: Callable[[], object]) -> Sample:
    """`call` by so many threads."""
    sample = Sample(seconds=seconds)
    lock = threading.Lock()
    begins = time.perf_counter() + WARM_UP_S
    ends = begins + seconds

    def work() -> None:
        own: list[float] = []
        failed = 0
        while (before := time.perf_counter()) < ends:
            try:
                call()
            except Exception:
                failed += 1
                continue
            if before >= begins:
                own.append(time.perf_counter() - before)
        with lock:
            sample.latencies += own
            sample.failed += failed

    workers = [threading.Thread(target=work) for _ in range(count)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return sample


def connections(count: int, seconds: float, address: tuple[str, int], requests: Iterator[bytes]) -> Sample:
    """HTTP requests over so many connections that are kept alive; anything but 2xx has failed."""
    return asyncio.run(_connections(count, seconds, address, requests))


async def _connections(count: int, seconds: float, address: tuple[str, int], requests: Iterator[bytes]) -> Sample:
    sample = Sample(seconds=seconds)
    begins = time.perf_counter() + WARM_UP_S
    ends = begins + seconds

    async def work() -> None:
        reader, writer = await asyncio.open_connection(*address)
        while (before := time.perf_counter()) < ends:
            writer.write(next(requests))
            status = await _status(reader)
            if not 200 <= status < 300:
                sample.failed += 1
            elif before >= begins:
                sample.latencies.append(time.perf_counter() - before)
        writer.close()
        await writer.wait_closed()

    await asyncio.gather(*(work() for _ in range(count)))
    return sample


def paced(rate: float, seconds: float, address: tuple[str, int], requests: Iterator[bytes]) -> Sample:
    """So many HTTP requests a second over connections that are kept alive; anything but 2xx has failed.

    A call's time counts from when it was due: what waits because the one before it is slow counts as slow too.
    """
    return asyncio.run(_paced(rate, seconds, address, requests))


async def _paced(rate: float, seconds: float, address: tuple[str, int], requests: Iterator[bytes]) -> Sample:
    sample = Sample(seconds=seconds)
    loop = asyncio.get_running_loop()
    count, started = int((WARM_UP_S + seconds) * rate), loop.time()
    idle: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
    calls: list[asyncio.Task[None]] = []
    begun = asyncio.Event()

    async def call(due: float) -> None:
        reader, writer = idle.pop() if idle else await asyncio.open_connection(*address)
        writer.write(next(requests))
        status = await _status(reader)
        if not 200 <= status < 300:
            sample.failed += 1
        elif due >= started + WARM_UP_S:
            sample.latencies.append(loop.time() - due)
        idle.append((reader, writer))

    def begin(number: int) -> None:
        calls.append(loop.create_task(call(started + number / rate)))
        if number + 1 < count:
            loop.call_at(started + (number + 1) / rate, begin, number + 1)
        else:
            begun.set()

    begin(0)
    await begun.wait()
    await asyncio.gather(*calls)
    for _, writer in idle:
        writer.close()
        await writer.wait_closed()
    return sample


async def _status(reader: asyncio.StreamReader) -> int:
    head = await reader.readuntil(b"\r\n\r\n")
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            await reader.readexactly(int(line.partition(b":")[2]))
    return int(head.split(b" ", 2)[1])
