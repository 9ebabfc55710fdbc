"""The steward's chore for payments: what time alone does to them, and how many are in doubt."""

from prometheus_client import Gauge

from server.services import payment_times
from server.services.payment_house import PaymentHouse

LIMIT = 100
IN_DOUBT = Gauge("mintmark_payment_operations_in_doubt", "Operations in doubt.", ("account",))


class PaymentTimes:
    """Expires what is unsent past its time, and puts in doubt what nobody has reported on."""

    name = "payment_times"

    def __init__(self, house: PaymentHouse, interval: float = 1.0) -> None:
        self.interval = interval
        self._house = house
        self._counted: set[str] = set()

    def wanted(self) -> bool:
        self._count()
        return self._house.store.view.has_operation_to_attend(self._house.now_outside())

    def step(self) -> bool:
        house = self._house
        due = house.store.write(
            "payments", lambda transaction: transaction.ledger.to_attend(house.now(transaction), LIMIT)
        )
        for payment in due:
            self._attend(payment)
        return len(due) == LIMIT

    def _attend(self, payment: str) -> None:
        house = self._house
        house.store.write(payment, lambda transaction: payment_times.attend(house, transaction, payment))

    def _count(self) -> None:
        counts = self._house.store.view.doubts()
        for account in self._counted - counts.keys():
            IN_DOUBT.labels(account).set(0)
        for account, count in counts.items():
            IN_DOUBT.labels(account).set(count)
        self._counted |= counts.keys()
