"""What a call may end with instead of an answer.

    MintmarkError
      Refused                 a definite no: repeating the same call changes nothing
        InvalidRequest        INVALID_ARGUMENT: `violations` has every field that breaks its rule
        Unauthenticated       UNAUTHENTICATED: the credentials are not (any more) good
        Forbidden             PERMISSION_DENIED: the client lacks a scope
        NotFound              NOT_FOUND: there is none, or none that the client may see
        AlreadyExists         ALREADY_EXISTS
        PreconditionFailed    FAILED_PRECONDITION: the etag, or a request_id with other content
        CursorOutOfRange      OUT_OF_RANGE: `oldest_cursor` and `head_cursor` say what is there
        CredentialsUnreadable the credentials file cannot be read; nothing was sent
      Unavailable             no answer, or not now: a write may have happened; repeat it with the same `request_id`
      Fault                   a fault of the server, or an answer that is none of Mintmark's

The class follows from the status code, which the schema (errors.proto) gives with each reason: reasons that are newer
than this client have a class too. `reason` says which one it is.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import grpc
from google.rpc import error_details_pb2, status_pb2

DOMAIN = "mintmark"
DETAILS_KEY = "grpc-status-details-bin"


class Violation(NamedTuple):
    """One field that breaks its rule: its path in the request, and what is wrong."""

    field: str
    description: str


class MintmarkError(Exception):
    """A call that has no answer.

    `reason` is the name of an ErrorReason without its prefix, empty where the server said none (connection trouble);
    `metadata` is what errors.proto documents for it. `correlation_id` finds the call in the server's log.
    `request_id` is the one of a call that writes, empty of others.
    """

    def __init__(
        self,
        text: str,
        *,
        code: grpc.StatusCode | None = None,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: tuple[Violation, ...] = (),
        correlation_id: str = "",
        request_id: str = "",
    ) -> None:
        super().__init__(text)
        self.text = text
        self.code = code
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.violations = violations
        self.correlation_id = correlation_id
        self.request_id = request_id

    def __str__(self) -> str:
        label = self.reason or (self.code.name if self.code else "")
        known = [label, self.correlation_id and f"correlation id {self.correlation_id}"]
        shown = ", ".join(part for part in known if part)
        return f"{self.text} ({shown})" if shown else self.text


class Refused(MintmarkError):
    """A definite no."""


class InvalidRequest(Refused):
    """The request breaks a rule."""


class Unauthenticated(Refused):
    """The client id and secret do not belong together, or the access token is not good and no other could be had."""


class Forbidden(Refused):
    """The client lacks a scope."""


class NotFound(Refused):
    """There is no such resource among those that the client may see."""


class AlreadyExists(Refused):
    """The identifier or secret is taken."""


class PreconditionFailed(Refused):
    """The resource, or the request_id, is not as the call takes for granted."""


class CursorOutOfRange(Refused):
    """The cursor is older than what is kept, ahead of the head, or of another generation of the store."""

    @property
    def oldest_cursor(self) -> str:
        """Where to start to miss nothing more."""
        return self.metadata.get("oldest_cursor", "")

    @property
    def head_cursor(self) -> str:
        """After the newest event."""
        return self.metadata.get("head_cursor", "")


class CredentialsUnreadable(Refused):
    """The credentials file is not there, or has no client id and secret."""


class Unavailable(MintmarkError):
    """There was no answer in time, or the server cannot take the call now."""


class Fault(MintmarkError):
    """A fault of the server's, or an answer that is none of Mintmark's."""


Code = grpc.StatusCode
CLASSES: dict[grpc.StatusCode, type[MintmarkError]] = {
    Code.INVALID_ARGUMENT: InvalidRequest,
    Code.UNAUTHENTICATED: Unauthenticated,
    Code.PERMISSION_DENIED: Forbidden,
    Code.NOT_FOUND: NotFound,
    Code.ALREADY_EXISTS: AlreadyExists,
    Code.FAILED_PRECONDITION: PreconditionFailed,
    Code.OUT_OF_RANGE: CursorOutOfRange,
    Code.UNAVAILABLE: Unavailable,
    Code.ABORTED: Unavailable,
    Code.RESOURCE_EXHAUSTED: Unavailable,
    Code.DEADLINE_EXCEEDED: Unavailable,
}


def of(error: grpc.RpcError, correlation_id: str = "", request_id: str = "") -> MintmarkError:
    """The typed error that a gRPC error stands for."""
    # grpc types an error without the call that it always is.
    call: Any = error
    code: grpc.StatusCode = call.code()
    reason = ""
    metadata: dict[str, str] = {}
    violations: list[Violation] = []
    for detail in _details(call):
        about = error_details_pb2.ErrorInfo()
        bad = error_details_pb2.BadRequest()
        if detail.Unpack(about) and about.domain == DOMAIN:
            reason, metadata = about.reason, dict(about.metadata)
        elif detail.Unpack(bad):
            violations = [Violation(each.field, each.description) for each in bad.field_violations]
    return CLASSES.get(code, Fault)(
        call.details() or code.name,
        code=code,
        reason=reason,
        metadata=metadata,
        violations=tuple(violations),
        correlation_id=metadata.get("correlation_id") or correlation_id,
        request_id=request_id,
    )


def _details(call: Any) -> list[Any]:
    for key, value in call.trailing_metadata() or ():
        if key == DETAILS_KEY and isinstance(value, bytes):
            return list(status_pb2.Status.FromString(value).details)
    return []
