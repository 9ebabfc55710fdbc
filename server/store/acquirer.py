"""Transactions at the acquirer, what it said of them, and notifications that no key opens, within one transaction of
the writer."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import ColumnElement, RowMapping, insert, select

from server.domain.acquirer_transactions import AcquirerTransaction, Report
from server.domain.unreadable_notifications import UnreadableNotification, UnreadableTally
from server.store import acquirer_tables, payment_tables, rows, schema
from server.store.shelf import TableShelf

if TYPE_CHECKING:
    from server.store.transaction import SqlTransaction

transactions = acquirer_tables.acquirer_transactions
reports = acquirer_tables.acquirer_reports
unreadable = acquirer_tables.unreadable_notifications
operations = payment_tables.payment_operations
payments = payment_tables.payments


class SqlAcquirer:
    """What a transaction can do with what the acquirer tells."""

    def __init__(self, transaction: "SqlTransaction") -> None:
        self._transaction = transaction
        self.transactions: TableShelf[AcquirerTransaction] = TableShelf(
            transaction, transactions, rows.ACQUIRER_TRANSACTION
        )
        self.unreadable: TableShelf[UnreadableNotification] = TableShelf(transaction, unreadable, rows.UNREADABLE)
        self.tallies: TableShelf[UnreadableTally] = TableShelf(
            transaction, acquirer_tables.unreadable_tallies, rows.UNREADABLE_TALLY
        )

    def _rows(self, statement: Any) -> Sequence[RowMapping]:
        return self._transaction.connection.execute(statement).mappings().all()

    def has_effect(self, acquirer_transaction: str, effect_digest: bytes) -> bool:
        return self._has(acquirer_transaction, reports.c.effect_digest == effect_digest)

    def is_known(self, acquirer_transaction: str, digest: bytes) -> bool:
        return self._has(acquirer_transaction, reports.c.digest == digest)

    def _has(self, acquirer_transaction: str, condition: ColumnElement[bool]) -> bool:
        of = reports.c.acquirer_transaction == acquirer_transaction
        return bool(self._rows(select(reports.c.name).where(of, condition).limit(1)))

    def add_reports(self, added: Sequence[Report]) -> None:
        if added:
            self._transaction.change(insert(reports), [rows.ACQUIRER_REPORT.row(report) for report in added])

    def payment_with_reference(self, merchant_gateway_id: str, reference: str) -> str:
        accounts = select(schema.accounts.c.name).where(schema.accounts.c.merchant_gateway_id == merchant_gateway_id)
        at_partner = select(operations.c.payment).where(
            operations.c.account.in_(accounts), operations.c.reference == reference
        )
        own = select(payments.c.name.label("payment")).where(
            payments.c.merchant_gateway_id == merchant_gateway_id, payments.c.merchant_payment_id == reference
        )
        # Two statements, so that each goes by its index.
        for statement in (at_partner, own):
            found = {str(row["payment"]) for row in self._rows(statement.limit(2))}
            if found:
                return found.pop() if len(found) == 1 else ""
        return ""

    def unreadable_sizes(self, webhook_config: str) -> list[tuple[str, int]]:
        statement = select(unreadable.c.name, unreadable.c.size).where(unreadable.c.webhook_config == webhook_config)
        return [(row["name"], row["size"]) for row in self._rows(statement.order_by(unreadable.c.unreadable_id))]

    def unreadable_with_digest(self, digest: bytes) -> UnreadableNotification | None:
        found = self._rows(select(unreadable).where(unreadable.c.digest == digest))
        return rows.UNREADABLE.read(found[0]) if found else None

    def unreadable_of(self, webhook_config: str, after: str, limit: int) -> list[UnreadableNotification]:
        statement = select(unreadable).where(
            unreadable.c.webhook_config == webhook_config, unreadable.c.unreadable_id > after
        )
        found = self._rows(statement.order_by(unreadable.c.unreadable_id).limit(limit))
        return [rows.UNREADABLE.read(row) for row in found]
