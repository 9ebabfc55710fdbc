"""Roles killed at random moments while the twin sends: its ledger of what was acknowledged is what gRPC returns."""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from mintmark.v1 import events_pb2, events_pb2_grpc

from tests.faults import books
from tests.faults.core_process import CHANNEL
from tests.faults.reading import Reading
from tests.plain import PLAIN
from tests.stack import Stack
from tests.waiting import eventually

SEED = 20261121
# The twins wait so many times shorter than Thales between their attempts.
SPEED = "50"
SHAPE = {"concurrency": 8, "repeats": 0.25, "disorder": 0.3, "malformed": 0.1, "unknown": 0.1}
RECOVERY_SECONDS = 40.0


@pytest.fixture
def stack() -> Iterator[Stack]:
    """Without development mode: the journey that it plays would send besides."""
    made = Stack(sandbox=True, MINTMARK_SANDBOX_SPEED=SPEED)
    try:
        yield _with_credentials(made.start(60))
    finally:
        made.remove()


def _with_credentials(stack: Stack) -> Stack:
    """Gives the twins their credentials, and returns when the gateway knows them: a 401 would stop a feed."""
    folder = stack.data / "credentials"
    (key,) = stack.lines("api-keys", "create", "tsh", "--merchant-gateway", "TSH_000001")
    (folder / "sandbox.tsh.json").write_text(json.dumps(key))
    (client,) = stack.lines("clients", "create", "d1", "--scope", "d1-notify", "--merchant-gateway", "MGW_000001")
    (folder / "sandbox.d1.json").write_text(json.dumps(client))
    basic = httpx.BasicAuth(client["client_id"], client["client_secret"])
    form = {"grant_type": "client_credentials"}
    eventually(lambda: stack.http.post("/oauth2/token", data=form, auth=basic).status_code == 200)
    return stack


class Twin:
    """The twins' control API."""

    def __init__(self, stack: Stack) -> None:
        self._url = stack.sandbox_url
        self._file = stack.data / "sandbox" / "ledger.jsonl"

    def burst(self, count: int, seed: int) -> str:
        answer = httpx.post(
            f"{self._url}/bursts", json={**SHAPE, "count": count, "seed": seed}, timeout=10, verify=PLAIN
        )
        assert answer.status_code == 202, answer.text
        return str(answer.json()["name"])

    def settled(self, name: str) -> int:
        """How many sendings of a burst are settled."""
        state = self._state(name)
        return int(state["acknowledged"] + state["lost"] + state["given_up"])

    def done(self, name: str) -> bool:
        state = self._state(name)
        if state["state"] == "running":
            return False
        assert (state["lost"], state["given_up"]) == (0, 0), state
        return True

    def ledger(self) -> list[dict[str, Any]]:
        """What is settled, from the file: the twin need not be alive."""
        lines = self._file.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def _state(self, name: str) -> dict[str, Any]:
        state: dict[str, Any] = httpx.get(f"{self._url}/bursts/{name}", timeout=10, verify=PLAIN).json()
        return state


class Follower(threading.Thread):
    """An internal service that follows the events through all kills, from the cursor that it has."""

    def __init__(self, stack: Stack) -> None:
        super().__init__(daemon=True)
        self._channel = grpc.insecure_channel(stack.grpc_address, CHANNEL)
        self._metadata = stack.metadata()
        self._stopped = threading.Event()
        self.sequences: list[int] = []
        self.streams = 0
        self.refusal = ""

    def run(self) -> None:
        stub = events_pb2_grpc.EventsServiceStub(self._channel)
        cursor = "0"
        while not self._stopped.is_set():
            self.streams += 1
            try:
                request = events_pb2.StreamEventsRequest(cursor=cursor)
                for answer in stub.StreamEvents(request, metadata=self._metadata, wait_for_ready=True):
                    self.sequences += [event.sequence for event in answer.events]
                    cursor = answer.cursor
            except grpc.RpcError as error:
                if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED):
                    self.refusal = f"{error.code()}: {error.details()}"
                    return
            except ValueError:
                return  # the channel was closed

    def stop(self) -> None:
        self._stopped.set()
        self._channel.close()
        self.join(10)


