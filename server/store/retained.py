"""What is kept, by its age: found outside of the writer, removed within a transaction."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, Connection, Table, delete, func, insert, select, text, tuple_, update

from server.domain.notifications import Notification, NotificationState
from server.domain.retention import RetainedKind
from server.store import rows, schema
from server.store.acquirer_tables import acquirer_reports, acquirer_transactions, unreadable_notifications
from server.store.card_tables import card_accesses
from server.store.payment_tables import tasks

if TYPE_CHECKING:
    from server.store.reader import SqlView
    from server.store.transaction import SqlTransaction

# As a literal, so that the planner knows that the index of these few fits.
IN_QUARANTINE = text("state = 'QUARANTINED'")


class SqlRetained:
    """Reads on connections of their own. Raises StoreUnavailable."""

    def __init__(self, view: "SqlView") -> None:
        self._connection = view.connection

    def oldest(self) -> dict[RetainedKind, int]:
        head, events, notifications = schema.store_head, schema.events, schema.notifications
        removed = select(head.c.removed_sequence).scalar_subquery()
        received = select(notifications.c.receive_time).order_by(notifications.c.name).limit(1)
        statements = {
            RetainedKind.EVENTS: select(events.c.time)
            .where(events.c.sequence > removed)
            .order_by(events.c.sequence)
            .limit(1),
            RetainedKind.NOTIFICATIONS: received.where(notifications.c.state != NotificationState.QUARANTINED.value),
            RetainedKind.QUARANTINED_NOTIFICATIONS: received.where(IN_QUARANTINE),
            RetainedKind.REQUESTS: select(func.min(schema.requests.c.time)),
            RetainedKind.IDENTITIES: select(func.min(schema.identities.c.known_since)),
            RetainedKind.REVOKED_ACCESS_TOKENS: select(func.min(schema.revoked_access_tokens.c.expire_time)),
            RetainedKind.ACQUIRER_TRANSACTIONS: select(func.min(acquirer_transactions.c.update_time)),
            RetainedKind.UNREADABLE_NOTIFICATIONS: select(func.min(unreadable_notifications.c.receive_time)),
            RetainedKind.CARD_DATA_ACCESSES: select(func.min(card_accesses.c.create_time)),
        }
        with self._connection("get oldest") as connection:
            found = {kind: connection.execute(statement).scalar() for kind, statement in statements.items()}
        return {kind: int(time) for kind, time in found.items() if time is not None}

    def event_times(self, after: int, limit: int) -> list[tuple[int, int]]:
        table = schema.events
        statement = select(table.c.sequence, table.c.time).where(table.c.sequence > after)
        with self._connection("list event times") as connection:
            found = connection.execute(statement.order_by(table.c.sequence).limit(limit))
            return [(row.sequence, row.time) for row in found]

    def last_event_before(self, time: int) -> int:
        table = schema.events
        with self._connection("get last event before") as connection:
            head = connection.execute(select(schema.store_head)).one()
            # Everything up to `low` is older, everything after `high` is not.
            low, high = head.removed_sequence, head.sequence
            while low < high:
                middle = (low + high + 1) // 2
                found = connection.execute(select(table.c.time).where(table.c.sequence == middle)).scalar()
                if found is None or found < time:
                    low = middle
                else:
                    high = middle - 1
        return int(low) if low > head.removed_sequence else 0

    def notifications(self, before: str, after: str, limit: int, *, quarantined: bool) -> list[Notification]:
        table = schema.notifications
        state: ColumnElement[bool] | Any = (
            IN_QUARANTINE if quarantined else table.c.state != NotificationState.QUARANTINED.value
        )
        statement = select(table).where(table.c.name > after, table.c.name < before, state)
        with self._connection("list old notifications") as connection:
            found = connection.execute(statement.order_by(table.c.name).limit(limit)).mappings()
            return [rows.NOTIFICATION.read(row) for row in found]


class SqlRemoval:
    """Removals of one transaction."""

    def __init__(self, transaction: "SqlTransaction") -> None:
        self._transaction = transaction

    @property
    def _connection(self) -> Connection:
        return self._transaction.connection

    def _run(self, statement: Any) -> int:
        changed: int = self._connection.execute(statement).rowcount
        self._transaction.changes += changed > 0
        return changed

    def events(self, up_to: int) -> int:
        table, head = schema.events, schema.store_head
        # What lies before has been removed; walking over what is left of it in the index would take longer each time.
        removed = self._connection.execute(select(head.c.removed_sequence)).scalar_one()
        count = self._run(delete(table).where(table.c.sequence > removed, table.c.sequence <= up_to))
        # A core that was late must not move the mark back.
        self._run(update(head).where(head.c.removed_sequence < up_to).values(removed_sequence=up_to))
        return count

    def notifications(self, seen: Sequence[Notification]) -> int:
        if not seen:
            return 0
        table = schema.notifications
        by_name = {notification.name: notification for notification in seen}
        columns = (table.c.name, table.c.state, table.c.delivery_count, table.c.replay_time)
        # Locked in the order of the names, as recording locks them.
        statement = select(*columns).where(table.c.name.in_(sorted(by_name))).order_by(table.c.name).with_for_update()
        unchanged = [
            row.name for row in self._connection.execute(statement) if tuple(row) == self._told(by_name[row.name])
        ]
        return self._run(delete(table).where(table.c.name.in_(unchanged))) if unchanged else 0

    @staticmethod
    def _told(notification: Notification) -> tuple[str, str, int, int | None]:
        """What changes of a notification that was repeated or replayed."""
        return notification.name, notification.state.value, notification.delivery_count, notification.replay_time

    def requests(self, before: int, limit: int) -> int:
        return self._older(schema.requests, "time", before, limit)

    def identities(self, before: int, limit: int) -> int:
        return self._older(schema.identities, "known_since", before, limit)

    def revoked_access_tokens(self, before: int, limit: int) -> int:
        return self._older(schema.revoked_access_tokens, "expire_time", before, limit)

    def acquirer_transactions(self, before: int, limit: int) -> int:
        table = acquirer_transactions
        oldest = select(table.c.name).where(table.c.update_time < before).order_by(table.c.update_time).limit(limit)
        # Locked in the order of the names, and looked at again: one may have changed while its lock was waited for.
        chosen = [row.name for row in self._connection.execute(oldest)]
        locked = select(table.c.name, table.c.update_time).where(table.c.name.in_(sorted(chosen)))
        rows_ = self._connection.execute(locked.order_by(table.c.name).with_for_update())
        old = [row.name for row in rows_ if row.update_time < before]
        if not old:
            return 0
        self._run(delete(acquirer_reports).where(acquirer_reports.c.acquirer_transaction.in_(old)))
        self._run(delete(tasks).where(tasks.c.resource.in_(old)))
        return self._run(delete(table).where(table.c.name.in_(old)))

    def unreadable_notifications(self, before: int, limit: int) -> int:
        return self._older(unreadable_notifications, "receive_time", before, limit)

    def card_accesses(self, before: int, limit: int) -> int:
        return self._older(card_accesses, "create_time", before, limit)

    def forget_warnings(self, before: int, limit: int) -> int:
        return self._older(schema.retention_warnings, "time", before, limit)

    def _older(self, table: Table, column: str, before: int, limit: int) -> int:
        time = table.c[column]
        key = tuple_(*table.primary_key.columns)
        oldest = select(*table.primary_key.columns).where(time < before).order_by(time).limit(limit)
        # The condition again: one of them may have been renewed while its lock was waited for.
        return self._run(delete(table).where(key.in_(oldest), time < before))

    def may_warn(self, of: str, now: int, interval: int) -> bool:
        table = schema.retention_warnings
        last = self._connection.execute(select(table.c.time).where(table.c.name == of)).scalar()
        if last is None:
            self._transaction.change(insert(table), [{"name": of, "time": now}])
            return True
        due = table.c.time <= now - interval
        return self._run(update(table).where(table.c.name == of, due).values(time=now)) == 1
