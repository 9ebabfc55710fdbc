"""After a restore or a failover money stands still: what could have been sent is in doubt, and nothing is sent."""

from dataclasses import dataclass

import structlog

from server.domain import accounts
from server.domain.accounts import AccountProvider
from server.domain.events import Event, EventKind
from server.ports import Transaction
from server.services.payment_house import PaymentHouse
from server.services.payment_times import stand_still

REASON = "STORE_RESTORED"

log = structlog.get_logger("restores")


@dataclass(frozen=True, slots=True)
class Known:
    """What is known outside of the database of its history: `generation` is empty where nothing is.

    `alone`: nobody but this core writes to the database, so that the mark must be there once an attempt was granted.
    """

    generation: str
    sequence: int
    alone: bool


def was_restored(transaction: Transaction, known: Known, generation: str, head: int) -> bool:
    """Whether the database is an earlier or another one than money was last sent from."""
    ledger = transaction.ledger
    if moved(ledger.kept_identity(), ledger.database_identity()):
        return True
    if not known.generation:
        return known.alone and ledger.has_attempts()
    return fell_back(known, generation, head)


def moved(kept: str, present: str) -> bool:
    """Whether the database is another one than money was last sent from. Before the first look nothing is kept."""
    return bool(kept) and kept != present


def fell_back(known: Known, generation: str, head: int) -> bool:
    """Whether the history is known to have come further than this, or to have been another one."""
    if not known.generation:
        return False
    if known.generation != generation:
        # With several cores another one has seen the restore already, and begun the new history.
        return known.alone
    return known.sequence > head


def check(house: PaymentHouse, known: Known, generation: str, head: int, new_generation: str) -> bool:
    """Looks once; whether the store was restored. Then a new history of events has begun."""

    def run(transaction: Transaction) -> bool:
        identity = transaction.ledger.database_identity()
        if not was_restored(transaction, known, generation, head):
            if transaction.ledger.kept_identity() != identity:
                transaction.ledger.keep_identity(identity)
            return False
        _hold_all(house, transaction)
        for payment in transaction.ledger.maybe_sent():
            stand_still(house, transaction, payment)
        transaction.ledger.keep_identity(identity, new_generation)
        return True

    restored = house.store.write("payments", run)
    if restored:
        log.error("store_restored", what_to_do="see what was sent since, then `mintmark payments release`")
    return restored


def _hold_all(house: PaymentHouse, transaction: Transaction) -> None:
    now = house.now(transaction)
    paying = [each for each in transaction.accounts.all() if each.provider is AccountProvider.PAYMENT_OPTIONS]
    held = [after for each in paying if (after := accounts.hold(each, REASON, now)) is not each]
    transaction.accounts.update(held)
    for account in held:
        transaction.append(
            Event(
                kind=EventKind.PAYMENTS_HELD,
                resource=account.name,
                time=now,
                actor="core",
                details={"reason": REASON},
            )
        )
