"""What the core's errors become for a partner whose call waits, and which calls are made again."""

import asyncio
from typing import Any

import grpc
import pytest
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from adapters.core import AioAccessToken, CredentialsMissing
from adapters.inbound.core_calls import CoreCalls, Deadline
from adapters.inbound.problems import Problem

Code = grpc.StatusCode


class Token(AioAccessToken):
    """A good one, unless it is `missing` or `hangs`."""

    def __init__(self) -> None:
        self.forgotten = 0
        self.missing = self.hangs = False

    async def metadata(self) -> tuple[tuple[str, str], ...]:
        if self.hangs:
            await asyncio.Event().wait()
        if self.missing:
            raise CredentialsMissing("none")
        return ()

    def forget(self) -> None:
        self.forgotten += 1


def error(code: Code, reason: str = "") -> grpc.aio.AioRpcError:
    detail = any_pb2.Any()
    detail.Pack(error_details_pb2.ErrorInfo(domain="mintmark", reason=reason))
    status = status_pb2.Status(code=code.value[0], details=[detail])
    trailing = grpc.aio.Metadata(("grpc-status-details-bin", status.SerializeToString()))
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), trailing)


class Method:
    """Fails with each of these in turn, then answers."""

    def __init__(self, *failures: grpc.aio.AioRpcError) -> None:
        self.failures = list(failures)
        self.calls = 0

    async def __call__(self, request: Any, *, metadata: Any, timeout: float) -> str:
        self.calls += 1
        if self.failures:
            raise self.failures.pop(0)
        return "answer"


def run(method: Method, *, repeated: bool, seconds: float = 20.0, token: Token | None = None) -> str | int:
    """The answer, or the status that the partner gets."""

    async def call() -> Any:
        calls = CoreCalls(token or Token())
        made = calls.repeated if repeated else calls.once
        return await made(method, "request", Deadline(seconds))

    try:
        return str(asyncio.run(call()))
    except Problem as problem:
        return problem.answer.status


@pytest.mark.parametrize("repeated", [False, True])
@pytest.mark.parametrize(
    ("failure", "status"),
    [
        (error(Code.NOT_FOUND, "RESOURCE_NOT_FOUND"), 404),
        (error(Code.PERMISSION_DENIED, "ISSUER_CALL_NOT_ALLOWED"), 403),
        # These two are about us, not about whom we ask for.
        (error(Code.PERMISSION_DENIED, "SCOPE_MISSING"), 503),
        (error(Code.INVALID_ARGUMENT, "FIELD_INVALID"), 503),
        (error(Code.INTERNAL, "INTERNAL"), 503),
        (error(Code.UNIMPLEMENTED), 503),
        (error(Code.DEADLINE_EXCEEDED), 503),
    ],
)
def test_what_the_core_says_is_told(failure: grpc.aio.AioRpcError, status: int, repeated: bool) -> None:
    method = Method(failure)
    assert run(method, repeated=repeated) == status
    assert method.calls == 1


@pytest.mark.parametrize("code", [Code.UNAVAILABLE, Code.ABORTED, Code.RESOURCE_EXHAUSTED, Code.CANCELLED])
def test_only_what_is_safe_is_made_again(code: Code) -> None:
    method = Method(error(code), error(code))
    assert run(method, repeated=True) == "answer"
    assert method.calls == 3
    method = Method(error(code))
    assert run(method, repeated=False) == 503
    assert method.calls == 1


def test_it_ends_with_the_time() -> None:
    method = Method(*(error(Code.UNAVAILABLE) for _ in range(10_000)))
    assert run(method, repeated=True, seconds=0.2) == 503
    assert 1 <= method.calls <= 5


@pytest.mark.parametrize("repeated", [False, True])
def test_a_token_that_does_not_come_ends_with_the_time_too(repeated: bool) -> None:
    token = Token()
    token.hangs = True
    method = Method()
    assert run(method, repeated=repeated, seconds=0.05, token=token) == 503
    assert method.calls == 0


@pytest.mark.parametrize("repeated", [False, True])
def test_a_token_that_is_refused_is_replaced_once(repeated: bool) -> None:
    token = Token()
    assert run(Method(error(Code.UNAUTHENTICATED)), repeated=repeated, token=token) == "answer"
    assert token.forgotten == 1
    method = Method(error(Code.UNAUTHENTICATED), error(Code.UNAUTHENTICATED, "ACCESS_TOKEN_INVALID"))
    assert run(method, repeated=repeated) == 503
    token.missing = True
    assert run(Method(), repeated=repeated, token=token) == 503
