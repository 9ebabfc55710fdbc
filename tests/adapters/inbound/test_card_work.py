"""The gateway's own work on issuers' cards: it never spins, outlives faults, and finishes what it has."""

import asyncio
import contextlib
import json
from collections.abc import Sequence
from pathlib import Path

import grpc
import pytest
from mintmark.v1 import card_fingerprints_pb2 as pb
from prometheus_client import CollectorRegistry

from adapters.core import AioAccessToken
from adapters.inbound import issuer_cards
from adapters.inbound.card_fingerprints import CardFingerprints
from adapters.inbound.card_keys import CardKeys, Held
from adapters.inbound.card_metrics import CardMetrics
from adapters.jose import key_files
from adapters.jose.hash_keys import new_hash_key
from adapters.jose.keys import new_key
from adapters.settings import Settings
from tests.waiting import paused


class Looks(CardFingerprints):
    """Claims what it is told to, and looks for as long as it is told to."""

    def __init__(self, folder: Path, channel: grpc.aio.Channel, *claims: Sequence[pb.CardFingerprintTask]) -> None:
        key_files.write(folder / "card_keys.json", json.dumps({"keys": [new_key(None)]}))
        key_files.write(folder / "card_number_hash_keys.json", json.dumps({"keys": [new_hash_key(None)]}))
        metrics = CardMetrics(CollectorRegistry())
        token = AioAccessToken(channel, folder / "absent")
        super().__init__(CardKeys(Settings(data_dir=folder), metrics), channel, channel, token, metrics)
        self.claims = list(claims)
        self.claimed = 0
        self.begun, self.go_on = asyncio.Event(), asyncio.Event()
        self.looked_at: list[str] = []

    async def _claim(self, held: Held) -> Sequence[pb.CardFingerprintTask]:
        self.claimed += 1
        return self.claims.pop(0) if self.claims else []

    async def _look_at(self, task: pb.CardFingerprintTask, held: Held) -> str:
        self.begun.set()
        await self.go_on.wait()
        self.looked_at.append(task.card)
        return "recorded"


async def ended(task: asyncio.Task[None]) -> None:
    with contextlib.suppress(asyncio.CancelledError):
        await task


def test_a_core_that_does_not_wait_is_not_asked_without_end(tmp_path: Path) -> None:
    async def run() -> int:
        async with grpc.aio.insecure_channel("unix:/nowhere") as channel:
            looks = Looks(tmp_path, channel)
            working = asyncio.create_task(looks.work())
            await paused(0.05)
            working.cancel()
            await ended(working)
            return looks.claimed

    assert asyncio.run(run()) == 1


def test_what_is_claimed_is_finished_when_it_stops(tmp_path: Path) -> None:
    tasks = [pb.CardFingerprintTask(card=f"c{at}") for at in range(6)]

    async def run() -> tuple[list[str], int]:
        async with grpc.aio.insecure_channel("unix:/nowhere") as channel:
            looks = Looks(tmp_path, channel, tasks)
            working = asyncio.create_task(looks.work())
            await looks.begun.wait()
            working.cancel()
            await asyncio.sleep(0)
            looks.go_on.set()
            await ended(working)
            return looks.looked_at, looks.claimed

    looked_at, claimed = asyncio.run(run())
    assert (sorted(looked_at), claimed) == ([f"c{at}" for at in range(6)], 1)


def test_a_fault_of_ours_ends_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(issuer_cards, "AFTER_A_FAULT_S", 0)
    begun: list[int] = []

    async def faulty() -> None:
        begun.append(1)
        if len(begun) < 3:
            raise ZeroDivisionError
        await asyncio.Event().wait()

    async def run() -> None:
        working = asyncio.create_task(issuer_cards._kept_going(faulty))
        while len(begun) < 3:
            await paused(0.005)
        assert not working.done()
        working.cancel()
        await ended(working)

    asyncio.run(asyncio.wait_for(run(), 20))
    assert len(begun) == 3
