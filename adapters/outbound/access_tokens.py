"""Access tokens for partners: one that never expires, or one that is fetched from a token endpoint of OAuth 2.0.

One that is fetched is used by all calls, fetched once at a time, again at 80 % of its life, and while that fails the
old one is used for as long as it lives.
"""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

from adapters import json
from adapters.outbound import d1_answers
from adapters.outbound.access_token_sources import Endpoint, Source, source_of
from adapters.outbound.calls import CallBook
from adapters.outbound.outcomes import Answered, Result
from adapters.outbound.transport import Transport

if TYPE_CHECKING:
    from adapters.outbound.shared_access_tokens import SharedAccessToken, SharedAccessTokens

FETCH_S = 10.0
REFRESH_AT = 0.8
# Where the answer does not say for how long it is good; and the longest that is believed.
UNTOLD_LIFE_S, LONGEST_LIFE_S = 300.0, 30 * 86400.0
# After a refresh that failed, while the old one is good.
REFRESH_AGAIN_S = 5.0
# How often those look who wait for another dispatcher, and for how long.
LOOK_S, LONGEST_WAIT_S = 0.1, 10.0
MOST_KEPT = 1024
DEPTH = 8
TEXT = re.compile(r"[!-~]{1,8192}")
SECONDS = re.compile(r"[0-9]{1,10}(?:\.[0-9]{1,9})?")
KIND = "access_token"

log = structlog.get_logger("mintmark.dispatcher")


class NoAccessToken(Exception):
    """There is none. `trouble` is a word for why; `retry_after` in seconds is what the token endpoint asked for, and
    `error_code` what it called the error, where it said so in one word."""

    def __init__(self, trouble: str, retry_after: float = 0.0, error_code: str = "") -> None:
        super().__init__(trouble)
        self.trouble = trouble
        self.retry_after = retry_after
        self.error_code = error_code


@dataclass(slots=True)
class Kept:
    """What is known of one source. Times are on the monotonic clock."""

    source: bytes
    text: str = field(default="", repr=False)
    refresh_at: float = 0.0
    ends_at: float = 0.0
    # What a partner did not take.
    refused: str = field(default="", repr=False)
    fetching: "asyncio.Task[str] | None" = None