def _at_a_random_moment(twin: Twin, burst: str, chance: random.Random, count: int) -> None:
    """Returns while the burst is on its way: after some of its sendings, and up to 20 ms later."""
    wanted = chance.randrange(count)
    eventually(lambda: twin.settled(burst) >= wanted, RECOVERY_SECONDS, f"{wanted} sendings")
    moment = time.monotonic() + chance.uniform(0, 0.02)
    eventually(lambda: time.monotonic() >= moment)


def _kill(stack: Stack, role: str) -> None:
    pid = stack.pid(role)
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: _restarted(stack, role, pid), RECOVERY_SECONDS, f"the restart of the {role}")


def _restarted(stack: Stack, role: str, killed: int) -> bool:
    try:
        return stack.pid(role) != killed and stack.readiness().status_code == 200
    except FileNotFoundError:
        return False


def _campaign(stack: Stack, role: str, kills: int, notifications: int) -> books.Comparison:
    chance = random.Random(SEED)
    twin = Twin(stack)
    follower = Follower(stack)
    follower.start()
    bursts = []
    each = notifications // kills
    try:
        for number in range(kills):
            bursts.append(twin.burst(each, seed=number))
            _at_a_random_moment(twin, bursts[-1], chance, each)
            _kill(stack, role)
        eventually(lambda: all(twin.done(name) for name in bursts), RECOVERY_SECONDS, "the end of all bursts")
        reading = Reading(stack.channel, stack.metadata())
        compared = books.compare(books.told(twin.ledger()), reading)
        assert compared.notifications >= each * kills
        expected = list(range(1, compared.events + 1))
        _would_see_a_difference(books.told(twin.ledger()), reading)
        eventually(lambda: follower.sequences == expected or follower.refusal, 20, "the follower's last event")
        assert not follower.refusal
        assert role != "core" or follower.streams > 1
        return compared
    finally:
        follower.stop()


def _would_see_a_difference(ledger: dict[str, books.Told], reading: Reading) -> None:
    """A ledger with one line more or less does not agree, or the comparison would show nothing."""
    lost = next(iter(ledger.values()))
    with pytest.raises(AssertionError, match="acknowledged and lost"):
        books.compare({**ledger, "never-stored": lost}, reading)
    with pytest.raises(AssertionError):
        books.compare({key: each for key, each in ledger.items() if each is not lost}, reading)


@pytest.mark.timeout(240)
def test_the_core_killed_a_few_times(stack: Stack) -> None:
    _campaign(stack, "core", kills=3, notifications=150)
    _campaign(stack, "gateway", kills=1, notifications=50)
    _the_whole_killed(stack, 60)


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_the_core_killed_50_times(stack: Stack, figures: Callable[[str], None]) -> None:
    figures(str(_campaign(stack, "core", kills=50, notifications=2000)))


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_the_gateway_killed_20_times(stack: Stack, figures: Callable[[str], None]) -> None:
    figures(str(_campaign(stack, "gateway", kills=20, notifications=800)))


@pytest.mark.campaign
@pytest.mark.timeout(1800)
def test_the_whole_killed_10_times(stack: Stack) -> None:
    for _ in range(10):
        _the_whole_killed(stack, 100)


def _the_whole_killed(stack: Stack, notifications: int) -> None:
    """SIGKILL of `serve` ends its children; started again on the same folder, nothing acknowledged is lost."""
    twin = Twin(stack)
    burst = twin.burst(notifications, seed=SEED)
    _at_a_random_moment(twin, burst, random.Random(SEED), notifications // 2)
    roles = [stack.pid(role) for role in ("core", "gateway", "sandbox")]
    stack.kill()
    eventually(lambda: not any(_alive(pid) for pid in roles), 40, "the end of the children")
    stack.start(60)
    acknowledged = books.told(twin.ledger())
    books.compare(acknowledged, Reading(stack.channel, stack.metadata()), whole=False)
    after = twin.burst(20, seed=1)
    eventually(lambda: twin.done(after), RECOVERY_SECONDS, "a burst after the restart")
    books.compare(books.told(twin.ledger()), Reading(stack.channel, stack.metadata()), whole=False)


def _alive(pid: int) -> bool:
    """Whether the process runs; a dead one that nobody has waited for does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False
