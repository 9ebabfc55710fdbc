"""Issuers' cards in the gateway: its keys, D1's calls about cards, and the look at card data that is registered."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

import grpc
import structlog

from adapters.core import AioAccessToken
from adapters.inbound.card_credentials import PATH as CREDENTIALS_PATH
from adapters.inbound.card_credentials import CardCredentials
from adapters.inbound.card_fingerprints import CardFingerprints
from adapters.inbound.card_key_publications import CardKeyPublications
from adapters.inbound.card_keys import CardKeys
from adapters.inbound.card_metrics import CardMetrics
from adapters.inbound.card_verifications import PATH as VERIFICATIONS_PATH
from adapters.inbound.card_verifications import CardVerifications
from adapters.inbound.core_calls import CoreCalls
from adapters.inbound.directory import CardDirectories
from adapters.inbound.issuer_paths import IssuerCallers, IssuerPath
from adapters.inbound.limits import Limits
from adapters.inbound.routes import Route
from adapters.logs import fault
from adapters.settings import Settings

AFTER_A_FAULT_S = 1.0

log = structlog.get_logger("mintmark.cards")


@dataclass(frozen=True, slots=True)
class Core:
    """The ways to the core: for calls, for long polls, and what to call it with."""

    channel: grpc.aio.Channel
    waiting: grpc.aio.Channel
    access_token: AioAccessToken


class IssuerCards:
    """Everything of it, put together."""

    def __init__(
        self,
        settings: Settings,
        core: Core,
        callers: IssuerCallers,
        limits: Limits,
        metrics: CardMetrics,
        keys: CardKeys,
        directories: CardDirectories,
    ) -> None:
        self.keys = keys
        self.publications = CardKeyPublications(self.keys, core.channel, core.access_token, metrics)
        self.fingerprints = CardFingerprints(self.keys, core.channel, core.waiting, core.access_token, metrics)
        calls = CoreCalls(core.access_token)
        self._keys_path = settings.card_keys_path
        self._verifications_path = IssuerPath.of(settings.issuer_cards_prefix + VERIFICATIONS_PATH)
        self._credentials_path = IssuerPath.of(settings.issuer_cards_prefix + CREDENTIALS_PATH)
        self.verifications = CardVerifications(
            callers, self.keys, core.channel, calls, limits, metrics, self._verifications_path, directories
        )
        self.credentials = CardCredentials(
            callers, self.keys, core.channel, calls, metrics, self._credentials_path, directories
        )

    @property
    def keys_route(self) -> Route:
        """Where the public keys are."""
        return Route(self._keys_path, self.publications.jwks, ("GET", "HEAD"))

    def background(self) -> Iterator[Coroutine[Any, Any, None]]:
        """What goes on for as long as the gateway does."""
        yield _kept_going(self.keys.follow)
        yield _kept_going(self.publications.work)
        yield _kept_going(self.fingerprints.work)

    def calls(self) -> Iterator[tuple[re.Pattern[bytes], Route]]:
        """D1's calls, by what their paths look like."""
        verify = Route(self._verifications_path.template, self.verifications.verify, partner=True, authenticates=True)
        yield self._verifications_path.form, verify
        tell = Route(self._credentials_path.template, self.credentials.tell, ("GET",), partner=True, authenticates=True)
        yield self._credentials_path.form, tell


async def _kept_going(work: Callable[[], Awaitable[None]]) -> None:
    """A fault of ours ends none of it until somebody restarts the gateway."""
    while True:
        try:
            await work()
        except Exception as wrong:
            log.error("a fault of ours in the work on issuers' cards", alert=True, **fault(wrong))
        await asyncio.sleep(AFTER_A_FAULT_S)
