"""PaymentWebhooksService."""

from mintmark.v1 import notifications_pb2
from mintmark.v1 import payment_webhooks_pb2 as pb

from server.domain.notifications import RecordOutcome, RecordResult
from server.rpc.calls import Call
from server.rpc.tasks import answer_of, storable
from server.services import payment_webhooks
from server.services.payment_house import PaymentHouse


def result(told: RecordResult) -> pb.RecordPaymentWebhookResponse:
    outcome = notifications_pb2.RecordOutcome.Value(f"RECORD_OUTCOME_{told.outcome}")
    return pb.RecordPaymentWebhookResponse(outcome=outcome, notification=told.notification)


class PaymentWebhooks:
    """The methods of PaymentWebhooksService, behind the wrapper of every call."""

    def __init__(self, house: PaymentHouse) -> None:
        self._house = house

    def RecordPaymentWebhook(
        self, request: pb.RecordPaymentWebhookRequest, call: Call
    ) -> pb.RecordPaymentWebhookResponse:
        payment = self._house.payment_of_webhook(request.url_token)
        if payment is None:
            return result(RecordResult(RecordOutcome.NOT_OURS))
        answer, correlation_id = answer_of(request.answer), storable(request.correlation_id)
        return result(
            self._house.store.write(
                payment,
                lambda transaction: payment_webhooks.record(self._house, transaction, payment, answer, correlation_id),
                deadline=call.deadline,
            )
        )