class AccessTokens:
    """All sources. Without `shared` each process has its own."""

    def __init__(
        self,
        transport: Transport,
        book: CallBook,
        shared: "SharedAccessTokens | None" = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._book = book
        self._shared = shared
        self._monotonic = monotonic
        self._kept: dict[bytes, Kept] = {}

    async def get(self, endpoint: Endpoint, correlation_id: str = "") -> str:
        """One to call with. Raises NoAccessToken."""
        source = source_of(endpoint, correlation_id)
        if source.fixed:
            return source.fixed
        kept = self._of(source)
        now = self._monotonic()
        if kept.text and now < kept.ends_at:
            if now >= kept.refresh_at:
                kept.refresh_at = now + REFRESH_AGAIN_S
                self._begin(kept, source, correlation_id)
            return kept.text
        # Whoever goes away must not take it from the others.
        return await asyncio.shield(self._begin(kept, source, correlation_id))

    def refused(self, endpoint: Endpoint, text: str) -> bool:
        """The partner did not take this one. Whether another can be had."""
        source = source_of(endpoint, "")
        if source.fixed:
            return False
        kept = self._of(source)
        if kept.text in ("", text):
            kept.text, kept.refused = "", text
        return True

    async def aclose(self) -> None:
        """Ends what is under way."""
        fetching = [kept.fetching for kept in self._kept.values() if kept.fetching is not None]
        for task in fetching:
            task.cancel()
        await asyncio.gather(*fetching, return_exceptions=True)

    def _of(self, source: Source) -> Kept:
        kept = self._kept.get(source.key)
        if kept is None:
            if len(self._kept) >= MOST_KEPT:
                now = self._monotonic()
                idle = [name for name, each in self._kept.items() if each.fetching is None and each.ends_at <= now]
                for name in idle or list(self._kept)[: MOST_KEPT // 2]:
                    del self._kept[name]
            kept = self._kept[source.key] = Kept(source.key)
        return kept

    def _begin(self, kept: Kept, source: Source, correlation_id: str) -> "asyncio.Task[str]":
        if kept.fetching is None:
            kept.fetching = asyncio.create_task(self._renew(kept, source, correlation_id))
            kept.fetching.add_done_callback(lambda task: self._ended(kept, task))
        return kept.fetching

    def _ended(self, kept: Kept, task: "asyncio.Task[str]") -> None:
        kept.fetching = None
        if not task.cancelled() and task.exception() is not None and kept.text:
            log.warning("an access token could not be refreshed; the old one is used", error=str(task.exception()))

    async def _renew(self, kept: Kept, source: Source, correlation_id: str) -> str:
        spare: SharedAccessToken | None = None
        if self._shared is not None:
            spare, done = await self._from_others(kept, self._shared)
            if done:
                await self._shared.end_turn(kept.source)
                return kept.text
        try:
            began = self._monotonic()
            text, life = await self._fetch(source, correlation_id)
            self._keep(kept, text, life, began + life)
            if self._shared is not None:
                await self._shared.put(kept.source, text, life)
        except NoAccessToken:
            if spare is None or kept.text:
                raise
            # Past 80 % of its life, and better than nothing.
            self._adopt(kept, spare)
            kept.refresh_at = self._monotonic() + REFRESH_AGAIN_S
        finally:
            if self._shared is not None:
                await self._shared.end_turn(kept.source)
        return kept.text

    async def _from_others(self, kept: Kept, shared: "SharedAccessTokens") -> "tuple[SharedAccessToken | None, bool]":
        """One that another dispatcher has fetched, and whether it will do; else it is our turn to fetch."""
        until = self._monotonic() + LONGEST_WAIT_S
        turn = False
        while True:
            found = await shared.get(kept.source)
            if found is not None and found.text == kept.refused:
                found = None
            if found is not None and found.left > (1 - REFRESH_AT) * found.life:
                self._adopt(kept, found)
                return found, True
            # Looked at once more under our turn: another one may have just ended.
            if turn or self._monotonic() >= until:
                return found, False
            turn = await shared.take_turn(kept.source)
            if not turn:
                await asyncio.sleep(LOOK_S)

    def _adopt(self, kept: Kept, found: "SharedAccessToken") -> None:
        self._keep(kept, found.text, found.life, self._monotonic() + found.left)

    @staticmethod
    def _keep(kept: Kept, text: str, life: float, ends_at: float) -> None:
        kept.text, kept.ends_at = text, ends_at
        kept.refresh_at = ends_at - (1 - REFRESH_AT) * life

    async def _fetch(self, source: Source, correlation_id: str) -> tuple[str, float]:
        """A new one and for how many seconds it is good. Raises NoAccessToken."""
        with self._book.calling(KIND, source.account, "POST", "{token_url}", correlation_id) as made:
            result = await self._transport.call("POST", source.url, source.headers, source.content, total=FETCH_S)
            try:
                text, life = _read(result)
            except NoAccessToken as missing:
                made.ended("refused" if missing.trouble.endswith("refused") else "failed", result, missing.trouble)
                raise
            made.ended("issued", result)
            return text, life


def _read(result: Result) -> tuple[str, float]:
    """Raises NoAccessToken."""
    if not isinstance(result, Answered):
        raise NoAccessToken(f"{KIND}_{result.trouble}")
    if result.http_status in {400, 401, 403}:
        raise NoAccessToken(f"{KIND}_refused", result.retry_after, d1_answers.error_code(result))
    if result.http_status != 200:
        raise NoAccessToken(f"{KIND}_http_{result.http_status}", result.retry_after)
    try:
        found = json.parse(result.body if result.whole else b"", DEPTH).fields
    except json.Unreadable:
        found = {}
    text, kind = found.get("access_token"), found.get("token_type", "Bearer")
    if not isinstance(text, str) or not TEXT.fullmatch(text) or not isinstance(kind, str) or kind.lower() != "bearer":
        raise NoAccessToken(f"{KIND}_unreadable")
    told = found.get("expires_in")
    seconds = told.text if isinstance(told, json.Number) else told
    if not isinstance(seconds, str) or not SECONDS.fullmatch(seconds):
        return text, UNTOLD_LIFE_S
    return text, min(max(1.0, float(seconds)), LONGEST_LIFE_S)
