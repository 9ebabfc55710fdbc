"""An even load for a long time: nothing is lost or told twice, and neither memory nor files nor the log grow."""

import json
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from adapters.cli.supervisor.payments import TOKEN
from tests.house.tree import ROOT
from tests.soak import gauges
from tests.soak.callers import Crowd
from tests.soak.gauges import Gauge
from tests.stack import Stack
from tests.waiting import eventually

MINUTES_VARIABLE = "SOAK_MINUTES"
RESULTS = ROOT / "data" / "soak"


@pytest.fixture
def stack() -> Iterator[Stack]:
    made = Stack(sandbox=True, development=True)
    try:
        yield made.start()
    finally:
        made.remove()


def run(stack: Stack, seconds: float, every: float) -> tuple[Crowd, list[Gauge]]:
    """The load for so long, with the gauges read each `every` seconds; then everything acknowledged is compared."""
    eventually(lambda: TOKEN in stack.command("tokens", "list").stdout, 30, "the token to pay with")
    crowd = Crowd(stack)
    began = time.monotonic()
    read: list[Gauge] = []
    crowd.start()
    try:
        while time.monotonic() - began < seconds:
            moment = time.monotonic() + every
            eventually(lambda moment=moment: time.monotonic() >= moment, every + 60)  # type: ignore[misc]
            read.append(gauges.read(stack, time.monotonic() - began))
    finally:
        crowd.stop()
    assert not crowd.failures, crowd.failures[:5]
    assert crowd.acknowledged
    assert crowd.payer.paid
    streamed = crowd.streamer.sequences
    assert streamed == sorted(set(streamed))
    assert len(streamed) == crowd.acknowledged
    assert crowd.subscriber.sequences == set(streamed)
    return crowd, read


def test_a_short_time(stack: Stack) -> None:
    """Too short to see anything grow; what is measured and compared is the same."""
    _, read = run(stack, seconds=4, every=0.5)
    assert not gauges.growth(read)


def test_growth_is_seen() -> None:
    """Or nothing would be shown by the rest."""
    flat = [_gauge(), *[_gauge() for _ in range(7)]]
    assert not gauges.growth(flat)
    for wrong, words in (
        ({"memory": 400 * gauges.MIB}, "memory of the core: 100 -> 400 MiB"),
        ({"files": 80}, "open files of the core: 20 -> 80"),
        ({"threads": 60}, "threads of the core: 30 -> 60"),
        ({"log": 65 * gauges.MIB}, "the write-ahead log: 65 MiB"),
    ):
        assert gauges.growth([*flat[:6], _gauge(**wrong), _gauge(**wrong)]) == [words]


def _gauge(memory: int = 100 * gauges.MIB, threads: int = 30, files: int = 20, log: int = 0) -> Gauge:
    flat = gauges.Held(100 * gauges.MIB, 30, 20)
    roles = {"core": gauges.Held(memory, threads, files), "gateway": flat, "dispatcher": flat}
    return Gauge(0.0, roles, database=0, log=log)


@pytest.mark.soak
def test_a_long_time(stack: Stack, capsys: pytest.CaptureFixture[str]) -> None:
    minutes = float(os.environ.get(MINUTES_VARIABLE, "30"))
    crowd, read = run(stack, seconds=minutes * 60, every=2)
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    file.write_text(json.dumps([each.document() for each in read]))
    with capsys.disabled():
        sys.stdout.write(f"\n{minutes:g} minutes: {crowd.figures()}\n{gauges.told(read)}\nraw figures: {file}\n")
    assert not gauges.growth(read)
