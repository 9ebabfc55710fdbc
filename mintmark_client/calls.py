"""What every call goes through: the access token, the correlation id, typed errors, and tries that are safe."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import grpc

from mintmark_client import errors
from mintmark_client.connection import Connection, Metadata, metadata, new_id
from mintmark_client.errors import Fault, MintmarkError, Unavailable
from mintmark_client.pacing import Backoff

# Every method of the schema may be repeated: it reads, has a key of its own (`naturally_idempotent`), or carries a
# request_id, which is made once for all tries of a call.
REPEATABLE = "/mintmark.v1."
SHORTEST = 0.001


@dataclass(frozen=True, slots=True)
class Options:
    """How long a call may take in seconds, its repetitions included, and its correlation id (empty: one is made)."""

    timeout: float = 30.0
    correlation_id: str = ""


class _Details(NamedTuple):
    method: str
    timeout: float | None
    metadata: Metadata
    credentials: Any
    wait_for_ready: bool | None
    compression: Any


class Calls(grpc.UnaryUnaryClientInterceptor, grpc.UnaryStreamClientInterceptor):
    """Raises MintmarkError for unary calls. A stream gets its metadata, and ends with gRPC's own error.

    `waits` is how many seconds the server may take on purpose before it answers.
    """

    def __init__(self, connection: Connection, options: Options, waits: float = 0.0) -> None:
        self._attempt = connection.pacing.attempt + waits
        self._connection = connection
        self._pacing = connection.pacing
        self._access_token = connection.access_token
        self._options = options

    def intercept_unary_unary(
        self, continuation: Callable[..., Any], client_call_details: grpc.ClientCallDetails, request: Any
    ) -> Any:
        details: Any = client_call_details
        correlation_id = self._correlation_id(details)
        request, request_id = identified(request)
        deadline = self._pacing.monotonic() + (details.timeout or self._options.timeout)
        backoff = Backoff(self._pacing)
        renewed = False
        while True:
            left = deadline - self._pacing.monotonic()
            attempt = max(SHORTEST, min(left, self._attempt))
            used, sent = "", False
            try:
                used = self._access_token.get(attempt, correlation_id)
                own = metadata(used, correlation_id)
                if self._connection.closed:
                    # A call on a closed channel ends the process, not just the call.
                    raise Fault("the client is closed", correlation_id=correlation_id, request_id=request_id)
                sent = True
                return _answered(continuation(_with(details, own, attempt), request), correlation_id, request_id)
            except MintmarkError as error:
                if not renewed and self._access_token.worth_another(used, error):
                    renewed = True
                    continue
                pause = backoff.pause()
                passing = isinstance(error, Unavailable) and (not sent or details.method.startswith(REPEATABLE))
                if not passing or self._pacing.monotonic() + pause >= deadline:
                    raise
            self._pacing.sleep(pause)

    def intercept_unary_stream(
        self, continuation: Callable[..., Any], client_call_details: grpc.ClientCallDetails, request: Any
    ) -> Any:
        details: Any = client_call_details
        correlation_id = self._correlation_id(details)
        own = metadata(self._access_token.get(self._pacing.attempt, correlation_id), correlation_id)
        return continuation(_with(details, own, details.timeout), request)

    def _correlation_id(self, details: Any) -> str:
        given = dict(details.metadata or ()).get("x-correlation-id")
        return str(given or self._options.correlation_id or new_id())


def identified(request: Any) -> tuple[Any, str]:
    """The request with a request_id, and that; as it is, and empty, where the method has none."""
    if "request_id" not in request.DESCRIPTOR.fields_by_name:
        return request, ""
    if not request.request_id:
        copy = type(request)()
        copy.CopyFrom(request)
        copy.request_id = new_id()
        request = copy
    return request, request.request_id


def _with(details: Any, own: Metadata, timeout: float | None) -> _Details:
    ours = {key for key, _ in own}
    given = tuple((key, value) for key, value in details.metadata or () if key not in ours)
    return _Details(details.method, timeout, (*given, *own), details.credentials, None, details.compression)


def _answered(outcome: Any, correlation_id: str, request_id: str) -> Any:
    """The outcome of one try. Raises MintmarkError where it is none."""
    problem = outcome.exception()
    if problem is None:
        return outcome
    if isinstance(problem, grpc.RpcError):
        raise errors.of(problem, correlation_id, request_id) from problem
    raise problem
