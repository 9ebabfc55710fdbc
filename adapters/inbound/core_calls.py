"""Calls to the core that a partner's call waits for: as the gateway, within a deadline, and what their errors mean."""

import asyncio
from collections.abc import Callable
from typing import Any

import grpc
import structlog

from adapters.core import AioAccessToken, CredentialsMissing, reason
from adapters.inbound.problems import FORBIDDEN, NOT_FOUND, Problem, unavailable

# The core may have done it or not.
PASSING = frozenset(
    {
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.ABORTED,
        grpc.StatusCode.RESOURCE_EXHAUSTED,
        grpc.StatusCode.CANCELLED,
    }
)
# What the core says of us, and not of whom we ask for.
OF_THE_GATEWAY = frozenset({"SCOPE_MISSING", "ACCESS_TOKEN_INVALID"})
AGAIN_AFTER_S = 0.05
NOT_ANSWERED = "This cannot be answered right now; send it again"

log = structlog.get_logger("mintmark.core_calls")


class Deadline:
    """When a partner's call has to be over, on the running loop's clock."""

    def __init__(self, seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._at = self._loop.time() + seconds

    @property
    def left(self) -> float:
        """Seconds until then; 0 at least."""
        return max(0.0, self._at - self._loop.time())


class CoreCalls:
    """Every call raises Problem: 404 and 403 as the core says, 503 for everything else."""

    def __init__(self, access_token: AioAccessToken) -> None:
        self._access_token = access_token

    async def once(self, method: Callable[..., Any], request: Any, deadline: Deadline) -> Any:
        """For calls that must not be repeated. It is again where the core refused our access token, for then it did
        nothing."""
        try:
            return await self._call(method, request, deadline)
        except (grpc.aio.AioRpcError, CredentialsMissing) as failed:
            problem = _told(failed)
        raise problem

    async def repeated(self, method: Callable[..., Any], request: Any, deadline: Deadline) -> Any:
        """For calls that are safe to repeat: again while it may help and there is time."""
        while True:
            try:
                return await self._call(method, request, deadline)
            except (grpc.aio.AioRpcError, CredentialsMissing) as failed:
                passing = isinstance(failed, grpc.aio.AioRpcError) and failed.code() in PASSING
                if not passing or deadline.left <= 2 * AGAIN_AFTER_S:
                    problem = _told(failed)
                    break
            await asyncio.sleep(AGAIN_AFTER_S)
        raise problem

    async def _call(self, method: Callable[..., Any], request: Any, deadline: Deadline) -> Any:
        """Within the deadline, a new access token included. Raises AioRpcError, CredentialsMissing, Problem."""
        try:
            async with asyncio.timeout(deadline.left):
                return await self._called(method, request, deadline)
        except TimeoutError:
            log.warning("the core did not answer", code=grpc.StatusCode.DEADLINE_EXCEEDED.name, reason="")
            raise Problem(unavailable(NOT_ANSWERED)) from None

    async def _called(self, method: Callable[..., Any], request: Any, deadline: Deadline) -> Any:
        metadata = await self._access_token.metadata()
        try:
            return await method(request, metadata=metadata, timeout=deadline.left)
        except grpc.aio.AioRpcError as error:
            if error.code() is not grpc.StatusCode.UNAUTHENTICATED:
                raise
            self._access_token.forget()
        return await method(request, metadata=await self._access_token.metadata(), timeout=deadline.left)


def _told(failed: grpc.aio.AioRpcError | CredentialsMissing) -> Problem:
    if isinstance(failed, CredentialsMissing):
        log.warning("the core cannot be asked", why=str(failed))
        return Problem(unavailable(NOT_ANSWERED))
    why = reason(failed)
    if why not in OF_THE_GATEWAY:
        if failed.code() is grpc.StatusCode.NOT_FOUND:
            return Problem(NOT_FOUND)
        if failed.code() is grpc.StatusCode.PERMISSION_DENIED:
            return Problem(FORBIDDEN)
    log.warning("the core did not answer", code=failed.code().name, reason=why)
    return Problem(unavailable(NOT_ANSWERED))
