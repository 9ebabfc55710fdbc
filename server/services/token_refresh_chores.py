"""The steward's chore for tokens that are to be read again: those that were due before an account said how, or that a
replay has made due; and counts."""

from prometheus_client import Gauge

from server.ports import Transaction
from server.services import token_refreshes
from server.services.principals import Directory
from server.services.token_refreshes import RefreshDesk

LIMIT = 200
DUE = Gauge("mintmark_token_refreshes_due", "Tokens that are to be read again at D1.", ("account",))
FAILING = Gauge(
    "mintmark_token_refreshes_failing",
    "Tokens that are to be read again at D1 and could not be the last time.",
    ("account",),
)


class TokenRefreshes:
    """Makes the tasks that are missing."""

    name = "token_refreshes"

    def __init__(self, desk: RefreshDesk, directory: Directory, interval: float = 5.0) -> None:
        self.interval = interval
        self._desk = desk
        self._directory = directory
        self._counted: set[str] = set()

    def wanted(self) -> bool:
        accounts = self._directory.principals.d1_accounts
        self._count(accounts)
        return self._desk.house.store.view.token_refreshes.has_unplanned(accounts)

    def step(self) -> bool:
        accounts = self._directory.principals.d1_accounts
        return self._desk.house.store.write("tokens", lambda transaction: self._plan(transaction, accounts))

    def _plan(self, transaction: Transaction, accounts: dict[str, str]) -> bool:
        found = transaction.token_refreshes.unplanned(accounts, LIMIT)
        token_refreshes.want(transaction, found, accounts, {}, self._desk.now(transaction))
        return len(found) == LIMIT

    def _count(self, accounts: dict[str, str]) -> None:
        view = self._desk.house.store.view.token_refreshes
        self._counted |= set(accounts.values())
        for gauge, counts in ((DUE, view.due_counts(accounts)), (FAILING, view.problem_counts(accounts))):
            by_account = {accounts[gateway]: count for gateway, count in counts.items()}
            for account in self._counted:
                gauge.labels(account).set(by_account.get(account, 0))
