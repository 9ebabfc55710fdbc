"""The gateway's own work with the core, that nobody waits for: what it means that the core did not answer."""

import random
from collections.abc import Callable
from typing import Any

import grpc

from adapters.core import AioAccessToken, CredentialsMissing, reason

CORE_TROUBLE = (grpc.aio.AioRpcError, CredentialsMissing)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0


async def call(access_token: AioAccessToken, method: Callable[..., Any], request: Any, timeout: float) -> Any:
    """One call, again with a new access token where the old one is refused. Raises CORE_TROUBLE."""
    try:
        return await method(request, metadata=await access_token.metadata(), timeout=timeout)
    except grpc.aio.AioRpcError as error:
        if error.code() is not grpc.StatusCode.UNAUTHENTICATED:
            raise
        access_token.forget()
    return await method(request, metadata=await access_token.metadata(), timeout=timeout)


def pause(tries: int) -> float:
    """Seconds until the next try, after so many that failed."""
    longest: float = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(tries, 16))
    return longest * (0.5 + random.random() / 2)


def why(error: Exception) -> dict[str, str]:
    """For the log."""
    if isinstance(error, grpc.aio.AioRpcError):
        return {"code": error.code().name, "reason": reason(error)}
    return {"code": "", "reason": str(error)}
