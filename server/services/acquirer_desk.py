"""What everything about the acquirer's notifications and transactions shares."""

from dataclasses import dataclass

from server.domain.accounts import Account
from server.domain.sibs_accounts import DEFAULT_TEST_IDS
from server.domain.webhook_configs import WebhookConfig
from server.ports import MessageKeys, Transaction
from server.services.payment_house import PaymentHouse

SENDER = "sibs"


@dataclass(frozen=True, slots=True)
class AcquirerDesk:
    """`identities_kept`: how long it is known that a notification came before, in microseconds."""

    house: PaymentHouse
    cipher: MessageKeys
    identities_kept: int

    def now(self, transaction: Transaction) -> int:
        return self.house.now(transaction)

    def digest(self, *parts: str | bytes) -> bytes:
        encoded = (part if isinstance(part, bytes) else part.encode("utf-8", "surrogatepass") for part in parts)
        return self.house.hasher.identity_hash(b"acquirer", *encoded)


@dataclass(frozen=True, slots=True)
class Intake:
    """Where and when something came in. The account may be gone while its configs' keys still open what is repeated."""

    config: WebhookConfig
    account: Account | None
    correlation_id: str
    now: int

    @property
    def account_id(self) -> str:
        return self.config.account.removeprefix("partnerAccounts/")

    @property
    def test_transaction_ids(self) -> tuple[str, ...]:
        stated = self.account.sibs.test_transaction_ids if self.account and self.account.sibs else ()
        return stated or DEFAULT_TEST_IDS


def can_ask(account: Account | None) -> bool:
    """Whether an account says where the status of a transaction can be asked for."""
    return account is not None and account.sibs is not None and bool(account.sibs.payments_base_url)
