"""Bursts: their plan, and what they do while the gateway comes and goes."""

import asyncio
from collections import Counter, deque
from datetime import UTC, datetime

from adapters.sandbox import bursts, tsh
from adapters.sandbox.app import Sandbox
from adapters.sandbox.bursts import Shape, plan
from adapters.sandbox.notifications import malformed, timestamp
from tests.adapters.sandbox.conftest import Run
from tests.adapters.sandbox.gateway import DROP, Gateway

NOW = datetime(2026, 11, 21, 4, 5, 6, 789000, UTC)


def test_the_seed_decides_the_shape_and_ids_are_new() -> None:
    shape = Shape(count=300, repeats=0.1, disorder=0.1, malformed=0.1, unknown=0.1, seed=7)
    first, second = plan(shape, NOW), plan(shape, NOW)
    assert [(item.kind, repeat) for item, repeat in first] == [(item.kind, repeat) for item, repeat in second]
    assert not {item.correlation_id for item, _ in first} & {item.correlation_id for item, _ in second}
    assert [item.kind for item, _ in plan(Shape(count=300, seed=8), NOW)] != [item.kind for item, _ in first]


def test_a_plan_has_its_count_of_notifications_and_its_share_of_repeats() -> None:
    planned = plan(Shape(count=1000, repeats=0.1, disorder=0.2, malformed=0.2, unknown=0.2, seed=1), NOW)
    originals = [item for item, repeat in planned if not repeat]
    repeats = [item for item, repeat in planned if repeat]
    assert len(originals) == len({item.correlation_id for item in originals}) == 1000
    assert 60 < len(repeats) < 150
    seen: Counter[str] = Counter()
    for item, repeat in planned:
        assert seen[item.correlation_id] == repeat, "a repeat comes after its original"
        seen[item.correlation_id] += 1
    assert {item.kind for item in originals} == set(bursts.KINDS)
    texts = " ".join(str(item.body) for item in originals)
    assert "NEW_WORD_" in texts
    times = [item.body.get("lastUpdateTimestamp", "") for item in originals if item.kind == tsh.TOKEN_UPDATE]
    assert any(len(time.split(":")[1]) == 3 for time in times), "a malformed one"
    ordered = [time for time in times if len(time.split(":")[1]) == 2]
    assert ordered != sorted(ordered), "disorder"


def test_without_disorder_times_ascend_and_end_before_now() -> None:
    planned = plan(Shape(count=100, seed=3, kinds={tsh.TOKEN_UPDATE: 1}), NOW)
    times = [item.body["lastUpdateTimestamp"] for item, _ in planned]
    assert times == sorted(times)
    assert times[-1] < timestamp(NOW)


def test_the_malformed_time_is_the_contracts() -> None:
    assert malformed("2017-11-13T11:12:41.165Z") == "2017-11-13T11:012:41.165Z"


def test_a_burst_outlives_a_gateway_that_comes_and_goes(gateway: Gateway, with_sandbox: Run[None]) -> None:
    gateway.script.notifications = deque([204, 503, DROP, 500, 204, 429, DROP, 503] * 20)

    async def play(sandbox: Sandbox) -> None:
        burst = sandbox.bursts.start(Shape(count=150, concurrency=8, repeats=0.1, seed=5), sandbox.now())
        assert burst.task is not None
        await burst.task
        document = burst.document()
        assert document["state"] == "done"
        assert document["acknowledged"] == document["sendings"] > 150
        assert (document["lost"], document["given_up"]) == (0, 0)
        # D1 has no 429; it is the gateway's word for TSH, and D1's twin takes it as the family rule says.
        assert sum(feed.counts["retried"] for feed in sandbox.feeds.values()) >= 100

    with_sandbox(play)


def test_a_cancelled_burst_gives_up_what_is_on_its_way(gateway: Gateway, with_sandbox: Run[None]) -> None:
    gateway.script.otherwise = 503

    async def play(sandbox: Sandbox) -> None:
        burst = sandbox.bursts.start(Shape(count=50, concurrency=4), sandbox.now())
        while len(sandbox.ledger.pending()) < 4:
            await asyncio.sleep(0)
        sandbox.bursts.cancel(burst)
        await sandbox.bursts.close()
        assert burst.document()["state"] == "cancelled"
        assert sandbox.ledger.totals == {"given_up": 4}
        assert not sandbox.ledger.pending()

    with_sandbox(play)
