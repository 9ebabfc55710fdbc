"""Payments, their operations, what is known of them, and tasks, within one transaction of the writer."""

from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, RowMapping, and_, bindparam, func, insert, or_, select, text, update

from server.domain.accounts import Account, AccountProvider
from server.domain.payment_evidence import Attempt, Evidence
from server.domain.payment_exports import UnknownCharge
from server.domain.payment_operations import NOTHING_MOVED, UNRESOLVED, Operation, OperationState
from server.domain.payment_subscriptions import LIVE, PaymentSubscription
from server.domain.payments import OPENING, Payment
from server.domain.tasks import Task, TaskKind
from server.domain.tokens import Token
from server.store import payment_tables, rows, schema
from server.store.engine import CLOCKS
from server.store.shelf import TableShelf

if TYPE_CHECKING:
    from server.store.transaction import SqlTransaction

operations = payment_tables.payment_operations
attempts = payment_tables.payment_attempts
evidence = payment_tables.payment_evidence
tasks = payment_tables.tasks
subscriptions = payment_tables.payment_subscriptions
accounts = schema.accounts

# A PostgreSQL database, told from its copies: the cluster, its timeline (a restore or a failover begins a new one), the
# database and the table in it (a dump that was restored has new ones).
_IDENTITY = text(
    "SELECT concat_ws(':', (SELECT system_identifier FROM pg_control_system()), "
    "left(pg_walfile_name(pg_current_wal_lsn()), 8), "
    "(SELECT oid FROM pg_database WHERE datname = current_database()), 'payment_attempts'::regclass::oid)"
)


def database_identity(connection: Connection) -> str:
    """What tells the database from a restored one; empty where nothing in it does (SQLite: a file beside it does)."""
    if connection.dialect.name != "postgresql":
        return ""
    return str(connection.execute(_IDENTITY).scalar_one())


