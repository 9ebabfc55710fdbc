"""Reads of payment subscriptions, outside of the writer."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, func, select

from server.domain.payment_subscriptions import PaymentSubscription
from server.domain.queries import Page, PaymentSubscriptionQuery
from server.store import payment_tables, rows
from server.store.reach import within

if TYPE_CHECKING:
    from server.store.reader import SqlView

subscriptions = payment_tables.payment_subscriptions


class SqlPaymentSubscriptionView:
    """Reads on connections of their own. Raises StoreUnavailable."""

    def __init__(self, view: "SqlView") -> None:
        self._connection = view.connection

    def _rows(self, statement: Select[Any]) -> list[Any]:
        with self._connection("list payment_subscriptions") as connection:
            return list(connection.execute(statement).mappings())

    def get(self, name: str) -> PaymentSubscription | None:
        found = self._rows(select(subscriptions).where(subscriptions.c.name == name))
        return rows.PAYMENT_SUBSCRIPTION.read(found[0]) if found else None

    def page(self, query: PaymentSubscriptionQuery, page: Page) -> list[PaymentSubscription]:
        """The newest first."""
        wanted = {
            "merchant_gateway_id": query.merchant_gateway_id,
            "merchant_id": query.merchant_id,
            "token": query.token,
            "merchant_subscription_id": query.merchant_subscription_id,
        }
        where = [
            within(subscriptions, query.reach),
            *(subscriptions.c[column] == value for column, value in wanted.items() if value),
        ]
        if query.states:
            where.append(subscriptions.c.state.in_(sorted(state.value for state in query.states)))
        if query.overdue:
            where.append(subscriptions.c.overdue)
        if page.after:
            where.append(subscriptions.c.name < page.after)
        statement = select(subscriptions).where(*where).order_by(subscriptions.c.name.desc()).limit(page.limit)
        return [rows.PAYMENT_SUBSCRIPTION.read(row) for row in self._rows(statement)]

    def any_to_attend(self, now: int) -> bool:
        return bool(self._rows(select(subscriptions.c.name).where(subscriptions.c.attend_time <= now).limit(1)))

    def overdue_counts(self) -> dict[str, int]:
        statement = (
            select(subscriptions.c.account, func.count().label("count"))
            .where(subscriptions.c.overdue)
            .group_by(subscriptions.c.account)
        )
        return {row["account"]: row["count"] for row in self._rows(statement)}
