"""The gateway's public keys made known: at the start, after each change, again and again, and until they are."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from concurrent import futures
from pathlib import Path
from typing import Any

import grpc
import pytest
from mintmark.v1 import card_keys_pb2, card_keys_pb2_grpc
from prometheus_client import CollectorRegistry

from adapters.core import AioAccessToken
from adapters.inbound.card_key_publications import CardKeyPublications
from adapters.inbound.card_keys import CardKeys
from adapters.inbound.card_metrics import CardMetrics
from adapters.jose import key_files
from adapters.jose.hash_keys import new_hash_key
from adapters.jose.keys import new_key
from adapters.settings import Settings
from tests.waiting import paused


class Token(AioAccessToken):
    """Always a good one."""

    def __init__(self) -> None:
        self.forgotten = 0

    async def metadata(self) -> tuple[tuple[str, str], ...]:
        return (("authorization", "Bearer t"),)

    def forget(self) -> None:
        self.forgotten += 1


class Core(card_keys_pb2_grpc.CardKeyPublicationsServiceServicer):
    """Notes what is published; the first calls fail as they are told to."""

    def __init__(self) -> None:
        self.published: list[tuple[list[str], str]] = []
        self.failures: list[grpc.StatusCode] = []

    def PublishCardKeys(self, request: Any, context: grpc.ServicerContext) -> Any:  # noqa: N802  gRPC's name
        if self.failures:
            context.abort(self.failures.pop(0), "as the test wants")
        keys = json.loads(request.jwks_json)["keys"]
        assert all("d" not in key for key in keys)
        self.published.append(([key["kid"] for key in keys], request.hash_key_id))
        return card_keys_pb2.PublishCardKeysResponse()


@pytest.fixture
def core(tmp_path: Path) -> Iterator[Core]:
    served = Core()
    server = grpc.server(futures.ThreadPoolExecutor(4))
    card_keys_pb2_grpc.add_CardKeyPublicationsServiceServicer_to_server(served, server)
    server.add_insecure_port(f"unix:{tmp_path}/core.sock")
    server.start()
    yield served
    server.stop(0).wait()


def write(folder: Path, *kids: str) -> None:
    key_files.write(folder / "card_keys.json", json.dumps({"keys": [new_key(kid) for kid in kids]}))
    key_files.write(folder / "card_number_hash_keys.json", json.dumps({"keys": [new_hash_key(f"h-{kids[0]}")]}))


def test_they_are_told_until_they_are_known_and_after_each_change(core: Core, tmp_path: Path) -> None:
    write(tmp_path, "one")
    core.failures = [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.INTERNAL]
    access_token = Token()
    registry = CollectorRegistry()
    metrics = CardMetrics(registry)

    async def until(count: int) -> None:
        while len(core.published) < count:
            await paused(0.005)

    async def run() -> None:
        keys = CardKeys(Settings(data_dir=tmp_path), metrics)
        async with grpc.aio.insecure_channel(f"unix:{tmp_path}/core.sock") as channel:
            working = asyncio.create_task(CardKeyPublications(keys, channel, access_token, metrics).work())
            await asyncio.wait_for(until(1), 20)
            write(tmp_path, "two", "one")
            keys.look()
            await asyncio.wait_for(until(2), 20)
            working.cancel()
            often = CardKeyPublications(keys, channel, access_token, metrics, every=0.01)
            again = asyncio.create_task(often.work())
            await asyncio.wait_for(until(5), 20)
            again.cancel()
            for task in (working, again):
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    asyncio.run(run())
    assert access_token.forgotten == 1
    assert core.published[0] == (["one"], "h-one")
    assert set(map(repr, core.published[1:])) == {repr((["two", "one"], "h-two"))}
    assert registry.get_sample_value("mintmark_card_keys_published_timestamp_seconds")