class SqlLedger:
    """What a transaction can do with payments. Lock order: the payment, its operations, the account, tasks."""

    def __init__(self, transaction: "SqlTransaction") -> None:
        self._transaction = transaction
        self.payments: TableShelf[Payment] = TableShelf(transaction, payment_tables.payments, rows.PAYMENT)
        self.operations: TableShelf[Operation] = TableShelf(transaction, operations, rows.OPERATION)
        self.attempts: TableShelf[Attempt] = TableShelf(transaction, attempts, rows.ATTEMPT)
        self.tasks: TableShelf[Task] = TableShelf(transaction, tasks, rows.TASK)
        self.payment_subscriptions: TableShelf[PaymentSubscription] = TableShelf(
            transaction, subscriptions, rows.PAYMENT_SUBSCRIPTION
        )
        self.unknown_charges: TableShelf[UnknownCharge] = TableShelf(
            transaction, payment_tables.unknown_charges, rows.UNKNOWN_CHARGE
        )

    def _rows(self, statement: Any) -> Sequence[RowMapping]:
        return self._transaction.connection.execute(statement).mappings().all()

    def now(self) -> int:
        connection = self._transaction.connection
        return int(connection.execute(text(f"SELECT {CLOCKS[connection.dialect.name]}")).scalar_one())

    def operations_of(self, payment: str) -> list[Operation]:
        found = self._rows(select(operations).where(operations.c.payment == payment).order_by(operations.c.number))
        return [rows.OPERATION.read(row) for row in found]

    def operation_of_transaction(self, account: str, partner_transaction_id: str) -> Operation | None:
        found = self._rows(
            select(operations).where(
                operations.c.account == account, operations.c.partner_transaction_id == partner_transaction_id
            )
        )
        return rows.OPERATION.read(found[0]) if found else None

    def subscription_of_partner(self, account: str, partner_subscription_id: str) -> PaymentSubscription | None:
        found = self._rows(
            select(subscriptions).where(
                subscriptions.c.account == account, subscriptions.c.partner_subscription_id == partner_subscription_id
            )
        )
        return rows.PAYMENT_SUBSCRIPTION.read(found[0]) if found else None

    def subscriptions_seen(self, names: Sequence[str]) -> dict[str, PaymentSubscription]:
        if not names:
            return {}
        found = self._rows(select(subscriptions).where(subscriptions.c.name.in_(sorted(names))))
        return {row["name"]: rows.PAYMENT_SUBSCRIPTION.read(row) for row in found}

    def subscriptions_to_attend(self, now: int, limit: int) -> list[str]:
        statement = (
            select(subscriptions.c.payment)
            .where(subscriptions.c.attend_time <= now)
            .order_by(subscriptions.c.attend_time)
            .limit(limit)
        )
        return sorted(str(row["payment"]) for row in self._rows(statement))

    def operations_named(
        self, account: str, references: Sequence[str], partner_transaction_ids: Sequence[str]
    ) -> list[Operation]:
        # Two statements, so that each goes by its index.
        found: dict[str, Operation] = {}
        named = {operations.c.reference: references, operations.c.partner_transaction_id: partner_transaction_ids}
        for column, values in named.items():
            if values:
                matching = select(operations).where(operations.c.account == account, column.in_(list(values)))
                found |= {row["name"]: rows.OPERATION.read(row) for row in self._rows(matching)}
        return list(found.values())

    def token_seen(self, name: str) -> Token | None:
        found = self._rows(select(schema.tokens).where(schema.tokens.c.name == name))
        return rows.TOKEN.read(found[0]) if found else None

    def payment_with_key(self, key: str) -> str | None:
        table = payment_tables.payments
        found = self._rows(select(table.c.name).where(table.c.merchant_payment_key == key))
        return str(found[0]["name"]) if found else None

    def payment_account(self, merchant_gateway_id: str) -> Account | None:
        found = self._rows(
            select(accounts)
            .where(
                accounts.c.merchant_gateway_id == merchant_gateway_id,
                accounts.c.provider == AccountProvider.PAYMENT_OPTIONS.value,
            )
            .with_for_update()
        )
        return rows.ACCOUNT.read(found[0]) if found else None

    def charged_since(self, account: str, currency_code: str, since: int) -> int:
        statement = select(func.coalesce(func.sum(operations.c.minor_amount), 0)).where(
            operations.c.account == account,
            operations.c.currency_code == currency_code,
            operations.c.create_time >= since,
            operations.c.kind.in_(sorted(kind.value for kind in OPENING)),
            operations.c.state.not_in(sorted(state.value for state in NOTHING_MOVED)),
        )
        return int(self._transaction.connection.execute(statement).scalar_one())

    def accounts_in_use(self) -> set[str]:
        unresolved = sorted(state.value for state in UNRESOLVED)
        live = sorted(state.value for state in LIVE)
        found = self._rows(
            select(operations.c.account)
            .where(operations.c.state.in_(unresolved))
            .union(select(subscriptions.c.account).where(subscriptions.c.state.in_(live)))
        )
        return {str(row["account"]) for row in found}

    def attempt_of_request(self, client: str, request_id: str) -> Attempt | None:
        found = self._rows(select(attempts).where(attempts.c.client == client, attempts.c.request_id == request_id))
        return rows.ATTEMPT.read(found[0]) if found else None

    def is_known(self, payment: str, digest: bytes) -> bool:
        statement = select(evidence.c.name).where(evidence.c.payment == payment, evidence.c.digest == digest)
        return bool(self._rows(statement))

    def add_evidence(self, lines: Sequence[Evidence]) -> None:
        if lines:
            self._transaction.change(insert(evidence), [rows.EVIDENCE.row(line) for line in lines])

    def tasks_of(self, payment: str) -> list[Task]:
        return [rows.TASK.read(row) for row in self._rows(select(tasks).where(tasks.c.payment == payment))]

    def claimable(
        self, kinds: Collection[TaskKind], full: Collection[str], paused: Collection[str], now: int, limit: int
    ) -> list[Task]:
        submits = tasks.c.kind == TaskKind.SUBMIT_PAYMENT_OPERATION.value
        stopped = and_(submits, or_(accounts.c.held, tasks.c.account.in_(sorted(full))))
        statement = (
            select(tasks)
            .join(accounts, accounts.c.name == tasks.c.account)
            .where(
                tasks.c.due_time <= now,
                or_(tasks.c.lease_expire_time.is_(None), tasks.c.lease_expire_time <= now),
                tasks.c.kind.in_(sorted(kind.value for kind in kinds)),
                tasks.c.account.not_in(sorted(paused)),
                ~stopped,
            )
            .order_by(tasks.c.due_time, tasks.c.name)
            .limit(limit)
            .with_for_update(of=tasks, skip_locked=True)
        )
        return [rows.TASK.read(row) for row in self._rows(statement)]

    def under_way(self, now: int) -> dict[str, int]:
        sending = select(operations.c.account).where(operations.c.state == OperationState.SENDING.value)
        leased = select(tasks.c.account).where(
            tasks.c.kind == TaskKind.SUBMIT_PAYMENT_OPERATION.value, tasks.c.lease_expire_time > now
        )
        counts: dict[str, int] = {}
        for row in self._rows(sending.union_all(leased)):
            counts[row["account"]] = counts.get(row["account"], 0) + 1
        return counts

    def to_attend(self, now: int, limit: int) -> list[str]:
        statement = (
            select(operations.c.payment)
            .where(operations.c.attend_time <= now)
            .order_by(operations.c.attend_time)
            .limit(limit)
        )
        return sorted({str(row["payment"]) for row in self._rows(statement)})

    def maybe_sent(self) -> list[str]:
        states = [OperationState.PENDING.value, OperationState.SENDING.value]
        found = self._rows(select(operations.c.payment).where(operations.c.state.in_(states)).distinct())
        return sorted(str(row["payment"]) for row in found)

    def has_attempts(self) -> bool:
        return bool(self._rows(select(attempts.c.name).limit(1)))

    def database_identity(self) -> str:
        return database_identity(self._transaction.connection)

    def kept_identity(self) -> str:
        return str(self._transaction.connection.execute(select(schema.store_head.c.database_identity)).scalar_one())

    def keep_identity(self, identity: str, generation: str | None = None) -> None:
        values: Mapping[str, Any] = {"database_identity": bindparam("identity")}
        parameters = {"identity": identity}
        if generation is not None:
            values = {**values, "generation": bindparam("of_generation")}
            parameters["of_generation"] = generation
        self._transaction.change(update(schema.store_head).values(values), [parameters])
