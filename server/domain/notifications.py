"""What partners tell us: the words of the contracts, and a notification as it is kept."""

from dataclasses import dataclass
from enum import StrEnum

# What is kept of an identifier to search notifications by it.
LONGEST_SEARCHABLE = 256


class NotificationKind(StrEnum):
    D1_TOKEN_UPDATE = "D1_TOKEN_UPDATE"
    TSH_BINDING_CREATION = "TSH_BINDING_CREATION"
    TSH_BINDING_UPDATE = "TSH_BINDING_UPDATE"
    TSH_TOKEN_CREATION = "TSH_TOKEN_CREATION"
    TSH_TOKEN_UPDATE = "TSH_TOKEN_UPDATE"
    TSH_MERCHANT_UPDATE = "TSH_MERCHANT_UPDATE"
    PAYMENT_OPTIONS_WEBHOOK = "PAYMENT_OPTIONS_WEBHOOK"
    SIBS_TRANSACTION = "SIBS_TRANSACTION"
    D1_CARD_OPERATION = "D1_CARD_OPERATION"
    D1_DIGITAL_CARD_OPERATION = "D1_DIGITAL_CARD_OPERATION"
    D1_THREE_D_SECURE_OPERATION = "D1_THREE_D_SECURE_OPERATION"
    D1_CONSUMER_OPERATION = "D1_CONSUMER_OPERATION"
    D1_CARD_AUTHORISATION = "D1_CARD_AUTHORISATION"


# What D1 tells issuers. The others belong to a merchant gateway.
TO_ISSUERS = frozenset(
    {
        NotificationKind.D1_CARD_OPERATION,
        NotificationKind.D1_DIGITAL_CARD_OPERATION,
        NotificationKind.D1_THREE_D_SECURE_OPERATION,
        NotificationKind.D1_CONSUMER_OPERATION,
        NotificationKind.D1_CARD_AUTHORISATION,
    }
)


class Partner(StrEnum):
    """Whose system sent a notification; the kind says it."""

    D1 = "D1"
    TSH = "TSH"
    SIBS = "SIBS"
    PAYMENT_OPTIONS = "PAYMENT_OPTIONS"


KINDS_OF = {
    Partner.D1: frozenset({NotificationKind.D1_TOKEN_UPDATE}) | TO_ISSUERS,
    Partner.TSH: frozenset(
        {
            NotificationKind.TSH_BINDING_CREATION,
            NotificationKind.TSH_BINDING_UPDATE,
            NotificationKind.TSH_TOKEN_CREATION,
            NotificationKind.TSH_TOKEN_UPDATE,
            NotificationKind.TSH_MERCHANT_UPDATE,
        }
    ),
    Partner.SIBS: frozenset({NotificationKind.SIBS_TRANSACTION}),
    Partner.PAYMENT_OPTIONS: frozenset({NotificationKind.PAYMENT_OPTIONS_WEBHOOK}),
}
PARTNER_OF = {kind: partner for partner, kinds in KINDS_OF.items() for kind in kinds}


class NotificationState(StrEnum):
    APPLIED = "APPLIED"
    STALE = "STALE"
    QUARANTINED = "QUARANTINED"
    REJECTED = "REJECTED"


class QuarantineReason(StrEnum):
    MERCHANT_NOT_BOUND = "MERCHANT_NOT_BOUND"
    CARD_NUMBER_IN_IDENTIFIER = "CARD_NUMBER_IN_IDENTIFIER"
    STORE_REFUSED = "STORE_REFUSED"
    FIELD_INVALID = "FIELD_INVALID"
    BODY_UNREADABLE = "BODY_UNREADABLE"
    IDENTIFIER_UNUSABLE = "IDENTIFIER_UNUSABLE"
    PAYMENT_UNKNOWN = "PAYMENT_UNKNOWN"
    NOTIFICATION_ID_REUSED = "NOTIFICATION_ID_REUSED"
    BATCH_ITEM_INVALID = "BATCH_ITEM_INVALID"


# With these the partner was answered 400, so the notification is rejected rather than quarantined.
ANSWERED_WITH_400 = frozenset({QuarantineReason.FIELD_INVALID, QuarantineReason.BODY_UNREADABLE})


