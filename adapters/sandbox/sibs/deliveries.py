"""How notifications are sent: each at once, and again by the batch jobs until it is acknowledged exactly."""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime
from typing import Any

import httpx
import structlog

from adapters.sandbox.authorities import authorities
from adapters.sandbox.destinations import may_call
from adapters.sandbox.notifications import timestamp
from adapters.sandbox.payment_options.background import Background
from adapters.sandbox.payment_options.journal import Journal, JournalBroken
from adapters.sandbox.sibs.acknowledgement import LONGEST, flaw
from adapters.sandbox.sibs.calendar import Calendar
from adapters.sandbox.sibs.config import Config
from adapters.sandbox.sibs.configs import Configs
from adapters.sandbox.sibs.damage import message
from adapters.sandbox.sibs.habits import Habits
from adapters.sandbox.sibs.notification import Notification, Try
from adapters.sandbox.sibs.notifications import Notifications
from adapters.sandbox.sibs.schedule import batches, due_after

# In our own seconds: what takes longer is a failure. The acquirer publishes no number.
ANSWER_SECONDS = 10.0
AT_ONCE = 64
KEPT_ANSWER, KEPT_BATCHES = 256, 1000

log = structlog.get_logger("mintmark.sandbox")


class Deliveries:
    """Sends to loopback, and to the hosts that the settings name."""

    def __init__(
        self,
        notifications: Notifications,
        configs: Configs,
        ledger: Journal,
        calendar: Calendar,
        background: Background,
        hosts: frozenset[str],
        now: Callable[[], datetime],
        habits: Callable[[], Habits],
    ) -> None:
        self._notifications = notifications
        self._configs = configs
        self._ledger = ledger
        self._calendar = calendar
        self._background = background
        self._hosts = hosts
        self._now = now
        self._habits = habits
        self._flying: dict[int, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(AT_ONCE)
        self._batches: deque[dict[str, Any]] = deque(maxlen=KEPT_BATCHES)
        self._http: httpx.AsyncClient | None = None
        self._broken = False

    def next_due(self) -> float | None:
        """When something is to be sent next that is not on its way already."""
        if self._broken:
            return None
        dues = [each.due for each in self._ready() if each.due is not None]
        return min(dues, default=None)

    def run_due(self) -> None:
        """Begins to send what is due, as far as the batch jobs take it."""
        if self._broken:
            return
        now = self._calendar.now
        due = {each.number: each for each in self._ready() if each.due is not None and each.due <= now}
        go, left = batches((number, len(each.tries)) for number, each in due.items())
        for number, tier in left:
            due[number].due = tier.next_run(now)
        for number in go:
            self._fly(due[number])
        retries = sum(1 for number in go if due[number].tries)
        if retries or left:
            self._batches.append({"at": now, "taken": retries, "left": len(left)})

    async def idle(self) -> None:
        """Returns when nothing is on its way."""
        while self._flying:
            await asyncio.wait(self._flying.values())

    async def redeliver(self, notification: Notification) -> None:
        """Sends once more now, whatever its state is; returns when that is settled."""
        while notification.number in self._flying:
            await asyncio.wait({self._flying[notification.number]})
        await asyncio.wait({self._fly(notification)})

    def batches(self) -> list[dict[str, Any]]:
        """The newest runs of the batch jobs that found something, oldest first."""
        return list(self._batches)

    async def close(self) -> None:
        """Closes the connections."""
        if self._http is not None:
            await self._http.aclose()

    def _ready(self) -> list[Notification]:
        return [each for each in self._notifications.waiting() if each.number not in self._flying]

    def _fly(self, notification: Notification) -> asyncio.Task[None]:
        task = self._background.start(self._try(notification))
        self._flying[notification.number] = task
        task.add_done_callback(lambda _task: self._landed(notification.number))
        return task

    def _landed(self, number: int) -> None:
        del self._flying[number]
        self._calendar.wake()

    async def _try(self, notification: Notification) -> None:
        config = self._configs.get(notification.acquirer_id, notification.config_code)
        if config is None:
            raise AssertionError("a config is never forgotten")
        habits = self._habits()
        key_number = config.key_number
        if notification.tries and habits.retry_key == "first":
            key_number = notification.tries[0].key_number
        async with self._places:
            at, time = self._calendar.now, timestamp(self._now())
            status, answer, why = await self._send(notification, config, key_number, habits)
        count = len(notification.tries) + 1
        due = due_after(count, self._calendar.now, notification.first) if why else None
        done = Try(
            notification.number,
            at,
            time,
            key_number,
            status,
            not why,
            why,
            answer[:KEPT_ANSWER].decode("utf-8", "replace"),
            due,
        )
        try:
            await self._ledger.append({"try": done})
        except JournalBroken:
            self._broken = True
            log.error("the acquirer twin's ledger cannot be written; nothing more is sent")
            return
        self._notifications.tried(done)

    async def _send(
        self, notification: Notification, config: Config, key_number: int, habits: Habits
    ) -> tuple[int, bytes, str]:
        """One try: the status, the answer's body, and why it does not acknowledge."""
        if not may_call(config.value, self._hosts):
            return 0, b"", "the sandbox may not call this host"
        mode = notification.mode if len(notification.tries) < notification.damaged_tries else ""
        old_key = config.keyed(key_number - 1) if key_number else ""
        headers, content = message(mode, config.keyed(key_number), old_key, notification.plaintext.encode())
        if self._http is None:
            self._http = httpx.AsyncClient(
                timeout=ANSWER_SECONDS, trust_env=False, follow_redirects=False, verify=authorities()
            )
        body = bytearray()
        try:
            async with (
                asyncio.timeout(ANSWER_SECONDS),
                self._http.stream(
                    "POST", config.value, content=content, headers={"content-type": habits.content_type, **headers}
                ) as answer,
            ):
                async for piece in answer.aiter_bytes():
                    body += piece
                    if len(body) > LONGEST:
                        return answer.status_code, bytes(body), "the body is too long"
        except (httpx.HTTPError, httpx.InvalidURL, TimeoutError) as error:
            return 0, bytes(body), type(error).__name__
        content_type = answer.headers.get("content-type", "")
        why = flaw(answer.status_code, content_type, bytes(body), notification.notification_id, habits.acknowledgement)
        return answer.status_code, bytes(body), why
