"""The correlation id of a REST call: the caller's where it is fit, else ours; it goes to the core and comes back."""

import re
import uuid

from adapters.inbound.problems import Header
from adapters.inbound.request import Request

HEADER = b"x-correlation-id"
# As the core takes it: what it would replace by one of its own is replaced here, so that both know the same one.
_FIT = re.compile(rb"[A-Za-z0-9._~:@/+=-]{1,128}")
_CARD_NUMBER = re.compile(rb"[0-9]{13}")


def of(request: Request) -> str:
    """The id of the call, from the first time on that it is asked for."""
    if not request.correlation_id:
        given = request.header(HEADER)
        fit = request.times(HEADER) == 1 and _FIT.fullmatch(given) and not _CARD_NUMBER.search(given)
        request.correlation_id = given.decode() if fit else str(uuid.uuid4())
    return request.correlation_id


def header(correlation_id: str) -> Header:
    """The header of the answer."""
    return (HEADER, correlation_id.encode())
