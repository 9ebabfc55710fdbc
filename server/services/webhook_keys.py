"""The keys of a webhook config for whoever opens what the acquirer sends."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from server.domain import names, webhook_keys
from server.domain.accounts import Account
from server.domain.sibs_accounts import DEFAULT_ACKNOWLEDGEMENT
from server.domain.webhook_configs import WebhookConfig
from server.domain.webhook_keys import WebhookKey
from server.ports import Hasher, MessageKeys, Sealer, Transaction, View


def context(name: str) -> bytes:
    """What a sealed key is bound to: it opens in its own place only."""
    return f"{name}#key".encode()


def digest(hasher: Hasher, key: bytes) -> bytes:
    """What tells a key from others without telling what it is."""
    return hasher.identity_hash(b"webhook key", key)


def sealed(hasher: Hasher, sealer: Sealer, config: str, number: int, key: bytes, now: int) -> WebhookKey:
    """A new key as it is kept."""
    name = names.webhook_key(config, number)
    return WebhookKey(name, config, number, digest(hasher, key), sealer.seal(key, context(name)), now)


def secret_of(sealer: Sealer, key: WebhookKey) -> bytes:
    return sealer.open(key.sealed_key, context(key.name))


def as_text(sealer: Sealer, key: WebhookKey) -> str:
    """The key in Base64, as the acquirer takes it: for a claimed task only."""
    return base64.b64encode(secret_of(sealer, key)).decode()


@dataclass(frozen=True, slots=True)
class Opening:
    """What a notification for a config may be opened with: the current key first, then the others, the newest first. A
    deleted config has keys too, for as long as the acquirer may repeat something. `acknowledgement_status_code` is what
    to answer with."""

    config: WebhookConfig
    acknowledgement_status_code: str
    keys: tuple[WebhookKey, ...]

    def opened(
        self, sealer: Sealer, cipher: MessageKeys, initialization_vector: bytes, tag: bytes, ciphertext: bytes
    ) -> tuple[WebhookKey, bytes] | None:
        """The key that opens a message, and what is in it; None where no key does."""
        for key in self.keys:
            secret = secret_of(sealer, key)
            plaintext = cipher.open(secret, initialization_vector, tag, ciphertext)
            if plaintext is not None:
                return key, plaintext
        return None


def to_open_with(view: View, webhook_config_id: str) -> Opening | None:
    """None where there is no such config, or no key of it any more. Reads of its own: take it before the
    transaction."""
    name = names.webhook_config(webhook_config_id)
    config = view.webhook_config(name)
    if config is None:
        return None
    return _opening(config, view.account(config.account), view.webhook_keys([name])[name])


def to_open_with_in(transaction: Transaction, webhook_config_id: str) -> Opening | None:
    """The same within a transaction, with the config locked."""
    name = names.webhook_config(webhook_config_id)
    config = transaction.webhooks.configs.get(name)
    if config is None:
        return None
    account = transaction.accounts.get(config.account)
    return _opening(config, account, transaction.webhooks.keys_of([name])[name])


def _opening(config: WebhookConfig, account: Account | None, keys: Sequence[WebhookKey]) -> Opening | None:
    if not keys:
        return None
    default = account.sibs.acknowledgement_status_code if account and account.sibs else DEFAULT_ACKNOWLEDGEMENT
    code = config.stated_acknowledgement_status_code or default
    return Opening(config, code, tuple(webhook_keys.in_order(keys)))


def mark_used(transaction: Transaction, name: str, now: int) -> None:
    """Notes that a key has opened something, where that was not noted in the last hour. A key that was removed
    meanwhile stays so."""
    key = transaction.webhooks.keys.get(name)
    changed = webhook_keys.used(key, now) if key else None
    if changed:
        transaction.webhooks.keys.update([changed])
