"""How each refusal is told to a gRPC caller: a status code and one google.rpc.ErrorInfo."""

import grpc
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2
from mintmark.v1 import errors_pb2

from server.domain import refusals
from server.domain.refusals import Refusal
from server.domain.violations import FieldsInvalid

DOMAIN = "mintmark"
DETAILS_KEY = "grpc-status-details-bin"
Reason = errors_pb2.ErrorReason
Code = grpc.StatusCode

TOLD_AS: dict[type[Refusal], tuple[errors_pb2.ErrorReason.ValueType, grpc.StatusCode]] = {
    refusals.FieldInvalid: (Reason.ERROR_REASON_FIELD_INVALID, Code.INVALID_ARGUMENT),
    refusals.PageTokenInvalid: (Reason.ERROR_REASON_PAGE_TOKEN_INVALID, Code.INVALID_ARGUMENT),
    refusals.CursorInvalid: (Reason.ERROR_REASON_CURSOR_INVALID, Code.INVALID_ARGUMENT),
    refusals.CursorOutOfRange: (Reason.ERROR_REASON_CURSOR_OUT_OF_RANGE, Code.OUT_OF_RANGE),
    refusals.AccessTokenInvalid: (Reason.ERROR_REASON_ACCESS_TOKEN_INVALID, Code.UNAUTHENTICATED),
    refusals.ClientCredentialsInvalid: (Reason.ERROR_REASON_CLIENT_CREDENTIALS_INVALID, Code.UNAUTHENTICATED),
    refusals.ScopeMissing: (Reason.ERROR_REASON_SCOPE_MISSING, Code.PERMISSION_DENIED),
    refusals.ScopeInvalid: (Reason.ERROR_REASON_SCOPE_INVALID, Code.INVALID_ARGUMENT),
    refusals.ResourceNotFound: (Reason.ERROR_REASON_RESOURCE_NOT_FOUND, Code.NOT_FOUND),
    refusals.ResourceExists: (Reason.ERROR_REASON_RESOURCE_EXISTS, Code.ALREADY_EXISTS),
    refusals.EtagMismatch: (Reason.ERROR_REASON_ETAG_MISMATCH, Code.FAILED_PRECONDITION),
    refusals.RequestIdReused: (Reason.ERROR_REASON_REQUEST_ID_REUSED, Code.FAILED_PRECONDITION),
    refusals.RequestInProgress: (Reason.ERROR_REASON_REQUEST_IN_PROGRESS, Code.ABORTED),
    refusals.SecretTooWeak: (Reason.ERROR_REASON_SECRET_TOO_WEAK, Code.INVALID_ARGUMENT),
    refusals.SecretsFull: (Reason.ERROR_REASON_SECRETS_FULL, Code.FAILED_PRECONDITION),
    refusals.ClientProtected: (Reason.ERROR_REASON_CLIENT_PROTECTED, Code.FAILED_PRECONDITION),
    refusals.TooManyCalls: (Reason.ERROR_REASON_TOO_MANY_CALLS, Code.RESOURCE_EXHAUSTED),
    refusals.StoreUnavailable: (Reason.ERROR_REASON_STORE_UNAVAILABLE, Code.UNAVAILABLE),
    refusals.ShuttingDown: (Reason.ERROR_REASON_SHUTTING_DOWN, Code.UNAVAILABLE),
    refusals.DeadlinePassed: (Reason.ERROR_REASON_DEADLINE_PASSED, Code.DEADLINE_EXCEEDED),
    refusals.SecretInUse: (Reason.ERROR_REASON_SECRET_IN_USE, Code.ALREADY_EXISTS),
    refusals.NotReplayable: (Reason.ERROR_REASON_NOT_REPLAYABLE, Code.FAILED_PRECONDITION),
    refusals.BindingInvalid: (Reason.ERROR_REASON_BINDING_INVALID, Code.INVALID_ARGUMENT),
    refusals.EventsMissing: (Reason.ERROR_REASON_EVENTS_MISSING, Code.FAILED_PRECONDITION),
    refusals.EventNotDelivered: (Reason.ERROR_REASON_EVENT_NOT_DELIVERED, Code.FAILED_PRECONDITION),
    refusals.SubscriptionsFull: (Reason.ERROR_REASON_SUBSCRIPTIONS_FULL, Code.FAILED_PRECONDITION),
    refusals.TokenUnusable: (Reason.ERROR_REASON_TOKEN_UNUSABLE, Code.FAILED_PRECONDITION),
    refusals.MerchantPaymentIdUsed: (Reason.ERROR_REASON_MERCHANT_PAYMENT_ID_USED, Code.ALREADY_EXISTS),
    refusals.AmountUnsendable: (Reason.ERROR_REASON_AMOUNT_UNSENDABLE, Code.FAILED_PRECONDITION),
    refusals.CeilingExceeded: (Reason.ERROR_REASON_CEILING_EXCEEDED, Code.FAILED_PRECONDITION),
    refusals.ReturnUrlNotAllowed: (Reason.ERROR_REASON_RETURN_URL_NOT_ALLOWED, Code.INVALID_ARGUMENT),
    refusals.AccountUnusable: (Reason.ERROR_REASON_ACCOUNT_UNUSABLE, Code.FAILED_PRECONDITION),
    refusals.OperationInDoubt: (Reason.ERROR_REASON_OPERATION_IN_DOUBT, Code.FAILED_PRECONDITION),
    refusals.AmountExceeded: (Reason.ERROR_REASON_AMOUNT_EXCEEDED, Code.FAILED_PRECONDITION),
    refusals.PaymentStateUnfit: (Reason.ERROR_REASON_PAYMENT_STATE_UNFIT, Code.FAILED_PRECONDITION),
    refusals.AlreadySent: (Reason.ERROR_REASON_ALREADY_SENT, Code.FAILED_PRECONDITION),
    refusals.TooEarly: (Reason.ERROR_REASON_TOO_EARLY, Code.FAILED_PRECONDITION),
    refusals.AttemptRefused: (Reason.ERROR_REASON_ATTEMPT_REFUSED, Code.ABORTED),
    refusals.AccountInUse: (Reason.ERROR_REASON_ACCOUNT_IN_USE, Code.FAILED_PRECONDITION),
    refusals.WebhookConfigStateUnfit: (Reason.ERROR_REASON_WEBHOOK_CONFIG_STATE_UNFIT, Code.FAILED_PRECONDITION),
    refusals.WebhookDeleteNotPossible: (Reason.ERROR_REASON_WEBHOOK_DELETE_NOT_POSSIBLE, Code.FAILED_PRECONDITION),
    refusals.WebhookKeysFull: (Reason.ERROR_REASON_WEBHOOK_KEYS_FULL, Code.FAILED_PRECONDITION),
    refusals.StatusQueryNotPossible: (Reason.ERROR_REASON_STATUS_QUERY_NOT_POSSIBLE, Code.FAILED_PRECONDITION),
    refusals.RefreshNotPossible: (Reason.ERROR_REASON_REFRESH_NOT_POSSIBLE, Code.FAILED_PRECONDITION),
    refusals.CardKeyUnknown: (Reason.ERROR_REASON_CARD_KEY_UNKNOWN, Code.INVALID_ARGUMENT),
    refusals.CardStateUnfit: (Reason.ERROR_REASON_CARD_STATE_UNFIT, Code.FAILED_PRECONDITION),
    refusals.ConsumerStateUnfit: (Reason.ERROR_REASON_CONSUMER_STATE_UNFIT, Code.FAILED_PRECONDITION),
    refusals.ConsumerHasCards: (Reason.ERROR_REASON_CONSUMER_HAS_CARDS, Code.FAILED_PRECONDITION),
    refusals.IssuerCallNotAllowed: (Reason.ERROR_REASON_ISSUER_CALL_NOT_ALLOWED, Code.PERMISSION_DENIED),
}
NUMBERS: dict[grpc.StatusCode, int] = {code: code.value[0] for code in grpc.StatusCode}


