"""What the core refuses, as a problem: its reason, its metadata, and every field that breaks a rule."""

import grpc
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2, status_pb2

from adapters.inbound.problems import Header
from adapters.inbound.rest.problems import RETRY_AFTER, Trouble
from adapters.inbound.rest.reasons import ANSWER_OVERDUE, ANSWER_UNKNOWN, CORE_UNAVAILABLE
from adapters.inbound.rest.statuses import WORTH_REPEATING, status_of
from adapters.inbound.rest.violations import Violation

DOMAIN = "mintmark"
DETAILS_KEY = "grpc-status-details-bin"
CHALLENGE = 'Bearer realm="mintmark"'


def of(error: grpc.aio.AioRpcError) -> Trouble:
    """The problem of a call that ended with an error."""
    code = error.code()
    headers: list[Header] = [RETRY_AFTER] if code in WORTH_REPEATING else []
    about, violations = _details(error)
    if about is None:
        # Nobody but the core says why in this way: the call did not reach it, or did not come back.
        away = code in {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}
        reason = CORE_UNAVAILABLE if away else ANSWER_UNKNOWN
        if code is grpc.StatusCode.DEADLINE_EXCEEDED:
            reason = ANSWER_OVERDUE
        status = status_of(code, "")
        return Trouble(status, reason.name, reason.meaning, {"code": code.name}, (), tuple(headers))
    metadata = dict(about.metadata)
    if code is grpc.StatusCode.UNAUTHENTICATED:
        given = metadata.get("why") != "none was sent"
        headers.append(_challenge('error="invalid_token"' if given else ""))
    if about.reason == "SCOPE_MISSING":
        headers.append(_challenge(f'error="insufficient_scope", scope="{metadata.get("scope", "")}"'))
    status = status_of(code, about.reason)
    return Trouble(status, about.reason, error.details() or "", metadata, violations, tuple(headers))


def access_token_invalid(why: str) -> Trouble:
    """One that cannot even be sent on, told as the core would."""
    text = f"access token: {why}; send `authorization: Bearer` with one from the token endpoint"
    status = status_of(grpc.StatusCode.UNAUTHENTICATED, "")
    return Trouble(status, "ACCESS_TOKEN_INVALID", text, {"why": why}, (), (_challenge('error="invalid_token"'),))


def _challenge(what: str) -> Header:
    return (b"www-authenticate", (f"{CHALLENGE}, {what}" if what else CHALLENGE).encode())


def _details(error: grpc.aio.AioRpcError) -> tuple[error_details_pb2.ErrorInfo | None, list[Violation]]:
    about: error_details_pb2.ErrorInfo | None = None
    violations: list[Violation] = []
    for key, value in error.trailing_metadata() or ():
        if key != DETAILS_KEY or not isinstance(value, bytes):
            continue
        try:
            details = status_pb2.Status.FromString(value).details
        except DecodeError:
            continue
        for detail in details:
            info, bad = error_details_pb2.ErrorInfo(), error_details_pb2.BadRequest()
            if detail.Unpack(info) and info.domain == DOMAIN:
                about = info
            elif detail.Unpack(bad):
                violations = [Violation(each.field, each.description, each.reason) for each in bad.field_violations]
    return about, violations
