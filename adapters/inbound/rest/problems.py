"""What goes wrong under `/v1`, told as RFC 9457 says: `application/problem+json` with a reason for programs."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus

from adapters.inbound.limits import RETRY_AFTER_SECONDS
from adapters.inbound.problems import NO_STORE, Answer, Header
from adapters.inbound.request import Request
from adapters.inbound.rest import correlation
from adapters.inbound.rest.reasons import BY_STATUS, GATEWAY_UNAVAILABLE, HttpReason
from adapters.inbound.rest.violations import FieldsInvalid, Violation

CONTENT_TYPE: Header = (b"content-type", b"application/problem+json")
NO_SNIFFING: Header = (b"x-content-type-options", b"nosniff")
RETRY_AFTER: Header = (b"retry-after", str(RETRY_AFTER_SECONDS).encode())
PAGES = "/problems/"
# Of the headers of the gateway's own answers those that say something about them.
_KEPT = frozenset({b"allow", b"connection", b"retry-after"})


@dataclass(frozen=True, slots=True)
class Trouble:
    """One problem before it is an answer: `detail` is for people, everything else for programs."""

    status: HTTPStatus
    reason: str
    detail: str
    metadata: Mapping[str, str] = field(default_factory=dict)
    violations: Sequence[Violation] = ()
    headers: tuple[Header, ...] = ()

    def document(self, correlation_id: str) -> dict[str, object]:
        """The members of the problem. `instance` names the call in our logs."""
        return {
            "type": PAGES + self.reason,
            "title": self.reason.replace("_", " ").capitalize(),
            "status": self.status.value,
            "detail": self.detail,
            "instance": f"urn:mintmark:correlation-id:{correlation_id}",
            "reason": self.reason,
            "metadata": dict(self.metadata),
            "violations": [
                {"field": each.field, "description": each.description, "rule": each.rule} for each in self.violations
            ],
        }

    def text(self, correlation_id: str) -> str:
        """The problem as one line of JSON."""
        return json.dumps(self.document(correlation_id), separators=(",", ":"))

    def answer(self, correlation_id: str) -> Answer:
        body = self.text(correlation_id).encode()
        length = (b"content-length", str(len(body)).encode())
        return Answer(self.status, (CONTENT_TYPE, length, NO_SNIFFING, *NO_STORE, *self.headers), body)


class Troubled(Exception):
    """The call ends with this trouble."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(trouble.reason)
        self.trouble = trouble


def trouble(reason: HttpReason, detail: str, *headers: Header, **metadata: str) -> Trouble:
    """One that only HTTP has."""
    return Trouble(reason.status, reason.name, detail, metadata, (), headers)


def fields_invalid(invalid: FieldsInvalid) -> Trouble:
    """A request that no message can be made of, told as the core tells of fields that break their rules."""
    first = invalid.violations[0]
    metadata = {"field": first.field, "rule": first.rule, "description": first.description}
    detail = f"{first.field}: {first.description}"
    return Trouble(HTTPStatus.BAD_REQUEST, "FIELD_INVALID", detail, metadata, invalid.violations)


def reshape(answer: Answer, request: Request) -> Answer:
    """An answer that says no in the gateway's words, as a problem."""
    reason = BY_STATUS.get(answer.status, GATEWAY_UNAVAILABLE)
    headers = tuple(header for header in answer.headers if header[0] in _KEPT)
    return trouble(reason, answer.error, *headers).answer(correlation.of(request))