def told_as(refusal: Refusal) -> tuple[errors_pb2.ErrorReason.ValueType, grpc.StatusCode]:
    for of in type(refusal).__mro__:
        if of in TOLD_AS:
            return TOLD_AS[of]
    raise LookupError(type(refusal).__name__)


def details(code: grpc.StatusCode, text: str, reason: str, metadata: dict[str, str], refusal: Refusal | None) -> bytes:
    """The google.rpc.Status that goes into the trailing metadata."""
    status = status_pb2.Status(code=NUMBERS[code], message=text)
    _pack(status, error_details_pb2.ErrorInfo(reason=reason, domain=DOMAIN, metadata=metadata))
    if isinstance(refusal, FieldsInvalid):
        bad = error_details_pb2.BadRequest()
        for field, description, rule in refusal.violations:
            bad.field_violations.add(field=field, description=description, reason=rule)
        _pack(status, bad)
    return bytes(status.SerializeToString())


def of_refusal(refusal: Refusal) -> tuple[grpc.StatusCode, str, bytes]:
    """The code, the text and the details that a refusal is told with."""
    reason, code = told_as(refusal)
    word = errors_pb2.ErrorReason.Name(reason).removeprefix("ERROR_REASON_")
    return code, refusal.text, details(code, refusal.text, word, refusal.metadata, refusal)


def of_fault(correlation_id: str) -> tuple[grpc.StatusCode, str, bytes]:
    """What a caller is told of a fault of ours: where to look, and nothing else."""
    text = f"a fault of ours; the log has it under correlation id {correlation_id}"
    return Code.INTERNAL, text, details(Code.INTERNAL, text, "INTERNAL", {"correlation_id": correlation_id}, None)


def _pack(status: status_pb2.Status, detail: error_details_pb2.ErrorInfo | error_details_pb2.BadRequest) -> None:
    packed = any_pb2.Any()
    packed.Pack(detail)
    status.details.append(packed)
