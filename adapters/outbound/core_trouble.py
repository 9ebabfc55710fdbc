"""What it means that the core did not answer, and how long to wait before it is asked again."""

import random

import grpc

from adapters.core import CredentialsMissing, reason
from adapters.outbound.core_tasks import PASSING

CORE_TROUBLE = (grpc.aio.AioRpcError, CredentialsMissing)
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 2.0


def pause(tries: int) -> float:
    """Seconds until the next try."""
    longest: float = min(LONGEST_PAUSE_S, FIRST_PAUSE_S * 2 ** min(tries, 16))
    return longest * (0.5 + random.random() / 2)


def passes(error: Exception) -> bool:
    """Whether the same call may go well later."""
    return not isinstance(error, grpc.aio.AioRpcError) or error.code() in PASSING


def away(error: Exception) -> bool:
    """Whether nobody is there to be told anything."""
    return not isinstance(error, grpc.aio.AioRpcError) or error.code() is grpc.StatusCode.UNAVAILABLE


def why(error: Exception) -> dict[str, str]:
    """For the log."""
    if isinstance(error, grpc.aio.AioRpcError):
        return {"code": error.code().name, "reason": reason(error)}
    return {"code": "", "reason": str(error)}
