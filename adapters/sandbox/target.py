"""The gateway that the twins send to: their credentials there, the access token, one HTTP call at a time."""

import asyncio
import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx

from adapters.sandbox.authorities import authorities
from adapters.sandbox.notifications import D1_ISSUER, D1_ISSUER_BATCHES, TSH, Notification

# One attempt in total, in our own seconds. Thales publishes no time-out.
ATTEMPT_SECONDS = 10.0
# An access token is used until this many seconds before its end.
RENEWAL_SECONDS = 60.0


class NotConfigured(Exception):
    """A twin lacks its target or credentials. The text says what to do."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What an attempt brought: the status, or None and what happened instead."""

    status: int | None
    error: str = ""

    @property
    def acknowledged(self) -> bool:
        """Whether the receiver has taken the notification."""
        return self.status is not None and 200 <= self.status < 300

    @property
    def retryable(self) -> bool:
        """Whether the partner sends it again by itself: 429, 5xx, a time-out, a broken connection."""
        return self.status is None or self.status in (408, 429) or self.status >= 500


@dataclass(slots=True)
class Target:
    """Where to send and as whom. Credentials come from `configure` or, read when needed, from their files."""

    url: str
    client_file: Path
    api_key_file: Path
    tsh_prefix: str = ""
    issuer_prefix: str = "/notifications/d1"
    token_path: str = "/oauth2/token"
    client: tuple[str, str] | None = None
    api_key: str = ""

    def client_credentials(self) -> tuple[str, str]:
        """D1's client id and secret. Raises NotConfigured."""
        if self.client:
            return self.client
        document = _read(self.client_file, "the D1 twin has no credentials")
        return str(document.get("client_id", "")), str(document.get("client_secret", ""))

    def key(self) -> str:
        """TSH's API key. Raises NotConfigured."""
        return self.api_key or str(_read(self.api_key_file, "the TSH twin has no API key").get("api_key", ""))

    def check(self, feed: str) -> None:
        """Raises NotConfigured where the feed cannot send at all."""
        if not self.url:
            raise NotConfigured("the twins have no target: configure one, or set MINTMARK_SANDBOX_TARGET")
        if feed == TSH:
            self.key()
        else:
            self.client_credentials()

    def prefix(self, feed: str) -> str:
        """Where the feed's paths begin."""
        if feed in (D1_ISSUER, D1_ISSUER_BATCHES):
            return self.issuer_prefix
        return self.tsh_prefix if feed == TSH else ""


def _read(path: Path, problem: str) -> dict[str, Any]:
    try:
        document = json.loads(path.read_text())
    except FileNotFoundError:
        raise NotConfigured(f"{problem}: {path} is not there; configure them") from None
    except (OSError, ValueError) as error:
        raise NotConfigured(f"{problem}: {path} cannot be read ({type(error).__name__})") from None
    if not isinstance(document, dict):
        raise NotConfigured(f"{problem}: {path} is not a JSON object")
    return document


@dataclass(slots=True)
class AccessToken:
    """D1's access token: fetched when first needed, and again near its end, not when a call is refused."""

    text: str = field(default="", repr=False)
    expires: float = 0.0
    scope: str = ""
    fetched: int = 0


class Sender:
    """Sends notifications to the target. Counts nothing and decides nothing."""

    def __init__(self, target: Target, wall: Callable[[], float], timeout: float = ATTEMPT_SECONDS) -> None:
        self.target = target
        self.access_token = AccessToken()
        self._wall = wall
        self._timeout = timeout
        self._lock = asyncio.Lock()
        self._http = httpx.AsyncClient(
            timeout=timeout,
            trust_env=False,
            verify=authorities(),
            limits=httpx.Limits(max_connections=512, max_keepalive_connections=128),
        )

    async def send(self, notification: Notification) -> Answer:
        """One attempt; never raises for what the network or the receiver does."""
        try:
            async with asyncio.timeout(self._timeout):
                headers = {"x-correlation-id": notification.correlation_id, "content-type": "application/json"}
                path = self.target.prefix(notification.feed) + notification.path
                if notification.feed != TSH:
                    refused = await self.renew()
                    if refused is not None:
                        return refused
                    headers["authorization"] = f"Bearer {self.access_token.text}"
                else:
                    headers["authorization"] = f"APIKEY {self.target.key()}"
                answer = await self._http.post(self.target.url + path, content=notification.content, headers=headers)
        except (httpx.HTTPError, TimeoutError, NotConfigured) as error:
            return Answer(None, _word(error))
        return Answer(answer.status_code)

    async def renew(self, *, anew: bool = False) -> Answer | None:
        """Sees to it that there is an access token (contract, section 2.1). Returns the token endpoint's answer where
        it refuses or fails, None where all is well. Raises what httpx raises."""
        async with self._lock:
            now = self._wall()
            if self.access_token.text and not anew and now < self.access_token.expires - RENEWAL_SECONDS:
                return None
            client_id, client_secret = self.target.client_credentials()
            basic = base64.urlsafe_b64encode(f"{client_id}:{client_secret}".encode()).decode()
            answer = await self._http.post(
                self.target.url + self.target.token_path,
                content=b"grant_type=client_credentials",
                headers={
                    "authorization": f"Basic {basic}",
                    "content-type": "application/x-www-form-urlencoded",
                    "accept": "application/json",
                },
            )
            if answer.status_code != 200:
                return Answer(answer.status_code, f"the token endpoint answered {answer.status_code}")
            try:
                document = answer.json()
                text, seconds = str(document["access_token"]), float(document["expires_in"])
            except (ValueError, KeyError, TypeError):
                return Answer(None, "the token endpoint's answer cannot be read")
            # A token that lives for less than the margin is used for half of its life.
            expires = now + max(seconds, RENEWAL_SECONDS + seconds / 2)
            self.access_token = AccessToken(
                text, expires, str(document.get("scope", "")), self.access_token.fetched + 1
            )
            return None

    def forget_access_token(self) -> None:
        """The next D1 notification fetches a new one: the credentials or the target have changed."""
        self.access_token = AccessToken(fetched=self.access_token.fetched)

    async def close(self) -> None:
        """Closes the connections."""
        await self._http.aclose()


def _word(error: Exception) -> str:
    if isinstance(error, NotConfigured):
        return str(error)
    return "time-out" if isinstance(error, TimeoutError | httpx.TimeoutException) else type(error).__name__
