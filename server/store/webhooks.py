"""Webhook configs, their keys and what the acquirer has beside them, within one transaction of the writer."""

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, RowMapping, Select, and_, exists, func, or_, select

from server.domain.tasks import Task, TaskKind
from server.domain.unmanaged_webhooks import UnmanagedWebhook
from server.domain.webhook_configs import COMPARED, WebhookConfig, WebhookConfigState
from server.domain.webhook_keys import WebhookKey
from server.store import payment_tables, rows, webhook_tables
from server.store.shelf import TableShelf

if TYPE_CHECKING:
    from server.store.transaction import SqlTransaction

configs = webhook_tables.webhook_configs
keys = webhook_tables.webhook_keys
unmanaged = webhook_tables.unmanaged_webhooks
tasks = payment_tables.tasks


class SqlWebhooks:
    """What a transaction can do with webhook configs. Lock order: configs by name, their keys, tasks."""

    def __init__(self, transaction: "SqlTransaction") -> None:
        self._transaction = transaction
        self.configs: TableShelf[WebhookConfig] = TableShelf(transaction, configs, rows.WEBHOOK_CONFIG)
        self.keys: TableShelf[WebhookKey] = TableShelf(transaction, keys, rows.WEBHOOK_KEY)
        self.unmanaged: TableShelf[UnmanagedWebhook] = TableShelf(transaction, unmanaged, rows.UNMANAGED_WEBHOOK)

    def _rows(self, statement: Any) -> Sequence[RowMapping]:
        return self._transaction.connection.execute(statement).mappings().all()

    def configs_of(self, account: str) -> list[WebhookConfig]:
        statement = select(configs).where(configs.c.account == account).order_by(configs.c.name).with_for_update()
        return [rows.WEBHOOK_CONFIG.read(row) for row in self._rows(statement)]

    def accounts_with_configs(self) -> set[str]:
        return {str(row["account"]) for row in self._rows(select(configs.c.account).distinct())}

    def keys_of(self, configs: Collection[str]) -> dict[str, list[WebhookKey]]:
        found: dict[str, list[WebhookKey]] = {name: [] for name in configs}
        for row in self._rows(keys_of(configs)):
            found[row["webhook_config"]].append(rows.WEBHOOK_KEY.read(row))
        return found

    def config_with_key(self, digest: bytes) -> str | None:
        found = self._rows(select(keys.c.webhook_config).where(keys.c.digest == digest))
        return str(found[0]["webhook_config"]) if found else None

    def unmanaged_of(self, account: str, scope: tuple[str, str, str]) -> list[UnmanagedWebhook]:
        merchant, acceptor, terminal = scope
        statement = select(unmanaged).where(
            unmanaged.c.account == account,
            unmanaged.c.merchant_id == merchant,
            unmanaged.c.acceptor_id == acceptor,
            unmanaged.c.terminal_id == terminal,
        )
        return [rows.UNMANAGED_WEBHOOK.read(row) for row in self._rows(statement)]

    def due(self, kinds: Collection[TaskKind], paused: Collection[str], now: int, limit: int) -> list[Task]:
        statement = (
            select(tasks)
            .where(
                tasks.c.due_time <= now,
                or_(tasks.c.lease_expire_time.is_(None), tasks.c.lease_expire_time <= now),
                tasks.c.kind.in_(sorted(kind.value for kind in kinds)),
                tasks.c.account.not_in(sorted(paused)),
            )
            .order_by(tasks.c.due_time, tasks.c.name)
            .limit(limit)
        )
        return [rows.TASK.read(row) for row in self._rows(statement)]

    def task(self, name: str) -> Task | None:
        found = self._rows(select(tasks).where(tasks.c.name == name))
        return rows.TASK.read(found[0]) if found else None

    def tasks_for(self, resource: str) -> list[Task]:
        return [rows.TASK.read(row) for row in self._rows(select(tasks).where(tasks.c.resource == resource))]

    def expired(self, now: int, keep: int, limit: int) -> list[str]:
        return [str(row["name"]) for row in self._rows(expired(now - keep).limit(limit))]

    def to_refresh(self, before: int, limit: int) -> list[str]:
        return [str(row["name"]) for row in self._rows(unrefreshed(before).limit(limit))]


def keys_of(names: Collection[str]) -> Select[Any]:
    """The keys of these configs, in the order of their numbers."""
    return select(keys).where(keys.c.webhook_config.in_(sorted(names))).order_by(keys.c.webhook_config, keys.c.number)


def expired(before: int) -> Select[Any]:
    """Configs with a key that was retired and last used before that time, and that the acquirer has had no reason to
    use since; and deleted ones."""
    later, current = keys.alias("later"), keys.alias("current")
    replaced = exists().where(
        later.c.webhook_config == keys.c.webhook_config, later.c.number > keys.c.number, later.c.apply_time < before
    )
    keyless = ~exists().where(current.c.webhook_config == configs.c.name, current.c.retire_time.is_(None))
    ended = or_(configs.c.delete_time < before, and_(keyless, configs.c.apply_time < before))
    over = exists().where(
        keys.c.webhook_config == configs.c.name,
        keys.c.retire_time < before,
        func.coalesce(keys.c.last_use_time, 0) < before,
        or_(replaced, ended),
    )
    return select(configs.c.name).where(or_(over, configs.c.delete_time < before)).order_by(configs.c.name)


def unrefreshed(before: int) -> Select[Any]:
    """Configs that have settled, and that the acquirer was last asked for before that time."""
    asked = func.coalesce(configs.c.list_time, configs.c.apply_time, configs.c.create_time)
    settled = configs.c.state.in_(sorted(state.value for state in COMPARED))
    return select(configs.c.name).where(and_(settled, configs.c.refresh_wanted_time.is_(None), asked < before))


def in_states(states: Collection[WebhookConfigState]) -> ColumnElement[bool]:
    """Configs in one of these states; without any, those that are not deleted."""
    if not states:
        return configs.c.state != WebhookConfigState.DELETED.value
    return configs.c.state.in_(sorted(state.value for state in states))


def counts() -> Select[Any]:
    """How many configs there are, by account and state."""
    grouped = select(configs.c.account, configs.c.state, func.count().label("count"))
    return grouped.group_by(configs.c.account, configs.c.state)
