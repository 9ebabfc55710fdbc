"""A dispatcher that gets a signal: `python -m tests.faults.payments.signalled_dispatcher PLACES_FILE K SIGNAL`.

Its places are those of what moves money: from the claim of a task to the end of its file in the spool. Transactions
that it asks for meanwhile are not counted.
"""

import os
import signal
import sys
from collections.abc import Mapping
from typing import Any

from tests.faults.payments.places import Places

CLAIMED = "after ClaimTasks"
CALLS = ("BeginAttempt", "RecordAttempt")
FILES = ("fsync", "replace", "unlink")


def wrap(places: Places) -> None:
    _wrap_core(places)
    _wrap_partner(places)
    for name in FILES:
        setattr(os, name, _file(places, name, getattr(os, name)))
    opened = os.open

    def open_file(path: Any, flags: int, *rest: Any, **named: Any) -> Any:
        if not flags & os.O_CREAT:
            return opened(path, flags, *rest, **named)
        return places.pass_by("create", lambda: opened(path, flags, *rest, **named))

    os.open = open_file


def _wrap_core(places: Places) -> None:
    from mintmark.v1 import tasks_pb2, tasks_pb2_grpc

    made: Any = tasks_pb2_grpc.TasksServiceStub

    def stub(channel: Any) -> Any:
        of = made(channel)
        for name in CALLS:
            setattr(of, name, _call(places, name, getattr(of, name)))
        claim = of.ClaimTasks

        async def claimed(*arguments: Any, **named: Any) -> Any:
            answer = await claim(*arguments, **named)
            if any(task.kind == tasks_pb2.TASK_KIND_SUBMIT_PAYMENT_OPERATION for task in answer.tasks):
                places.reach(CLAIMED)
            return answer

        of.ClaimTasks = claimed
        return of

    setattr(tasks_pb2_grpc, "TasksServiceStub", stub)  # noqa: B010  mypy knows it as a class


def _wrap_partner(places: Places) -> None:
    import httpx

    handle = httpx.AsyncHTTPTransport.handle_async_request

    async def handled(transport: Any, request: httpx.Request) -> httpx.Response:
        if request.method == "GET":
            return await handle(transport, request)
        traced = request.extensions.get("trace")

        async def trace(event: str, facts: Mapping[str, Any]) -> None:
            if traced is not None:
                await traced(event, facts)
            if event.startswith(("http11.", "connection.connect_tcp")):
                places.reach(event)

        request.extensions = {**request.extensions, "trace": trace}
        answer: httpx.Response = await places.around("the call", handle(transport, request))
        return answer

    setattr(httpx.AsyncHTTPTransport, "handle_async_request", handled)  # noqa: B010  as above


def _call(places: Places, name: str, call: Any) -> Any:
    async def called(*arguments: Any, **named: Any) -> Any:
        return await places.around(name, call(*arguments, **named))

    return called


def _file(places: Places, name: str, change: Any) -> Any:
    def changed(*arguments: Any, **named: Any) -> Any:
        return places.pass_by(name, lambda: change(*arguments, **named))

    return changed


def main(file: str, at: str, name: str) -> int:
    wrap(Places(file, int(at), signal.Signals[name], CLAIMED))
    from adapters.__main__ import main as run

    return run(["dispatcher"])


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
