"""What everything about payments shares: the clock, the keys, the limits, and where partners reach us."""

from dataclasses import dataclass

from server.domain.payment_answers import PartnerAnswer
from server.ports import Clock, Hasher, Ids, Sealer, Store, Transaction

MICROS = 1_000_000
WEBHOOK_PATH = "/payment-options/webhooks/"
MAC_BYTES = 16


@dataclass(frozen=True, slots=True)
class PaymentLimits:
    """Seconds. `call`: the whole of a call to a partner. `send_by`: from a grant to the request's headers."""

    send_within: float = 300.0
    send_by: float = 15.0
    call: float = 15.0
    lease: float = 60.0
    resolve_after: float = 900.0
    action_window: float = 1800.0
    page_window: float = 1800.0
    cycle_overdue_after: float = 86400.0

    @staticmethod
    def micros(seconds: float) -> int:
        return round(seconds * MICROS)


@dataclass(frozen=True, slots=True)
class PaymentHouse:
    """Times are on the database's clock, which every core shares."""

    store: Store
    clock: Clock
    ids: Ids
    hasher: Hasher
    sealer: Sealer
    limits: PaymentLimits
    public_url: str

    def now(self, transaction: Transaction) -> int:
        return transaction.ledger.now() + self.clock.offset()

    def now_outside(self) -> int:
        """Raises StoreUnavailable."""
        return self.store.view.database_time() + self.clock.offset()

    def seal(self, plaintext: bytes, name: str, field: str) -> bytes:
        return self.sealer.seal(plaintext, _context(name, field)) if plaintext else b""

    def open(self, sealed: bytes, name: str, field: str) -> bytes:
        return self.sealer.open(sealed, _context(name, field)) if sealed else b""

    def webhook_url(self, payment: str) -> str:
        return f"{self.public_url.rstrip('/')}{WEBHOOK_PATH}{self.webhook_token(payment)}"

    def webhook_token(self, payment: str) -> str:
        """What nobody can guess: the payment's id and a keyed hash of it."""
        payment_id = payment.removeprefix("payments/")
        mac = self.hasher.identity_hash(b"payment webhook", payment_id.encode())[:MAC_BYTES]
        return f"{payment_id}.{mac.hex()}"

    def payment_of_webhook(self, token: str) -> str | None:
        """The payment that a webhook's token is for, whether there is one or not; None where we never made the
        token."""
        payment_id = token.partition(".")[0]
        payment = f"payments/{payment_id}"
        known = self.webhook_token(payment)
        # Digests are compared, so that the time it takes says nothing about the token.
        same = self.hasher.identity_hash(token.encode("utf-8", "replace")) == self.hasher.identity_hash(known.encode())
        return payment if payment_id and same else None

    def answer_digest(self, *parts: str, answer: PartnerAnswer | None) -> bytes:
        """What recognises the same piece of evidence again."""
        content = repr(answer).encode() if answer else b""
        return self.hasher.identity_hash(b"payment evidence", *(part.encode() for part in parts), content)


def _context(name: str, field: str) -> bytes:
    return f"{name}#{field}".encode()
