"""Tasks for D1: tokens that are to be read again.

Reading once more does no harm, so nothing is kept on disk: what the core cannot be told before the lease ends is read
anew.
"""

from collections.abc import Awaitable, Callable, Mapping

from mintmark.v1 import tasks_pb2 as pb

from adapters.outbound import d1_answers, reports
from adapters.outbound.core_tasks import CoreTasks
from adapters.outbound.d1 import D1
from adapters.outbound.leases import Lease, duration
from adapters.outbound.outcomes import Answered

REFRESH = pb.TASK_KIND_REFRESH_TOKEN
UNREADABLE = "unreadable"

Tell = Callable[[Lease, Callable[[], Awaitable[object]]], Awaitable[None]]


class D1Tasks:
    """`tell` tells the core while the lease lasts."""

    def __init__(self, core: CoreTasks, d1: D1, tell: Tell) -> None:
        self._core = core
        self._d1 = d1
        self._tell = tell

    @property
    def work(self) -> Mapping["pb.TaskKind.ValueType", Callable[[Lease], Awaitable[None]]]:
        """What is done for each kind of task."""
        return {REFRESH: self._refresh}

    async def _refresh(self, lease: Lease) -> None:
        wanted = lease.task.token_refresh
        said = await self._d1.details(wanted, lease)
        request = pb.RecordTokenRefreshRequest(
            task=lease.task.name,
            fence=lease.task.fence,
            token=wanted.token,
            generation=wanted.generation,
            outcome=reports.outcome(said.result),
            error_code=said.error_code,
            retry_after=duration(said.retry_after),
        )
        if isinstance(said.result, Answered):
            _read(request, said.result, wanted.names)
        else:
            request.trouble = said.result.trouble
        await self._tell(lease, lambda: self._core.record_token_refresh(request))


def _read(request: pb.RecordTokenRefreshRequest, answered: Answered, names: pb.D1TokenDetailsNames) -> None:
    request.http_status = answered.http_status
    if not 200 <= answered.http_status < 300:
        request.error_code = d1_answers.error_code(answered)
        return
    found = d1_answers.details(answered, names)
    if found is None:
        request.trouble = UNREADABLE
    else:
        request.details.CopyFrom(found)
