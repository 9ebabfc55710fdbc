"""The correlation id of a REST call: the caller's where it is fit, else ours; it goes to the core and comes back."""

from adapters.inbound import correlation
from adapters.inbound.request import Request


def of(request: Request) -> str:
    """The id of the call. One that is not fit for the core is replaced, so that both know the same one."""
    as_sent = request.correlation_id == request.correlation.text
    if as_sent and (request.times(b"x-correlation-id") > 1 or not correlation.plain(request.correlation_id)):
        request.correlation_id = correlation.made()
    return request.correlation_id
