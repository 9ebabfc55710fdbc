"""Two cores on one PostgreSQL: both are told of the same tokens and hand them out at the same time, and nothing is
lost."""

import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

import pytest
from mintmark.v1 import notifications_pb2 as np
from mintmark.v1 import tasks_pb2 as tp

from tests.server.rpc import notices
from tests.server.rpc.refreshing import MERCHANT, REFRESH, Gateway, open_gateway
from tests.server.rpc.running import RunningCore
from tests.server.rpc.two_cores import two_cores
from tests.waiting import eventually

SEED = 11
TOKENS = [f"t-{number}" for number in range(4)]


@pytest.fixture
def cores(postgres_database: str) -> Iterator[tuple[RunningCore, RunningCore]]:
    with two_cores(postgres_database, "") as pair:
        yield pair


def tell(core: RunningCore, gateway: Gateway, chosen: list[str]) -> list[int]:
    """Tells of several tokens in one batch; the outcomes."""
    records = [notices.d1(gateway.partner, gateway.gateway, each, merchant_id=MERCHANT) for each in chosen]
    return [each.state for each in notices.record(core, *records)]


def read_one(core: RunningCore, gateway: Gateway) -> None:
    """A dispatcher at this core reads what it gets; now and then it tells so twice, or that it could not."""
    request = tp.ClaimTasksRequest(kinds=[REFRESH], max_tasks=2)
    for task in core.dispatcher.tasks.ClaimTasks(request).tasks:
        told = Gateway(core, gateway.gateway, gateway.key, gateway.partner)
        if task.fence % 3 == 0:
            told.tell(task, http_status=404)
        else:
            told.tell(task)
            told.tell(task)


def test_each_change_is_read_whichever_core_is_told(cores: tuple[RunningCore, RunningCore]) -> None:
    first, second = cores
    gateway = open_gateway(first)
    eventually(
        lambda: notices.told(_ping(second, gateway)) == [("STORED", "APPLIED")], 20, "the account at the second core"
    )
    chance = random.Random(SEED)
    work: list[Callable[[], Any]] = []
    for number in range(30):
        core = cores[number % 2]
        chosen = [chance.choice(TOKENS) for _ in range(4)]
        work += [partial(tell, core, gateway, chosen), partial(read_one, core, gateway)]
    with ThreadPoolExecutor(8) as pool:
        done = [each.result() for each in [pool.submit(each) for each in work]]
    states = [state for each in done if isinstance(each, list) for state in each]
    assert set(states) == {np.NOTIFICATION_STATE_APPLIED}
    for _ in range(20):
        for each_core in cores:
            read_one(each_core, gateway)
    tokens = [gateway.token(each) for each in TOKENS]
    assert sum(each.refresh_generation for each in tokens) == len(states)
    for token in tokens:
        read = token.refreshed_generation == token.refresh_generation
        assert read or "404" in token.refresh_error, token


def _ping(core: RunningCore, gateway: Gateway) -> list[np.RecordResult]:
    return list(notices.record(core, notices.d1(gateway.partner, gateway.gateway, "ping", merchant_id=MERCHANT)))
