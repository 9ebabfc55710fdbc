"""The gateway that the twins send to: their credentials there, one HTTP call at a time."""

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from adapters.sandbox.access_tokens import AccessTokens
from adapters.sandbox.answer import Answer
from adapters.sandbox.notifications import D1_ISSUER, D1_ISSUER_BATCHES, TSH, Notification

# One attempt in total, in our own seconds. Thales publishes no time-out.
ATTEMPT_SECONDS = 10.0
ISSUER_FEEDS = (D1_ISSUER, D1_ISSUER_BATCHES)


class NotConfigured(Exception):
    """A twin lacks its target or credentials. The text says what to do."""


@dataclass(slots=True)
class Target:
    """Where to send and as whom. Credentials come from `configure` or, read when needed, from their files."""

    url: str
    client_file: Path
    api_key_file: Path
    tsh_prefix: str = ""
    issuer_prefix: str = "/notifications/d1"
    cards_prefix: str = "/cms/api/v1"
    consumers_prefix: str = "/banking/d1/v1"
    # A template; empty where the gateway serves no Deliver OTP.
    otp_path: str = ""
    card_keys_path: str = "/.well-known/card-keys.json"
    token_path: str = "/oauth2/token"
    issuer_token_path: str = "/authz/d1/v1/oauth2/token"
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
        if feed in ISSUER_FEEDS:
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


class Sender:
    """Sends notifications to the target. Counts nothing and decides nothing."""

    def __init__(self, target: Target, wall: Callable[[], float], timeout: float = ATTEMPT_SECONDS) -> None:
        self.target = target
        self.http = httpx.AsyncClient(
            timeout=timeout, trust_env=False, limits=httpx.Limits(max_connections=512, max_keepalive_connections=128)
        )
        credentials = target.client_credentials
        self.ecom_tokens = AccessTokens(lambda: target.url + target.token_path, credentials, self.http, wall)
        self.issuer_tokens = AccessTokens(lambda: target.url + target.issuer_token_path, credentials, self.http, wall)
        self._timeout = timeout

    async def send(self, notification: Notification) -> Answer:
        """One attempt; never raises for what the network or the receiver does."""
        try:
            async with asyncio.timeout(self._timeout):
                headers = {"x-correlation-id": notification.correlation_id, "content-type": "application/json"}
                path = self.target.prefix(notification.feed) + notification.path
                if notification.feed != TSH:
                    tokens = self.access_tokens(notification.feed)
                    refused = await tokens.renew()
                    if refused is not None:
                        return refused
                    headers["authorization"] = f"Bearer {tokens.held.text}"
                else:
                    headers["authorization"] = f"APIKEY {self.target.key()}"
                answer = await self.http.post(self.target.url + path, content=notification.content, headers=headers)
        except (httpx.HTTPError, TimeoutError, NotConfigured) as error:
            return Answer(None, word(error))
        return Answer(answer.status_code)

    def access_tokens(self, feed: str) -> AccessTokens:
        """Those that the feed is sent with. TSH's is not."""
        return self.issuer_tokens if feed in ISSUER_FEEDS else self.ecom_tokens

    def forget_access_tokens(self) -> None:
        """D1's next calls fetch new ones: the credentials or the target have changed."""
        self.ecom_tokens.forget()
        self.issuer_tokens.forget()

    async def close(self) -> None:
        """Closes the connections."""
        await self.http.aclose()


def word(error: Exception) -> str:
    """What went wrong with a call, in a word."""
    if isinstance(error, NotConfigured):
        return str(error)
    return "time-out" if isinstance(error, TimeoutError | httpx.TimeoutException) else type(error).__name__
