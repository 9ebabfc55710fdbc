"""Keys of webhook configs: one serves one config, opens notifications before the acquirer learns it, and long after."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

MICROS = 1_000_000
KEY_BYTES = 32
# Kept for one config at most, the current one included.
MOST_KEYS = 16
# A use is noted where the last one noted is older than this, so that a notification seldom costs a row.
USE_NOTED_EVERY = 3600 * MICROS


@dataclass(frozen=True, slots=True)
class WebhookKey:
    """A key, sealed. Times are microseconds. `digest` is a keyed hash: no two configs have the same key. `apply_time`
    is when the acquirer first agreed to it, `retire_time` when it ceased to be the current one."""

    name: str
    webhook_config: str
    number: int
    digest: bytes
    sealed_key: bytes
    create_time: int
    apply_time: int | None = None
    last_use_time: int | None = None
    retire_time: int | None = None


def current(keys: Sequence[WebhookKey]) -> WebhookKey | None:
    """The one that the acquirer is to use; None where there is none (EMAIL, or a deleted config)."""
    return next((key for key in keys if key.retire_time is None), None)


def in_order(keys: Sequence[WebhookKey]) -> list[WebhookKey]:
    """As they are tried: the current one, then the others, the newest first."""
    return sorted(keys, key=lambda key: (key.retire_time is not None, -key.number))


def expire_time(key: WebhookKey, keys: Sequence[WebhookKey], end_time: int | None, keep: int) -> int | None:
    """When the key may be removed: `keep` microseconds after its last use, and after the acquirer could first have
    stopped using it. None where nobody can say yet: it is current, or the acquirer has agreed to no later one.
    `end_time`: when the acquirer agreed to use no key at all any more."""
    if key.retire_time is None:
        return None
    later = [each.apply_time for each in keys if each.number > key.number and each.apply_time is not None]
    ended = min((*later, *([] if end_time is None else [end_time])), default=None)
    if ended is None:
        return None
    return max(key.retire_time, ended, key.last_use_time or 0) + keep


def retire(key: WebhookKey, now: int) -> WebhookKey:
    return key if key.retire_time is not None else replace(key, retire_time=now)


def used(key: WebhookKey, now: int) -> WebhookKey | None:
    """The key with its use noted; None where one was noted not long ago."""
    if key.last_use_time is not None and now - key.last_use_time < USE_NOTED_EVERY:
        return None
    return replace(key, last_use_time=now)
