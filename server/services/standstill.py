"""Whether money stands still: nothing is sent, and no charging is started again."""

from server.domain.accounts import Account
from server.ports import Transaction


def stands_still(transaction: Transaction, account: Account | None) -> bool:
    """Whether an operator or a restore holds the account, or a restore or failover has not been seen to yet."""
    return account is None or account.held or is_another_store(transaction)


def is_another_store(transaction: Transaction) -> bool:
    """Whether it was restored, or another one took over: what was sent before that is not known here."""
    return transaction.ledger.database_identity() != transaction.ledger.kept_identity()
