"""Reads of payments outside of the writer."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, Select, func, or_, select

from server.domain.payment_operations import OperationState
from server.domain.queries import Page, PaymentQuery
from server.domain.tasks import TaskKind
from server.store import payment_tables

payments = payment_tables.payments
operations = payment_tables.payment_operations
evidence = payment_tables.payment_evidence
tasks = payment_tables.tasks
subscriptions = payment_tables.payment_subscriptions


def payment_page(query: PaymentQuery, page: Page, *conditions: ColumnElement[bool]) -> Select[Any]:
    """The newest first."""
    wanted = {
        "merchant_gateway_id": query.merchant_gateway_id,
        "merchant_id": query.merchant_id,
        "token": query.token,
        "merchant_payment_id": query.merchant_payment_id,
        "account": query.account,
    }
    where = [*conditions, *(payments.c[column] == value for column, value in wanted.items() if value)]
    if query.states:
        where.append(payments.c.state.in_(sorted(state.value for state in query.states)))
    if query.in_doubt:
        where.append(payments.c.in_doubt)
    if query.duplicate_charge:
        where.append(payments.c.duplicate_charge)
    if page.after:
        where.append(payments.c.name < page.after)
    return select(payments).where(*where).order_by(payments.c.name.desc()).limit(page.limit)


def operations_of(payment: str) -> Select[Any]:
    return select(operations).where(operations.c.payment == payment).order_by(operations.c.number)


def evidence_page(payment: str, page: Page) -> Select[Any]:
    return (
        select(evidence)
        .where(evidence.c.payment == payment, evidence.c.name > page.after)
        .order_by(evidence.c.name)
        .limit(page.limit)
    )


def due_task(kinds: Collection[TaskKind], now: int, paused: Collection[str]) -> Select[Any]:
    return (
        select(tasks.c.name)
        .where(
            tasks.c.due_time <= now,
            or_(tasks.c.lease_expire_time.is_(None), tasks.c.lease_expire_time <= now),
            tasks.c.kind.in_(sorted(kind.value for kind in kinds)),
            tasks.c.account.not_in(sorted(paused)),
        )
        .limit(1)
    )


def operation_to_attend(now: int) -> Select[Any]:
    return select(operations.c.name).where(operations.c.attend_time <= now).limit(1)


def doubts() -> Select[Any]:
    """How many operations are in doubt, by account."""
    return (
        select(operations.c.account, func.count().label("count"))
        .where(operations.c.state == OperationState.IN_DOUBT.value)
        .group_by(operations.c.account)
    )