class NotificationFlag(StrEnum):
    DUPLICATE_KEY = "DUPLICATE_KEY"
    NUL = "NUL"
    LONE_SURROGATE = "LONE_SURROGATE"
    TIMESTAMP_MALFORMED = "TIMESTAMP_MALFORMED"
    TIMESTAMP_UNREADABLE = "TIMESTAMP_UNREADABLE"
    TIMESTAMP_AHEAD = "TIMESTAMP_AHEAD"
    CORRELATION_ID_ODD = "CORRELATION_ID_ODD"
    FIELD_ODD = "FIELD_ODD"
    NUMBER_AS_TEXT = "NUMBER_AS_TEXT"
    CARD_NUMBER_CUT = "CARD_NUMBER_CUT"
    VALUE_UNRECOGNIZED = "VALUE_UNRECOGNIZED"
    CONTRADICTORY = "CONTRADICTORY"


class RecordOutcome(StrEnum):
    """How the partner is to be answered."""

    STORED = "STORED"
    REPEATED = "REPEATED"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    FORBIDDEN = "FORBIDDEN"
    NOT_OURS = "NOT_OURS"
    NOT_STORED = "NOT_STORED"


@dataclass(frozen=True, slots=True)
class D1TokenUpdate:
    update_type: str


@dataclass(frozen=True, slots=True)
class TshBinding:
    """Texts as they came, empty where absent."""

    device_type: str = ""
    app_type: str = ""
    visa_provisioned_token_id: str = ""
    idv_method: str = ""
    binding_state: str = ""
    event_initiator: str = ""
    creation_timestamp: str = ""
    last_update_timestamp: str = ""


@dataclass(frozen=True, slots=True)
class TshToken:
    """Texts as they came, empty where absent."""

    token_state: str = ""
    card_bin: str = ""
    card_last_digits: str = ""
    card_expiry: str = ""
    token_last_digits: str = ""
    token_expiry: str = ""
    payment_account_reference: str = ""
    visa_provisioned_token_id: str = ""
    creation_timestamp: str = ""
    last_update_timestamp: str = ""
    error_code: str = ""


@dataclass(frozen=True, slots=True)
class TshMerchant:
    """Texts as they came, empty where absent."""

    scheme: str = ""
    token_requestor_id: str = ""
    mastercard_service_id: str = ""
    last_update_timestamp: str = ""
    error_code: str = ""


@dataclass(frozen=True, slots=True)
class D1IssuerOperation:
    """Texts as they came, empty where absent."""

    operation: str = ""
    status: str = ""
    start_time: str = ""
    end_time: str = ""
    digital_card_ids: tuple[str, ...] = ()
    details_json: str = ""
    message: str = ""
    error_code: str = ""
    error: str = ""
    input_file_name: str = ""
    issuer_request_id: str = ""


Content = D1TokenUpdate | TshBinding | TshToken | TshMerchant | D1IssuerOperation


@dataclass(frozen=True, slots=True)
class Record:
    """A notification on its way into the store, as the gateway hands it over after the card-data cut."""

    kind: NotificationKind
    sender: str
    merchant_gateway_id: str
    merchant_id: str
    token_id: str
    device_id: str
    correlation_id: str
    correlation_id_given: bool
    body: bytes
    content_digest: bytes
    flags: tuple[NotificationFlag, ...] = ()
    quarantine_reason: QuarantineReason | None = None
    content: Content | None = None
    # Of what D1 tells issuers.
    issuer_id: str = ""
    card_id: str = ""
    digital_card_id: str = ""
    consumer_id: str = ""
    operation_id: str = ""


@dataclass(frozen=True, slots=True)
class RecordResult:
    outcome: RecordOutcome
    notification: str = ""
    state: NotificationState | None = None
    quarantine_reason: QuarantineReason | None = None


@dataclass(frozen=True, slots=True)
class Notification:
    """A notification as it is kept. What is sealed opens only with the keyring; times are microseconds.

    `sealed_record` is what the gateway read of it; None where a version before kept none. `resource_revision` is the
    revision that the resource had when the notification was decided, 0 where there was none; `replay_time` is when a
    replay last changed something.
    """

    name: str
    kind: NotificationKind
    state: NotificationState
    quarantine_reason: QuarantineReason | None
    flags: tuple[NotificationFlag, ...]
    resource: str
    merchant_gateway_id: str
    merchant_id: str
    token_id: str
    device_id: str
    correlation_id: str
    sender: str
    receive_time: int
    delivery_count: int
    last_delivery_time: int
    body_size: int
    sealed_body: bytes
    event_sequence: int = 0
    sealed_record: bytes | None = None
    resource_revision: int = 0
    replay_time: int | None = None
    partner_notification_id: str = ""
    webhook_config: str = ""
    issuer_id: str = ""
    card_id: str = ""
    digital_card_id: str = ""
    consumer_id: str = ""
    operation_id: str = ""
