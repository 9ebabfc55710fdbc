"""Every reason that a problem under `/v1` can have, with its statuses and its meaning: the core's and HTTP's own."""

import re
from dataclasses import dataclass

from grpc import StatusCode
from mintmark.v1 import errors_pb2

from adapters.inbound.rest import reasons
from adapters.inbound.rest.description import comments
from adapters.inbound.rest.statuses import status_of

PREFIX = "ERROR_REASON_"
_CODE = re.compile(r"([A-Z_]+)\. (.*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Documented:
    """A reason as people read of it. `code` is the gRPC code, empty for what only HTTP has."""

    name: str
    status: int
    code: str
    meaning: str


def documented() -> list[Documented]:
    """All of them by status, then by name."""
    enum = errors_pb2.ErrorReason.DESCRIPTOR
    found = []
    for value in enum.values[1:]:
        name = value.name.removeprefix(PREFIX)
        said = _CODE.fullmatch(comments.of_value(enum.full_name, value.name))
        code, meaning = (said[1], said[2]) if said else ("UNKNOWN", "")
        found.append(Documented(name, status_of(StatusCode[code], name), code, meaning))
    found += [Documented(each.name, each.status, "", each.meaning) for each in reasons.ALL]
    return sorted(found, key=lambda each: (each.status, each.name))
