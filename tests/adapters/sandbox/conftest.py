"""A scripted gateway and a sandbox aimed at it."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from adapters.sandbox.app import Sandbox
from tests.adapters.sandbox.gateway import Gateway, settings_for

T = TypeVar("T")
Run = Callable[[Callable[[Sandbox], Awaitable[T]]], T]


@pytest.fixture
def gateway() -> Iterator[Gateway]:
    server = Gateway()
    try:
        yield server
    finally:
        server.close()


@pytest.fixture
def with_sandbox(gateway: Gateway, tmp_path: Path) -> Run[T]:
    """Runs a coroutine function with a sandbox, a thousand times faster than the partners."""

    def run(what: Callable[[Sandbox], Awaitable[T]]) -> T:
        async def inside() -> T:
            sandbox = Sandbox(settings_for(gateway, tmp_path))
            try:
                async with asyncio.timeout(20):
                    return await what(sandbox)
            finally:
                await sandbox.close()

        return asyncio.run(inside())

    return run
