"""Bursts: many notifications at once, with repeats, disorder and the oddities that the contract knows."""

import asyncio
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from adapters.sandbox import d1, tsh
from adapters.sandbox.delivery import Deliveries
from adapters.sandbox.ledger import SETTLED
from adapters.sandbox.notifications import Notification, malformed

KINDS = (d1.TOKEN_UPDATE, *tsh.PATHS)
MIX: Mapping[str, float] = {
    d1.TOKEN_UPDATE: 3,
    tsh.BINDING_CREATION: 2,
    tsh.BINDING_UPDATE: 3,
    tsh.TOKEN_CREATION: 1,
    tsh.TOKEN_UPDATE: 2,
    tsh.MERCHANT_UPDATE: 0.5,
}
# How far a notification out of order, or a repeat, comes from its place.
FURTHEST = 20
# Notifications a token, on average.
PER_TOKEN = 5


@dataclass(frozen=True, slots=True)
class Shape:
    """What a burst looks like. The seed decides everything but ids, which are new each time."""

    count: int
    concurrency: int = 16
    repeats: float = 0.0
    disorder: float = 0.0
    malformed: float = 0.0
    unknown: float = 0.0
    seed: int = 0
    kinds: Mapping[str, float] = field(default_factory=lambda: MIX)
    merchant_gateway_id: str = ""
    merchant_id: str = ""
    tsh_merchant_id: str = ""
    # In our own seconds, for each notification; None waits for ever.
    deadline: float | None = None


def plan(shape: Shape, now: datetime) -> list[tuple[Notification, int]]:
    """The sendings of a burst in the order in which they begin: a notification and which repeat of it."""
    random = Random(shape.seed)
    planned = [(item, 0) for item in _told(shape, random, now)]
    for index in range(len(planned) - 1):
        if random.random() < shape.disorder:
            other = min(len(planned) - 1, index + random.randint(1, FURTHEST))
            planned[index], planned[other] = planned[other], planned[index]
    for index in range(len(planned) - 1, -1, -1):
        if random.random() < shape.repeats:
            planned.insert(index + random.randint(1, FURTHEST), (planned[index][0], 1))
    return planned


def _told(shape: Shape, random: Random, now: datetime) -> Iterator[Notification]:
    """The notifications in the order in which what they tell of happened, a second apart and ending now."""
    kinds, weights = list(shape.kinds), list(shape.kinds.values())
    tokens = {feed: [_token(feed) for _ in range(max(1, shape.count // PER_TOKEN))] for feed in ("d1", "tsh")}
    devices: dict[str, list[str]] = {}
    for index in range(shape.count):
        at = now - timedelta(seconds=shape.count - index)
        kind = random.choices(kinds, weights)[0]
        if kind == d1.TOKEN_UPDATE:
            yield d1.token_update(
                shape.merchant_gateway_id,
                shape.merchant_id,
                random.choice(tokens["d1"]),
                random.choice(d1.UPDATE_TYPES),
            )
            continue
        fields = _fields(kind, random.choice(tokens["tsh"]), devices, random)
        if shape.tsh_merchant_id:
            fields["merchantId"] = shape.tsh_merchant_id
        if kind in tsh.OPEN_FIELDS and random.random() < shape.unknown:
            fields[tsh.OPEN_FIELDS[kind]] = f"NEW_WORD_{random.randint(1, 9)}"
        told = tsh.notification(kind, at, fields)
        if random.random() < shape.malformed:
            time_field = tsh.TIME_FIELDS[kind]
            told = tsh.notification(
                kind, at, {**told.body, time_field: malformed(told.body[time_field])}, told.correlation_id
            )
        yield told


def _token(feed: str) -> str:
    return str(uuid.uuid4()) if feed == "d1" else tsh.new_token_id()


def _fields(kind: str, token: str, devices: dict[str, list[str]], random: Random) -> dict[str, Any]:
    if kind == tsh.MERCHANT_UPDATE:
        return {"scheme": random.choice(tsh.SCHEMES)}
    fields: dict[str, Any] = {"tokenId": token}
    if kind == tsh.TOKEN_UPDATE:
        fields["tokenState"] = random.choice(tsh.TOKEN_STATES)
    elif kind == tsh.BINDING_CREATION:
        device = tsh.new_device_id()
        devices.setdefault(token, []).append(device)
        fields |= {"deviceId": device, "deviceType": random.choice(tsh.DEVICE_TYPES)}
        fields |= {"appType": random.choice(tsh.APP_TYPES), "selectedIdvMethod": random.choice(tsh.IDV_METHODS)}
    elif kind == tsh.BINDING_UPDATE:
        # A binding that nobody was told of yet is right too: notifications overtake each other.
        known = devices.setdefault(token, [])
        if not known:
            known.append(tsh.new_device_id())
        fields |= {"deviceId": random.choice(known), "bindingState": random.choice(tsh.BINDING_STATES)}
        fields["eventInitiator"] = random.choice(tsh.INITIATORS)
    return fields


@dataclass(slots=True)
class Burst:
    """A burst on its way."""

    name: str
    shape: Shape
    total: int
    outcomes: Counter[str] = field(default_factory=Counter)
    task: "asyncio.Task[None] | None" = None

    def document(self) -> dict[str, Any]:
        """How far it is."""
        done = self.task is not None and self.task.done()
        state = "running" if not done else "cancelled" if self.task and self.task.cancelled() else "done"
        return {
            "name": self.name,
            "state": state,
            "count": self.shape.count,
            "sendings": self.total,
            **{outcome: self.outcomes[outcome] for outcome in sorted(SETTLED)},
        }


class Bursts:
    """Runs bursts; each keeps as many notifications in flight as its concurrency says."""

    def __init__(self, deliveries: Deliveries) -> None:
        self._deliveries = deliveries
        self._bursts: dict[str, Burst] = {}

    def start(self, shape: Shape, now: datetime) -> Burst:
        """Begins a burst and returns at once."""
        planned = plan(shape, now)
        burst = Burst(f"burst-{uuid.uuid4().hex[:12]}", shape, len(planned))
        self._bursts[burst.name] = burst
        burst.task = asyncio.create_task(self._run(burst, iter(planned)))
        return burst

    def get(self, name: str) -> Burst | None:
        """A burst by its name."""
        return self._bursts.get(name)

    def all(self) -> list[Burst]:
        """All bursts since the start."""
        return list(self._bursts.values())

    def cancel(self, burst: Burst) -> None:
        """Ends a burst; what is on its way is given up."""
        if burst.task is not None:
            burst.task.cancel()

    async def close(self) -> None:
        """Cancels all and waits for them."""
        tasks = [burst.task for burst in self._bursts.values() if burst.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, burst: Burst, planned: Iterator[tuple[Notification, int]]) -> None:
        async def sends() -> None:
            for notification, repeat in planned:
                delivery = await self._deliveries.deliver(
                    notification, repeat=repeat, burst=burst.name, deadline=burst.shape.deadline
                )
                burst.outcomes[delivery.outcome] += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(burst.shape.concurrency):
                group.create_task(sends())
