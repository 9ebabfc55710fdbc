"""What PaymentOptions says by itself: kept, taken for a hint, and asked about."""

from server.domain import names
from server.domain.events import Event, EventKind
from server.domain.notifications import (
    Notification,
    NotificationKind,
    NotificationState,
    QuarantineReason,
    RecordOutcome,
    RecordResult,
)
from server.domain.payment_answers import PartnerAnswer
from server.ports import Identity, Transaction
from server.services import payment_attempts
from server.services.payment_house import PaymentHouse

SENDER = "paymentOptions"


def record(
    house: PaymentHouse, transaction: Transaction, payment: str, answer: PartnerAnswer, correlation_id: str
) -> RecordResult:
    """Keeps a webhook whose token is ours. The same one again adds nothing."""
    digest = house.answer_digest("payment webhook", payment, answer=answer)
    known = transaction.identities([digest]).get(digest)
    now = house.now(transaction)
    if known is not None:
        transaction.count_deliveries({known.notification: 1}, now)
        return RecordResult(RecordOutcome.REPEATED, known.notification)
    held = transaction.ledger.payments.get(payment)
    name = names.notification(house.ids.notification_id(now))
    if held is not None:
        payment_attempts.webhook(house, transaction, payment, answer, SENDER, correlation_id)
    state = NotificationState.APPLIED if held else NotificationState.QUARANTINED
    kept = Notification(
        name=name,
        kind=NotificationKind.PAYMENT_OPTIONS_WEBHOOK,
        state=state,
        quarantine_reason=None if held else QuarantineReason.PAYMENT_UNKNOWN,
        flags=(),
        resource=payment,
        merchant_gateway_id=held.merchant_gateway_id if held else "",
        merchant_id=held.merchant_id if held else "",
        token_id="",
        device_id="",
        correlation_id=correlation_id,
        sender=SENDER,
        receive_time=now,
        delivery_count=1,
        last_delivery_time=now,
        body_size=len(answer.body),
        sealed_body=house.sealer.seal(answer.body, name.encode()),
    )
    transaction.know([Identity(digest, name, now, held is not None)], [])
    transaction.keep_notifications([kept])
    if held is None:
        transaction.append(
            Event(
                kind=EventKind.NOTIFICATION_QUARANTINED,
                resource=name,
                notification=name,
                time=now,
                correlation_id=correlation_id,
                actor=SENDER,
                details={"quarantine_reason": QuarantineReason.PAYMENT_UNKNOWN.value},
            )
        )
    return RecordResult(RecordOutcome.STORED, name, state)
