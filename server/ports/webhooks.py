"""Webhook configs, their keys, and what the acquirer has beside them, within a transaction."""

from collections.abc import Collection, Sequence
from typing import Protocol

from server.domain.queries import Page, UnmanagedWebhookQuery, WebhookConfigQuery
from server.domain.tasks import Task, TaskKind
from server.domain.unmanaged_webhooks import UnmanagedWebhook
from server.domain.webhook_configs import WebhookConfig
from server.domain.webhook_keys import WebhookKey
from server.ports.shelf import Shelf


class Webhooks(Protocol):
    """Locked in this order: configs in the order of their names, their keys, tasks."""

    @property
    def configs(self) -> Shelf[WebhookConfig]: ...
    @property
    def keys(self) -> Shelf[WebhookKey]: ...
    @property
    def unmanaged(self) -> Shelf[UnmanagedWebhook]: ...

    def configs_of(self, account: str) -> list[WebhookConfig]:
        """Those of an account, deleted ones too, in the order of their names, locked."""

    def accounts_with_configs(self) -> set[str]:
        """The accounts that any config belongs to, a deleted one too."""

    def keys_of(self, configs: Collection[str]) -> dict[str, list[WebhookKey]]:
        """The keys of these configs, in the order of their numbers. Whoever changes them holds the config's lock."""

    def config_with_key(self, digest: bytes) -> str | None:
        """The config that has a key, or had it not long ago."""

    def unmanaged_of(self, account: str, scope: tuple[str, str, str]) -> list[UnmanagedWebhook]:
        """What the acquirer had beside our configs when it was asked for this merchant, acceptor and terminal."""

    def due(self, kinds: Collection[TaskKind], paused: Collection[str], now: int, limit: int) -> list[Task]:
        """Due tasks that nobody has leased, the longest due first, unlocked: look again when they are locked."""

    def task(self, name: str) -> Task | None:
        """A task, unlocked."""

    def tasks_for(self, resource: str) -> list[Task]:
        """The tasks for a config, a transaction or a list."""

    def expired(self, now: int, keep: int, limit: int) -> list[str]:
        """Configs with a key whose time may be over: `keep` microseconds after its last use."""

    def to_refresh(self, before: int, limit: int) -> list[str]:
        """Configs that the acquirer was last asked for before that time."""


class WebhookView(Protocol):
    """Reads outside of the writer, each a consistent one of its own."""

    def webhook_config(self, name: str) -> WebhookConfig | None: ...
    def webhook_configs(self, query: WebhookConfigQuery, page: Page) -> list[WebhookConfig]:
        """In the order of their names."""

    def webhook_keys(self, configs: Sequence[str]) -> dict[str, list[WebhookKey]]:
        """The keys of these configs, in the order of their numbers."""

    def unmanaged_webhooks(self, query: UnmanagedWebhookQuery, page: Page) -> list[UnmanagedWebhook]:
        """In the order of their names."""

    def webhook_config_counts(self) -> dict[tuple[str, str], int]:
        """How many configs there are, by account and state."""

    def has_webhook_chore(self, expired_before: int, refresh_before: int | None) -> bool:
        """Whether a config's key may have expired, or the acquirer was last asked for a config before then."""
