"""The gateway's own keys of issuers' cards, as their two files say: read at the start, and again when they change."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import structlog

from adapters.inbound.card_metrics import CardMetrics
from adapters.inbound.problems import Problem, unavailable
from adapters.jose import key_files
from adapters.jose.encryption import JweInvalid, Opened, Opener, Recipient
from adapters.jose.hash_keys import HashKeys
from adapters.jose.key_files import KeyFileUnfit
from adapters.jose.keys import KeyInvalid, PrivateKeys
from adapters.settings import Settings, SettingsInvalid

LOOKED_AT_EVERY_S = 0.5
NO_KEYS = "Card data cannot be opened here right now; send it again"
ENCRYPTION, HASHING = "encryption", "hashing"

T = TypeVar("T")
log = structlog.get_logger("mintmark.card_keys")


@dataclass(frozen=True, slots=True)
class Held:
    """What both files said when they were read last."""

    opener: Opener = field(repr=False)
    # For the current key of our own.
    recipient: Recipient = field(repr=False)
    kids: frozenset[str]
    public_jwks: dict[str, list[dict[str, str]]]
    hash_keys: HashKeys = field(repr=False)


class CardKeys:
    """The keys that count now. Without a file there are none; a file that turns bad leaves them as they were."""

    def __init__(self, settings: Settings, metrics: CardMetrics) -> None:
        """Raises SettingsInvalid for a file that is there and cannot be used, and for one that a setting names and that
        is not there."""
        self._files = (settings.card_keys, settings.card_number_hash_keys)
        self._metrics = metrics
        self._stamps = self._stamped()
        self._changed = asyncio.Event()
        named = (settings.card_keys_file, settings.card_number_hash_keys_file)
        private = _at_start("MINTMARK_CARD_KEYS_FILE", self._files[0], PrivateKeys, named=named[0] is not None)
        hashing = _at_start("MINTMARK_CARD_NUMBER_HASH_KEYS_FILE", self._files[1], HashKeys, named=named[1] is not None)
        self.held: Held | None = None
        if private and hashing:
            self._take(private, hashing)
        else:
            missing = [str(path) for path, keys in zip(self._files, (private, hashing), strict=True) if not keys]
            log.warning(
                "the gateway has no keys of issuers' cards: D1's calls about cards are answered 503, and card data "
                "that is registered waits for another gateway",
                missing=missing,
            )

    def needed(self) -> Held:
        """The keys. Raises Problem (503) where there are none."""
        if self.held is None:
            raise Problem(unavailable(NO_KEYS))
        return self.held

    def open(self, compact: str) -> Opened:
        """What a JWE for one of our keys holds. Raises JweInvalid."""
        if self.held is None:
            raise JweInvalid
        return self.held.opener.open(compact)

    async def change(self, seconds: float) -> bool:
        """Waits for the next change, for so many seconds at most. Whether there was one."""
        changed = self._changed
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(changed.wait(), seconds)
        return changed.is_set()

    async def follow(self) -> None:
        """Looks at the files for ever."""
        while True:
            await asyncio.sleep(LOOKED_AT_EVERY_S)
            self.look()

    def look(self) -> None:
        """Reads the files again if they have changed."""
        stamps = self._stamped()
        if stamps == self._stamps:
            return
        self._stamps = stamps
        private = self._again(ENCRYPTION, self._files[0], PrivateKeys)
        hashing = self._again(HASHING, self._files[1], HashKeys)
        if private and hashing:
            self._take(private, hashing)
            log.info("the keys of issuers' cards were read again", kids=sorted(private.kids), hash_keys=hashing.ids)

    def _again(self, use: str, path: Path, read: Callable[[str], T]) -> T | None:
        try:
            return read(key_files.read(path))
        except FileNotFoundError:
            why = "is not there"
        except (KeyFileUnfit, KeyInvalid) as unfit:
            why = str(unfit)
        self._metrics.files_refused.labels(use).inc()
        log.error("a file of keys of issuers' cards cannot be used", alert=True, file=str(path), why=why)
        return None

    def _take(self, private: PrivateKeys, hashing: HashKeys) -> None:
        recipient = private.recipient(private.current)
        self.held = Held(private.opener(), recipient, private.kids, private.public_jwks(), hashing)
        self._metrics.keys.labels(ENCRYPTION).set(len(private.kids))
        self._metrics.keys.labels(HASHING).set(len(hashing.ids))
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _stamped(self) -> tuple[Any, ...]:
        return tuple(map(key_files.stamp, self._files))


def _at_start(setting: str, path: Path, read: Callable[[str], T], *, named: bool) -> T | None:
    """The keys of a file; None where there is none and none is named. Raises SettingsInvalid."""
    try:
        return read(key_files.read(path))
    except FileNotFoundError:
        if not named:
            return None
        why = "is not there"
    except (KeyFileUnfit, KeyInvalid) as unfit:
        why = str(unfit)
    raise SettingsInvalid(f"{setting}: {path}: {why}")
