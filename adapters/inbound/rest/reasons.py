"""The reasons that only HTTP has: the gateway says them before or instead of the core, whose own are `ErrorReason`."""

from dataclasses import dataclass
from http import HTTPStatus


@dataclass(frozen=True, slots=True)
class HttpReason:
    """A reason, its status, and what it means for the caller."""

    name: str
    status: HTTPStatus
    meaning: str


PATH_UNKNOWN = HttpReason("PATH_UNKNOWN", HTTPStatus.NOT_FOUND, "Nothing is served at this path.")
METHOD_WRONG = HttpReason(
    "METHOD_WRONG", HTTPStatus.METHOD_NOT_ALLOWED, "The path takes other methods: the header Allow names them."
)
BODY_TOO_SLOW = HttpReason("BODY_TOO_SLOW", HTTPStatus.REQUEST_TIMEOUT, "The body did not arrive in time.")
BODY_TOO_LARGE = HttpReason(
    "BODY_TOO_LARGE",
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    "The body is longer than the gateway takes. Use several calls, or gRPC, which takes 1 MiB.",
)
CONTENT_TYPE_WRONG = HttpReason(
    "CONTENT_TYPE_WRONG",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    "The body must be sent as `application/json`, not compressed. Calls without anything to say send `{}`.",
)
BODY_UNREADABLE = HttpReason(
    "BODY_UNREADABLE",
    HTTPStatus.BAD_REQUEST,
    "The body is not a JSON object in UTF-8, is nested too deep, has a key twice, a number of more than 19 digits, "
    "U+0000 or half of a surrogate pair.",
)
HEADER_INVALID = HttpReason(
    "HEADER_INVALID",
    HTTPStatus.BAD_REQUEST,
    "A header is malformed, sent twice, or means nothing here. Metadata: `header`.",
)
ORIGIN_REFUSED = HttpReason(
    "ORIGIN_REFUSED",
    HTTPStatus.FORBIDDEN,
    "A web page of another origin called without an access token (development mode).",
)
HOST_WRONG = HttpReason(
    "HOST_WRONG",
    HTTPStatus.MISDIRECTED_REQUEST,
    "The Host header names something else than this machine (development mode).",
)
GATEWAY_UNAVAILABLE = HttpReason(
    "GATEWAY_UNAVAILABLE",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The gateway is full or restarting. Send it again, with the same Idempotency-Key.",
)
CORE_UNAVAILABLE = HttpReason(
    "CORE_UNAVAILABLE",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The core could not be reached, or the call broke on the way. Send it again, with the same Idempotency-Key. "
    "Metadata: `code`, that of gRPC.",
)
AUTHENTICATION_LIMITED = HttpReason(
    "AUTHENTICATION_LIMITED",
    HTTPStatus.TOO_MANY_REQUESTS,
    "The access token or secret is not valid, and too many were not in the last minute. A valid one is always taken.",
)
STREAMS_FULL = HttpReason(
    "STREAMS_FULL",
    HTTPStatus.SERVICE_UNAVAILABLE,
    "The gateway holds as many event streams as it takes. Come back after a moment, with the same Last-Event-ID.",
)
ANSWER_UNKNOWN = HttpReason(
    "ANSWER_UNKNOWN",
    HTTPStatus.INTERNAL_SERVER_ERROR,
    "The core answered in a way that the gateway does not know. Metadata: `code`, that of gRPC.",
)

ANSWER_OVERDUE = HttpReason(
    "ANSWER_OVERDUE",
    HTTPStatus.GATEWAY_TIMEOUT,
    "The core did not answer in time; what became of the call is not known. Send it again, with the same "
    "Idempotency-Key.",
)

ALL = (
    PATH_UNKNOWN,
    METHOD_WRONG,
    BODY_TOO_SLOW,
    BODY_TOO_LARGE,
    CONTENT_TYPE_WRONG,
    BODY_UNREADABLE,
    HEADER_INVALID,
    ORIGIN_REFUSED,
    HOST_WRONG,
    GATEWAY_UNAVAILABLE,
    CORE_UNAVAILABLE,
    AUTHENTICATION_LIMITED,
    STREAMS_FULL,
    ANSWER_UNKNOWN,
    ANSWER_OVERDUE,
)
# What the answers that every path of the gateway may give mean here, by their status.
BY_STATUS = {
    reason.status.value: reason
    for reason in (
        PATH_UNKNOWN,
        METHOD_WRONG,
        BODY_TOO_SLOW,
        BODY_TOO_LARGE,
        CONTENT_TYPE_WRONG,
        HOST_WRONG,
        AUTHENTICATION_LIMITED,
        GATEWAY_UNAVAILABLE,
    )
}
