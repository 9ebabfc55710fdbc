"""The OAuth2 step before the calls: access tokens by client credentials, a static one besides, both revocable."""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, unquote_plus

from msgspec import Struct

from adapters.sandbox.payment_options.journal import Journal
from adapters.sandbox.sibs.credentials import CLIENT_ID, CLIENT_SECRET, STATIC_ACCESS_TOKEN, same

FORM = "application/x-www-form-urlencoded"
GRANT = "client_credentials"


class Grant(Struct, rename="camel"):
    """An access token that was given out: its hash, and when it ends (Unix seconds)."""

    digest: str
    expires: float
    revoked: bool = False


class GrantRefused(Exception):
    """The token endpoint refuses, with an error of RFC 6749."""

    def __init__(self, status: int, error: str) -> None:
        super().__init__(error)
        self.status = status
        self.error = error


class AccessTokens:
    """What it gave out outlives a restart."""

    def __init__(self, journal: Journal, wall: Callable[[], float]) -> None:
        self._journal = journal
        self._wall = wall
        self._grants: dict[str, Grant] = {}
        self._static_revoked = False

    def restore(self, document: dict[str, Any]) -> None:
        """A line of an earlier run."""
        if "static" in document:
            self._static_revoked = document["static"] == "revoked"
        else:
            self._put(Grant(document["digest"], document["expires"], document["revoked"]))

    async def issue(self, seconds: float) -> tuple[str, int]:
        """A new one, and for how many seconds it is good. Raises JournalBroken."""
        text = secrets.token_urlsafe(32)
        grant = Grant(_digest(text), self._wall() + seconds)
        await self._journal.append({"accessToken": grant})
        self._put(grant)
        return text, max(1, int(seconds))

    def accepts(self, text: str) -> bool:
        """Whether a call with this access token is let in."""
        if same(text, STATIC_ACCESS_TOKEN):
            return not self._static_revoked
        grant = self._grants.get(_digest(text))
        return grant is not None and not grant.revoked and self._wall() < grant.expires

    async def revoke(self, *, static: bool) -> int:
        """Ends all that were issued, and the static one if told so; returns how many. Raises JournalBroken."""
        ended = [Grant(grant.digest, grant.expires, revoked=True) for grant in self._live()]
        lines: list[dict[str, Any]] = [{"accessToken": grant} for grant in ended]
        count = len(ended) + (static and not self._static_revoked)
        if static:
            lines.append({"accessToken": {"static": "revoked"}})
        if lines:
            await self._journal.append(*lines)
        for grant in ended:
            self._put(grant)
        self._static_revoked = self._static_revoked or static
        return count

    async def reinstate(self) -> None:
        """The static one is good again. Raises JournalBroken."""
        await self._journal.append({"accessToken": {"static": "good"}})
        self._static_revoked = False

    def document(self) -> dict[str, Any]:
        """Counts."""
        return {
            "issued": len(self._grants),
            "live": len(self._live()),
            "revoked": sum(grant.revoked for grant in self._grants.values()),
            "staticRevoked": self._static_revoked,
        }

    def _live(self) -> list[Grant]:
        return [grant for grant in self._grants.values() if not grant.revoked and self._wall() < grant.expires]

    def _put(self, grant: Grant) -> None:
        self._grants[grant.digest] = grant


def check_grant(authorization: str, content_type: str, body: bytes | None) -> None:
    """Whether a request to the token endpoint may have an access token. Raises GrantRefused."""
    if content_type.partition(";")[0].strip().lower() != FORM or body is None:
        raise GrantRefused(400, "invalid_request")
    try:
        given = parse_qs(body.decode("ascii"), max_num_fields=32)
    except ValueError:
        raise GrantRefused(400, "invalid_request") from None
    fields = {name: values[0] for name, values in given.items() if len(values) == 1}
    if len(fields) != len(given):
        raise GrantRefused(400, "invalid_request")
    client_id, client_secret = fields.get("client_id", ""), fields.get("client_secret", "")
    scheme, _, text = authorization.partition(" ")
    if scheme.lower() == "basic":
        client_id, client_secret = _basic(text)
    fits = [same(client_id, CLIENT_ID), same(client_secret, CLIENT_SECRET)]
    if not all(fits):
        raise GrantRefused(401, "invalid_client")
    if fields.get("grant_type") != GRANT:
        raise GrantRefused(400, "unsupported_grant_type")


def _basic(text: str) -> tuple[str, str]:
    try:
        name, _, secret = (
            base64.b64decode(text, altchars=b"-_" if {"-", "_"} & set(text) else None).decode().partition(":")
        )
    except (binascii.Error, ValueError):
        return "", ""
    return unquote_plus(name), unquote_plus(secret)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()
