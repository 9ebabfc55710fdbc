"""What goes wrong on command: the next calls, or all of them, are answered in another way."""

import asyncio
from typing import Annotated, Any, Literal

from msgspec import Meta, Struct, to_builtins
from starlette.responses import Response

# Past what is read of an answer.
OVERSIZE = 300 * 1024
LONGEST_HANG_S = 60.0
TOKEN, DETAILS = "token", "details"


class Fault(Struct, forbid_unknown_fields=True):
    """`status`: answers with this status; `hang`: for `seconds` with nothing; `garbage`, `empty` and `oversize`: 200
    with a body that is none. `times` calls, all where 0."""

    call: Literal["token", "details"]
    fault: Literal["status", "hang", "garbage", "empty", "oversize"]
    status: Annotated[int, Meta(ge=200, le=599)] = 503
    seconds: Annotated[float, Meta(gt=0, le=LONGEST_HANG_S)] = 20.0
    times: Annotated[int, Meta(ge=0, le=1_000_000)] = 1
    retry_after: Annotated[int, Meta(ge=0, le=86_400)] = 0


class Faults:
    """In the order in which they were added: the first that fits is met."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._released = asyncio.Event()

    def add(self, fault: Fault) -> None:
        """One more."""
        self._faults.append(fault)

    def clear(self) -> None:
        """None any more, and what hangs goes on."""
        self._faults.clear()
        self._released.set()
        self._released = asyncio.Event()

    def document(self) -> list[Any]:
        """Those that are left."""
        return [to_builtins(fault) for fault in self._faults]

    async def met(self, call: str) -> Response | None:
        """The answer that a fault gives to this call; None where none fits."""
        fault = next((each for each in self._faults if each.call == call), None)
        if fault is None:
            return None
        if fault.times == 1:
            self._faults.remove(fault)
        elif fault.times:
            fault.times -= 1
        if fault.fault == "hang":
            released = self._released
            try:
                async with asyncio.timeout(fault.seconds):
                    await released.wait()
            except TimeoutError:
                pass
            return Response(status_code=504)
        if fault.fault == "status":
            headers = {"retry-after": str(fault.retry_after)} if fault.retry_after else {}
            return Response(b"{}", fault.status, headers, "application/json")
        bodies = {"garbage": b"<html>not JSON", "empty": b"", "oversize": b'{"tokenState": "' + b"A" * OVERSIZE + b'"}'}
        return Response(bodies[fault.fault], 200, media_type="application/json")
