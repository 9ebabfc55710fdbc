"""A subscriber that is killed at random, and one that is slow, miss nothing."""

import json
import random
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
from mintmark.v1 import tokens_pb2

from mintmark_client import Client
from tests.house.tree import ROOT
from tests.mintmark_client.test_services import imports
from tests.server.rpc.running import RunningCore, request_id
from tests.waiting import eventually

EVENTS = 5000
BATCH = 500


def write(core: RunningCore, place: str, batch: int) -> None:
    ids = [f"t-{number:04}" for number in range(batch * BATCH, (batch + 1) * BATCH)]
    core.admin.tokens.ImportTokens(
        tokens_pb2.ImportTokensRequest(request_id=request_id(), tokens=imports(place, *ids)), timeout=30
    )


def has_grown(path: Path, size: int) -> bool:
    return path.stat().st_size >= size


@pytest.mark.parametrize("kills", [2, pytest.param(40, marks=pytest.mark.campaign)])
def test_none_of_5000_events_is_missed(kills: int, core: RunningCore, place: str, tmp_path: Path) -> None:
    made = core.create(["events.read"], [place])
    address, client_id, secret = core.settings.grpc_address, made.client.client_id, made.client_secret
    credentials, cursor, seen = tmp_path / "orders.json", tmp_path / "cursor", tmp_path / "seen"
    credentials.write_text(json.dumps({"client_id": client_id, "client_secret": secret}))
    seen.touch()
    command = [sys.executable, "-m", "tests.mintmark_client.subscriber", address]
    command += [str(credentials), str(cursor), str(seen), str(EVENTS)]
    longest = EVENTS * len("99999\n") // 2
    kill_at = iter(sorted(random.Random(kills).sample(range(longest), kills)))

    with Client(address, client_id=client_id, client_secret=secret) as client, client.events.stream("0") as slow:
        write(core, place, 0)
        slowly = [next(slow).sequence]
        running = subprocess.Popen(command, cwd=ROOT)
        try:
            for batch in range(1, EVENTS // BATCH):
                write(core, place, batch)
            for size in kill_at:
                eventually(partial(has_grown, seen, size), 20, "events before the kill")
                running.kill()
                running.wait(10)
                running = subprocess.Popen(command, cwd=ROOT)
            assert running.wait(30) == 0
        finally:
            running.kill()
            running.wait(10)
        slowly += [next(slow).sequence for _ in range(EVENTS - 1)]

    written = [event.sequence for event in core.admin.events_after("0", merchant_gateway_id=place)]
    assert len(written) == EVENTS
    assert slowly == written
    lines = [int(line) for line in seen.read_text().split()]
    assert list(dict.fromkeys(lines)) == written
    # At least once: only the event that was dealt with when the kill came may come again.
    assert len(lines) <= EVENTS + kills
