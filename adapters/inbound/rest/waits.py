"""Calls that wait for something to happen, such as pulls: none waits longer than its caller does."""

import asyncio
from collections.abc import Awaitable
from typing import TypeVar

from adapters.inbound.problems import CLOSE, Disconnected
from adapters.inbound.request import Request
from adapters.inbound.rest.problems import RETRY_AFTER, Troubled, trouble
from adapters.inbound.rest.reasons import GATEWAY_UNAVAILABLE

T = TypeVar("T")


async def while_wanted(asking: Awaitable[T], request: Request, stopping: asyncio.Event) -> T:
    """The core's answer to a request whose body is here.

    Raises Disconnected where the caller goes and Troubled where the gateway stops. The call ends with that: it holds
    one of the few places that the core has for waits, and what it is given would be leased to nobody.
    """
    answered = asyncio.ensure_future(asking)
    gone = asyncio.ensure_future(request.gone())
    stopped = asyncio.ensure_future(stopping.wait())
    waiting = (answered, gone, stopped)
    try:
        await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        if answered.done():
            return answered.result()
        if gone.done():
            raise Disconnected
        text = "the gateway is restarting; send it again"
        raise Troubled(trouble(GATEWAY_UNAVAILABLE, text, RETRY_AFTER, CLOSE))
    finally:
        for each in waiting:
            each.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
