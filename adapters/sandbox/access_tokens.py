"""D1's access tokens: fetched when first needed, and again near their end, not when a call is refused."""

import asyncio
import base64
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx

from adapters.sandbox.answer import Answer

# An access token is used until this many seconds before its end.
RENEWAL_SECONDS = 60.0


@dataclass(slots=True)
class AccessToken:
    """One access token, as it is held."""

    text: str = field(default="", repr=False)
    expires: float = 0.0
    scope: str = ""
    fetched: int = 0


class AccessTokens:
    """Those of one token endpoint (contract, sections 2.1 and 3.1). `url` and `credentials` are read each time."""

    def __init__(
        self,
        url: Callable[[], str],
        credentials: Callable[[], tuple[str, str]],
        http: httpx.AsyncClient,
        wall: Callable[[], float],
    ) -> None:
        self.held = AccessToken()
        self._url = url
        self._credentials = credentials
        self._http = http
        self._wall = wall
        self._lock = asyncio.Lock()

    async def renew(self, *, anew: bool = False) -> Answer | None:
        """Sees to it that there is an access token. Returns the token endpoint's answer where it refuses or fails,
        None where all is well. Raises NotConfigured and what httpx raises."""
        async with self._lock:
            now = self._wall()
            if self.held.text and not anew and now < self.held.expires - RENEWAL_SECONDS:
                return None
            client_id, client_secret = self._credentials()
            basic = base64.urlsafe_b64encode(f"{client_id}:{client_secret}".encode()).decode()
            answer = await self._http.post(
                self._url(),
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
                # A number for ecom, a text for issuers.
                text, seconds = str(document["access_token"]), float(document["expires_in"])
            except (ValueError, KeyError, TypeError):
                return Answer(None, "the token endpoint's answer cannot be read")
            # A token that lives for less than the margin is used for half of its life.
            expires = now + max(seconds, RENEWAL_SECONDS + seconds / 2)
            self.held = AccessToken(text, expires, str(document.get("scope", "")), self.held.fetched + 1)
            return None

    def forget(self) -> None:
        """The next call fetches a new one: the credentials or the target have changed."""
        self.held = AccessToken(fetched=self.held.fetched)
